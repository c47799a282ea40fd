"""Pressed keys as telephone events (RFC 4733): heard where the other side has no word for them, and made
where its controller brings them from SIP INFO.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from time import monotonic
from typing import Final

from sipengine.gateway.path import Path, bare
from sipengine.gateway.streams import HEADER

KEYS: Final = "0123456789*#ABCD"
"""By event code (RFC 4733 §3.2)."""
STEP_S: Final = 0.02
SHORTEST_MS: Final = 80
LONGEST_MS: Final = 5000
PAUSE_STEPS: Final = 3
"""60 ms between two keys, so that they are two."""
MAX_WAITING: Final = 32
"""Keys that wait to be played; nobody presses faster."""
LATE_S: Final = 2
"""An event packet this much older than the newest was overtaken; older still, the sender counts anew."""
SILENT_S: Final = 0.5
"""Updates come every 50 ms or sooner (RFC 4733 §2.5.1.2): after ten that are missing a key is over."""
ENDINGS: Final = 3
"""The last packet of an event is sent three times (RFC 4733 §2.5.1.4)."""
_END: Final = 0x80
_VOLUME: Final = 10
_EVENT: Final = struct.Struct("!BBH")

Pressed = Callable[[int, int], None]
"""(event code, milliseconds)."""


class HeardKeys:
    """Tells each event of one sender once; `clocks` are by payload number."""

    def __init__(self, clocks: dict[int, int], pressed: Pressed) -> None:
        self.clocks = clocks
        self._pressed = pressed
        self._stamp = -1
        self._source = -1
        self._heard_at = 0.0
        self._open = False
        self._event = 0
        self._ms = 0

    def take(self, data: bytes) -> None:
        first, second, _, stamp, source = HEADER.unpack_from(data)
        clock = self.clocks.get(second & 0x7F)
        payload = bare(first, data[12:])
        if clock is None or payload is None or len(payload) < 4:
            return
        behind = (self._stamp - stamp) & 0xFFFFFFFF
        if source == self._source and 0 < behind < LATE_S * clock:
            return  # overtaken by the next key on the way; its end was told then
        event, flags, duration = _EVENT.unpack_from(payload)
        if event >= len(KEYS):
            return
        if stamp != self._stamp:
            self._tell()  # all packets with the end of the one before were lost
            self._stamp, self._source, self._open = stamp, source, True
        self._heard_at = monotonic()
        self._event, self._ms = event, duration * 1000 // clock
        if flags & _END:
            self._tell()

    def tick(self, now: float) -> None:
        """Once a second: a key whose end was lost has ended all the same."""
        if now - self._heard_at > SILENT_S:
            self._tell()

    def _tell(self) -> None:
        if self._open:
            self._open = False
            self._pressed(self._event, self._ms)


class PlayedKeys(Path):
    """Stands in the place of a sender's path while keys are played to its receiver in its name.

    `number` and `clock` are of the receiver's telephone events.
    """

    __slots__ = (
        "_clock",
        "_ended",
        "_loop",
        "_number",
        "_stamp",
        "_step",
        "_steps",
        "_waiting",
    )

    def __init__(
        self, path: Path, number: int, clock: int, loop: asyncio.AbstractEventLoop,
        ended: Callable[[PlayedKeys], None],
    ) -> None:  # fmt: skip
        super().__init__(path.incoming, path.receiver, {})
        self._loop = loop
        self._number = number
        self._clock = clock
        self._ended = ended
        self._waiting: list[tuple[int, int]] = []
        self._step = self._steps = self._stamp = 0

    def play(self, event: int, milliseconds: int) -> bool:
        """False if too many keys wait."""
        if len(self._waiting) >= MAX_WAITING:
            return False
        milliseconds = min(max(milliseconds, SHORTEST_MS), LONGEST_MS)
        self._waiting.append((event, milliseconds))
        if len(self._waiting) == 1:
            self._begin()
        return True

    def _begin(self) -> None:
        outgoing = self.outgoing
        elapsed = min(monotonic() - outgoing.last_at, 3600.0) if outgoing.last_at else STEP_S
        self._stamp = outgoing.last_stamp + int(elapsed * self._clock)
        self._step = 0
        self._steps = self._waiting[0][1] // int(STEP_S * 1000)
        self._send()

    def _send(self) -> None:
        now = monotonic()
        event, _ = self._waiting[0]
        self._step += 1
        over = self._step >= self._steps
        last = min(self._step, self._steps)
        duration = min(int(last * STEP_S * self._clock), 0xFFFF)
        second = self._number | (0x80 if self._step == 1 else 0)
        payload = _EVENT.pack(event, _VOLUME | (_END if over else 0), duration)
        self.receiver.send_rtp(self.outgoing.emit(second, self._stamp, payload, now))
        if self._step < self._steps + ENDINGS - 1:
            self._loop.call_later(STEP_S, self._send)
            return
        self.outgoing.last_stamp = (self._stamp + duration) & 0xFFFFFFFF
        del self._waiting[0]
        if self._waiting:
            self._loop.call_later(STEP_S * PAUSE_STEPS, self._begin)
        else:
            self._ended(self)

    def forward(self, data: bytes, now: float) -> None:
        """The sender's voice is not heard meanwhile, but counted."""
        if len(data) >= 12 and data[0] >> 6 == 2:
            _, _, sequence, stamp, ssrc = HEADER.unpack_from(data)
            self.incoming.update(sequence, stamp, ssrc, len(data) - 12, now)
