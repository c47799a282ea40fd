"""A session description, kept as the lines it came in (RFC 8866).

Values are made when somebody asks, and what nobody changes is never written anew: a description
that only passes through keeps attributes that this server has never heard of.
"""

from __future__ import annotations

import re
from typing import Final

from sipengine.sip.errors import RemoteProtocolError

MAX_DESCRIPTION: Final = 32 * 1024
"""Characters: a browser's offer with many candidates has 10,000."""
MAX_LINES: Final = 1000
MAX_STREAMS: Final = 32
"""More than this is an attack: a video conference has about ten."""

SENDRECV: Final = "sendrecv"
SENDONLY: Final = "sendonly"
RECVONLY: Final = "recvonly"
INACTIVE: Final = "inactive"
DIRECTIONS: Final = frozenset([SENDRECV, SENDONLY, RECVONLY, INACTIVE])

_MEDIA: Final = re.compile(r"m=([!-~]+) ([0-9]{1,5})(?:/[0-9]{1,5})? ([!-~]+)((?: [!-~]+)*) ?")
_ORIGIN: Final = re.compile(r"o=\S+ [0-9]{1,20} [0-9]{1,20} IN IP[46] \S+")
_CONNECTION: Final = re.compile(r"c=IN IP[46] ([0-9A-Za-z:.-]+)(?:/[0-9/]+)?")


class Stream:
    """One media description: its m= line taken apart, and the lines below it."""

    __slots__ = ("formats", "kind", "lines", "port", "protocol")

    def __init__(
        self, kind: str, port: int, protocol: str, formats: list[str], lines: list[str]
    ) -> None:
        self.kind = kind
        self.port = port
        self.protocol = protocol
        self.formats = formats
        self.lines = lines

    def attribute(self, name: str) -> str | None:
        """The value of the first a= line of that name, "" for one without value, None without line."""
        return _attribute(self.lines, name)

    def attributes(self, name: str) -> list[str]:
        """The values of all a= lines of that name."""
        prefix = f"a={name}:"
        return [line[len(prefix) :] for line in self.lines if line.startswith(prefix)]

    @property
    def media_line(self) -> str:
        return f"m={self.kind} {self.port} {self.protocol} {' '.join(self.formats)}"

    def copy(self) -> Stream:
        return Stream(self.kind, self.port, self.protocol, self.formats.copy(), self.lines.copy())


class Description:
    """A whole session description: session lines, then streams."""

    __slots__ = ("lines", "streams")

    def __init__(self, lines: list[str], streams: list[Stream]) -> None:
        self.lines = lines
        self.streams = streams

    def __str__(self) -> str:
        out = list(self.lines)
        for stream in self.streams:
            out.append(stream.media_line)
            out += stream.lines
        return "\r\n".join(out) + "\r\n"

    def copy(self) -> Description:
        return Description(self.lines.copy(), [stream.copy() for stream in self.streams])

    def direction(self, stream: Stream) -> str:
        """How the describer wants to use a stream: its own attribute, the session's, or sendrecv.

        Interop: old phones hold with the address 0.0.0.0 (RFC 3264 §8.4), so that nothing may be
        sent to them.
        """
        found = SENDRECV
        for lines in (self.lines, stream.lines):
            for line in lines:
                if line[2:] in DIRECTIONS and line.startswith("a="):
                    found = line[2:]
        if self.host(stream) == "0.0.0.0":  # noqa: S104 - compared, not bound
            return INACTIVE if found in (RECVONLY, INACTIVE) else SENDONLY
        return found

    def host(self, stream: Stream) -> str:
        """The address that a stream's packets go to, "" if none is given."""
        for lines in (stream.lines, self.lines):
            for line in lines:
                if line.startswith("c="):
                    match = _CONNECTION.match(line)
                    return match[1] if match is not None else ""
        return ""

    @property
    def places(self) -> list[tuple[str, int]]:
        """The address and port that the packets of each stream go to."""
        return [(self.host(stream), stream.port) for stream in self.streams]

    @property
    def origin(self) -> str:
        """The o= line."""
        return next(line for line in self.lines if line.startswith("o="))

    def set_origin(self, line: str) -> None:
        self.lines = [line if old.startswith("o=") else old for old in self.lines]


def parse_description(text: str) -> Description:
    """The description in a message body; lines may end in LF alone.

    Raises `RemoteProtocolError`: 413 if it is larger than any real one, else 400 with what is wrong.
    """
    if len(text) > MAX_DESCRIPTION:
        raise RemoteProtocolError(413, "Request Entity Too Large: session description")
    lines = text.replace("\r\n", "\n").split("\n")
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) > MAX_LINES:
        raise RemoteProtocolError(413, "Request Entity Too Large: session description")
    if not lines or lines[0] != "v=0":
        raise _broken("it does not begin with v=0")
    session: list[str] = []
    streams: list[Stream] = []
    current = session
    for line in lines:
        if line[1:2] != "=" or not "a" <= line[:1] <= "z" or "\r" in line or "\0" in line:
            raise _broken("a line is not of the form letter=value")
        if line.startswith("m="):
            if len(streams) >= MAX_STREAMS:
                raise RemoteProtocolError(413, "Request Entity Too Large: too many streams")
            stream = _stream(line)
            streams.append(stream)
            current = stream.lines
        else:
            if line.startswith("c=") and _CONNECTION.fullmatch(line) is None:
                raise _broken("c= line")
            current.append(line)
    origins = [line for line in session if line.startswith("o=")]
    if len(origins) != 1 or _ORIGIN.fullmatch(origins[0]) is None:
        raise _broken("o= line")
    return Description(session, streams)


def _stream(line: str) -> Stream:
    match = _MEDIA.fullmatch(line)
    if match is None or int(match[2]) > 65535:
        raise _broken("m= line")
    return Stream(match[1].lower(), int(match[2]), match[3], match[4].split(), [])


def _broken(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(400, f"Bad Request: broken session description: {what}")


def _attribute(lines: list[str], name: str) -> str | None:
    flag = f"a={name}"
    prefix = f"{flag}:"
    for line in lines:
        if line == flag:
            return ""
        if line.startswith(prefix):
            return line[len(prefix) :]
    return None
