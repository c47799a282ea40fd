"""Telephone events that last longer than one packet can say (RFC 4733 §2.5.1.3, §2.5.2.3).

A duration has 16 bits: 8.2 s at 8 kHz, but 1.4 s at 48 kHz. A longer event comes as segments: the first
one's reports grow to 0xFFFF without an end, then the next begins at that time with a duration of its
own, without a marker. All of them are one pressed key.
"""

from __future__ import annotations

import struct
from typing import Final

LONGEST: Final = 0xFFFF
END: Final = 0x80
LATE_S: Final = 2
"""An event packet this much older than the newest was overtaken; older still, the sender counts anew."""
SLACK_S: Final = 0.1
"""Between the end of a segment and the next one's time. Interop: browsers begin it with their next frame."""
EVENT: Final = struct.Struct("!BBH")


class LastingEvent:
    """What one sender reports, its segments made one. Times are in its clock.

    | the packet's time               | with                                            | then it is          |
    | ------------------------------- | ----------------------------------------------- | ------------------- |
    | the one before's                | anything                                        | the same event      |
    | earlier by less than LATE_S     | the same source                                 | late: dropped       |
    | about LONGEST later             | the same source and event, which had no end and | the next segment of |
    |                                 | had come to about LONGEST; no marker            | the same event      |
    | any other                       | anything                                        | another event       |
    """

    __slots__ = ("_before", "_last", "_segment", "_source", "code", "duration", "over")

    def __init__(self) -> None:
        self.code = -1
        self.duration = 0  # since its first segment began
        self.over = True
        self._source = -1
        self._segment = -1  # when the present one began
        self._before = 0  # how long the ones before it were
        self._last = 0

    def is_late(self, stamp: int, source: int, clock: int) -> bool:
        return source == self._source and 0 < (self._segment - stamp) & 0xFFFFFFFF < LATE_S * clock

    def begins(
        self, second: int, stamp: int, source: int, clock: int, payload: bytes
    ) -> bool:  # fmt: skip
        """Take a packet that is not late; True if it is the first of another event. `second` is the second
        octet of its header, `payload` has at least four octets."""
        code, flags, duration = EVENT.unpack_from(payload)
        begins = stamp != self._segment or source != self._source
        if begins and self._goes_on(second, stamp, source, clock, code):
            begins = False
            self._before += (stamp - self._segment) & 0xFFFFFFFF
            self._last = 0
        elif begins:
            self._before = self._last = 0
            self.over = False
            self.code = code
        self._segment, self._source = stamp, source
        self._last = max(self._last, duration)
        self.duration = self._before + self._last
        self.over = self.over or bool(flags & END)
        return begins

    def _goes_on(self, second: int, stamp: int, source: int, clock: int, code: int) -> bool:
        if self.over or second & 0x80 or (source, code) != (self._source, self.code):
            return False
        slack = int(SLACK_S * clock)
        apart = (stamp - self._segment) & 0xFFFFFFFF
        return self._last >= LONGEST - slack and abs(apart - LONGEST) <= slack


class Segments:
    """One event as it goes out; `stamp` is its time in the receiver's clock."""

    __slots__ = ("_at", "_stamp")

    def __init__(self, stamp: int) -> None:
        self._stamp = stamp
        self._at = 0

    def packets(self, code: int, flags: int, duration: int) -> list[tuple[int, bytes]]:
        """(time, payload) of what reports that it has lasted for so long: one packet, and before it the
        last of each segment that is over."""
        made = []
        at = max(duration - 1, 0) // LONGEST
        while self._at < at:
            over = EVENT.pack(code, flags & ~END, LONGEST)
            made.append((self._stamp + self._at * LONGEST, over))
            self._at += 1
        rest = max(duration - self._at * LONGEST, 0)
        made.append((self._stamp + self._at * LONGEST, EVENT.pack(code, flags, rest)))
        return made
