"""What a request must be to be forwarded (RFC 3261 §16.3), and which Routes are our own (§16.4)."""

from __future__ import annotations

from sipengine.services.own_answers import OF_PROXY
from sipengine.services.proxy.forwarding import Branches
from sipengine.services.proxy.record_route import RecordRoute
from sipengine.services.responsibility import Responsibility
from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message


class Validation:
    def __init__(
        self, branches: Branches, record_route: RecordRoute, responsibility: Responsibility
    ) -> None:
        self._branches = branches
        self._record_route = record_route
        self._responsibility = responsibility

    def check(self, message: Message) -> int:
        """The hash of what loop detection looks at (§16.6 step 8).

        Raises `RemoteProtocolError`: 483, 440, 420, 482, or 400 for a broken Max-Forwards.
        """
        hops = message.value("Max-Forwards")
        if hops is not None:
            if not (hops.isdigit() and hops.isascii() and len(hops) <= 9):
                raise RemoteProtocolError(400, "Bad Request: broken Max-Forwards header")
            left = int(hops)
            if left == 0:
                raise RemoteProtocolError(483, "Too Many Hops")
            if left > 255:  # §20.22
                raise RemoteProtocolError(400, "Bad Request: broken Max-Forwards header")
        if message.has("Max-Breadth"):
            breadth = message.value("Max-Breadth") or ""
            if not (breadth.isdigit() and breadth.isascii() and len(breadth) <= 9):
                raise RemoteProtocolError(400, "Bad Request: broken Max-Breadth header")
            if int(breadth) == 0:  # RFC 5393 §5.3.3
                raise RemoteProtocolError(440, "Max-Breadth Exceeded")
        if message.has("Proxy-Require"):
            raise RemoteProtocolError(420, OF_PROXY)
        loop_hash = message.loop_hash()
        if self._branches.is_loop(message, loop_hash):
            raise RemoteProtocolError(482, "Loop Detected")
        return loop_hash

    def is_own_route(self, route: str) -> bool:
        """Whether one Route value names this server."""
        if self._record_route.note_of(route) is not None:
            return True
        return self._responsibility.is_self(parse_address(route).uri)
