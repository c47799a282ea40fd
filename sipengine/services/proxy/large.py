"""Requests too large for a datagram go over TCP first, and by UDP where nobody takes TCP (RFC 3261 §18.1.1).

Deviation: a contact behind NAT, and one whose address refused TCP within the hour, is sent large
datagrams at once. Nobody can connect to the first, and each call to the second would begin with a wait.
"""

from __future__ import annotations

from typing import Final

from sipengine.services.ports import Flows
from sipengine.services.proxy.attempts import Sender
from sipengine.sip.flow import Flow
from sipengine.sip.transaction.invite_client import ClientUser
from sipengine.sip.uri import parse_uri

LARGE: Final = 1300
"""Bytes of a request beyond which IP would cut it into pieces, the way's size being unknown."""

REFUSED_S: Final = 3600.0
"""How long an address that took no TCP is not asked again."""

REMEMBERED: Final = 1024


class Streams:
    """Finds the TCP connection that stands in for a UDP flow, and remembers where there is none."""

    __slots__ = ("_flows", "_until")

    def __init__(self, flows: Flows) -> None:
        self._flows = flows
        self._until: dict[tuple[str, int], float] = {}

    def beside(self, flow: Flow, uri_text: str, now: float) -> Flow | None:
        """The connection to where `flow` goes; None if there is no use in trying.

        `uri_text` is the Request-URI: whose address is another than the flow's is behind NAT.
        """
        host = parse_uri(uri_text).host
        if host != flow.remote[0] and (":" in host or host[-1:].isdigit()):
            return None
        until = self._until.get(flow.remote)
        if until is not None and until > now:
            return None
        return self._flows.stream_beside(flow)

    def refused(self, flow: Flow, now: float) -> None:
        self._until.pop(flow.remote, None)
        if len(self._until) >= REMEMBERED:
            del self._until[next(iter(self._until))]
        self._until[flow.remote] = now + REFUSED_S


class StreamFirst:
    """The user of a client transaction over TCP that stands in for one over UDP.

    If the connection fails before any answer, `sender` sends by UDP after all.
    """

    __slots__ = ("_flow", "_heard", "_patience", "_sender", "_streams", "_user")

    def __init__(
        self, sender: Sender, streams: Streams, flow: Flow, user: ClientUser, patience: float
    ) -> None:
        self._sender = sender
        self._streams = streams
        self._flow = flow
        self._user = user
        self._patience = patience
        self._heard = False

    def on_response(self, status: int, data: bytes, now: float) -> None:
        self._heard = True
        self._user.on_response(status, data, now)

    def on_timeout(self, now: float) -> None:
        self._user.on_timeout(now)

    def on_transport_error(self, now: float) -> None:
        if self._heard:
            self._user.on_transport_error(now)
        else:
            self._streams.refused(self._flow, now)
            self._sender.send_to(self._flow, self._user, self._patience, now)
