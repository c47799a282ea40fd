"""Non-INVITE transactions, client and server (RFC 3261 §17.1.2, §17.2.2, RFC 4320)."""

from __future__ import annotations

import pytest

from sipengine.sip.transaction import non_invite_client as client_machine
from sipengine.sip.transaction import non_invite_server as server_machine
from sipengine.sip.transaction.layer import old_style_branch, server_key
from sipengine.sip.transaction.non_invite_client import NonInviteClient
from sipengine.sip.transaction.non_invite_server import NonInviteServer
from tests.sip.transaction.recorder import OPTIONS, Bench, response

BRANCH = b"z9hG4bKx"
KEY = "z9hG4bKx|h|OPTIONS"


def ok(status: int = 200) -> bytes:
    return response(status, method="OPTIONS")


class TestClient:
    def begin(self, reliable: bool = False) -> tuple[Bench, NonInviteClient]:
        bench = Bench(reliable)
        client = NonInviteClient(bench.layer, bench.user, BRANCH, OPTIONS, bench.flow, bench.now)
        assert bench.take() == [OPTIONS]
        return bench, client

    @pytest.mark.parametrize("state", range(4))
    @pytest.mark.parametrize("kind", range(4))
    def test_17_1_2_every_row_does_what_the_table_says(self, state: int, kind: int) -> None:
        m = client_machine
        bench, client = self.begin()
        if state in (m.PROCEEDING, m.COMPLETED):
            client.receive(100 if state == m.PROCEEDING else 200, ok(), bench.now)
        elif state == m.TERMINATED:
            client.fail(bench.now)
        bench.take()
        bench.user.heard.clear()
        action, after = m.TRANSITIONS[state][kind]
        if kind == m.TIMER:
            client.on_timer(bench.now + 0.5)
        elif kind == m.ERROR:
            client.fail(bench.now)
        else:
            client.receive(100 if kind == m.PROVISIONAL else 404, ok(), bench.now)
        assert client.state == after
        heard = bench.user.heard
        assert heard == {
            m.PASS: [100 if kind == m.PROVISIONAL else 404], m.REPORT_ERROR: ["error"],
        }.get(action, [])  # fmt: skip
        assert bench.take() == ([OPTIONS] if action == m.RETRANSMIT else [])
        assert (BRANCH in bench.layer.clients) == (after != m.TERMINATED)

    def test_17_1_2_2_timer_e_doubles_up_to_t2_and_timer_f_ends_it(self) -> None:
        bench, client = self.begin()
        bench.advance(31.9)
        assert bench.times == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        bench.advance(0.2)
        assert bench.user.heard == ["timeout"]
        assert client.state == client_machine.TERMINATED

    def test_17_1_2_2_in_proceeding_timer_e_is_t2(self) -> None:
        bench, client = self.begin()
        bench.advance(0.6)
        client.receive(100, ok(100), bench.now)
        bench.advance(31.3)
        assert bench.times == [0.5, 1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5]
        bench.advance(0.2)
        assert bench.user.heard == [100, "timeout"]

    def test_17_1_2_2_over_a_reliable_flow_nothing_is_sent_again(self) -> None:
        bench, client = self.begin(reliable=True)
        client.receive(100, ok(100), bench.now)
        bench.advance(31.9)
        assert bench.times == []
        bench.advance(0.2)
        assert bench.user.heard == [100, "timeout"]

    def test_17_1_2_2_timer_k_absorbs_answers_for_t4(self) -> None:
        bench, client = self.begin()
        client.receive(200, ok(), bench.now)
        bench.advance(4.9)
        client.receive(200, ok(), bench.now)
        assert bench.user.heard == [200]
        bench.advance(0.2)
        assert bench.layer.clients == {}
        assert bench.times == []

    def test_17_1_2_2_timer_k_is_0_over_a_reliable_flow(self) -> None:
        bench, client = self.begin(reliable=True)
        client.receive(200, ok(), bench.now)
        assert bench.layer.clients == {}


class TestServer:
    def begin(self, reliable: bool = False) -> tuple[Bench, NonInviteServer]:
        bench = Bench(reliable)
        return bench, NonInviteServer(bench.layer, KEY, bench.flow, bench.now)

    @pytest.mark.parametrize("state", range(4))
    @pytest.mark.parametrize("kind", range(4))
    def test_17_2_2_every_row_does_what_the_table_says(self, state: int, kind: int) -> None:
        m = server_machine
        bench, server = self.begin()
        if state == m.PROCEEDING:
            server.respond(100, ok(100), bench.now)
        elif state in (m.COMPLETED, m.TERMINATED):
            server.respond(200, ok(200), bench.now)
        if state == m.TERMINATED:
            bench.advance(40)
        bench.take()
        action, after = m.TRANSITIONS[state][kind]
        taken = True
        if kind == m.REQUEST:
            server.receive("OPTIONS", bench.now)
        elif kind == m.TIMER:
            server.on_timer(bench.now)
        else:
            status = 183 if kind == m.SEND_PROVISIONAL else 500
            taken = server.respond(status, ok(status), bench.now)
        assert server.state == after
        assert taken == (action != m.REFUSE)
        sent = bench.take()
        if action == m.SEND:
            assert sent == [ok(status)]
        elif action == m.SEND_AGAIN:
            assert sent == [ok(100 if state == m.PROCEEDING else 200)]
        else:
            assert sent == []
        assert (KEY in bench.layer.servers) == (after != m.TERMINATED)

    def test_17_2_2_timer_j_absorbs_requests_for_64_t1(self) -> None:
        bench, server = self.begin()
        bench.advance(10)
        server.respond(200, ok(), bench.now)
        bench.advance(31.9)
        server.receive("OPTIONS", bench.now)
        assert bench.take() == [ok(), ok()]
        bench.advance(0.2)
        assert bench.layer.servers == {}

    def test_17_2_2_timer_j_is_0_over_a_reliable_flow(self) -> None:
        bench, server = self.begin(reliable=True)
        server.respond(200, ok(), bench.now)
        assert bench.layer.servers == {}

    def test_4320_4_2_without_an_answer_it_ends_in_silence(self) -> None:
        bench, server = self.begin()
        bench.advance(32.1)
        assert server.state == server_machine.TERMINATED
        assert bench.times == []
        assert not server.respond(408, ok(408), bench.now)


class TestKeys:
    def test_17_2_3_ack_belongs_to_its_invite_and_nothing_else_does(self) -> None:
        assert server_key("b", "h:1", "ACK") == server_key("b", "h:1", "INVITE")
        keys = {server_key("b", "h:1", m) for m in ("INVITE", "BYE", "CANCEL", "OPTIONS")}
        assert len(keys) == 4

    def test_17_2_3_sent_by_counts(self) -> None:
        assert server_key("b", "h:1", "BYE") != server_key("b", "h:2", "BYE")

    def test_17_2_3_old_style_branches_tell_apart_what_the_rfc_says(self) -> None:
        base = ("sip:b@h", "tag", "call", 1, "SIP/2.0/UDP h:1")
        others = [
            ("sip:c@h", *base[1:]), (base[0], "tog", *base[2:]), (*base[:2], "cell", *base[3:]),
            (*base[:3], 2, base[4]), (*base[:4], "SIP/2.0/UDP h:2"),
        ]  # fmt: skip
        assert len({old_style_branch(*case) for case in [base, *others]}) == 6
