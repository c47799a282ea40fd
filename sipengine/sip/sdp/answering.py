"""Offers and answers of an endpoint that speaks G.711 on one stream, and of nobody at all (RFC 3264).

`answer` is what the echo test and the tones say; `held_answer` and `inactive_offer` are for a call
whose other side is not there yet (RFC 3725 §4.3).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.sdp.codecs import Codec, codecs_of
from sipengine.sip.sdp.description import (
    INACTIVE,
    RECVONLY,
    SENDONLY,
    SENDRECV,
    Description,
    Stream,
)

PLAIN_RTP: Final = frozenset(["RTP/AVP", "RTP/AVPF"])
SPOKEN: Final = frozenset(["PCMU", "PCMA"])
DISCARD: Final = 9
"""The port of a stream that is there but has no address yet (RFC 3725 §4.3 uses 0.0.0.0 with it)."""

MIRRORED: Final = {
    SENDRECV: SENDRECV,
    SENDONLY: RECVONLY,
    RECVONLY: SENDONLY,
    INACTIVE: INACTIVE,
}
"""What an answerer says that wants all it can have (RFC 3264 §6.1)."""


class Agreed(NamedTuple):
    """What an offer and its answer come to, as our endpoint sees it."""

    host: str
    port: int
    codec: Codec
    sends: bool
    receives: bool


class Origin:
    """The o= line of one dialog: the same session, its version one up with each change (RFC 3264 §8)."""

    __slots__ = ("_host", "_said", "_session", "_version")

    def __init__(self, session: int, host: str) -> None:
        self._session = session
        self._version = 0
        self._host = host
        self._said = ""

    def sign(self, description: Description) -> str:
        """The text of `description` with our o= line; the version rises if anything else changed."""
        family = "IP6" if ":" in self._host else "IP4"
        bare = description.copy()
        bare.set_origin("o=")
        text = str(bare)
        if text != self._said:
            self._said = text
            self._version += 1
        line = f"o=- {self._session} {self._version} IN {family} {self._host}"
        return text.replace("o=\r\n", f"{line}\r\n", 1)


def answer(offer: Description, host: str, port: int) -> tuple[Description, Agreed]:
    """Our answer to `offer` for the endpoint at `host:port`: one G.711 stream, the others refused.

    Raises `RemoteProtocolError` 488 if no stream of the offer can be spoken.
    """
    agreed: Agreed | None = None
    streams = []
    for stream in offer.streams:
        codec = None if agreed is not None else spoken_codec(stream)
        if codec is None:
            streams.append(Stream(stream.kind, 0, stream.protocol, stream.formats.copy(), []))
            continue
        theirs = offer.direction(stream)
        ours = MIRRORED[theirs]
        sends, receives = ours in (SENDRECV, SENDONLY), ours in (SENDRECV, RECVONLY)
        agreed = Agreed(offer.host(stream), stream.port, codec, sends, receives)
        lines = [f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.rate}"]
        formats = [str(codec.payload_type)]
        for event in codecs_of(stream):
            if event.name == "TELEPHONE-EVENT" and event.rate == codec.rate:
                formats.append(str(event.payload_type))
                lines.append(f"a=rtpmap:{event.payload_type} telephone-event/{event.rate}")
                lines.append(f"a=fmtp:{event.payload_type} 0-15")
                break
        lines += ["a=ptime:20", f"a={ours}"]
        streams.append(Stream(stream.kind, port, stream.protocol, formats, lines))
    if agreed is None:
        raise RemoteProtocolError(488, "Not Acceptable Here: no G.711 audio stream offered")
    return _description(host, streams), agreed


def spoken_codec(stream: Stream) -> Codec | None:
    """The codec that our endpoint would speak on an offered stream, None if it would refuse it."""
    if stream.kind != "audio" or not stream.port or stream.protocol not in PLAIN_RTP:
        return None
    return next((c for c in codecs_of(stream) if c.name in SPOKEN and c.rate == 8000), None)


def held_answer(offer: Description) -> Description:
    """An answer that accepts every stream and moves no packet on any (RFC 3725 §4.3)."""
    streams = []
    for stream in offer.streams:
        keep = [line for line in stream.lines if line.startswith(("a=rtpmap:", "a=fmtp:"))]
        port = DISCARD if stream.port else 0
        lines = [*keep, f"a={INACTIVE}"] if stream.port else []
        streams.append(Stream(stream.kind, port, stream.protocol, stream.formats.copy(), lines))
    return _description("0.0.0.0", streams)  # noqa: S104 - an address for nobody


def agreed_from_answer(given: Description) -> Agreed | None:
    """What the peer's answer to an offer of ours comes to; None if it refused the stream."""
    for stream in given.streams:
        codec = spoken_codec(stream)
        if codec is not None:
            ours = MIRRORED[given.direction(stream)]
            sends, receives = ours in (SENDRECV, SENDONLY), ours in (SENDRECV, RECVONLY)
            return Agreed(given.host(stream), stream.port, codec, sends, receives)
    return None


def offer(host: str, port: int, direction: str = SENDRECV) -> Description:
    """An offer of one G.711 stream at `host:port`."""
    lines = ["a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:101 telephone-event/8000"]
    lines += ["a=fmtp:101 0-15", "a=ptime:20", f"a={direction}"]
    return _description(host, [Stream("audio", port, "RTP/AVP", ["0", "8", "101"], lines)])


def _description(host: str, streams: list[Stream]) -> Description:
    family = "IP6" if ":" in host else "IP4"
    lines = ["v=0", f"o=- 0 0 IN {family} {host}", "s=-", f"c=IN {family} {host}", "t=0 0"]
    return Description(lines, streams)
