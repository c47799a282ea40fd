"""A phone of IPv6 and one of IPv4 talk through the gateway (RFC 8866 §5.7)."""

from __future__ import annotations

import socket

import pytest

from sipengine.gateway.process import Settings, places_of
from tests.gateway.served import HERE, TO_PHONE, Phone, audio, serve, stop
from tests.support.free_ports import free_block
from tests.support.wait import eventually


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
async def test_ipv6_meets_ipv4() -> None:
    first = free_block(42)
    served = serve((first, first + 41), advertised="::1", bind="::", local=("::1", HERE))
    try:
        six, four = Phone("::1"), Phone(HERE)
        served.closers += [six.close, four.close]
        wish = {**TO_PHONE, "address-family": "IP4"}
        to_four = audio(await served.controller.offer("call", "a", six.sdp("8"), **wish))
        assert to_four.host == HERE
        to_six = audio(
            await served.controller.answer("call", ("a", "b"), four.sdp("8"), **TO_PHONE)
        )
        assert to_six.host == "::1"
        await six.talk(to_six, 3)
        await four.talk(to_four, 3)
        await eventually(lambda: len(six.received) == 3 and len(four.received) == 3)
    finally:
        await stop(served)


async def test_rfc4961_4_what_a_phone_hears_comes_from_where_it_sends_to() -> None:
    """On a machine with several addresses, told the one that is not the kernel's first choice."""
    first = free_block(42)
    served = serve((first, first + 41), "127.0.0.5", "0.0.0.0", (HERE, "127.0.0.5"))
    try:
        caller, callee = Phone(HERE), Phone(HERE)
        served.closers += [caller.close, callee.close]
        there = audio(await served.controller.offer("call", "a", caller.sdp("8"), **TO_PHONE))
        await served.controller.answer("call", ("a", "b"), callee.sdp("8"), **TO_PHONE)
        assert there.host == "127.0.0.5"
        # From now on it hears nobody else, as behind a firewall or a NAT.
        caller.rtp.connect(("127.0.0.5", served.gateway._calls["call"].legs[0].port))  # type: ignore[attr-defined]
        await callee.talk(there, 3)
        await eventually(lambda: len(caller.received) == 3)
    finally:
        await stop(served)


@pytest.mark.parametrize(
    ("binds", "local", "advertised", "expected"),
    [
        (("0.0.0.0",), ("10.0.0.1",), "203.0.113.9", {"IP4": ("0.0.0.0", "203.0.113.9")}),
        (("10.0.0.1",), ("10.0.0.1",), "10.0.0.1", {"IP4": ("10.0.0.1", "10.0.0.1")}),
        (
            ("::",),
            ("10.0.0.1", "2001:db8::1"),
            "10.0.0.1",
            {"IP4": ("10.0.0.1", "10.0.0.1"), "IP6": ("2001:db8::1", "2001:db8::1")},
        ),
        (
            ("0.0.0.0",),
            ("10.0.0.1", "192.168.1.1"),
            "192.168.1.1",
            {"IP4": ("192.168.1.1", "192.168.1.1")},
        ),
        (
            ("10.0.0.1", "2001:db8::1"),
            ("10.0.0.1", "2001:db8::1"),
            "10.0.0.1",
            {"IP4": ("10.0.0.1", "10.0.0.1"), "IP6": ("2001:db8::1", "2001:db8::1")},
        ),
    ],
)
def test_what_is_bound_and_what_is_told(
    binds: tuple[str, ...],
    local: tuple[str, ...],
    advertised: str,
    expected: dict[str, tuple[str, str]],
) -> None:
    found = places_of(Settings(binds, advertised, local, (20000, 20100)))
    assert {family: (place.bind, place.advertised) for family, place in found.items()} == expected
