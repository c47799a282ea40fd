"""Payload formats of a medium: number, codec and parameters (RFC 3551 §6, RFC 8866 §6.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sipengine.gateway.sdp.description import BadSdp, Media

EVENTS: Final = "TELEPHONE-EVENT"
COMFORT_NOISE: Final = "CN"


@dataclass(frozen=True, slots=True)
class Codec:
    """What is coded how; two sides that name the same can exchange packets undecoded."""

    name: str  # upper case
    clock: int
    channels: int = 1

    @property
    def is_voice(self) -> bool:
        return self.name not in (EVENTS, COMFORT_NOISE, "RED", "ULPFEC")


@dataclass(frozen=True, slots=True)
class Format:
    number: int
    codec: Codec
    parameters: str = ""  # of a=fmtp

    def lines(self) -> list[str]:
        codec = self.codec
        name = _SPELLINGS.get(codec.name, codec.name)
        channels = f"/{codec.channels}" if codec.channels > 1 else ""
        lines = [f"a=rtpmap:{self.number} {name}/{codec.clock}{channels}"]
        if self.parameters:
            lines.append(f"a=fmtp:{self.number} {self.parameters}")
        return lines


PCMU: Final = Codec("PCMU", 8000)
PCMA: Final = Codec("PCMA", 8000)
G722: Final = Codec("G722", 8000)  # sic: RFC 3551 §4.5.2
OPUS: Final = Codec("OPUS", 48000, 2)
_SPELLINGS: Final = {"OPUS": "opus", EVENTS: "telephone-event"}

_STATIC: Final = {
    0: PCMU, 3: Codec("GSM", 8000), 4: Codec("G723", 8000), 8: PCMA, 9: G722,
    13: Codec(COMFORT_NOISE, 8000), 15: Codec("G728", 8000), 18: Codec("G729", 8000),
}  # fmt: skip
"""Numbers that mean a codec without a=rtpmap (RFC 3551 §6)."""


RTCP_LIKE: Final = range(72, 80)
"""With the marker they read as the RTCP packet types 200 to 207 (RFC 3551 §6, RFC 5761 §4)."""


def formats_of(media: Media) -> tuple[Format, ...]:
    """The formats that a medium names and explains, in its order of preference. Raises `BadSdp`."""
    codecs = dict(_STATIC)
    for value in media.attributes("rtpmap"):
        number, _, name = value.partition(" ")
        codecs[_number(number)] = _codec(name.strip())
    parameters: dict[int, str] = {}
    for value in media.attributes("fmtp"):
        number, _, rest = value.partition(" ")
        parameters[_number(number)] = rest.strip()
    found: dict[int, Format] = {}
    for text in media.formats:
        number_of_format = _number(text)
        codec = codecs.get(number_of_format)
        if number_of_format in RTCP_LIKE:
            continue
        if codec is not None and number_of_format not in found:
            found[number_of_format] = Format(
                number_of_format, codec, parameters.get(number_of_format, "")
            )
    return tuple(found.values())


def find(formats: tuple[Format, ...], codec: Codec) -> Format | None:
    return next((item for item in formats if item.codec == codec), None)


def voice_of(formats: tuple[Format, ...]) -> tuple[Format, ...]:
    return tuple(item for item in formats if item.codec.is_voice)


def _codec(text: str) -> Codec:
    name, _, rest = text.partition("/")
    clock, _, channels = rest.partition("/")
    if (
        not clock.isascii()
        or not clock.isdigit()
        or len(clock) > 6
        or not 1 <= int(clock) <= 192_000
    ):
        raise BadSdp("an rtpmap line is broken")
    return Codec(name.upper(), int(clock), 2 if channels == "2" else 1)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 3 or int(text) > 127:
        raise BadSdp("a payload number is broken")
    return int(text)
