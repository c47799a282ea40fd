"""Calls of the page My phone that are named by a Replaces header before they are answered (RFC 3891 §3)."""

from __future__ import annotations

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.web_people import WebPeople

CONFIGURATION = {"extensions": [extension(f"433{digit}") for digit in range(1, 4)]}
TONE = {"4331": 440.0}


def tag_in(address: str) -> str:
    return address.partition("tag=")[2].partition(";")[0]


def replaces(call_id: str, at_page: str, at_other: str, flag: str = "") -> str:
    return f"Require: replaces\nReplaces: {call_id};to-tag={at_page};from-tag={at_other}{flag}\n"


def test_rfc3891_3_a_call_of_the_page_that_still_rings_is_taken_by_somebody_else(
    web: WebPeople, phones: Phones
) -> None:
    """The page answers at once, since its person wanted to speak, and cancels the call that rings."""
    page, desk, taker = web.open("4331"), phones.wire("4332"), phones.wire("4333")
    page.dial("4332")
    ringing = desk.incoming()
    ringing.ring()
    page.says("Ringing …")
    invite = ringing.invite
    named = replaces(invite["Call-ID"], tag_in(invite["From"]), ringing.tag, ";early-only")
    taking = taker.call("4331", extra=named)
    dialog = taking.answered(deadline=10)
    ringing.cancelled(deadline=10)
    page.says("Talking")
    dialog.request("BYE")
    assert taker.wire.receive_final("BYE").status == 200
    page.is_idle()
    assert page.trouble == []


def test_rfc3891_3_a_call_that_rings_at_the_page_is_not_taken_from_it(
    web: WebPeople, phones: Phones
) -> None:
    page, desk, taker = web.open("4331"), phones.wire("4332"), phones.wire("4333")
    call = desk.call("4331")
    tag = tag_in(call.rings(deadline=10)["To"])
    page.says("Incoming call")
    taker.call("4331", extra=replaces(call.call_id, tag, tag_in(call.local))).fails(
        481, deadline=10
    )
    page.says("Incoming call")
    call.cancel()
    page.is_idle()


def test_rfc3891_3_who_wants_only_a_ringing_call_does_not_get_an_answered_one(
    web: WebPeople, phones: Phones
) -> None:
    page, desk, taker = web.open("4331"), phones.wire("4332"), phones.wire("4333")
    page.dial("4332")
    incoming = desk.incoming()
    incoming.answer()
    page.says("Talking")
    invite = incoming.invite
    named = replaces(invite["Call-ID"], tag_in(invite["From"]), incoming.tag, ";early-only")
    taker.call("4331", extra=named).fails(486, deadline=10)
    page.says("Talking")
    page.press("Hang up")
    page.is_idle()
