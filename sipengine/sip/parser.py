"""Bytes to messages, once and lazily (RFC 3261 §7, §25.1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message
from sipengine.sip.names import NAMES
from sipengine.sip.via import parse_via

scan: Callable[[bytes, bool], Message | None] | None
"""The compiled twin of `read` for requests of the usual shape, where there is one."""
try:
    from sipengine.sip.scanner import scan
except ImportError:
    scan = None

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


def parse(data: bytes, stream: bool = False) -> Message:
    """The message in one datagram, or in one frame of a stream (`stream`).

    Raises `RemoteProtocolError` whose reason names the broken part. The answer to a broken
    request is made from `salvage(data)`, as far as that finds what an answer needs.
    """
    if scan is not None:
        message = scan(data, stream)
        if message is not None:
            return message
    return read(data, stream)


def read(data: bytes, stream: bool) -> Message:
    """The reference: `parse` without the compiled scanner."""
    text = data.decode("latin-1")
    if text.startswith("\r\n"):  # §7.5: empty lines before the start line are ignored
        text = text.lstrip("\r\n")
    head, separator, body = text.partition("\r\n\r\n")
    if not separator:
        if stream and len(data) >= MAX_HEAD:  # the shell hands on no more than that
            raise RemoteProtocolError(513, "Message Too Large: headers too long")
        raise RemoteProtocolError(400, "Bad Request: no empty line after the headers")
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
        names = [NAMES[name] for line in lines for name, _ in [line.split(":", 1)]]
    except ValueError:
        return _unfolded(head, body, stream, "header line without a colon")
    lines[0] = start_line
    names[0] = "/"
    message = Message(lines, names, body, "", "", 0)
    if "" in message._first:
        return _unfolded(head, body, stream, "broken header line")
    match = _REQUEST_LINE.fullmatch(start_line)
    if match is not None:
        message.method, message.uri = match.groups()
    elif start_line[:4].upper() == "SIP/":
        match = _STATUS_LINE.fullmatch(start_line)
        if match is None:
            raise RemoteProtocolError(400, "Bad Request: broken status line")
        message.status = int(match[1])
    else:
        raise _broken_request_line(start_line)
    _check(message, stream)
    return message


def _unfolded(head: str, body: str, stream: bool, wrong: str) -> Message:
    """The message of a head with a line that begins with no name: it goes on with the one before
    (§7.3.1). If it does not, the message is broken, and `wrong` says how."""
    whole = _FOLD.sub(" ", head)
    if whole == head:
        raise RemoteProtocolError(400, f"Bad Request: {wrong}")
    return read(f"{whole}\r\n\r\n{body}".encode("latin-1"), stream)


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
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        if name not in first:
            raise RemoteProtocolError(400, f"Bad Request: no {name} header")
    if len(first) != len(names):
        for name in _SINGLE:
            if names.count(name) > 1:
                raise RemoteProtocolError(400, f"Bad Request: more than one {name} header")
    cseq = message.value("CSeq") or ""
    number, _, method = cseq.partition(" ")
    if method and method == message.method and len(number) < 10 and number.isdecimal():
        message.cseq = int(number)
    else:
        message.cseq = _unusual_cseq(cseq, message.method)
    if not message.call_id:
        raise RemoteProtocolError(400, "Bad Request: empty Call-ID header")
    length = message.value("Content-Length")
    if length is None:
        if stream:
            raise RemoteProtocolError(400, "Bad Request: no Content-Length header")
        return
    if length == "0" and not message.body:
        return
    if not (length.isdecimal() and len(length) < 10):
        raise RemoteProtocolError(400, "Bad Request: broken Content-Length header")
    size = int(length)
    if stream and size > MAX_MESSAGE:  # the shell hands on the head alone and closes the stream
        raise RemoteProtocolError(513, "Message Too Large")
    if size > len(message.body):
        raise RemoteProtocolError(400, "Bad Request: body shorter than Content-Length")
    if size < len(message.body):  # §18.3: what is beyond is thrown away
        message.body = message.body[:size]


def _unusual_cseq(cseq: str, sent_as: str) -> int:
    """The number of a CSeq that is spelt in another way, stands in a response or is broken."""
    if _METHOD_AND_NUMBER.fullmatch(cseq) is None:
        raise RemoteProtocolError(400, "Bad Request: broken CSeq header")
    number, method = cseq.split(None, 1)
    if len(number) > 9 and (len(number) > 10 or int(number) >= 2**31):  # §8.1.1.5
        raise RemoteProtocolError(400, "Bad Request: CSeq out of range")
    if sent_as and method != sent_as:
        raise RemoteProtocolError(400, "Bad Request: CSeq names another method")
    return int(number)


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
