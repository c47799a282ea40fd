"""ACKs that name their INVITE by everything but its branch.

Interop: RFC 3261 §17.1.1.3 wants the ACK of a failure to have the branch of its INVITE. Some user
agents, and boxes between them and us, give it one of its own. Without more, the failure would be
sent to them ten times in 32 s, and count as never acknowledged. Its To tag is the answerer's, so
that Call-ID, number and To tag together name one failure as surely as a branch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipengine.sip.transaction.invite_server import InviteServer


class Unconfirmed:
    """The INVITE server transactions whose failure waits for its ACK: of a Call-ID the latest.

    One entry a transaction at most, so the limit of transactions is this one's too.
    """

    __slots__ = ("_servers",)

    def __init__(self) -> None:
        self._servers: dict[str, InviteServer] = {}

    def __len__(self) -> int:
        return len(self._servers)

    def add(self, server: InviteServer) -> None:
        """`server` has sent a failure."""
        self._servers[server.call_id] = server

    def discard(self, server: InviteServer) -> None:
        """`server` is acknowledged or over; nothing if another one has its place."""
        if self._servers.get(server.call_id) is server:
            del self._servers[server.call_id]

    def find(self, call_id: str, number: int, to_tag: str) -> InviteServer | None:
        """The transaction that an ACK means which came with a branch of no transaction."""
        server = self._servers.get(call_id)
        if server is None or not server.is_acknowledged_by(number, to_tag):
            return None
        return server
