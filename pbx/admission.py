"""Who may come in: the networks of PBX_ADMIN_NETWORKS, and live pages only from our own pages."""

from __future__ import annotations

import ipaddress
from typing import Final

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGISendCallable,
    Scope,
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

    def __init__(self, application: ASGI3Application, networks: tuple[Network, ...]) -> None:
        self._application = application
        self._networks = networks

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
            self._admits(scope["path"], scope["client"]) and _is_own_page(dict(scope["headers"]))
        ):
            await receive()
            await send({"type": "websocket.close", "code": 4403, "reason": "not allowed"})
        else:
            await self._application(scope, receive, send)

    def _admits(self, path: str, client: tuple[str, int] | None) -> bool:
        if path.startswith(OPEN_PATHS):
            return True
        try:
            source = ipaddress.ip_address(client[0] if client else "")
        except ValueError:  # a Unix socket's peer has no address; who gets there is on this machine
            return True
        if isinstance(source, ipaddress.IPv6Address) and source.ipv4_mapped:
            source = source.ipv4_mapped
        return any(source in network for network in self._networks)


def _is_own_page(headers: dict[bytes, bytes]) -> bool:
    origin, host = headers.get(b"origin", b""), headers.get(b"host", b"")
    return not origin or origin.partition(b"://")[2] == host
