"""Cookies of the HTTPS door: their own names, so that the two doors do not disturb each other.

Browsers keep one set of cookies for a host, whatever the port or scheme, and let no plain page
replace a Secure cookie: after a login at the HTTPS door, one at the HTTP door would fail without
a word. So what leaves by HTTPS is called `__Host-NAME`, which a browser accepts only when it is
Secure, for this host alone and for every path; what comes in by HTTPS is read by that name only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGISendCallable,
    ASGISendEvent,
    Scope,
)

_PREFIX: Final = b"__Host-"
_Headers = Iterable[tuple[bytes, bytes]]


class HostCookies:
    """ASGI middleware; wrap it around everything that reads or sets cookies."""

    def __init__(self, application: ASGI3Application) -> None:
        self._application = application

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        if scope["type"] not in ("http", "websocket") or scope["scheme"] not in ("https", "wss"):
            await self._application(scope, receive, send)
            return

        async def send_marked(event: ASGISendEvent) -> None:
            if event["type"] in ("http.response.start", "websocket.accept"):
                # Optional in an accept: Channels leaves them out (ASGI 3, "Accept").
                event["headers"] = [_outgoing(header) for header in event.get("headers", ())]
            await send(event)

        scope["headers"] = [_incoming(header) for header in scope["headers"]]
        await self._application(scope, receive, send_marked)


def _incoming(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    name, value = header
    if name.lower() != b"cookie":
        return header
    pairs = (pair.strip() for pair in value.split(b";"))
    ours = (pair.removeprefix(_PREFIX) for pair in pairs if pair.startswith(_PREFIX))
    return name, b"; ".join(ours)


def _outgoing(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    name, value = header
    if name.lower() != b"set-cookie":
        return header
    attributes = {part.strip().lower() for part in value.split(b";")}
    return name, _PREFIX + value + (b"" if b"secure" in attributes else b"; Secure")
