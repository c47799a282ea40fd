"""Whatever happens in whatever order: a machine never raises, and it always ends."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, rule

from sipengine.sip.transaction.invite_client import InviteClient
from sipengine.sip.transaction.invite_server import InviteServer
from sipengine.sip.transaction.non_invite_client import NonInviteClient
from sipengine.sip.transaction.non_invite_server import NonInviteServer
from tests.sip.transaction.recorder import INVITE, OPTIONS, Bench, Recorder, response

STATUS = st.sampled_from([100, 180, 183, 200, 202, 302, 401, 404, 486, 503, 603])


class Machines(RuleBasedStateMachine):
    clients = Bundle("clients")
    servers = Bundle("servers")

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(start=123456.789)
        self.tcp = Bench(reliable=True).flow
        self.count = 0
        self.users: list[Recorder] = []
        self.ringing: list[InviteServer | InviteClient] = []

    def user(self) -> Recorder:
        self.users.append(Recorder())
        return self.users[-1]

    @rule(target=clients, invite=st.booleans(), reliable=st.booleans())
    def begin_client(self, invite: bool, reliable: bool) -> InviteClient | NonInviteClient:
        self.count += 1
        bench = self.bench
        flow = self.tcp if reliable else bench.flow
        branch = f"z9hG4bK{self.count}".encode()
        if invite:
            client = InviteClient(bench.layer, self.user(), branch, INVITE, flow, bench.now)
            self.ringing.append(client)
            return client
        return NonInviteClient(bench.layer, self.user(), branch, OPTIONS, flow, bench.now)

    @rule(target=servers, invite=st.booleans(), reliable=st.booleans())
    def begin_server(self, invite: bool, reliable: bool) -> InviteServer | NonInviteServer:
        self.count += 1
        flow = self.tcp if reliable else self.bench.flow
        if invite:
            server = InviteServer(self.bench.layer, f"key{self.count}", flow, "c", self.bench.now)
            self.ringing.append(server)
            return server
        return NonInviteServer(self.bench.layer, f"key{self.count}", flow, self.bench.now)

    @rule(client=clients, status=STATUS)
    def answer(self, client: InviteClient | NonInviteClient, status: int) -> None:
        client.receive(status, response(status), self.bench.now)

    @rule(client=consumes(clients))
    def fail(self, client: InviteClient | NonInviteClient) -> None:
        client.fail(self.bench.now)

    @rule(server=servers, method=st.sampled_from(["INVITE", "ACK", "OPTIONS"]))
    def request(self, server: InviteServer | NonInviteServer, method: str) -> None:
        server.receive(method, self.bench.now)

    @rule(server=servers, status=STATUS)
    def respond(self, server: InviteServer | NonInviteServer, status: int) -> None:
        server.respond(status, response(status), self.bench.now)

    @rule(seconds=st.sampled_from([0.0, 0.1, 0.5, 1.0, 4.0, 5.0, 31.9, 32.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.bench.advance(seconds)

    def teardown(self) -> None:
        """INVITEs that ring wait for their user, who always decides some day; all others end alone."""
        for machine in self.ringing:
            if isinstance(machine, InviteClient):
                if machine.branch in self.bench.layer.clients:
                    machine.receive(487, response(487), self.bench.now)
            elif machine.key in self.bench.layer.servers:
                machine.respond(487, response(487), self.bench.now)
        self.bench.advance(100)
        assert self.bench.layer.clients == {}
        assert self.bench.layer.servers == {}
        assert not self.bench.flow.clients
        assert not self.tcp.clients
        assert len(self.bench.layer.timers) == 0
        assert self.bench.layer.timers.next_due() is None
        for user in self.users:
            ends = [what for what in user.heard if what in ("timeout", "error")]
            failures = [what for what in user.heard if isinstance(what, int) and what >= 300]
            assert len(ends) <= 1
            assert len(failures) <= 1


TestMachines = Machines.TestCase
TestMachines.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
