"""Two phones of our own user agent through the PBX: flows that desk phones do not do on demand."""

from __future__ import annotations

from sipengine.sip.sdp.description import SENDONLY
from tests.support.cast import PASSWORD, extension
from tests.support.pbx_process import DOMAIN, PbxProcess
from tests.support.soft_phone import SoftPhone

CONFIGURATION = {"extensions": [extension("3301"), extension("3302")]}


def soft(pbx: PbxProcess, number: str, password: str = "") -> SoftPhone:
    return SoftPhone(number, password or PASSWORD.format(number), pbx.sip, DOMAIN)


def test_early_media_update_hold_and_refer_pass_the_proxy_rfc3262_3(pbx: PbxProcess) -> None:
    with soft(pbx, "3301") as alice, soft(pbx, "3302") as bob:
        assert alice.registration.registered
        session = alice.call("3302")
        bob.wait(lambda: "invite" in bob.events, "the call", alice)
        bob.do(lambda now: bob.session.progress(183, bob.answer(), now))
        alice.wait(lambda: "answer" in alice.events, "the early answer", bob)
        alice.wait(lambda: bob.said("SIP/2.0 200"), "the PRACK to be answered", bob)
        assert alice.said("PRACK")
        alice.do(lambda now: session.offer(alice.description(), now))
        alice.wait(lambda: alice.events.count("answer") == 2, "the UPDATE's answer", bob)
        assert alice.said("UPDATE")
        bob.do(lambda now: bob.session.accept(None, now))
        alice.wait(lambda: session.established and bob.session.established, "the call", bob)
        alice.do(lambda now: session.offer(alice.description(SENDONLY), now, insist=True))
        alice.wait(lambda: alice.events.count("answer") == 3, "the hold's answer", bob)
        heard: list[int] = []
        alice.do(
            lambda now: session.referrals.send(
                "<sip:carol@pbx.test>", lambda status, over, at: heard.append(status), now, []
            )
        )
        alice.wait(lambda: 200 in heard, "the referral's end", bob)
        alice.do(lambda now: session.end(now))
        alice.wait(lambda: "ended 200" in bob.events, "the end", bob)
        row = pbx.row_of(session.call_id)
    assert (row["result"], row["hangup_by"]) == ("answered", "caller")


def test_wrong_password_is_refused_and_tried_later(pbx: PbxProcess) -> None:
    phone = soft(pbx, "3301", "not this one")
    with phone:
        assert phone.answers in ([401], [403])
        assert not phone.registration.registered
