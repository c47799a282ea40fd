"""A desk phone connects two it talks to, one of them a page My phone (RFC 5589 §7, RFC 3891).

The desk phone is Linphone, which sends the REFER with Replaces to the first of its calls and is out of
both; the two others hear each other. baresip 1.0 can do neither: it knows no Replaces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.cast import PASSWORD, extension
from tests.support.linphone import Linphone
from tests.support.pbx_process import DOMAIN, PbxProcess
from tests.support.wait import until
from tests.support.web_people import WebPeople

CONFIGURATION = {"extensions": [extension(f"431{digit}") for digit in range(1, 5)]}
TONE = {"4311": 440.0, "4312": 660.0}

Desk = Callable[[str], Linphone]


@pytest.fixture
def desk(pbx: PbxProcess, tmp_path: Path) -> Iterator[Desk]:
    """A registered Linphone with that extension."""
    with ExitStack() as stack:

        def made(number: str) -> Linphone:
            account = (pbx.server, DOMAIN, PASSWORD.format(number))
            phone = stack.enter_context(Linphone(number, tmp_path, *account))
            until(
                lambda: any(row["aor"] == f"{number}@{DOMAIN}" for row in pbx.bindings()),
                f"{number} to register",
                deadline=15,
            )
            return phone

        yield made


def was_transferred(pbx: PbxProcess, caller: str) -> None:
    """The call log tells it of that extension's call in words."""
    reasons = "SELECT reason FROM calls_call WHERE caller = %s AND ended IS NOT NULL"
    until(
        lambda: any(
            "transferred" in row["reason"] for row in pbx.query(reasons, f"{caller}@{DOMAIN}")
        ),
        "a row that tells of the transfer",
        deadline=15,
    )


def calls_both(asker: Linphone, first: str, answered: Callable[[], None], second: str) -> None:
    """Linphone talks to the first, holds and calls the second, as its prompt wants it."""
    asker.say(f"call sip:{first}@{DOMAIN}")
    answered()
    asker.shows("Media streams established")
    asker.say("pause")
    asker.shows("is now paused")
    asker.say(f"call sip:{second}@{DOMAIN}")


def connects(asker: Linphone) -> None:
    """It hands its first call to its second and is out of both."""
    asker.shows("for call 2 (audio)")
    asker.say("transfer 1 --to-call 2")
    asker.shows("of call 1 has been transfered")


def test_rfc5589_7_a_page_is_handed_to_a_desk_phone(
    pbx: PbxProcess, web: WebPeople, desk: Desk
) -> None:
    page, asker, target = web.open("4311"), desk("4313"), desk("4314")
    calls_both(asker, "4311", lambda: page.press("Answer"), "4314")
    target.answer(tone=880)
    page.says("Put on hold by the other side")
    connects(asker)
    target.shows("for call 2 (audio)")
    target.speak(880)
    page.hears(880)
    target.hears(TONE["4311"])
    page.says("Talking")
    page.press("Hang up")
    page.is_idle()
    target.shows('Call 2 with "Phone 4311" <sip:4311@pbx.test> ended')
    assert page.trouble == []
    was_transferred(pbx, "4313")


def test_rfc3891_3_a_desk_phone_is_handed_to_a_page(web: WebPeople, desk: Desk) -> None:
    """The page takes the INVITE with Replaces without being asked: who talked to it went on."""
    page, asker, first = web.open("4311"), desk("4313"), desk("4314")
    calls_both(asker, "4314", lambda: first.answer(tone=880), "4311")
    page.press("Answer")
    page.says("Talking")
    connects(asker)
    first.shows("for call 2 (audio)")
    first.speak(880)
    page.hears(880)
    first.hears(TONE["4311"])
    first.say("terminate")
    page.is_idle()
    assert page.trouble == []


def test_rfc5589_7_two_pages_are_connected_by_a_desk_phone(web: WebPeople, desk: Desk) -> None:
    alice, bob, asker = web.open("4311"), web.open("4312"), desk("4313")
    calls_both(asker, "4311", lambda: alice.press("Answer"), "4312")
    bob.press("Answer")
    bob.says("Talking")
    connects(asker)
    alice.hears(TONE["4312"])
    bob.hears(TONE["4311"])
    alice.press("Hang up")
    bob.is_idle()
    assert alice.trouble == bob.trouble == []


def test_rfc5589_7_a_page_connects_two_desk_phones(web: WebPeople, desk: Desk) -> None:
    """Linphone calls by the Refer-To of the page, and takes a call with Replaces. Their voice flows
    straight between them, and is not listened to here."""
    page, first, second = web.open("4311"), desk("4313"), desk("4314")
    page.dial("4313")
    first.answer(tone=880)
    page.hears(880)
    page.press("Second call")
    page.dial("4314")
    second.answer(tone=550)
    page.hears(550)
    page.press("Connect both")
    page.is_idle()
    first.shows("for call 2 (audio)")
    second.shows("for call 2 (audio)")
    first.say("terminate")
    second.logged("LinphoneCallReleased")
    assert page.trouble == []
