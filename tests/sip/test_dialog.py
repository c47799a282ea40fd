"""Dialog state (RFC 3261 §12): route sets, targets, CSeq."""

from __future__ import annotations

import pytest

from sipengine.sip.dialog import CONFIRMED, EARLY, dialog_of_request, dialog_of_response
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message
from sipengine.sip.parser import parse

INVITE = """\
INVITE sip:bob@b.test SIP/2.0
Via: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bK1
{routes}From: "Alice" <sip:alice@a.test>;tag=a1
To: <sip:bob@b.test>
Call-ID: c1
CSeq: 7 INVITE
{contact}Content-Length: 0

"""
RESPONSE = """\
SIP/2.0 {status} Something
Via: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bK1
{routes}From: "Alice" <sip:alice@a.test>;tag=a1
To: <sip:bob@b.test>;tag=b1
Call-ID: c1
CSeq: 7 INVITE
{contact}Content-Length: 0

"""
ROUTES = "Record-Route: <sip:p2.test;lr>, <sip:p1.test;lr>\n"
CONTACT = "Contact: <sip:phone@198.51.100.9:5070>\n"


def message(text: str, **fields: object) -> Message:
    fields = {"routes": "", "contact": CONTACT, **fields}
    return parse(text.format(**fields).replace("\n", "\r\n").encode())


def test_12_1_1_the_callees_route_set_is_the_record_route_in_order() -> None:
    dialog = dialog_of_request(message(INVITE, routes=ROUTES), "b1")
    assert dialog.route_set == ["<sip:p2.test;lr>", "<sip:p1.test;lr>"]
    assert dialog.remote_target == "sip:phone@198.51.100.9:5070"
    assert dialog.local == "<sip:bob@b.test>;tag=b1"
    assert dialog.remote == '"Alice" <sip:alice@a.test>;tag=a1'
    assert (dialog.remote_seq, dialog.local_seq) == (7, 0)


def test_12_1_2_the_callers_route_set_is_reversed() -> None:
    dialog = dialog_of_response(message(INVITE), message(RESPONSE, status=180, routes=ROUTES))
    assert dialog.route_set == ["<sip:p1.test;lr>", "<sip:p2.test;lr>"]
    assert dialog.state == EARLY
    assert dialog.next_seq() == 8


def test_13_2_2_4_the_200_decides_about_route_set_and_target() -> None:
    dialog = dialog_of_response(message(INVITE), message(RESPONSE, status=180, routes=ROUTES))
    moved = "Contact: <sip:phone@198.51.100.10>\n"
    dialog.confirm(message(RESPONSE, status=200, contact=moved))
    assert dialog.route_set == []
    assert dialog.remote_target == "sip:phone@198.51.100.10"
    assert dialog.state == CONFIRMED


def test_12_2_1_1_loose_and_strict_first_routes() -> None:
    dialog = dialog_of_request(message(INVITE, routes=ROUTES), "b1")
    assert dialog.request_line_and_routes() == (dialog.remote_target, dialog.route_set)
    dialog.route_set = ["<sip:strict.test>", "<sip:p1.test;lr>"]
    assert dialog.request_line_and_routes() == (
        "sip:strict.test",
        ["<sip:p1.test;lr>", f"<{dialog.remote_target}>"],
    )


def test_12_2_2_lower_numbers_are_500_equal_ones_are_not() -> None:
    dialog = dialog_of_request(message(INVITE), "b1")
    dialog.check_seq(7)
    dialog.check_seq(9)
    with pytest.raises(RemoteProtocolError) as caught:
        dialog.check_seq(8)
    assert caught.value.status == 500


@pytest.mark.parametrize("contact", ["", "Contact: *\n", "Contact: <tel:1>\n", CONTACT + CONTACT])
def test_8_1_1_8_an_invite_needs_one_contact_that_is_of_use(contact: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        dialog_of_request(message(INVITE, contact=contact), "b1")
    assert caught.value.status in (400, 416)


def test_too_many_routes_are_400() -> None:
    with pytest.raises(RemoteProtocolError):
        dialog_of_request(message(INVITE, routes="Record-Route: <sip:p.test;lr>\n" * 30), "b1")
