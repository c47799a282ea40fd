"""The Via header: where answers go (RFC 3261 §18.2, §20.42; RFC 3581)."""

from __future__ import annotations

import re
from typing import Final

from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.uri import host_port

MAGIC_COOKIE: Final = "z9hG4bK"
DEFAULT_PORTS: Final = {"UDP": 5060, "TCP": 5060, "TLS": 5061, "WS": 80, "WSS": 443}

_VIA: Final = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*(?P<transport>[A-Za-z0-9-]+)\s+"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?:\s*:\s*(?P<port>[0-9]{1,5}))?\s*(?P<parameters>;.*)?",
    re.IGNORECASE,
)


class Via:
    """One Via value. `sent_by` is the text host[:port]; `parameters` name (lower case) -> value."""

    __slots__ = ("branch", "host", "parameters", "port", "sent_by", "transport")

    def __init__(self, transport: str, host: str, port: int, parameters: dict[str, str]) -> None:
        self.transport = transport
        self.host = host
        self.port = port
        self.sent_by = host_port(host, port)
        self.parameters = parameters
        self.branch = parameters.get("branch", "")

    def __str__(self) -> str:
        tail = "".join(f";{k}={v}" if v else f";{k}" for k, v in self.parameters.items())
        return f"SIP/2.0/{self.transport} {self.sent_by}{tail}"


def parse_via(value: str) -> Via:
    """One Via value. Raises `RemoteProtocolError` 400 if it is none."""
    match = _VIA.fullmatch(value.strip())
    if match is None:
        raise RemoteProtocolError(400, "Bad Request: broken Via header")
    port = int(match["port"] or 0)
    if port > 65535:
        raise RemoteProtocolError(400, "Bad Request: broken Via header")
    parameters: dict[str, str] = {}
    for item in (match["parameters"] or "").split(";"):
        name, _, text = item.partition("=")
        name = name.strip().lower()
        if name and name not in parameters:
            parameters[name] = text.strip()
    return Via(match["transport"].upper(), match["host"].strip("[]").lower(), port, parameters)
