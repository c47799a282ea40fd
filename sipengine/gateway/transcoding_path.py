"""One direction of a call whose sides share no voice codec: decoded, resampled, encoded.

Packets are numbered anew and their timestamps counted in the receiver's clock. Telephone events
(RFC 4733 §2.5.1) pass with their durations in that clock, in as many segments as that needs.
"""

from __future__ import annotations

from typing import Final

from sipengine.gateway.events import LastingEvent, Segments
from sipengine.gateway.path import Path, Receiver, bare
from sipengine.gateway.sdp.choosing import Route
from sipengine.gateway.streams import HEADER, Incoming
from sipengine.gateway.transcoding import AnyTranscoder, FromOpus, ToOpus

MAX_LATE_S: Final = 5
"""A timestamp further back than this is no late packet: the sender counts its time anew."""
FAR: Final = 0x40000000
MOST_RESTORED: Final = 6
"""Packets of 20 ms from the last that came to the next: what Opus makes up has faded after 100 ms."""
OPUS_STEP: Final = 120
"""2.5 ms in the clock of Opus, of which its packets have whole numbers (RFC 6716 §2.1.4)."""


class TranscodingPath(Path):
    __slots__ = (
        "_in_base",
        "_in_last",
        "_lasting",
        "_out_base",
        "_restored",
        "_segments",
        "_transcoders",
    )

    def __init__(
        self,
        incoming: Incoming,
        receiver: Receiver,
        routes: dict[int, Route],
        transcoders: dict[int, AnyTranscoder],
    ) -> None:
        super().__init__(incoming, receiver, routes)
        self._transcoders = transcoders
        self._in_base = 0
        self._in_last = 0
        self._out_base = 0
        self._restored = (0, 0)  # what was made up for last: its time and its duration
        self._lasting = LastingEvent()
        self._segments = Segments(0)

    def expect_loss(self, percent: int) -> None:
        """What the receiver has reported of late (RFC 3550 §6.4.1)."""
        for transcoder in self._transcoders.values():
            if isinstance(transcoder, ToOpus):
                transcoder.expect_loss(percent)

    @property
    def transcodes(self) -> bool:
        return True

    def forward(self, data: bytes, now: float) -> None:
        if len(data) < 12 or data[0] >> 6 != 2:
            self.unwanted += 1
            return
        first, second, sequence, stamp, ssrc = HEADER.unpack_from(data)
        route = self._routes[second & 0x7F]
        if route is None:
            self._unrouted(data, now)
            return
        payload = data[12:] if first == 0x80 else bare(first, data[12:])
        if payload is None:
            self.unwanted += 1
            return
        gap = (sequence - self.incoming.highest) & 0xFFFF
        fresh = self.incoming.update(sequence, stamp, ssrc, len(payload), now)
        if not gap and not fresh:
            return  # the same packet again would be heard twice
        outgoing = self.outgoing
        back = (self._in_last - stamp) & 0xFFFFFFFF
        leapt = not route.is_event and MAX_LATE_S * route.scale[1] < back < 0x80000000
        if fresh or leapt or outgoing.source != ssrc:
            outgoing.source = ssrc
            self._in_base = stamp
            if not route.is_event:
                outgoing.clock = route.scale[0]
                self.incoming.count_by(route.scale[1], stamp, now)
            elapsed = min(max(now - outgoing.last_at, 0.02), 3600.0) if outgoing.last_at else 0.02
            self._out_base = outgoing.last_stamp + int(elapsed * outgoing.clock)
            second |= 0x80
            back = gap = 0
        ahead = (stamp - self._in_base) & 0xFFFFFFFF
        if ahead >= 0x80000000:
            return  # older than the first: too late to be decoded
        last = self._in_last
        if not route.is_event and not 0 < back < 0x80000000:
            self._in_last = stamp
        ours, theirs = route.scale
        place = self._out_base + ahead * ours // theirs
        if ahead >= FAR:  # half the numbers on, a stamp would seem older than the first
            self._in_base, self._out_base = stamp, place
        if route.is_event:
            if ours == theirs:
                self._emit(route, second, place, payload, now)
            elif len(payload) >= 4:
                self._event(route, (second, stamp, ssrc), place, payload, now)
            return
        transcoder = self._transcoders.get(second & 0x7F)
        if transcoder is None:
            self._emit(route, second, place, payload, now)
            return
        if 0 < back < 0x80000000 and (stamp - self._restored[0]) & 0xFFFFFFFF < self._restored[1]:
            return  # it comes after all, when the receiver has something in its place
        place -= transcoder.waiting
        try:
            frames: list[tuple[bytes, int]] = []
            if 1 < gap <= MOST_RESTORED and isinstance(transcoder, FromOpus):
                step, odd = divmod((stamp - last) & 0xFFFFFFFF, gap)
                whole = not odd and not step % OPUS_STEP
                if whole and 0 < step * gap <= MOST_RESTORED * OPUS_STEP * 8:
                    frames = transcoder.restore(gap - 1, step, payload)
                    place -= (gap - 1) * step * ours // theirs
                    self._restored = last + step, (gap - 1) * step
            frames += transcoder.turn(payload)
        except ValueError:
            self.undecodable += 1
            return
        for frame, duration in frames:
            self._emit(route, second, place, frame, now)
            place += duration
            second &= 0x7F

    def _event(
        self, route: Route, header: tuple[int, int, int], place: int, payload: bytes, now: float
    ) -> None:
        """One packet of an event; `header` is its second octet, timestamp and source."""
        second, stamp, ssrc = header
        ours, theirs = route.scale
        lasting = self._lasting
        if lasting.is_late(stamp, ssrc, theirs):
            return
        if lasting.begins(second, stamp, ssrc, theirs, payload):
            self._segments = Segments(place)
        duration = lasting.duration * ours // theirs
        for time, part in self._segments.packets(lasting.code, payload[1], duration):
            self._emit(route, second, time, part, now)
            second &= 0x7F

    def _emit(self, route: Route, second: int, stamp: int, payload: bytes, now: float) -> None:
        second = second & 0x80 | route.number
        self.receiver.send_rtp(self.outgoing.emit(second, stamp, payload, now))
