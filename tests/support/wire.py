"""SIP by hand: plain sockets and plain text, independent of the engine's own code.

For bytes that no phone would send, and for flows in which a test decides each message.
"""

from __future__ import annotations

import hashlib
import re
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

BUFFER = 65_535
Address = tuple[str, int]


@dataclass(frozen=True)
class Message:
    """A received message, read leniently: start line, headers in order, body."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: str
    source: Address = ("", 0)

    @property
    def is_request(self) -> bool:
        return not self.start.startswith("SIP/2.0 ")

    @property
    def status(self) -> int:
        """The status code, 0 for a request."""
        return 0 if self.is_request else int(self.start.split(" ")[1])

    @property
    def method(self) -> str:
        """The method of the request, or of the request that is answered."""
        return self.start.split(" ")[0] if self.is_request else self["CSeq"].split()[1]

    @property
    def uri(self) -> str:
        return self.start.split(" ")[1]

    @property
    def to_tag(self) -> str:
        return parameter(self["To"], "tag")

    def __getitem__(self, name: str) -> str:
        """The first value of a header, "" if it is not there."""
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        """Every line of a header, from the top."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __str__(self) -> str:
        return "\n".join([self.start, *(f"{k}: {v}" for k, v in self.headers), "", self.body])


def parse(data: bytes, source: Address = ("", 0)) -> Message:
    head, _, body = data.decode(errors="replace").partition("\r\n\r\n")
    start, *lines = head.split("\r\n")
    headers = [line.partition(":")[::2] for line in lines]
    return Message(start, tuple((k.strip(), v.strip()) for k, v in headers), body, source)


def parameter(value: str, name: str) -> str:
    """A parameter behind the angle brackets of a header's value (or of a value without them)."""
    tail = value.rpartition(">")[2]
    for piece in tail.split(";"):
        key, _, text = piece.strip().partition("=")
        if key.lower() == name:
            return text
    return ""


def uri_of(value: str) -> str:
    """The URI in a name-addr, `<..>`, or the value itself."""
    return value.partition("<")[2].partition(">")[0] if "<" in value else value.split(";")[0]


def digest(
    challenge: str,
    user: str,
    password: str,
    method: str,
    uri: str,
    *,
    count: int = 1,
    cnonce: str = "0a4f113b",
) -> str:
    """The value of an Authorization header for a Digest challenge (RFC 7616 §3.4), qop=auth."""
    fields = challenge_fields(challenge)
    name = fields.get("algorithm", "MD5")
    hashed = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[name.upper()]

    def h(text: str) -> str:
        return hashed(text.encode()).hexdigest()

    ha1 = h(f"{user}:{fields['realm']}:{password}")
    ha2 = h(f"{method}:{uri}")
    nonce, nc = fields["nonce"], f"{count:08x}"
    answer = h(f"{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}")
    opaque = f', opaque="{fields["opaque"]}"' if "opaque" in fields else ""
    return (
        f'Digest username="{user}", realm="{fields["realm"]}", nonce="{nonce}", uri="{uri}", '
        f'response="{answer}", algorithm={name}, cnonce="{cnonce}", nc={nc}, qop=auth{opaque}'
    )


def challenge_fields(challenge: str) -> dict[str, str]:
    """The parameters of a Digest challenge, unquoted."""
    pairs = re.findall(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))', challenge)
    return {key.lower(): quoted or plain for key, quoted, plain in pairs}


def choose(challenges: list[str], algorithm: str) -> str:
    """The challenge for that algorithm; MD5 may go unnamed (RFC 7616 §3.3)."""
    for challenge in challenges:
        named = "algorithm=" in challenge
        if f"algorithm={algorithm}" in challenge.replace('"', "").replace(" ", "") + ",":
            return challenge
        if not named and algorithm == "MD5":
            return challenge
    raise AssertionError(f"no {algorithm} challenge in {challenges}")


class Wire:
    """One socket that speaks to the server: a UDP socket, or one TCP connection.

    Every wait has a deadline in seconds; a message that does not come is an AssertionError.
    """

    def __init__(self, server: Address, transport: str = "udp", host: str = "") -> None:
        """`host` is the address to send from, one of 127.0.0.0/8; 127.0.0.1 or ::1 if left out."""
        self.server = server
        self.transport = transport
        self._buffer = b""
        self.received: list[Message] = []
        here = (host or ("::1" if ":" in server[0] else "127.0.0.1"), 0)
        if transport == "udp":
            family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
            self.socket = socket.socket(family, socket.SOCK_DGRAM)
            self.socket.bind(here)
        else:
            self.socket = socket.create_connection(server, timeout=5, source_address=here)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address: Address = self.socket.getsockname()[:2]

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    @property
    def local(self) -> str:
        """host:port, an IPv6 host in brackets."""
        host, port = self.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def send(self, message: str | bytes) -> None:
        """Send a whole message. Text may have plain newlines; they go out as CR LF."""
        if isinstance(message, str):
            message = message.replace("\r\n", "\n").replace("\n", "\r\n").encode()
        if self.transport == "udp":
            self.socket.sendto(message, self.server)
        else:
            self.socket.sendall(message)

    def receive(self, deadline: float = 5.0) -> Message:
        """The next message."""
        message = self._next(time.monotonic() + deadline)
        assert message, f"nothing received within {deadline:g} s; before: {self._history()}"
        return message

    def receive_final(self, method: str = "", deadline: float = 5.0, call_id: str = "") -> Message:
        """The next final response (to that method, of that call); provisional ones are passed over."""
        return self._pick(
            lambda m: (
                m.status >= 200
                and method in ("", m.method)
                and (not call_id or m["Call-ID"] in ("", call_id))  # "": it has a compact name
            ),
            f"final {method}",
            deadline,
        )

    def receive_status(self, status: int, deadline: float = 5.0) -> Message:
        """The next response with that status; 100 is passed over, anything else is a failure."""
        message = self._pick(lambda m: m.status != 100, f"{status}", deadline)
        assert message.status == status, f"expected {status}, received:\n{message}"
        return message

    def receive_request(self, method: str, deadline: float = 5.0) -> Message:
        """The next request, which must be that method. Responses are passed over, and other requests that
        were received before: on a busy machine the server may have repeated one before it was answered."""
        before = self.received.copy()
        message = self._pick(
            lambda m: m.is_request and (m.method == method or m not in before), method, deadline
        )
        assert message.method == method, f"expected {method}, received:\n{message}"
        return message

    def nothing(self, wanted: str, for_s: float) -> None:
        """Assert that no message whose start line or CSeq holds `wanted` comes in that time."""
        end = time.monotonic() + for_s
        while message := self._next(end):
            assert wanted not in f"{message.start} {message['CSeq']}", f"unwanted:\n{message}"

    def answered_within(self, deadline: float) -> bool:
        """Whether anything comes in that time."""
        return self._next(time.monotonic() + deadline) is not None

    def is_closed(self, deadline: float = 5.0) -> bool:
        """Whether the server closes this TCP connection within the deadline."""
        end = time.monotonic() + deadline
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                return False
            try:
                if not self.socket.recv(BUFFER):
                    return True
            except ConnectionError:
                return True
        return False

    # ------------------------------------------------------------------ inside

    def _pick(self, wanted: Callable[[Message], bool], what: str, deadline: float) -> Message:
        end = time.monotonic() + deadline
        while message := self._next(end):
            if wanted(message):
                return message
        raise AssertionError(f"no {what} within {deadline:g} s; before: {self._history()}")

    def _history(self) -> str:
        return " | ".join(f"{m.start} ({m['CSeq']})" for m in self.received[-12:]) or "nothing"

    def _next(self, end: float) -> Message | None:
        while True:
            message = self._cut()
            if message is not None:
                self.received.append(message)
                return message
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            if self.transport == "udp":
                data, source = self.socket.recvfrom(BUFFER)
                message = parse(data, source)
                self.received.append(message)
                return message
            data = self.socket.recv(BUFFER)
            if not data:
                return None
            self._buffer += data

    def _cut(self) -> Message | None:
        """Cut one message off the TCP stream by its Content-Length (RFC 3261 §18.3)."""
        self._buffer = self._buffer.lstrip(b"\r\n")
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return None
        length = int(parse(head)["Content-Length"] or parse(head)["l"] or 0)
        if len(rest) < length:
            return None
        self._buffer = rest[length:]
        return parse(head + separator + rest[:length], self.server)
