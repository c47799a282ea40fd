"""The races of RFC 5407 by SIPp with the proxy between the phones: each figure, over UDP and TCP.

A proxy has no opinion about a dialog. What it must do here is bring every message to the other side,
the late ACK of a call that is over too, absorb what is repeated, let no CANCEL overtake a provisional
response, and have one right row in the call log.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import PASSWORD, extension
from tests.support.pbx_process import DOMAIN, PbxProcess, Row
from tests.support.sipp import Sipp, credentials
from tests.support.sipp_scenario import Scenario
from tests.support.wire_calls import token

CONFIGURATION = {"extensions": [extension("4801"), extension("4802")]}

Both = tuple[Scenario, Scenario]
Race = Callable[[Scenario, Scenario], None]

RACES: dict[str, tuple[Race, str]] = {}
"""Section -> the steps of both sides behind the INVITE, and how the row must have ended."""


def race(section: str, ended: str = "answered by caller") -> Callable[[Race], Race]:
    def noted(steps: Race) -> Race:
        RACES[section] = (steps, ended)
        return steps

    return noted


def established(alice: Scenario, bob: Scenario, *, ack: bool = True) -> None:
    bob.replies("INVITE", 180, tag="callee").replies("INVITE", 200, tag="callee", sdp=1)
    alice.receives(180).receives(200, "INVITE", route=True)
    if ack:
        alice.requests("ACK", number=2)
        bob.keeps("ACK", "first_ack", cseq="2")


def ends(alice: Scenario, bob: Scenario) -> None:
    alice.requests("BYE").receives(200, "BYE")
    bob.keeps("BYE").replies("BYE", 200)


@race("3.1.1")
def invite_again_after_the_200(alice: Scenario, bob: Scenario) -> None:
    """The repeated INVITE of a caller who has not seen the 200 is absorbed."""
    established(alice, bob, ack=False)
    uri = "sip:[field2]@[domain]"
    alice.requests(
        "INVITE", "second", number=2, uri=uri, offer=1, extra="[field1]", fresh=True, hears=False
    ).pause(200)
    alice.requests("ACK", number=2)
    bob.keeps("ACK", cseq="2")
    ends(alice, bob)


@race("3.1.2")
def cancel_after_the_200(alice: Scenario, bob: Scenario) -> None:
    """The CANCEL meets the 200 at the proxy: it is answered and goes no further."""
    established(alice, bob, ack=False)
    uri = "sip:[field2]@[domain]"
    alice.requests("CANCEL", "second", number=2, uri=uri, fresh=True).receives(200, "CANCEL")
    alice.requests("ACK", number=2)
    bob.keeps("ACK", cseq="2")
    ends(alice, bob)


@race("3.1.2 at the callee")
def cancel_meets_the_200_at_the_callee(alice: Scenario, bob: Scenario) -> None:
    bob.replies("INVITE", 180, tag="callee")
    alice.receives(180, "INVITE")
    uri = "sip:[field2]@[domain]"
    alice.requests("CANCEL", "second", number=2, uri=uri, fresh=True).receives(200, "CANCEL")
    bob.keeps("CANCEL").replies("INVITE", 200, tag="callee", sdp=1)
    alice.receives(200, "INVITE", route=True).requests("ACK", number=2)
    bob.keeps("ACK", cseq="2").replies("CANCEL", 200)
    ends(alice, bob)


@race("3.1.3")
def bye_of_the_early_dialog_meets_the_200(alice: Scenario, bob: Scenario) -> None:
    bob.replies("INVITE", 180, tag="callee")
    alice.receives(180, route=True).requests("BYE")
    bob.keeps("BYE").replies("INVITE", 200, tag="callee", sdp=1)
    alice.receives(200, "INVITE", route=True).requests("ACK", number=2)
    bob.keeps("ACK", cseq="2").replies("BYE", 200)
    alice.receives(200, "BYE")


@race("3.1.4")
def reinvite_before_the_ack(alice: Scenario, bob: Scenario) -> None:
    """Offer and answer are exchanged, so it is granted; the first ACK comes last."""
    established(alice, bob, ack=False)
    alice.requests("INVITE", offer=2)
    bob.keeps("INVITE", "again").replies("again", 200, sdp=2)
    alice.receives(200, "INVITE").requests("ACK", number=3)
    bob.keeps("ACK", "second_ack", cseq="3")
    alice.requests("ACK", "late", number=2)
    bob.keeps("ACK", "late_ack", cseq="2")
    ends(alice, bob)


@race("3.1.5")
def reinvite_before_the_ack_with_the_answer(alice: Scenario, bob: Scenario) -> None:
    """The offer of the 200 is not answered yet: 491."""
    established(alice, bob, ack=False)
    alice.requests("INVITE", "again", offer=2)
    bob.keeps("INVITE", "again").replies("again", 491)
    alice.receives(491, "INVITE").requests("ACK", "again", number=3)
    bob.keeps("ACK", "failed", cseq="3")
    alice.requests("ACK", "late", number=2, offer=1)
    bob.keeps("ACK", "late_ack", cseq="2")
    ends(alice, bob)


@race("3.1.6")
def bye_before_an_ack_that_is_lost(alice: Scenario, bob: Scenario) -> None:
    """The callee repeats its 200 until the BYE comes (SIPp counts the repeated one and passes it over)."""
    established(alice, bob, ack=False)
    bob.replies("INVITE", 200, tag="callee", sdp=1)
    alice.pause(200)
    ends(alice, bob)


@race("3.2.1", "answered by callee")
def bye_meets_bye(alice: Scenario, bob: Scenario) -> None:
    """Whose BYE is answered first has hung up."""
    established(alice, bob)
    alice.requests("BYE")
    bob.keeps("BYE").requests("BYE")
    alice.keeps("BYE").replies("BYE", 200)
    bob.receives(200, "BYE").replies("BYE", 200)
    alice.receives(200, "BYE")


@race("3.2.2")
def reinvite_meets_bye(alice: Scenario, bob: Scenario) -> None:
    established(alice, bob)
    alice.requests("BYE")
    bob.keeps("BYE").requests("INVITE", "again", offer=2)
    alice.keeps("INVITE").replies("INVITE", 481).keeps("ACK")
    bob.receives(481, "INVITE").requests("ACK", "again", number=1).replies("BYE", 200)
    alice.receives(200, "BYE")


@race("3.2.3")
def the_200_of_a_reinvite_comes_after_the_bye(alice: Scenario, bob: Scenario) -> None:
    """The caller acknowledges it although she has hung up."""
    established(alice, bob)
    alice.requests("INVITE", offer=2).requests("BYE")
    bob.keeps("INVITE", "again").keeps("BYE").replies("again", 200, sdp=2)
    alice.receives(200, "INVITE").requests("ACK", number=3)
    bob.keeps("ACK", cseq="3").replies("BYE", 200)
    alice.receives(200, "BYE")


@race("3.2.4")
def the_bye_overtakes_the_ack(alice: Scenario, bob: Scenario) -> None:
    """The ACK of a call that is over still reaches the callee, who would repeat his 200 without it."""
    established(alice, bob, ack=False)
    ends(alice, bob)
    alice.requests("ACK", number=2)
    bob.keeps("ACK", cseq="2")


@race("3.3.1")
def reinvite_meets_reinvite(alice: Scenario, bob: Scenario) -> None:
    """Both are told 491, and the one who tries again gets through."""
    established(alice, bob)
    alice.requests("INVITE", "again", offer=2)
    bob.keeps("INVITE", "again").requests("INVITE", "mine", offer=2)
    alice.keeps("INVITE", "theirs").replies("theirs", 491).keeps("ACK", "their_ack")
    bob.receives(491, "INVITE").requests("ACK", "mine", number=1)
    bob.replies("again", 491).keeps("ACK", "again_ack", cseq="3")
    alice.receives(491, "INVITE").requests("ACK", "again", number=3)
    alice.requests("INVITE", offer=3)
    bob.keeps("INVITE", "third").replies("third", 200, sdp=3)
    alice.receives(200, "INVITE").requests("ACK", number=4)
    bob.keeps("ACK", "third_ack", cseq="4")
    ends(alice, bob)


@race("3.3.2")
def update_meets_reinvite(alice: Scenario, bob: Scenario) -> None:
    established(alice, bob)
    alice.requests("UPDATE", offer=2)
    bob.keeps("UPDATE").requests("INVITE", "mine", offer=2)
    alice.keeps("INVITE").replies("INVITE", 491).keeps("ACK")
    bob.receives(491, "INVITE").requests("ACK", "mine", number=1).replies("UPDATE", 491)
    alice.receives(491, "UPDATE")
    ends(alice, bob)


@race("3.3.3")
def refer_meets_bye(alice: Scenario, bob: Scenario) -> None:
    established(alice, bob)
    alice.requests("BYE")
    bob.keeps("BYE").requests("REFER", extra="Refer-To: <sip:4801@[domain]>")
    alice.keeps("REFER").replies("REFER", 481)
    bob.receives(481, "REFER").replies("BYE", 200)
    alice.receives(200, "BYE")


@race("A", "cancelled by caller")
def bye_in_the_early_dialog(alice: Scenario, bob: Scenario) -> None:
    """Instead of CANCEL; the callee answers it and then the INVITE by 487."""
    bob.replies("INVITE", 180, tag="callee")
    alice.receives(180, route=True).requests("BYE")
    bob.keeps("BYE").replies("BYE", 200).replies("INVITE", 487, tag="callee").keeps("ACK")
    alice.receives(200, "BYE").receives(487, "INVITE")
    alice.requests("ACK", "second", number=2, uri="sip:[field2]@[domain]")


@race("B")
def bye_while_a_reinvite_is_pending(alice: Scenario, bob: Scenario) -> None:
    """The BYE ends the call and the re-INVITE by 487."""
    established(alice, bob)
    alice.requests("INVITE", "again", offer=2).requests("BYE")
    bob.keeps("INVITE", "again").keeps("BYE").replies("BYE", 200)
    alice.receives(200, "BYE")
    bob.replies("again", 487).keeps("ACK", "again_ack", cseq="3")
    alice.receives(487, "INVITE").requests("ACK", "again", number=3)


@race("C", "cancelled by caller")
def cancel_before_any_ringing(alice: Scenario, bob: Scenario) -> None:
    """The proxy keeps the CANCEL back until the callee has said something (RFC 3261 §9.1)."""
    uri = "sip:[field2]@[domain]"
    alice.requests("CANCEL", "second", number=2, uri=uri, fresh=True).receives(200, "CANCEL")
    bob.pause(300).replies("INVITE", 180, tag="callee")
    bob.keeps("CANCEL").replies("CANCEL", 200).replies("INVITE", 487, tag="callee").keeps("ACK")
    alice.receives(487, "INVITE").requests("ACK", "second", number=2, uri=uri)


@race("E")
def the_200_has_another_tag_than_the_ringing(alice: Scenario, bob: Scenario) -> None:
    """Somebody behind the callee has forked: the dialog of the 200 is the one that counts."""
    bob.replies("INVITE", 180, tag="another").replies("INVITE", 200, tag="callee", sdp=1)
    alice.receives(180).receives(200, "INVITE", route=True).requests("ACK", number=2)
    bob.keeps("ACK", cseq="2")
    ends(alice, bob)


@pytest.fixture
def played(pbx: PbxProcess, phones: Phones, tmp_path: Path) -> Callable[[str, str], Row]:
    """Plays the race of that section and returns the call's row."""

    def play(section: str, transport: str) -> Row:
        alice = Scenario.caller("alice", offer=0 if section == "3.1.5" else 1)
        bob = Scenario.callee("bob")
        RACES[section][0](alice, bob)
        call_id = f"race-{token()}@127.0.0.1"
        socket = {"udp": "u1", "tcp": "t1"}[transport]
        row = ["4801", credentials("4801", PASSWORD.format("4801")), "4802"]
        called = Sipp(bob.write(tmp_path), tmp_path, transport=socket, keys={"domain": DOMAIN})
        registrar = phones.wire("4802", register=False)
        contact = f"<sip:4802@127.0.0.1:{called.port};transport={transport}>"
        assert registrar.register(contact=contact).status == 200
        with ExitStack() as stack:
            stack.callback(registrar.register, contact="*", expires=0)
            stack.enter_context(called)
            calling = stack.enter_context(
                Sipp(
                    alice.write(tmp_path), tmp_path, target=pbx.server, transport=socket,
                    keys={"domain": DOMAIN}, rows=[row], limit_s=12, call_id=call_id,
                )
            )  # fmt: skip
            result = calling.finish()
            assert result.status == 0, f"{result.log}\n{called.explain()}"
            called.finish().check(1)
        result.check(1)
        return pbx.row_of(call_id)

    return play


CASES = [(section, transport) for transport in ("udp", "tcp") for section in RACES]
CASES.remove(("3.1.6", "tcp"))  # there SIPp takes a repeated 200 for an unexpected one


@pytest.mark.parametrize(("section", "transport"), CASES)
def test_rfc5407_3_the_races(
    played: Callable[[str, str], Row], section: str, transport: str
) -> None:
    row = played(section, transport)
    assert f"{row['result']} by {row['hangup_by']}" == RACES[section][1]
