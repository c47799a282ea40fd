"""Which opening requests of WebSockets are accepted: by their path and their Origin.

A browser lets any page open a WebSocket to anywhere and says only by the Origin header which page
it was. Pages of this PBX and those of PBX_WS_ORIGINS may; programs that are no browsers send no
Origin and may too, for they could write what they like. Either way a SIP password is needed then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import time
from typing import Final

from websockets.datastructures import Headers

from sipengine.relay_note import HEADER, Client, read_note

SUBPROTOCOL: Final = "sip"
"""RFC 7118 §4.1: without it, it is no SIP; the framing refuses that with 400."""
PATHS: Final = frozenset({"/", "/sip"})
ANY: Final = "any"


class Refused(Exception):
    """The opening request is refused with this HTTP status; the text says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class WsAdmission:
    """`origins`: those of PBX_WS_ORIGINS (`https://phone.example`, or `any`); `ports`: those of our
    own pages; `key`: for notes of the relay."""

    def __init__(
        self,
        origins: Iterable[str],
        ports: Iterable[int],
        key: bytes,
        clock: Callable[[], float] = time,
    ) -> None:
        self._given = frozenset(origin.lower().rstrip("/") for origin in origins)
        self._ports = tuple(ports)
        self._key = key
        self._clock = clock
        self._own: frozenset[str] = frozenset()

    def set_hosts(self, hosts: Iterable[str]) -> None:
        """The names and addresses under which our own pages are reached."""
        own = set()
        for host in hosts:
            name = f"[{host}]" if ":" in host else host.lower()
            own |= {f"{scheme}://{name}" for scheme in ("http", "https")}
            own |= {f"http{s}://{name}:{port}" for s in ("", "s") for port in self._ports}
        self._own = frozenset(own)

    def judge(self, path: str, headers: Headers) -> Client | None:
        """Raises `Refused`. Gives the true client of a connection that our web side relays."""
        if path.partition("?")[0] not in PATHS:
            raise Refused(404, "SIP over WebSocket is at / and /sip.")
        origins = headers.get_all("Origin")
        if origins and not self.is_welcome(origins):
            raise Refused(403, "Pages of that origin may not connect (PBX_WS_ORIGINS).")
        notes = headers.get_all(HEADER)
        if not notes:
            return None
        client = read_note(notes[0], self._key, self._clock()) if len(notes) == 1 else None
        if client is None:
            raise Refused(403, f"{HEADER} is not for others to write.")
        return client

    def is_welcome(self, origins: list[str]) -> bool:
        if ANY in self._given:
            return True
        return len(origins) == 1 and origins[0].lower() in self._given | self._own
