"""A SIP message, parsed once and lazily (RFC 3261 §7).

A message is kept as the lines it came in, with the name of each line beside it. Typed values are
made when somebody asks. Forwarding copies the list of lines, changes the few that must change and
joins them: a header that nobody changes is never written anew.
"""

from __future__ import annotations

import re
from typing import Final

from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.names import NAMES
from sipengine.sip.via import parse_via

MAX_HEAD: Final = 16 * 1024
"""Bytes of start line and headers: three times the largest that proxies with many Vias produce."""

MAX_MESSAGE: Final = 64 * 1024
"""Bytes of a whole message: what UDP could carry, so that no message fits one transport only."""

MAX_HEADER_LINES: Final = 256
"""More header lines than this are an attack: the largest real messages have about 40."""

_FOLD: Final = re.compile(r"[ \t]*\r\n[ \t]+")
_SINGLE: Final = ("From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type")
_REQUEST_LINE: Final = re.compile(r"([A-Za-z0-9.!%*_+`'~-]+) (\S+) (?i:SIP)/2\.0")
_STATUS_LINE: Final = re.compile(r"SIP/2\.0 ([1-6][0-9][0-9])(?: .*)?", re.IGNORECASE)
_VERSION: Final = re.compile(r"SIP/[0-9]+\.[0-9]+")
_ANY_VERSION: Final = re.compile(r"SIP\s*/\s*[0-9]+\.[0-9]+", re.IGNORECASE)
_METHOD_AND_NUMBER: Final = re.compile(r"[0-9]{1,10}[ \t]+[A-Za-z0-9.!%*_+`'~-]+")


class Message:
    """One request or response. `lines[0]` is the start line, `names[i]` the name of `lines[i]`.

    For a request `method` and `uri` are set and `status` is 0; for a response the other way round.
    `body` is the text after the empty line, cut to Content-Length if that says less.
    """

    __slots__ = (
        "_first",
        "_from_tag",
        "_to_tag",
        "body",
        "call_id",
        "lines",
        "method",
        "names",
        "status",
        "uri",
    )

    lines: list[str]
    names: list[str]
    body: str
    method: str
    uri: str
    status: int
    call_id: str
    _first: dict[str, int]
    _from_tag: str | None
    _to_tag: str | None

    def __init__(
        self, lines: list[str], names: list[str], body: str, method: str, uri: str, status: int
    ) -> None:
        self.lines = lines
        self.names = names
        self.body = body
        self.method = method
        self.uri = uri
        self.status = status
        self._from_tag = self._to_tag = None
        self._index()
        self.call_id = self.value("Call-ID") or ""

    def _index(self) -> None:
        # Backwards, so that the first of several lines of one name wins.
        names = self.names
        self._first = dict(zip(reversed(names), range(len(names) - 1, -1, -1), strict=True))

    def has(self, name: str) -> bool:
        """Whether a header of this name is there at all."""
        return name in self._first

    def value(self, name: str) -> str | None:
        """The value of the first header line of this name, without surrounding white space."""
        at = self._first.get(name)
        if at is None:
            return None
        return self.lines[at].partition(":")[2].strip()

    def all(self, name: str) -> list[str]:
        """All values of a header that may be a list, in order; commas split (§7.3.1), empty ones left out."""
        at = self._first.get(name)
        if at is None:
            return []
        if self.names.count(name) == 1:
            return split_list(self.lines[at].partition(":")[2])
        out: list[str] = []
        for line, other in zip(self.lines, self.names, strict=True):
            if other == name:
                out += split_list(line.partition(":")[2])
        return out

    def whole_lines(self, name: str) -> list[str]:
        """The values of each header line of this name, commas untouched (for credentials)."""
        at = self._first.get(name)
        if at is None:
            return []
        if self.names.count(name) == 1:
            return [self.lines[at].partition(":")[2].strip()]
        return [
            line.partition(":")[2].strip()
            for line, other in zip(self.lines, self.names, strict=True)
            if other == name
        ]

    def line(self, name: str) -> int | None:
        """Where in `lines` the first header of this name stands."""
        return self._first.get(name)

    def replace(self, name: str, values: list[str]) -> None:
        """Make `values` be the lines of this header, where its first line stands now."""
        at = self._first.get(name, len(self.lines))
        for position in range(len(self.names) - 1, at - 1, -1):
            if self.names[position] == name:
                del self.lines[position], self.names[position]
        self.lines[at:at] = [f"{name}: {value}" for value in values]
        self.names[at:at] = [name] * len(values)
        self._index()

    def set_uri(self, uri: str) -> None:
        """Give a request another Request-URI."""
        self.uri = uri
        self.lines[0] = f"{self.method} {uri} SIP/2.0"

    @property
    def cseq(self) -> int:
        """The number of the CSeq; the parser has made sure that there is one."""
        return int((self.value("CSeq") or "0").split(None, 1)[0])

    @property
    def from_tag(self) -> str:
        tag = self._from_tag
        if tag is None:
            tag = self._from_tag = tag_of(self.value("From") or "")
        return tag

    @property
    def to_tag(self) -> str:
        tag = self._to_tag
        if tag is None:
            tag = self._to_tag = tag_of(self.value("To") or "")
        return tag

    def encode(self) -> bytes:
        """The bytes of this message as it is now."""
        return ("\r\n".join(self.lines) + "\r\n\r\n" + self.body).encode("latin-1")


def tag_of(value: str) -> str:
    """The tag parameter of a From or To value, "" if it has none (§19.3)."""
    end = value.rfind(">") + 1
    at = value.find(";tag=", end)
    if at >= 0:
        return value[at + 5 :].partition(";")[0].strip()
    at = value.find(";", end)
    if at < 0:
        return ""
    for parameter in value[at + 1 :].split(";"):
        name, _, tag = parameter.partition("=")
        if name.strip().lower() == "tag":
            return tag.strip()
    return ""


def split_list(text: str) -> list[str]:
    """The items of a comma-separated header value; commas in quotes and in <> do not split."""
    if "," not in text:
        item = text.strip()
        return [item] if item else []
    out: list[str] = []
    start = 0
    quoted = escaped = angle = False
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            if char == "\\":
                escaped = True
            elif char == '"':
                quoted = False
        elif char == '"':
            quoted = True
        elif char == "<":
            angle = True
        elif char == ">":
            angle = False
        elif char == "," and not angle:
            out.append(text[start:at].strip())
            start = at + 1
    out.append(text[start:].strip())
    return [item for item in out if item]


def parse(data: bytes, stream: bool = False) -> Message:
    """The message in one datagram, or in one frame of a stream (`stream`).

    Raises `RemoteProtocolError` whose reason names the broken part. The answer to a broken
    request is made from `salvage(data)`, as far as that finds what an answer needs.
    """
    text = data.decode("latin-1")
    if text.startswith("\r\n"):  # §7.5: empty lines before the start line are ignored
        text = text.lstrip("\r\n")
    head, separator, body = text.partition("\r\n\r\n")
    if not separator:
        if stream and len(data) >= MAX_HEAD:  # the shell hands on no more than that
            raise RemoteProtocolError(513, "Message Too Large: headers too long")
        raise RemoteProtocolError(400, "Bad Request: no empty line after the headers")
    if "\r\n " in head or "\r\n\t" in head:  # §7.3.1 folding
        head = _FOLD.sub(" ", head)
    lines = head.split("\r\n")
    if len(lines) > MAX_HEADER_LINES:
        raise RemoteProtocolError(513, "Message Too Large: too many headers")
    breaks = len(lines) - 1
    if head.count("\n") != breaks or head.count("\r") != breaks:
        # Some other parser would take what is behind it for a header of its own.
        raise RemoteProtocolError(400, "Bad Request: CR or LF within a header line")
    start_line = lines[0]
    lines[0] = ":"
    try:
        names = [NAMES[line[: line.index(":")]] for line in lines]
    except ValueError:
        raise RemoteProtocolError(400, "Bad Request: header line without a colon") from None
    lines[0] = start_line
    names[0] = "/"
    method = uri = ""
    status = 0
    match = _REQUEST_LINE.fullmatch(start_line)
    if match is not None:
        method, uri = match.groups()
    elif start_line[:4].upper() == "SIP/":
        match = _STATUS_LINE.fullmatch(start_line)
        if match is None:
            raise RemoteProtocolError(400, "Bad Request: broken status line")
        status = int(match[1])
    else:
        raise _broken_request_line(start_line)
    message = Message(lines, names, body, method, uri, status)
    _check(message, stream)
    return message


def _broken_request_line(line: str) -> RemoteProtocolError:
    parts = line.rsplit(" ", 1)
    version = parts[-1].upper()
    if len(parts) == 2 and version != "SIP/2.0" and _VERSION.fullmatch(version):
        return RemoteProtocolError(505, "Version Not Supported")
    return RemoteProtocolError(400, "Bad Request: broken request line")


def _check(message: Message, stream: bool) -> None:
    """The syntax every message must have (§8.1.1, §20.14), each breach with its header's name."""
    names = message.names
    first = message._first
    if "" in first:
        raise RemoteProtocolError(400, "Bad Request: broken header line")
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        if name not in first:
            raise RemoteProtocolError(400, f"Bad Request: no {name} header")
    if len(first) != len(names):
        for name in _SINGLE:
            if names.count(name) > 1:
                raise RemoteProtocolError(400, f"Bad Request: more than one {name} header")
    cseq = message.value("CSeq") or ""
    number, _, method = cseq.partition(" ")
    if not (number.isdigit() and number.isascii() and method.isalpha()):
        if _METHOD_AND_NUMBER.fullmatch(cseq) is None:
            raise RemoteProtocolError(400, "Bad Request: broken CSeq header")
        number, method = cseq.split(None, 1)
    if len(number) > 9 and (len(number) > 10 or int(number) >= 2**31):  # §8.1.1.5
        raise RemoteProtocolError(400, "Bad Request: CSeq out of range")
    if message.method and method != message.method:
        raise RemoteProtocolError(400, "Bad Request: CSeq names another method")
    if not message.call_id:
        raise RemoteProtocolError(400, "Bad Request: empty Call-ID header")
    length = message.value("Content-Length")
    if length is None:
        if stream:
            raise RemoteProtocolError(400, "Bad Request: no Content-Length header")
        return
    if length == "0" and not message.body:
        return
    if not (length.isdigit() and length.isascii() and len(length) < 10):
        raise RemoteProtocolError(400, "Bad Request: broken Content-Length header")
    size = int(length)
    if stream and size > MAX_MESSAGE:  # the shell hands on the head alone and closes the stream
        raise RemoteProtocolError(513, "Message Too Large")
    if size > len(message.body):
        raise RemoteProtocolError(400, "Bad Request: body shorter than Content-Length")
    if size < len(message.body):  # §18.3: what is beyond is thrown away
        message.body = message.body[:size]


def salvage(data: bytes) -> Message | None:
    """As much of a broken request as can be read, for the answer to it.

    None if no answer is due: it is a response, an ACK, or has no Via that can be read.
    """
    head = data.decode("latin-1").lstrip("\r\n").partition("\r\n\r\n")[0]
    lines = _FOLD.sub(" ", head).split("\r\n")[:MAX_HEADER_LINES]
    method = lines[0].partition(" ")[0]
    if not method or method[:4].upper() == "SIP/" or method == "ACK":
        return None
    names = ["/"] + [NAMES[line.partition(":")[0]] if ":" in line else "" for line in lines[1:]]
    kept = [(line, name) for line, name in zip(lines, names, strict=True) if name]
    message = Message([k[0] for k in kept], [k[1] for k in kept], "", method, "", 0)
    try:
        parse_via(_ANY_VERSION.sub("SIP/2.0", (message.all("Via") or [""])[0], count=1))
    except RemoteProtocolError:
        return None
    return message
