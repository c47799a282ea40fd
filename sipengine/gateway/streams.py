"""A stream of RTP packets as it comes in, and as it goes out (RFC 3550 §5.1, §6.4, appendix A).

Hot: one `update` and one `stamp` for each packet.
"""

from __future__ import annotations

import secrets
import struct
from typing import Final

HEADER: Final = struct.Struct("!BBHII")
MAX_DROPOUT: Final = 3000  # RFC 3550 §A.1: further ahead than this is another sequence
MAX_MISORDER: Final = 100
LEAP_S: Final = 2
"""By how much a timestamp may be beside the clock and still continue a stream."""


class Incoming:
    """What arrives from one peer: counted, its loss and jitter measured (RFC 3550 §A.1, §A.3, §A.8)."""

    __slots__ = (
        "_before", "_expected_before", "_highest", "_received_before", "_transit", "base", "clock", "cycles",
        "jitter", "last_at", "lost_before", "octets", "packets", "received", "report_at", "report_ntp",
        "sources", "ssrc",
    )  # fmt: skip

    def __init__(self) -> None:
        self.ssrc = -1
        self.clock = 8000
        self.packets = 0  # of all sources
        self.octets = 0
        self.sources = 0  # how often the source changed
        self.lost_before = 0  # of earlier sources
        self.received = 0
        self.base = 0
        self._highest = 0
        self.cycles = 0
        self._transit = 0.0
        self.jitter = 0.0  # in units of the clock
        self.last_at = 0.0
        self._expected_before = 0
        self._received_before = 0
        self.report_ntp = 0  # middle 32 bits of the peer's last sender report, and when it came
        self.report_at = 0.0

    def update(self, sequence: int, timestamp: int, ssrc: int, size: int, now: float) -> bool:
        """Count one packet; True if it is the first of another source than before."""
        self.packets += 1
        self.octets += size
        self.last_at = now
        transit = now * self.clock - timestamp
        if ssrc != self.ssrc:
            self._begin(ssrc, sequence)
            self._transit = transit
            self.received = 1
            return True
        delta = (sequence - self._highest) & 0xFFFF
        if MAX_DROPOUT <= delta < 65536 - MAX_MISORDER:
            self._begin(ssrc, sequence)  # the sender began to count anew
            self._transit = transit
            self.received = 1
            return True
        self.received += 1
        if delta < MAX_DROPOUT:
            if sequence < self._highest:
                self.cycles += 65536
            self._highest = sequence
            step = transit - self._transit
            self._transit = transit
            # A new talk spurt may begin at any timestamp; a step of seconds is no jitter.
            if -self.clock < step < self.clock:
                self.jitter += (abs(step) - self.jitter) / 16.0
        return False

    def count_by(self, clock: int, timestamp: int, now: float) -> None:
        """The source that began with this packet counts its time so."""
        self.clock = clock
        self._transit = now * clock - timestamp

    def continued_by(self, sequence: int, timestamp: int, ssrc: int, now: float) -> bool:
        """Whether this may be the next packet that arrives of the very same stream."""
        ahead = (sequence - self._highest) & 0xFFFF
        if ssrc != self.ssrc or not 0 < ahead < MAX_DROPOUT:
            return False
        leap = LEAP_S * self.clock
        return (int(now * self.clock - self._transit) - timestamp + leap) & 0xFFFFFFFF < 2 * leap

    def _begin(self, ssrc: int, sequence: int) -> None:
        self.lost_before += max(0, self._expected() - self.received) if self.ssrc >= 0 else 0
        self.sources += 1
        self.ssrc = ssrc
        self.base = self._highest = sequence
        self.cycles = self.received = 0
        self._expected_before = self._received_before = 0
        self.report_ntp = 0

    def _expected(self) -> int:
        return self.cycles + self._highest - self.base + 1

    @property
    def highest(self) -> int:
        """The extended highest sequence number."""
        return self.cycles + self._highest

    @property
    def lost(self) -> int:
        """Packets that never came, of all sources."""
        if self.ssrc < 0:
            return 0
        return self.lost_before + max(0, self._expected() - self.received)

    @property
    def jitter_ms(self) -> float:
        return self.jitter * 1000 / self.clock

    def interval_loss(self) -> int:
        """The fraction lost since last asked, in 256ths (RFC 3550 §A.3)."""
        expected = self._expected() - self._expected_before
        received = self.received - self._received_before
        self._expected_before = self._expected()
        self._received_before = self.received
        lost = expected - received
        return 0 if expected <= 0 or lost <= 0 else min(255, lost * 256 // expected)


class Outgoing:
    """What goes to one peer: one source for the whole call, numbered without a break, whatever
    sources come and go on the other side.
    """

    __slots__ = (
        "_last_before", "_packets_before", "_sequence_shift", "_stamp_shift", "clock", "last_at", "last_sequence", "last_stamp", "octets",
        "packets", "source", "ssrc",
    )  # fmt: skip

    def __init__(self) -> None:
        self.ssrc = secrets.randbelow(0xFFFFFFFE) + 1
        self.clock = 8000
        self.packets = 0
        self.octets = 0
        self.last_sequence = secrets.randbelow(
            0x8000
        )  # RFC 3550 §5.1: random; low for SRTP's roll-over
        self.last_stamp = secrets.randbelow(0x7FFFFFFF)
        self.last_at = 0.0
        self._sequence_shift = 0
        self._stamp_shift = 0
        self._packets_before = 0
        self._last_before = self.last_sequence
        self.source = -1

    def follow(self, source: int, sequence: int, stamp: int, now: float) -> None:
        """From this packet on, `source` is what goes out: it continues where the last one ended."""
        elapsed = min(max(now - self.last_at, 0.02), 3600.0) if self.last_at else 0.02
        self._sequence_shift = self.last_sequence + 1 - sequence
        self._stamp_shift = self.last_stamp + int(elapsed * self.clock) - stamp
        self._packets_before, self._last_before = self.packets, self.last_sequence
        self.source = source

    def stamp(self, second: int, sequence: int, stamp: int, payload: bytes, now: float) -> bytes:
        """The packet with our numbers; `second` is the second octet of its header. b"" if it was
        overtaken by the first of its source: the numbers before that are another source's.
        """
        sequence = (sequence + self._sequence_shift) & 0xFFFF
        stamp = (stamp + self._stamp_shift) & 0xFFFFFFFF
        if (sequence - self.last_sequence) & 0xFFFF < 0x8000:
            self.last_sequence = sequence
            self.last_stamp = stamp
            self.last_at = now
        elif (
            self.packets - self._packets_before < MAX_MISORDER
            and (self._last_before - sequence) & 0xFFFF < MAX_MISORDER
        ):
            return b""
        self.packets += 1
        self.octets += len(payload)
        return HEADER.pack(0x80, second, sequence, stamp, self.ssrc) + payload

    def emit(self, second: int, stamp: int, payload: bytes, now: float) -> bytes:
        """The next packet of a stream that we make ourselves, with a timestamp of ours."""
        self.last_sequence = (self.last_sequence + 1) & 0xFFFF
        self.last_stamp = stamp & 0xFFFFFFFF
        self.last_at = now
        self.packets += 1
        self.octets += len(payload)
        return HEADER.pack(0x80, second, self.last_sequence, self.last_stamp, self.ssrc) + payload
