"""Pressed keys as telephone events (RFC 4733): heard where the other side has no word for them, and made
where its controller brings them from SIP INFO.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

from sipengine.gateway.events import END, LastingEvent, Segments
from sipengine.gateway.path import Path, Receiver, bare
from sipengine.gateway.sdp.choosing import Route
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
SILENT_S: Final = 0.5
"""Updates come every 50 ms or sooner (RFC 4733 §2.5.1.2): after ten that are missing a key is over."""
ENDINGS: Final = 3
"""The last packet of an event is sent three times (RFC 4733 §2.5.1.4)."""
_VOLUME: Final = 10

Pressed = Callable[[int, int], None]
"""(event code, milliseconds)."""


class HeardKeys:
    """Tells each event of one sender once; `clocks` are by payload number."""

    def __init__(self, clocks: dict[int, int], pressed: Pressed) -> None:
        self.clocks = clocks
        self._pressed = pressed
        self._lasting = LastingEvent()
        self._heard_at = 0.0
        self._open = False
        self._key = 0
        self._ms = 0

    def take(self, data: bytes) -> None:
        first, second, _, stamp, source = HEADER.unpack_from(data)
        clock = self.clocks.get(second & 0x7F)
        payload = bare(first, data[12:])
        if clock is None or payload is None or len(payload) < 4 or payload[0] >= len(KEYS):
            return
        lasting = self._lasting
        if lasting.is_late(stamp, source, clock):
            return  # overtaken by the next key on the way; its end was told then
        if lasting.begins(second, stamp, source, clock, payload):
            self.finish()  # all packets with the end of the one before were lost
            self._open = True
        self._heard_at = monotonic()
        self._key, self._ms = lasting.code, lasting.duration * 1000 // clock
        if lasting.over:
            self.finish()

    def tick(self, now: float) -> None:
        """Once a second: a key whose end was lost has ended all the same."""
        if now - self._heard_at > SILENT_S:
            self.finish()

    def finish(self) -> None:
        """Tell the key that is not told yet, if there is one: nothing more will come of it."""
        if self._open:
            self._open = False
            self._pressed(self._key, self._ms)


class PlayedKeys(Path):
    """Stands in the place of a sender's path while keys are played to its receiver in its name.

    `number` and `clock` are of the receiver's telephone events.
    """

    __slots__ = (
        "_clock",
        "_ended",
        "_loop",
        "_number",
        "_path",
        "_segments",
        "_stamp",
        "_step",
        "_steps",
        "_timer",
        "_waiting",
    )

    def __init__(
        self, path: Path, number: int, clock: int, loop: asyncio.AbstractEventLoop,
        ended: Callable[[PlayedKeys], None],
    ) -> None:  # fmt: skip
        super().__init__(path.incoming, path.receiver, {})
        self._loop = loop
        self._path = path
        self._number = number
        self._clock = clock
        self._ended = ended
        self._waiting: list[tuple[int, int]] = []
        self._step = self._steps = self._stamp = 0
        self._segments = Segments(0)
        self._timer: asyncio.TimerHandle | None = None

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
        self._segments = Segments(self._stamp)
        self._step = 0
        self._steps = self._waiting[0][1] // int(STEP_S * 1000)
        self._send()

    def _send(self) -> None:
        now = monotonic()
        event, _ = self._waiting[0]
        self._step += 1
        over = self._step >= self._steps
        last = min(self._step, self._steps)
        duration = int(last * STEP_S * self._clock)
        second = self._number | (0x80 if self._step == 1 else 0)
        flags = _VOLUME | (END if over else 0)
        for stamp, payload in self._segments.packets(event, flags, duration):
            self.receiver.send_rtp(self.outgoing.emit(second, stamp, payload, now))
        if self._step < self._steps + ENDINGS - 1:
            self._timer = self._loop.call_later(STEP_S, self._send)
            return
        self.outgoing.last_stamp = (self._stamp + duration) & 0xFFFFFFFF
        del self._waiting[0]
        if self._waiting:
            self._timer = self._loop.call_later(STEP_S * PAUSE_STEPS, self._begin)
        else:
            self._ended(self)

    def serves(self, receiver: Receiver, routes: dict[int, Route]) -> bool:
        """As the path that it stands in for: an agreement that changes nothing does not end a key."""
        return self._path.serves(receiver, routes)

    def hears(self, clocks: dict[int, int]) -> bool:
        return self._path.hears(clocks)

    def end(self) -> None:
        """Nobody is left to hear the keys that wait."""
        if self._timer is not None:
            self._timer.cancel()
        self._path.end()

    def forward(self, data: bytes, now: float) -> None:
        """The sender's voice is not heard meanwhile, but counted."""
        if len(data) >= 12 and data[0] >> 6 == 2:
            _, _, sequence, stamp, ssrc = HEADER.unpack_from(data)
            self.incoming.update(sequence, stamp, ssrc, len(data) - 12, now)
