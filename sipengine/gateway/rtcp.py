"""RTCP, ended here: our own reports about what we send and receive, and the peer's read (RFC 3550 §6).

The two sides of a call have different sources, clocks and losses, so nothing is passed through.
"""

from __future__ import annotations

import struct
from time import time
from typing import Final

from sipengine.gateway.streams import Incoming, Outgoing

SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201
SOURCE_DESCRIPTION: Final = 202
BYE: Final = 203

INTERVAL_S: Final = 5.0
"""RFC 3550 §6.2: the minimum interval; a call of two needs no longer one."""

_NTP_EPOCH: Final = 2_208_988_800
_REPORT: Final = struct.Struct("!IIIIII")
_SENDER: Final = struct.Struct("!IIIII")
_HEADER: Final = struct.Struct("!BBH")


class Feedback:
    """What the peer's reports tell of the stream we send it."""

    __slots__ = ("jitter", "loss_256", "lost", "round_trip")

    def __init__(self) -> None:
        self.lost = 0
        self.loss_256 = 0
        self.jitter = 0
        self.round_trip = 0.0  # seconds, 0 while unknown


def report(incoming: Incoming, outgoing: Outgoing, cname: str, now: float) -> bytes:
    """A compound packet (RFC 3550 §6.1): sender or receiver report, then CNAME."""
    blocks = b""
    if incoming.ssrc >= 0:
        since = now - incoming.report_at if incoming.report_ntp else 0.0
        lost = max(0, incoming.lost)
        blocks = _REPORT.pack(
            incoming.ssrc,
            incoming.interval_loss() << 24 | min(lost, 0x7FFFFF),
            incoming.highest & 0xFFFFFFFF,
            int(incoming.jitter) & 0xFFFFFFFF,
            incoming.report_ntp,
            int(since * 65536) & 0xFFFFFFFF,
        )
    count = len(blocks) // _REPORT.size
    if outgoing.last_at:
        wall = time() + _NTP_EPOCH
        stamp = outgoing.last_stamp + int((now - outgoing.last_at) * outgoing.clock)
        sender = _SENDER.pack(
            int(wall) & 0xFFFFFFFF,
            int(wall % 1 * 4294967296) & 0xFFFFFFFF,
            stamp & 0xFFFFFFFF,
            outgoing.packets & 0xFFFFFFFF,
            outgoing.octets & 0xFFFFFFFF,
        )
        body, kind = sender + blocks, SENDER_REPORT
    else:
        body, kind = blocks, RECEIVER_REPORT
    source = outgoing.ssrc.to_bytes(4, "big")
    name = cname.encode()[:255]
    item = bytes((1, len(name))) + name + b"\0"
    item += bytes(-len(item) % 4)
    return (
        _HEADER.pack(0x80 | count, kind, (4 + len(body)) // 4) + source + body
        + _HEADER.pack(0x81, SOURCE_DESCRIPTION, (4 + len(item)) // 4) + source + item
    )  # fmt: skip


def bye(outgoing: Outgoing, incoming: Incoming, cname: str, now: float) -> bytes:
    """The last compound packet of a leg (RFC 3550 §6.6)."""
    source = outgoing.ssrc.to_bytes(4, "big")
    return report(incoming, outgoing, cname, now) + _HEADER.pack(0x81, BYE, 1) + source


def read(
    data: bytes, incoming: Incoming, outgoing: Outgoing, feedback: Feedback, now: float
) -> bool:
    """Take in a peer's compound packet; False if it is none (§A.2)."""
    at, end = 0, len(data)
    if not _is_compound(data):
        return False
    while at + 8 <= end:
        first, kind, words = _HEADER.unpack_from(data, at)
        following = at + 4 + 4 * words
        if kind in (SENDER_REPORT, RECEIVER_REPORT):
            blocks = at + 8
            if kind == SENDER_REPORT and following >= at + 28:
                if int.from_bytes(data[at + 4 : at + 8], "big") == incoming.ssrc:
                    incoming.report_ntp = int.from_bytes(data[at + 10 : at + 14], "big")
                    incoming.report_at = now
                blocks = at + 28
            for block in range(first & 31):
                place = blocks + block * _REPORT.size
                if place + _REPORT.size <= following:
                    _read_block(data, place, outgoing, feedback)
        at = following
    return True


def _is_compound(data: bytes) -> bool:
    """Whether all of it holds together (§A.2): a report first, without padding, and lengths that add up."""
    at, end = 0, len(data)
    if end < 8 or data[0] & 0x20 or data[1] not in (SENDER_REPORT, RECEIVER_REPORT):
        return False
    while at + 4 <= end:
        first, _, words = _HEADER.unpack_from(data, at)
        if first >> 6 != 2:
            return False
        at += 4 + 4 * words
    return at == end


def _read_block(data: bytes, at: int, outgoing: Outgoing, feedback: Feedback) -> None:
    ssrc, loss, _, jitter, last, delay = _REPORT.unpack_from(data, at)
    if ssrc != outgoing.ssrc:
        return
    feedback.loss_256 = loss >> 24
    lost = loss & 0xFFFFFF
    feedback.lost = lost if lost < 0x800000 else 0
    feedback.jitter = jitter
    if last:
        wall = time() + _NTP_EPOCH
        now_middle = int(wall * 65536) & 0xFFFFFFFF
        taken = (now_middle - last - delay) & 0xFFFFFFFF
        if taken < 60 * 65536:  # a clock that was set meanwhile, or a peer's slip
            feedback.round_trip = taken / 65536
