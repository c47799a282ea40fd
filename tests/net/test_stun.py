"""STUN on the SIP port, over real sockets (RFC 5389, RFC 5626 §8)."""

from __future__ import annotations

import socket
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipengine.net import stun
from sipengine.net.stun import StunServer
from tests.net.served import Served

COOKIE = 0x2112A442
TRANSACTION = bytes(range(12))


def request(attributes: bytes = b"", *, kind: int = 1, length: int | None = None) -> bytes:
    size = len(attributes) if length is None else length
    return struct.pack("!HHI", kind, size, COOKIE) + TRANSACTION + attributes


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def with_fingerprint(attributes: bytes = b"", *, wrong: int = 0) -> bytes:
    begun = request(attributes, length=len(attributes) + 8)
    crc = zlib.crc32(begun) ^ 0x5354554E ^ wrong
    return begun + attribute(0x8028, struct.pack("!I", crc))


def attributes_of(data: bytes) -> dict[int, bytes]:
    kind, size, cookie = struct.unpack_from("!HHI", data)
    assert (size, cookie, data[8:20]) == (len(data) - 20, COOKIE, TRANSACTION)
    found, place = {0: struct.pack("!H", kind)}, 20
    while place < len(data):
        name, length = struct.unpack_from("!HH", data, place)
        found[name] = data[place + 4 : place + 4 + length]
        place += 4 + length + -length % 4
    return found


def mapped(value: bytes) -> tuple[str, int]:
    """XOR-MAPPED-ADDRESS read by the words of RFC 5389 §15.2."""
    zero, family, port = struct.unpack_from("!BBH", value)
    assert zero == 0
    mask = struct.pack("!I", COOKIE) + TRANSACTION
    raw = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
    assert len(raw) == {1: 4, 2: 16}[family]
    kind = socket.AF_INET if family == 1 else socket.AF_INET6
    return socket.inet_ntop(kind, raw), port ^ (COOKIE >> 16)


@pytest.mark.parametrize(
    "asked",
    [
        request(),
        with_fingerprint(),
        request(attribute(0x8022, b"phone 1.0")),  # SOFTWARE
        request(attribute(0x0006, b"someone")),  # USERNAME, as of a phone that thinks of ICE
    ],
)
def test_rfc5389_10_the_answer_tells_where_the_request_came_from(asked: bytes) -> None:
    with Served() as served, served.udp() as phone:
        phone.send(asked)
        found = attributes_of(phone.recv(1000))
        assert found[0] == b"\x01\x01"
        assert mapped(found[0x0020]) == phone.getsockname()
        assert (0x8028 in found) == (b"\x80\x28" in asked)
        assert served.core.received == []
        assert served.counter("udp_stun_answered") == 1


def test_rfc5389_15_2_an_ipv6_address() -> None:
    answer = StunServer().answer(request(), ("2001:db8::7", 5062), 0.0)
    assert mapped(attributes_of(answer)[0x0020]) == ("2001:db8::7", 5062)


def test_rfc5389_15_5_the_answer_to_a_fingerprint_has_a_right_one() -> None:
    answer = StunServer().answer(with_fingerprint(), ("192.0.2.7", 5062), 0.0)
    found = attributes_of(answer)[0x8028]
    assert struct.unpack("!I", found)[0] == zlib.crc32(answer[:-8]) ^ 0x5354554E


def test_rfc5389_7_3_1_an_unknown_attribute_that_must_be_understood_is_420() -> None:
    answer = StunServer().answer(request(attribute(0x7FFF, b"?")), ("192.0.2.7", 5062), 0.0)
    found = attributes_of(answer)
    assert found[0] == b"\x01\x11"
    assert found[9][:4] == b"\x00\x00\x04\x14"
    assert found[10] == b"\x7f\xff"


MALFORMED = {
    "no cookie": struct.pack("!HHI", 1, 0, 1) + TRANSACTION,
    "too short": request()[:19],
    "a response": request(kind=0x0101),
    "an indication": request(kind=0x0011),
    "a length that is not that of the datagram": request(length=4),
    "an attribute cut off": request(attribute(6, b"someone")[:-4]),
    "an attribute longer than the rest": request(struct.pack("!HH", 6, 500)),
    "a wrong fingerprint": with_fingerprint(wrong=1),
    "something behind the fingerprint": with_fingerprint()[:-4] + bytes(8),
    "a length that is no multiple of four": request(b"ab"),
    "too many attributes": request(attribute(0x8022, b"") * 33),
    "far too long": request(attribute(0x8022, bytes(600))),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_rfc5389_7_3_what_is_no_request_is_ignored_and_counted(name: str) -> None:
    with Served() as served, served.udp() as phone:
        phone.send(MALFORMED[name])
        phone.send(b"after")
        assert phone.recv(100) == b"after"
        assert [data for data, _ in served.core.received] == [b"after"]
        assert served.counter("udp_stun_ignored") == 1


@given(st.binary(max_size=80))
def test_rfc5389_any_bytes_are_answered_by_little_or_nothing(data: bytes) -> None:
    header = struct.pack("!HHI", 1, len(data), COOKIE) + TRANSACTION
    for datagram in (data, header + data):
        answer = StunServer().answer(datagram, ("192.0.2.7", 5062), 0.0)
        assert len(answer) <= len(datagram) + 56


def test_rfc5389_answers_a_second_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stun, "PER_SECOND", 2)
    server = StunServer()
    answers = [server.answer(request(), ("192.0.2.7", 1), now) for now in (5.0, 5.1, 5.2, 6.1)]
    assert [bool(answer) for answer in answers] == [True, True, False, True]
    assert (server.answered, server.limited) == (3, 1)
