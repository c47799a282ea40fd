"""Which process of an engine a message belongs to: the hash of its Call-ID, and a filter for the kernel
that computes it (classic BPF, linux/filter.h), for sockets that share a port (socket(7), SO_REUSEPORT).

The filter finds messages of the usual shape. It has no loops, so it looks at so many octets and no
more; what it guesses wrong is handed over by `services.share`, which decides.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

MOST_PROCESSES: Final = 16
"""As many as one hex digit of a branch can tell apart."""

CALL_METHODS: Final = (
    "INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "INFO", "REFER",
)  # fmt: skip
"""Requests of calls: they belong to the process of their Call-ID, all others to the owner, number 0."""

MOST_INSTRUCTIONS: Final = 4096  # BPF_MAXINSNS

REQUEST_REACH: Final = 816
"""Octets in which a request's Call-ID must begin: behind a long request line, two Vias and Routes."""

RESPONSE_REACH: Final = 440
"""Octets in which a response's first branch must begin: it stands in the first header."""

REACHES: Final = (
    (REQUEST_REACH, RESPONSE_REACH),
    (416, 200),
    (216, 120),
    (0, 0),
)
"""What to try one after the other: before Linux 6.8 a filter may take no more than 20 kB
(net.core.optmem_max). One that reaches nowhere gives all to the owner, who hands it over."""

_HASHED: Final = struct.Struct(">4I")
_FACTOR: Final = 0x9E3779B1
_SHIFT: Final = 15

_LD_ABS: Final = 0x20  # A = the four octets at k, big-endian
_LD_IND: Final = 0x40  # A = the four octets at X + k
_LDB_IND: Final = 0x50  # A = the octet at X + k
_LD_IMM: Final = 0x00  # A = k
_LDX_IMM: Final = 0x01  # X = k
_LDX_MEM: Final = 0x61  # X = M[k]
_LD_MEM: Final = 0x60  # A = M[k]
_ST: Final = 0x02  # M[k] = A
_ADD_X: Final = 0x0C
_ADD: Final = 0x04
_SUB: Final = 0x14
_MUL: Final = 0x24
_OR: Final = 0x44
_AND: Final = 0x54
_RSH: Final = 0x74
_MOD: Final = 0x94
_XOR_X: Final = 0xAC
_JA: Final = 0x05
_JEQ: Final = 0x15
_JGT: Final = 0x25
_JGE: Final = 0x35
_TAX: Final = 0x07
_TXA: Final = 0x87
_RET: Final = 0x06
_RET_A: Final = 0x16


def share_of(call_id: bytes, count: int) -> int:
    """The number, below `count`, of the process that a Call-ID belongs to.

    Only its first 16 octets count: random ones are there, a host may follow.
    """
    first, second, third, fourth = _HASHED.unpack(call_id[:16].ljust(16, b"\0"))
    mixed = first * _FACTOR & 0xFFFFFFFF
    mixed = ((mixed ^ mixed >> _SHIFT) ^ second) * _FACTOR & 0xFFFFFFFF
    mixed = ((mixed ^ mixed >> _SHIFT) ^ third) * _FACTOR & 0xFFFFFFFF
    mixed = ((mixed ^ mixed >> _SHIFT) ^ fourth) * _FACTOR & 0xFFFFFFFF
    return int((mixed ^ mixed >> _SHIFT) % count)


@dataclass(frozen=True, slots=True)
class Instruction:
    """A `struct sock_filter`: `jt` and `jf` are how many instructions a condition skips."""

    code: int
    jt: int
    jf: int
    k: int

    def packed(self) -> bytes:
        return struct.pack("=HBBI", self.code, self.jt, self.jf, self.k)


def program(
    count: int, request_reach: int = REQUEST_REACH, response_reach: int = RESPONSE_REACH
) -> list[Instruction]:
    """The filter for a group of `count` sockets, in the order of the processes' numbers.

    It sees the octets of a datagram and returns the index of a socket; a load from beyond the end
    returns 0, the owner's (net/core/filter.c).
    """
    written = _Writer()
    written.op(_LD_ABS, 0)
    written.unless(_JEQ, _word("SIP/"), "method")
    written.go("response")  # a condition skips 255 instructions at most
    written.label("method")
    for method in CALL_METHODS:
        written.when(_JEQ, _word(f"{method} "[:4]), "request")
    written.op(_RET, 0)
    written.label("request")
    _find_call_id(written, request_reach)
    _hash(written, count)
    written.label("response")
    _find_branch(written, response_reach)
    _digit(written, count)
    return written.resolved()


def _find_call_id(written: _Writer, reach: int) -> None:
    """Set X to where the value of Call-ID begins, by one load in five octets.

    Whatever stands at such a place tells whether it is within `\\nCall-ID:`, and where in it; the four
    octets after it make sure. `| 0x20` makes letters small and leaves `-` and `:` as they are.
    """
    for at in range(16, reach, 5):
        written.op(_LD_ABS, at)
        written.op(_OR, 0x20202020)
        for piece in ("*cal", "call", "all-", "ll-i"):
            written.when(_JEQ, _word(piece), f"near {at}")
        written.unless(_JEQ, _word("l-id"), f"past {at}")
        written.label(f"near {at}")
        written.op(_LD_ABS, at + 4)
        written.op(_OR, 0x20202020)
        written.when(_JEQ, _word("l-id"), f"found {at}")
        written.when(_JEQ, _word("-id:"), f"found {at}")
        written.op(_RSH, 8)
        written.when(_JEQ, _word("id:"), f"found {at}")
        written.op(_RSH, 8)
        written.when(_JEQ, _word("d:"), f"found {at}")
        written.op(_RSH, 8)
        written.unless(_JEQ, _word(":"), f"past {at}")
        written.label(f"found {at}")
        written.op(_LDX_IMM, at)
        written.go("value")
        written.label(f"past {at}")
    written.op(_RET, 0)
    written.label("value")
    for piece in ("l-id", "-id:", "id:", "d:"):
        written.when(_JEQ, _word(piece), f"behind {piece}")
    written.op(_LD_IMM, 5)
    written.go("there")
    for piece, length in (("l-id", 9), ("-id:", 8), ("id:", 7), ("d:", 6)):
        written.label(f"behind {piece}")
        written.op(_LD_IMM, length)
        written.go("there")
    written.label("there")
    written.op(_ADD_X)
    written.op(_TAX)
    written.op(_LDB_IND, 0)
    written.unless(_JEQ, ord(" "), "hash")
    written.op(_TXA)
    written.op(_ADD, 1)
    written.op(_TAX)


def _hash(written: _Writer, count: int) -> None:
    """Return `share_of` the octets at X."""
    written.label("hash")
    for word in range(4):
        written.op(_LD_IND, 4 * word)
        written.op(_ST, word)
    _cut(written)
    written.op(_LD_MEM, 0)
    for word in range(4):
        if word:
            written.op(_LDX_MEM, word)
            written.op(_XOR_X)
        written.op(_MUL, _FACTOR)
        written.op(_TAX)
        written.op(_RSH, _SHIFT)
        written.op(_XOR_X)
    written.op(_MOD, count)
    written.op(_RET_A)


def _cut(written: _Writer) -> None:
    """Make zeros of what is behind the line's end in the four words, for a Call-ID may be short."""
    for word in range(4):
        for octet in range(4):
            written.op(_LD_MEM, word)
            written.op(_RSH, 24 - 8 * octet)
            written.op(_AND, 0xFF)
            written.when(_JEQ, ord("\r"), f"end {word} {octet}")
    written.go("mix")
    for word in range(4):
        for octet in range(4):
            written.label(f"end {word} {octet}")
            written.op(_LD_MEM, word)
            written.op(_AND, ~(0xFFFFFFFF >> 8 * octet) & 0xFFFFFFFF)
            written.op(_ST, word)
            written.op(_LD_IMM, 0)
            written.go(f"behind {word}")
    for word in range(1, 4):
        written.label(f"behind {word - 1}")
        written.op(_ST, word)
    written.label("behind 3")
    written.label("mix")


def _find_branch(written: _Writer, reach: int) -> None:
    """Load the octet behind the first `z9hG4bK`, by one load in four octets."""
    pieces = ("z9hG", "9hG4", "hG4b", "G4bK")
    for at in range(40, reach, 4):
        written.op(_LD_ABS, at)
        for piece in pieces[:3]:
            written.when(_JEQ, _word(piece), f"cookie {at}")
        written.unless(_JEQ, _word(pieces[3]), f"no cookie {at}")
        written.label(f"cookie {at}")
        written.op(_LDX_IMM, at)
        written.go("cookie")
        written.label(f"no cookie {at}")
    written.op(_RET, 0)
    written.label("cookie")
    for piece in pieces:
        written.when(_JEQ, _word(piece), f"behind {piece}")
    for length, piece in enumerate(pieces):
        written.label(f"behind {piece}")
        written.op(_LD_IMM, 7 - length)
        written.go("digit")
    written.label("digit")
    written.op(_ADD_X)
    written.op(_TAX)
    written.op(_LDB_IND, 0)


def _digit(written: _Writer, count: int) -> None:
    """Return the value of the hex digit in A if it is below `count`, else 0."""
    written.unless(_JGE, ord("0"), "owner")
    written.when(_JGT, ord("9"), "letter")
    written.op(_SUB, ord("0"))
    written.go("number")
    written.label("letter")
    written.unless(_JGE, ord("a"), "owner")
    written.op(_SUB, ord("a") - 10)
    written.label("number")
    written.when(_JGE, count, "owner")
    written.op(_RET_A)
    written.label("owner")
    written.op(_RET, 0)


def _word(text: str) -> int:
    return int.from_bytes(text.encode(), "big")


class _Writer:
    """Instructions with names of places for jumps, which go forward only."""

    def __init__(self) -> None:
        self._written: list[tuple[int, int, str, str]] = []
        self._places: dict[str, int] = {}

    def op(self, code: int, k: int = 0) -> None:
        self._written.append((code, k, "", ""))

    def go(self, place: str) -> None:
        self._written.append((_JA, 0, place, ""))

    def when(self, code: int, k: int, place: str) -> None:
        """Go there if the comparison of A with `k` holds."""
        self._written.append((code, k, place, ""))

    def unless(self, code: int, k: int, place: str) -> None:
        self._written.append((code, k, "", place))

    def label(self, place: str) -> None:
        self._places[place] = len(self._written)

    def resolved(self) -> list[Instruction]:
        return [
            Instruction(code, 0, 0, self._skipped(at, then))
            if code == _JA
            else Instruction(code, self._skipped(at, then), self._skipped(at, otherwise), k)
            for at, (code, k, then, otherwise) in enumerate(self._written)
        ]

    def _skipped(self, at: int, place: str) -> int:
        return self._places[place] - at - 1 if place else 0
