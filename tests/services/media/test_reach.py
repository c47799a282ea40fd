"""Calls between phones that NAT keeps apart: seen from addresses alone, and taken to the gateway."""

from __future__ import annotations

import pytest

from sipengine.services.media.reach import is_inner
from sipengine.services.ports import TO_RTP
from tests.services.conftest import registered
from tests.services.media.anchored import SRTP, Anchored
from tests.services.user_agents import SDP, Phone

HOME, OTHER_HOME = "203.0.113.1", "203.0.113.2"

CASES = [
    # (caller seen at, says), (callee seen at, says), the gateway is wanted
    (("10.0.0.5", "10.0.0.5"), ("10.0.0.6", "10.0.0.6"), False),  # all in the office
    (("10.0.0.5", "10.0.0.5"), ("192.168.9.6", "192.168.9.6"), False),  # and its other subnet
    ((HOME, HOME), (OTHER_HOME, OTHER_HOME), False),  # no NAT anywhere
    ((HOME, "192.168.1.5"), (OTHER_HOME, "192.168.1.6"), True),  # two homes
    ((HOME, "192.168.1.5"), (HOME, "192.168.1.6"), False),  # two phones of one home
    ((HOME, "192.168.1.5"), (OTHER_HOME, OTHER_HOME), True),
    ((HOME, HOME), (OTHER_HOME, "192.168.1.6"), True),
    (("10.0.0.5", "10.0.0.5"), (HOME, "192.168.1.6"), True),  # the office and a home
    (("10.0.0.5", "10.0.0.5"), (HOME, HOME), True),  # whom a home without NAT cannot reach
    (("10.0.0.5", "10.0.0.5"), ("10.0.0.9", "192.168.1.6"), True),  # a router in the office
    (("100.64.0.9", "192.168.1.5"), ("10.0.0.6", "10.0.0.6"), True),
    ((HOME, OTHER_HOME), (OTHER_HOME, OTHER_HOME), False),  # media from another public host
    (("127.0.0.1", "10.0.0.1"), ("10.0.0.6", "10.0.0.6"), False),  # a phone on the server itself
    (("127.0.0.1", "127.0.0.1"), ("10.0.0.6", "10.0.0.6"), True),
    (("127.0.0.1", "127.0.0.1"), ("127.0.0.2", "127.0.0.2"), False),
]


@pytest.mark.parametrize(("caller", "callee", "wanted"), CASES)
def test_who_is_anchored(
    wire: Anchored, caller: tuple[str, str], callee: tuple[str, str], wanted: bool
) -> None:
    alice = registered(wire, "1001", caller[0], 40001, contact_host=caller[1])
    bob = registered(wire, "1002", callee[0], 40002, contact_host=callee[1])
    call = alice.call("1002")
    assert bool(wire.plane.asked) is wanted
    if wanted:
        asked = wire.gateway("offer")
        assert (asked.protocol, asked.signalled_from) == (TO_RTP, caller[0])
    incoming = bob.incoming()
    incoming.answer()
    if wanted:
        asked = wire.gateway("answer")
        assert (asked.protocol, asked.signalled_from) == (TO_RTP, callee[0])
    call.answered()
    said = [line for line in wire.row.decision if "media gateway" in line]
    assert len(said) == wanted
    assert wire.core.counters()["media_around_nat"] == wanted


def two_homes(wire: Anchored) -> tuple[Phone, Phone]:
    alice = registered(wire, "1001", HOME, 40001, contact_host="192.168.1.5")
    return alice, registered(wire, "1002", OTHER_HOME, 40002, contact_host="192.168.1.5")


def test_the_row_says_why(wire: Anchored) -> None:
    alice, _ = two_homes(wire)
    alice.call("1002")
    assert wire.row.decision[-1] == (
        f"Its media goes by the media gateway, because the caller is in a network behind {HOME},"
        f" the called phone in a network behind {OTHER_HOME}."
    )


def test_later_offers_go_by_the_gateway_too(wire: Anchored) -> None:
    alice, bob = two_homes(wire)
    call = alice.call("1002")
    wire.gateway("offer")
    bob.incoming().answer()
    wire.gateway("answer")
    dialog = call.answered()
    bob.request("ACK")
    body = SDP.format(host="192.168.1.5")
    dialog.request("INVITE", body=body, extra="Content-Type: application/sdp\n")
    assert wire.gateway("offer").sdp == body
    assert "gateway offer" in bob.request("INVITE").body


def test_a_caller_that_offers_nothing_is_judged_by_its_contact(wire: Anchored) -> None:
    alice, bob = two_homes(wire)
    call = alice.invite("1002", body=" ")
    call.body = ""
    call.authenticate()
    incoming = bob.incoming()
    incoming.answer()
    assert wire.gateway("offer").signalled_from == OTHER_HOME


def test_a_phone_of_two_homes_that_refuses_srtp_is_offered_rtp(wire: Anchored) -> None:
    alice, bob = two_homes(wire)
    alice.call("1002", body=SRTP.replace("198.51.100.1", "192.168.1.5"))
    assert wire.gateway("offer").protocol == "RTP/SAVP"
    bob.incoming().reject(488)
    wire.gateway("delete")
    assert wire.gateway("offer").protocol == TO_RTP
    assert bob.incoming()


def test_without_a_gateway_the_call_goes_straight(wire: Anchored) -> None:
    alice, bob = two_homes(wire)
    wire.plane.instance = -1
    call = alice.call("1002")
    bob.incoming().answer()
    call.answered()


@pytest.mark.parametrize(
    ("host", "inner"),
    [
        ("10.1.2.3", True), ("172.16.0.1", True), ("172.31.255.1", True), ("172.32.0.1", False),
        ("172.15.0.1", False), ("192.168.0.1", True), ("192.169.0.1", False), ("100.64.1.1", True),
        ("100.127.1.1", True), ("100.128.1.1", False), ("169.254.1.1", True), ("127.0.0.1", True),
        ("8.8.8.8", False), ("198.51.100.1", False), ("fd00::1", True), ("fe80::1", True),
        ("2001:db8::1", False), ("::1", True), ("172.example.org", False),
    ],
)  # fmt: skip
def test_private_addresses(host: str, inner: bool) -> None:
    assert is_inner(host) is inner
