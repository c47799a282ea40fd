"""Who may come in: the networks of PBX_ADMIN_NETWORKS, and live pages only from our own pages."""

from __future__ import annotations

import ipaddress
from typing import Final

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGISendCallable,
    Scope,
    WebSocketScope,
)

from pbx.variables import Network

OPEN_PATHS: Final = ("/healthz", "/metrics", "/static/")
"""Answered to everybody: they hold nothing of a person, or have a rule of their own."""
_REFUSAL: Final = (
    b"This address is not among the networks that may administer this PBX (PBX_ADMIN_NETWORKS).\n"
)


class Admission:
    """ASGI middleware: 403 to strangers, and to WebSockets that another site's page opened.

    A browser sends its cookies along with a WebSocket from any page, and nothing but the Origin
    header tells; it must name the host that the request itself names.
    """

    def __init__(
        self,
        application: ASGI3Application,
        networks: tuple[Network, ...],
        *,
        sip_path: str = "",
        sip_origins: tuple[str, ...] = (),
    ) -> None:
        """`sip_path` is where phones connect: from every network, as to the engine itself, and from
        pages of `sip_origins` (or `any`), too."""
        self._application = application
        self._networks = networks
        self._sip_path = sip_path
        self._sip_origins = frozenset(origin.rstrip("/") for origin in sip_origins)

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        if scope["type"] == "http" and not self._admits(scope["path"], scope["client"]):
            await send(
                {
                    "type": "http.response.start",
                    "status": 403,
                    "headers": [(b"content-type", b"text/plain; charset=utf-8")],
                    "trailers": False,
                }
            )
            await send({"type": "http.response.body", "body": _REFUSAL, "more_body": False})
        elif scope["type"] == "websocket" and not (
            self._admits(scope["path"], scope["client"]) and self._is_welcome(scope)
        ):
            await receive()
            await send({"type": "websocket.close", "code": 4403, "reason": "not allowed"})
        else:
            await self._application(scope, receive, send)

    def _admits(self, path: str, client: tuple[str, int] | None) -> bool:
        if path.startswith(OPEN_PATHS) or (self._sip_path and path == self._sip_path):
            return True
        try:
            source = ipaddress.ip_address(client[0] if client else "")
        except ValueError:  # a Unix socket's peer has no address; who gets there is on this machine
            return True
        if isinstance(source, ipaddress.IPv6Address) and source.ipv4_mapped:
            source = source.ipv4_mapped
        return any(source in network for network in self._networks)

    def _is_welcome(self, scope: WebSocketScope) -> bool:
        headers = dict(scope["headers"])
        if _is_own_page(headers):
            return True
        listed = self._sip_origins if scope["path"] == self._sip_path else frozenset()
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        return "any" in listed or origin in listed


def _is_own_page(headers: dict[bytes, bytes]) -> bool:
    origin, host = headers.get(b"origin", b""), headers.get(b"host", b"")
    return not origin or origin.partition(b"://")[2] == host
