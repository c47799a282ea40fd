"""One direction of a call: what comes in on one leg goes out on the other."""

from __future__ import annotations

from typing import Protocol

from sipengine.gateway.sdp.choosing import Route
from sipengine.gateway.streams import HEADER, Incoming, Outgoing


class Receiver(Protocol):
    """The leg a path leads to."""

    @property
    def outgoing(self) -> Outgoing: ...
    def send_rtp(self, packet: bytes) -> None: ...


class Listener(Protocol):
    """Hears packets that the receiver cannot take; `clocks` are by payload number."""

    @property
    def clocks(self) -> dict[int, int]: ...
    def take(self, data: bytes) -> None: ...
    def tick(self, now: float) -> None: ...
    def finish(self) -> None: ...


class Path:
    """`routes` by payload number of the sender; packets with other numbers end here, counted."""

    __slots__ = ("_routes", "heard", "incoming", "outgoing", "receiver", "undecodable", "unwanted")

    def __init__(
        self,
        incoming: Incoming,
        receiver: Receiver,
        routes: dict[int, Route],
    ) -> None:
        self.incoming = incoming
        self.receiver = receiver
        self.outgoing = receiver.outgoing
        self._routes: list[Route | None] = [routes.get(number) for number in range(128)]
        self.outgoing.source = -1  # whoever sends now continues the stream
        self.unwanted = 0  # packets that were no RTP or of no payload number that was agreed
        self.undecodable = 0  # payloads that are no sound of their codec
        self.heard: Listener | None = None  # to numbers that have no route

    def forward(self, data: bytes, now: float) -> None:
        """Take one RTP packet of the sender, whose source and decryption were checked."""
        if len(data) < 12 or data[0] >> 6 != 2:
            self.unwanted += 1
            return
        first, second, sequence, stamp, ssrc = HEADER.unpack_from(data)
        route = self._routes[second & 0x7F]
        if route is None:
            self._unrouted(data, now)
            return
        payload = data[12:]
        if first != 0x80:
            found = bare(first, payload)
            if found is None:
                self.unwanted += 1
                return
            payload = found
        fresh = self.incoming.update(sequence, stamp, ssrc, len(payload), now)
        outgoing = self.outgoing
        if fresh or outgoing.source != ssrc:
            if not route.is_event:  # which of the codecs that were agreed on it speaks
                outgoing.clock = route.scale[0]
                self.incoming.count_by(route.scale[1], stamp, now)
            outgoing.follow(ssrc, sequence, stamp, now)
        second = second & 0x80 | route.number
        packet = outgoing.stamp(second, sequence, stamp, payload, now)
        if packet:
            self.receiver.send_rtp(packet)

    def _unrouted(self, data: bytes, now: float) -> None:
        heard = self.heard
        if heard is None or data[1] & 0x7F not in heard.clocks:
            self.unwanted += 1
            return
        _, _, sequence, stamp, ssrc = HEADER.unpack_from(data)
        self.incoming.update(sequence, stamp, ssrc, len(data) - 12, now)
        self.outgoing.source = -1  # the receiver shall miss no number
        heard.take(data)

    def serves(self, receiver: Receiver, routes: dict[int, Route]) -> bool:
        """Whether this is the way to `receiver` by exactly these routes."""
        same = all(self._routes[number] == routes.get(number) for number in range(128))
        return receiver is self.receiver and same

    def hears(self, clocks: dict[int, int]) -> bool:
        """Whether it listens to exactly these payload numbers."""
        return clocks == ({} if self.heard is None else self.heard.clocks)

    def end(self) -> None:
        """No packet of the sender goes this way any more."""
        if self.heard is not None:
            self.heard.finish()

    @property
    def transcodes(self) -> bool:
        return False


def bare(first: int, payload: bytes) -> bytes | None:
    """The payload without contributing sources, header extension and padding (RFC 3550 §5.1):
    none of them was negotiated with the receiver. None if they are longer than the packet or the
    padding has no length (RFC 3550 §A.1): such a packet is no RTP.
    """
    at, end = 4 * (first & 0x0F), len(payload)
    if first & 0x10:
        if at + 4 > end:
            return None
        at += 4 + 4 * int.from_bytes(payload[at + 2 : at + 4], "big")
    if first & 0x20:
        if at >= end or not payload[-1]:
            return None
        end -= payload[-1]
    return payload[at:end] if at <= end else None
