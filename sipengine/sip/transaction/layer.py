"""The transaction layer: which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).

It owns the tables of running transactions, the timers and the list of what is to be sent.
Transactions take themselves out when they end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from sipengine.sip.flow import Flow
from sipengine.sip.timers import TimerQueue
from sipengine.sip.trace import Trace
from sipengine.sip.transaction.unconfirmed import Unconfirmed

if TYPE_CHECKING:
    from sipengine.sip.message import Message
    from sipengine.sip.transaction.invite_client import InviteClient
    from sipengine.sip.transaction.invite_server import InviteServer
    from sipengine.sip.transaction.non_invite_client import NonInviteClient
    from sipengine.sip.transaction.non_invite_server import NonInviteServer


_FIRST_SWEEP: Final = 64


class WayBackPort(Protocol):
    """Finds another way for an answer whose connection has gone (§18.2.2)."""

    def again(self, layer: TransactionLayer, closed: Flow, response: bytes, now: float) -> Flow:
        """The flow to take instead of `closed`; `closed` itself if there is none."""
        ...


class TransactionLayer:
    """`clients` by our own branch (bytes, as it stands in a response), `servers` by `server_key`,
    those whose failure waits for its ACK in `unconfirmed` too.

    A CANCEL has the branch of its INVITE (§9.1), so its client is kept under branch + b"|CANCEL".
    `trace` is that of the message which is being handled, and client transactions keep it.
    `own` are the requests that this server answers itself, by their Call-ID: what else all copies of
    one have in common (From tag, CSeq) and its `server_key`.
    """

    __slots__ = (
        "_own_count", "_sweep_at", "clients", "out", "own", "servers", "timers", "trace", "unconfirmed", "way_back",
    )  # fmt: skip

    def __init__(self, way_back: WayBackPort | None = None) -> None:
        self.clients: dict[bytes, InviteClient | NonInviteClient] = {}
        self.servers: dict[str, InviteServer | NonInviteServer] = {}
        self.unconfirmed = Unconfirmed()
        self.timers = TimerQueue()
        self.out: list[tuple[Flow, bytes]] = []
        self.way_back = way_back
        self.trace: Trace | None = None
        self.own: dict[str, list[tuple[str, int, str, str]]] = {}
        self._own_count = 0
        self._sweep_at = _FIRST_SWEEP

    def answers_itself(self, message: Message, key: str) -> None:
        """The server transaction `key` of a new request is answered by this server, not passed on."""
        if self._own_count >= self._sweep_at:
            self._sweep()
        one = (message.from_tag, message.cseq, message.method, key)
        self.own.setdefault(message.call_id, []).append(one)
        self._own_count += 1

    def _sweep(self) -> None:
        """Forget those whose transaction has ended."""
        kept: dict[str, list[tuple[str, int, str, str]]] = {}
        self._own_count = 0
        for call_id, requests in self.own.items():
            running = [one for one in requests if one[3] in self.servers]
            if running:
                kept[call_id] = running
                self._own_count += len(running)
        self.own = kept
        self._sweep_at = max(_FIRST_SWEEP, 2 * self._own_count)

    def is_merged(self, message: Message) -> bool:
        """Whether a request without To tag is a copy that came by another way (§8.2.2.2): the same From
        tag, Call-ID and CSeq as one that is being answered here, whose transaction it is not of."""
        for from_tag, cseq, method, key in self.own.get(message.call_id, ()):
            same = from_tag == message.from_tag and cseq == message.cseq
            if same and method == message.method and key in self.servers:
                return True
        return False

    def begin(self, client: InviteClient | NonInviteClient) -> None:
        """Take a client transaction in and send its request."""
        self.clients[client.branch] = client
        client.trace = self.trace
        client.flow.clients.add(client)
        self.out.append((client.flow, client.request))

    def end(self, client: InviteClient | NonInviteClient) -> None:
        """Take a client transaction out."""
        self.clients.pop(client.branch, None)
        client.flow.clients.discard(client)


def server_key(branch: str, sent_by: str, method: str) -> str:
    """What makes two requests the same transaction (§17.2.3): branch, sent-by and method.

    An ACK belongs to its INVITE. `branch` begins with the magic cookie; for an RFC 2543 peer
    without one, give the text of `old_style_branch` instead.
    """
    if method in ("INVITE", "ACK"):
        return f"{branch}|{sent_by}"
    return f"{branch}|{sent_by}|{method}"


def old_style_branch(uri: str, from_tag: str, call_id: str, cseq: int, via: str) -> str:
    """A stand-in for the branch of a request without the magic cookie (§17.2.3, RFC 2543 peers)."""
    return f"2543|{uri}|{from_tag}|{call_id}|{cseq}|{via}"
