"""Which codecs a stream names, by payload type (RFC 3551 §6, RFC 8866 §6.6)."""

from __future__ import annotations

from typing import Final, NamedTuple

from sipengine.sip.sdp.description import Stream


class Codec(NamedTuple):
    """A format of an RTP stream. `name` is in capitals, `rate` the RTP clock in Hz."""

    payload_type: int
    name: str
    rate: int


_STATIC: Final = {
    0: Codec(0, "PCMU", 8000),
    3: Codec(3, "GSM", 8000),
    8: Codec(8, "PCMA", 8000),
    9: Codec(9, "G722", 8000),
    18: Codec(18, "G729", 8000),
}
"""Payload types that need no rtpmap, those that telephones use."""


def codecs_of(stream: Stream) -> list[Codec]:
    """The codecs of a stream in its order of preference; formats that nothing explains are left out."""
    mapped: dict[int, Codec] = {}
    for value in stream.attributes("rtpmap"):
        number, _, rest = value.partition(" ")
        name, _, rate = rest.strip().partition("/")
        rate = rate.partition("/")[0]
        if _is_number(number, 127) and _is_number(rate, 1_000_000):
            mapped[int(number)] = Codec(int(number), name.upper(), int(rate))
    found = []
    for text in stream.formats:
        if _is_number(text, 127):
            codec = mapped.get(int(text)) or _STATIC.get(int(text))
            if codec is not None:
                found.append(codec)
    return found


def _is_number(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 8 and int(text) <= most
