"""Answers whose connection has gone (RFC 3261 §18.2.2, RFC 3263 §5).

The caller may have come back behind another connection, or wait for one: his Via says where.
"""

from __future__ import annotations

from typing import Final

from sipengine.services.ports import REACHABLE, Flows
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import RELIABLE, Flow
from sipengine.sip.header_line import header_line
from sipengine.sip.message import split_list
from sipengine.sip.next_hop import Located, NextHop
from sipengine.sip.transaction.layer import TransactionLayer
from sipengine.sip.via import Via, parse_via

WATCH_S: Final = 10.0
"""How long a new connection is watched: making one takes 5 s at most, then it stands or has failed."""


class WayBack:
    """`again` for answers that have lost their connection."""

    __slots__ = ("_flows",)

    def __init__(self, flows: Flows) -> None:
        self._flows = flows

    def again(self, layer: TransactionLayer, closed: Flow, response: bytes, now: float) -> Flow:
        """A flow for `response` instead of a closed one; the same where there is no other way.

        The first is to the address that the request came from and the port of its Via. If that
        cannot be reached, the answer is sent to where the name in the Via leads.
        """
        via = _top_via(response)
        if via is None or via.transport != closed.transport or not _can_begin(via.transport):
            return closed
        host = via.parameters.get("received", "").strip("[]") or via.host
        flow = self._flows.flow_to(via.transport, host, via.port)
        hop = NextHop(via.host, via.port, via.transport, False)
        if not hop.is_numeric:
            _Watched(self._flows, layer, flow, response, hop, now)
        return flow


class _Watched:
    """One answer on its way to `received`; if that fails, it goes by the name (RFC 3263 §5)."""

    __slots__ = ("_flow", "_flows", "_hop", "_layer", "_response", "due")

    def __init__(
        self, flows: Flows, layer: TransactionLayer, flow: Flow, response: bytes, hop: NextHop, now: float
    ) -> None:  # fmt: skip
        self._flows = flows
        self._layer = layer
        self._flow = flow
        self._response = response
        self._hop = hop
        self.due = 0.0
        flow.clients.add(self)
        layer.timers.start(WATCH_S, now, self)

    def fail(self, now: float) -> None:
        self._let_go()
        self._flows.locate(self._hop, "", self)

    def on_located(self, located: Located, now: float) -> None:
        if located.servers:
            self._layer.out.append((self._flows.flow_at(located.servers[0]), self._response))

    def on_timer(self, now: float) -> None:
        self._let_go()

    def _let_go(self) -> None:
        self.due = 0.0
        self._flow.clients.discard(self)


def _can_begin(transport: str) -> bool:
    return transport in RELIABLE and transport in REACHABLE


def _top_via(response: bytes) -> Via | None:
    line = header_line(response, b"Via", b"v")
    if line is None:
        return None
    try:
        return parse_via(split_list(line.decode("latin-1").partition(":")[2])[0])
    except (IndexError, RemoteProtocolError):
        return None
