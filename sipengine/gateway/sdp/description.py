"""A session description (RFC 8866) as its lines, cut into the session and its media."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

MAX_LINES: Final = 600
"""A browser that offers audio and video with every codec writes some 250."""
MAX_MEDIA: Final = 16
MAX_FORMATS: Final = 64
MAX_LINE: Final = 2048
MAX_TEXT: Final = 32 * 1024
"""Characters: four times of what a browser with a dozen networks writes, and its answer still fits a datagram."""


class BadSdp(ValueError):
    """A description that cannot be used; the text says what is wrong with it."""


@dataclass(slots=True)
class Media:
    """One m= line and the lines below it."""

    kind: str
    port: int
    protocol: str
    formats: list[str]
    lines: list[str] = field(default_factory=list)

    def attributes(self, name: str) -> list[str]:
        """The values of all `a=name:value` lines here; "" for a flag."""
        return attributes(self.lines, name)

    def first_line(self) -> str:
        return f"m={self.kind} {self.port} {self.protocol} {' '.join(self.formats)}"


@dataclass(slots=True)
class Description:
    """`session` are the lines above the first m= line."""

    session: list[str]
    media: list[Media]

    def attribute(self, media: Media, name: str) -> str | None:
        """The value of `a=name` of a medium, else of the session, else None."""
        found = media.attributes(name) or attributes(self.session, name)
        return found[0] if found else None

    def connection(self, media: Media) -> str:
        """The address of the c= line that holds for a medium (RFC 8866 §5.7), "" if there is none."""
        for lines in (media.lines, self.session):
            for line in lines:
                if line.startswith("c="):
                    words = line[2:].split()
                    return words[2].partition("/")[0] if len(words) == 3 else ""
        return ""


def attributes(lines: list[str], name: str) -> list[str]:
    flag = f"a={name}"
    start = f"{flag}:"
    return [
        line[len(start) :].strip() if line.startswith(start) else ""
        for line in lines
        if line == flag or line.startswith(start)
    ]


def parse(text: str) -> Description:
    """Raises `BadSdp`."""
    if len(text) > MAX_TEXT:
        raise BadSdp("the session description is too long")
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line]
    if len(lines) > MAX_LINES or any(len(line) > MAX_LINE for line in lines):
        raise BadSdp("the session description is too long")
    if not lines or lines[0].strip() != "v=0":
        raise BadSdp("the body is no session description")
    session: list[str] = []
    media: list[Media] = []
    here = session
    for line in lines:
        line = line.rstrip()
        if line[1:2] != "=":
            raise BadSdp("a line of the session description is broken")
        if line.startswith("m="):
            if len(media) >= MAX_MEDIA:
                raise BadSdp("the session description has too many media")
            media.append(_media(line))
            here = media[-1].lines
        else:
            here.append(line)
    origins = [line for line in session if line.startswith("o=")]
    if len(origins) != 1 or len(origins[0].split()) != 6:
        raise BadSdp("the session description has no origin, a broken one or several")
    return Description(session, media)


def _media(line: str) -> Media:
    words = line[2:].split()
    if len(words) < 4 or len(words) > 3 + MAX_FORMATS:
        raise BadSdp("a media line is broken")
    number = words[1].partition("/")[0]
    if not number.isascii() or not number.isdigit() or len(number) > 5 or int(number) > 65535:
        raise BadSdp("a media line has no port")
    return Media(words[0], int(number), words[2], words[3:])
