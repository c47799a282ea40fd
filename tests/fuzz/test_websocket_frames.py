"""WebSocket by its grammar: messages in pieces, masks, control frames between, then an end of any kind.

What must come of a stream of frames is computed from what it was made of (RFC 6455 §5, RFC 7118 §4.2);
real sockets carry it, cut anywhere.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.effort import effort
from tests.net.served import DEADLINE, Served
from tests.net.test_ws import Raw, admission

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@dataclass(frozen=True)
class Made:
    """A stream and what must come of it; `code` is that of the close frame, 0 for none."""

    data: bytes
    messages: tuple[bytes, ...]
    pongs: tuple[bytes, ...]
    code: int


def frame(opcode: int, data: bytes, mask: bytes, *, fin: bool = True) -> bytes:
    """One masked frame of at most 64 kB."""
    first = (0x80 if fin else 0) | opcode
    if len(data) > 125:
        size = bytes([0x80 | 126]) + struct.pack("!H", len(data))
    else:
        size = bytes([0x80 | len(data)])
    key = mask * (len(data) // 4 + 1)
    return bytes([first]) + size + mask + bytes(a ^ b for a, b in zip(data, key, strict=False))


MASK = st.binary(min_size=4, max_size=4)
CONTROL = st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125))
BODY = st.text(max_size=40) | st.text("ab", min_size=120, max_size=140)

ENDINGS = st.one_of(
    st.just((b"", 0)),
    st.sampled_from([1000, 1001, 3000, 4999]).flatmap(
        lambda code: MASK.map(lambda m: (frame(CLOSE, struct.pack("!H", code), m), code))
    ),
    st.sampled_from([0, 999, 1004, 1005, 1006, 1015, 2999, 5000]).flatmap(
        lambda code: MASK.map(lambda m: (frame(CLOSE, struct.pack("!H", code), m), 1002))
    ),
    MASK.map(lambda m: (frame(CLOSE, b"\x03\xe8\xff\xfe", m), 1007)),
    MASK.map(lambda m: (frame(TEXT, b"\xff\xfe", m), 1007)),
    MASK.map(lambda m: (frame(0, b"x", m), 1002)),
    MASK.map(lambda m: (frame(PING, b"x", m, fin=False), 1002)),
    st.sampled_from([3, 4, 7, 11, 15]).flatmap(
        lambda opcode: MASK.map(lambda m: (frame(opcode, b"x", m), 1002))
    ),
    st.sampled_from([0x40, 0x20, 0x10]).map(lambda bit: (bytes([0x81 | bit, 0x80]) + bytes(4), 1002)),
    st.integers(0, 125).map(lambda size: (bytes([0x81, size]) + b"x" * size, 1002)),
    st.integers(65_537, 2**62).map(lambda size: (b"\x81\xff" + struct.pack("!Q", size) + bytes(4), 1009)),
)  # fmt: skip


@st.composite
def streams(draw: st.DrawFn) -> Made:
    data, messages, pongs = b"", [], []

    def controls() -> bytes:
        made = b""
        for opcode, body in draw(st.lists(CONTROL, max_size=2)):
            made += frame(opcode, body, draw(MASK))
            if opcode == PING:
                pongs.append(body)
        return made

    for _ in range(draw(st.integers(0, 4))):
        text = f"OPTIONS {draw(BODY)}".encode()
        messages.append(text)
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        opcode = draw(st.sampled_from([TEXT, BINARY]))
        for at, piece in enumerate(pieces):
            last = at == len(pieces) - 1
            data += controls()
            data += frame(opcode if at == 0 else 0, piece, draw(MASK), fin=last)
    data += controls()
    ending, code = draw(ENDINGS)
    return Made(data + ending, tuple(messages), tuple(pongs), code)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served(admission=admission()) as running:
        yield running


def frames_of(data: bytes) -> list[tuple[int, bytes]]:
    """Unmasked frames as a server sends them."""
    out, at = [], 0
    while at + 2 <= len(data):
        opcode, size = data[at] & 15, data[at + 1]
        at += 2
        if size == 126:
            size = int.from_bytes(data[at : at + 2], "big")
            at += 2
        out.append((opcode, data[at : at + size]))
        at += size
    return out


@effort(60)
@given(streams(), st.lists(st.integers(1, 400), max_size=8))
def test_rfc6455_5_whatever_frames_come_are_what_they_say(
    served: Served, made: Made, cuts: list[int]
) -> None:
    raw = Raw(served)
    here = raw.socket.getsockname()
    with raw.socket:
        rest = made.data
        for cut in cuts:
            raw.send(rest[:cut])
            rest = rest[cut:]
        raw.send(rest)
        if not made.code:
            raw.send(frame(CLOSE, struct.pack("!H", 1000), b"\x00\x00\x00\x00"))
        came = raw.unread
        raw.socket.settimeout(DEADLINE)
        try:
            while piece := raw.socket.recv(65_536):
                came += piece
        except ConnectionError:
            pass
    frames = frames_of(came)
    read = [data for data, flow in served.core.received if flow.remote == here]
    assert read == list(made.messages)
    said = [data for opcode, data in frames if opcode in (TEXT, BINARY)]
    assert said == read[: len(said)], "after the close frame nothing more is said"
    assert [data for opcode, data in frames if opcode == PONG] == list(made.pongs)
    codes = [int.from_bytes(data[:2], "big") for opcode, data in frames if opcode == CLOSE]
    assert codes == [made.code or 1000]
    assert served.defects == []
