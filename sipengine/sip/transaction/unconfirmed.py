"""ACKs that name their INVITE by everything but its branch.

Interop: RFC 3261 §17.1.1.3 wants the ACK of a failure to have the branch of its INVITE. Some user
agents, and boxes between them and us, give it one of its own. Without more, the failure would be
sent to them ten times in 32 s, and count as never acknowledged. Its To tag is the answerer's, so
that Call-ID, number and To tag together name one failure as surely as a branch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipengine.sip.header_line import header_line
from sipengine.sip.message import tag_of

if TYPE_CHECKING:
    from sipengine.sip.transaction.invite_server import InviteServer

Names = tuple[bytes, bytes, str]
"""Call-ID, number and To tag."""


class Unconfirmed:
    """The INVITE server transactions whose failure waits for its ACK, by what the failure says.

    One entry a transaction at most, so the limit of transactions is this one's too.
    """

    __slots__ = ("_servers",)

    def __init__(self) -> None:
        self._servers: dict[Names, InviteServer] = {}

    def __len__(self) -> int:
        return len(self._servers)

    def add(self, server: InviteServer, failure: bytes) -> Names:
        """`server` has sent `failure`. Returns what `discard` wants."""
        names = _names(failure)
        self._servers[names] = server
        return names

    def discard(self, server: InviteServer, names: Names) -> None:
        """`server` is acknowledged or over; nothing if another one has its place."""
        if self._servers.get(names) is server:
            del self._servers[names]

    def find(self, call_id: str, number: int, to_tag: str) -> InviteServer | None:
        """The transaction that an ACK means which came with a branch of no transaction."""
        if not self._servers:
            return None
        return self._servers.get((call_id.encode("latin-1"), b"%d" % number, to_tag))


def _names(failure: bytes) -> Names:
    call_id = header_line(failure, b"Call-ID", b"i") or b""
    cseq = header_line(failure, b"CSeq", b"cseq") or b""
    to = header_line(failure, b"To", b"t") or b""
    number = cseq[5:].split()
    return (
        call_id[8:].strip(),
        number[0].lstrip(b"0") if number else b"",
        tag_of(to.decode("latin-1")),
    )
