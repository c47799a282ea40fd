"""The engine's user agent as a telephone of its own: transactions below, sessions above, no proxy.

Sans-IO like what it is made of; `tests/services/ua/pair.py` and `tests/support/soft_phone.py` are
shells around it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sipengine.services.ports import Asker
from sipengine.services.proxy.forwarding import top_via
from sipengine.services.replies import reply
from sipengine.services.reply_path import reply_path
from sipengine.services.ua.agent import UserAgent
from sipengine.services.ua.names import Names
from sipengine.services.ua.refusing import refusal
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.next_hop import NextHop, Server
from sipengine.sip.parser import parse
from sipengine.sip.transaction.invite_server import ACCEPTED, InviteServer
from sipengine.sip.transaction.layer import TransactionLayer, server_key
from sipengine.sip.uri import host_port

Incoming = Callable[[Message, Flow, InviteServer, float], None]
"""A new INVITE; may raise `RemoteProtocolError`, which is then the answer."""


class OneWay:
    """`Place` and `Flows` of a phone that sends everything to one address."""

    def __init__(self, flow: Flow, local: tuple[str, int]) -> None:
        self.flow = flow
        self.host = local[0]
        self._hostport = host_port(*local)

    def flow_for(self, message: Message, heard: Flow | None) -> Flow:
        return self.flow

    def flow_to(self, transport: str, host: str, port: int) -> Flow:
        return self.flow

    def locate(self, hop: NextHop, seed: str, asker: Asker) -> None:
        raise AssertionError("it knows its one server")

    def flow_at(self, server: Server) -> Flow:
        return self.flow

    def stream_beside(self, flow: Flow) -> Flow:
        return self.flow_to("TCP", *flow.remote)

    def close(self, flow: Flow) -> None:
        return

    def via(self, flow: Flow, branch: str) -> str:
        return f"SIP/2.0/{flow.transport} {self._hostport};branch={branch};rport"

    def contact(self, flow: Flow | None, user: str) -> str:
        extra = ";transport=tcp" if self.flow.transport == "TCP" else ""
        return f"<sip:{user}@{self._hostport}{extra}>"

    def host_for(self, flow: Flow) -> str:
        return self.host


class StandaloneAgent:
    """`receive` what arrives, send what is in `out`, look at `next_timer` after each."""

    def __init__(
        self,
        flow: Flow,
        local: tuple[str, int],
        incoming: Incoming,
        *,
        key: bytes = b"phone",
        interval: int = 1800,
    ) -> None:
        self.layer = TransactionLayer()
        self.out = self.layer.out
        self.place = OneWay(flow, local)
        self.names = Names(key, f"t{key.hex()[:6]}-")
        self.agent = UserAgent(self.layer, self.place, self.names, interval)
        self._incoming = incoming

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        if data.startswith(b"SIP/2.0 "):
            self._receive_response(data, now)
            return
        message = parse(data, flow.reliable)
        reply_flow, branch, sent_by = reply_path(message, flow, self.place)
        key = server_key(branch, sent_by, message.method)
        server = self.layer.servers.get(key)
        if server is not None and not (message.method == "ACK" and server.state == ACCEPTED):
            server.receive(message.method, now)
        elif message.method == "ACK":
            self.agent.receive_ack(message, now)
        elif message.method == "CANCEL":
            self._receive_cancel(message, server_key(branch, sent_by, "INVITE"), reply_flow, now)
        elif message.to_tag:
            self.agent.receive(message, flow, reply_flow, key, now)
        elif message.method == "INVITE":
            invite = InviteServer(self.layer, key, reply_flow, message.call_id, now)
            try:
                self._incoming(message, flow, invite, now)
            except RemoteProtocolError as error:
                tag = self.names.tag()
                invite.respond(error.status, refusal(message, error, tag), now)
        else:
            status = 200 if message.method == "OPTIONS" else 405
            self.out.append((reply_flow, reply(message, status, to_tag="any")))

    def _receive_response(self, data: bytes, now: float) -> None:
        found = top_via(data)
        assert found is not None, data
        branch, rest = found
        client = self.layer.clients.get(branch)
        if client is not None and re.search(rb"\r\nCSeq: \d+ CANCEL\r\n", rest):
            client = self.layer.clients.get(branch + b"|CANCEL")
        if client is not None:
            client.receive(int(data[8:11]), rest, now)

    def _receive_cancel(self, message: Message, key: str, flow: Flow, now: float) -> None:
        invite = self.layer.servers.get(key)
        status = 481
        if isinstance(invite, InviteServer):
            status = 200
            if invite.user is not None:
                invite.user.on_cancel("", now)
        self.out.append((flow, reply(message, status, to_tag="any")))

    def next_timer(self) -> float | None:
        return self.layer.timers.next_due()

    def handle_timers(self, now: float) -> None:
        self.layer.timers.expire(now)
