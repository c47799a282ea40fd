"""One RTP endpoint on a socket of its own: latches onto its peer, echoes or plays."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from time import monotonic
from typing import Final

from sipengine.media.rtp import LARGEST, Packets, payload_of
from sipengine.media.tones import FRAME, frames, silence
from sipengine.sip.sdp.answering import Agreed

FRAME_S: Final = 0.02
TICK_S: Final = 1.0
SILENCE_S: Final = 30.0
"""Without a packet for so long the phone counts as gone; phones that detect silence send some."""
LONGEST_S: Final = 600.0
"""Nobody listens to a test for longer: the receiver was not put down."""
PACKETS_A_SECOND: Final = 150
"""Three times what 20 ms frames make; more is not echoed, so that it is nobody's amplifier."""

READ_AT_ONCE: Final = 16

Ended = Callable[[str, float], None]
Playlist = tuple[tuple[int, int], ...]
"""(frequency in Hz or 0 for silence, seconds), repeated. Empty: the echo."""


class RtpEndpoint:
    """`services.ports.Sound` on a bound socket."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        address: tuple[str, int],
        signalling: str,
        playlist: Playlist,
        seed: bytes,
        ended: Ended,
        closed: Callable[[RtpEndpoint], None],
    ) -> None:
        """`signalling` is the host that the SIP messages come from: behind NAT the packets do too."""
        self.address = address
        self._loop = loop
        self._sock = sock
        self._signalling = signalling
        self._playlist = playlist
        self._packets = Packets(seed)
        self._ended = ended
        self._closed = closed
        self._agreed: Agreed | None = None
        self._peer: tuple[str, int] | None = None
        self._latched = False
        self._their_time = 0
        self._budget = PACKETS_A_SECOND
        self._began = self._heard = monotonic()
        self._next = 0.0
        self._frame = 0
        self._player: asyncio.TimerHandle | None = None
        self._ticking: asyncio.TimerHandle | None = loop.call_later(TICK_S, self._tick)
        loop.add_reader(sock, self._readable)

    # -- services.ports.Sound

    def connect(self, agreed: Agreed) -> None:
        """Packets go where the phone's come from; before any came, to what its description says, if
        that is where it sends its SIP messages from: no description turns them on somebody else."""
        if self._agreed is None or (agreed.host, agreed.port) != self._agreed[:2]:
            self._latched = False
            here = agreed.host == self._signalling
            self._peer = (agreed.host, agreed.port) if here else None
        self._agreed = agreed
        self._heard = monotonic()
        if self._playlist and agreed.sends and self._player is None:
            self._next = self._loop.time()
            self._play()

    def close(self) -> None:
        for timer in (self._player, self._ticking):
            if timer is not None:
                timer.cancel()
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
            self._sock.close()
            self._closed(self)

    # -- packets

    def _readable(self) -> None:
        for _ in range(READ_AT_ONCE):
            try:
                data, source = self._sock.recvfrom(LARGEST + 1)
            except BlockingIOError:
                return
            except (
                OSError
            ):  # ICMP says that nobody listens there, yet or any more: silence will tell
                continue
            self._received(data, source)

    def _received(self, data: bytes, source: tuple[str, int]) -> None:
        agreed = self._agreed
        packet = payload_of(data)
        if agreed is None or packet is None:
            return
        if source[:2] != self._peer:
            if self._latched or source[0] not in (self._signalling, agreed.host):
                return  # a stranger's
            self._peer = (source[0], source[1])
        self._latched = True
        self._heard = monotonic()
        payload_type, timestamp, payload = packet
        if self._playlist or not agreed.sends or payload_type != agreed.codec.payload_type:
            return
        self._budget -= 1
        if self._budget >= 0:
            passed = (timestamp - self._their_time) & 0xFFFFFFFF
            self._their_time = timestamp
            self._packets.timestamp += passed
            self._send(payload_type, payload)

    # -- time

    def _send(self, payload_type: int, payload: bytes) -> None:
        if self._peer is None:
            return
        try:
            self._sock.sendto(self._packets.make(payload_type, payload), self._peer)
        except OSError:  # full, or unreachable: a packet is lost, as packets are
            return

    def _play(self) -> None:
        agreed = self._agreed
        if agreed is not None and agreed.sends:
            self._send(agreed.codec.payload_type, self._next_frame(agreed.codec.name))
        self._packets.timestamp += FRAME
        self._next += FRAME_S
        late = self._loop.time() - self._next
        if late > 1.0:  # the process stood still: what is past is not made up for
            self._next += late
        self._player = self._loop.call_at(self._next, self._play)

    def _next_frame(self, codec: str) -> bytes:
        total = sum(seconds for _, seconds in self._playlist) * 50
        at = self._frame % total
        self._frame += 1
        for frequency, seconds in self._playlist:
            if at < seconds * 50:
                return frames(codec, frequency)[at % 50] if frequency else silence(codec)
            at -= seconds * 50
        return silence(codec)

    def _tick(self) -> None:
        self._ticking = self._loop.call_later(TICK_S, self._tick)
        self._budget = PACKETS_A_SECOND
        now = monotonic()
        agreed = self._agreed
        if agreed is not None and not agreed.receives:
            self._heard = now  # on hold nothing is expected
        if now - self._began > LONGEST_S:
            self._finish(f"it had lasted {LONGEST_S / 60:.0f} minutes", now)
        elif now - self._heard > SILENCE_S:
            self._finish(f"no sound had come from the phone for {SILENCE_S:.0f} s", now)

    def _finish(self, why: str, now: float) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        self._ended(why, now)
