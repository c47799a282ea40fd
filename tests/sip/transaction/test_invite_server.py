"""INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §7.1)."""

from __future__ import annotations

import pytest

from sipengine.sip.transaction.invite_server import (
    ACCEPTED,
    ACK,
    COMPLETED,
    CONFIRM,
    CONFIRMED,
    END,
    INVITE,
    NOTHING,
    PROCEEDING,
    REFUSE,
    SEND,
    SEND_AGAIN,
    SEND_FAILURE,
    SEND_PROVISIONAL,
    SEND_SUCCESS,
    TERMINATED,
    TIMER,
    TRANSITIONS,
    InviteServer,
)
from tests.sip.transaction.recorder import Bench, response

KEY = "z9hG4bKx|h:5060"


def begin(reliable: bool = False) -> tuple[Bench, InviteServer]:
    bench = Bench(reliable)
    server = InviteServer(bench.layer, KEY, bench.flow, "c", bench.now)
    server.user = bench.user
    return bench, server


def bring_to(server: InviteServer, state: int, bench: Bench) -> None:
    server.respond(100, response(100), bench.now)
    if state in (COMPLETED, CONFIRMED):
        server.respond(486, response(486), bench.now)
    if state == CONFIRMED:
        server.receive("ACK", bench.now)
    elif state == ACCEPTED:
        server.respond(200, response(200), bench.now)
    elif state == TERMINATED:
        server.respond(200, response(200), bench.now)
        bench.advance(40)
    assert server.state == state
    bench.take()


def test_the_table_has_a_row_for_every_state_and_input() -> None:
    assert [len(row) for row in TRANSITIONS] == [6] * 5
    assert all(
        0 <= action <= REFUSE and 0 <= after <= TERMINATED
        for row in TRANSITIONS
        for action, after in row
    )


@pytest.mark.parametrize("state", [PROCEEDING, COMPLETED, CONFIRMED, ACCEPTED, TERMINATED])
@pytest.mark.parametrize("kind", [INVITE, ACK, SEND_PROVISIONAL, SEND_SUCCESS, SEND_FAILURE])
def test_17_2_1_every_row_does_what_the_table_says(state: int, kind: int) -> None:
    bench, server = begin()
    bring_to(server, state, bench)
    action, after = TRANSITIONS[state][kind]
    taken = True
    if kind in (INVITE, ACK):
        server.receive("ACK" if kind == ACK else "INVITE", bench.now)
    else:
        status = {SEND_PROVISIONAL: 180, SEND_SUCCESS: 200, SEND_FAILURE: 603}[kind]
        taken = server.respond(status, response(status), bench.now)
    assert server.state == after
    assert taken == (action != REFUSE)
    sent = bench.take()
    if action in (NOTHING, REFUSE, CONFIRM, END):
        assert sent == []
    elif action == SEND:
        assert sent == [response(status)]
    else:
        assert action == SEND_AGAIN
        assert sent == [response(100 if state == PROCEEDING else 486)]
    assert (KEY in bench.layer.servers) == (after != TERMINATED)


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (PROCEEDING, NOTHING),
        (COMPLETED, SEND_AGAIN),
        (CONFIRMED, END),
        (ACCEPTED, END),
        (TERMINATED, NOTHING),
    ],
)
def test_17_2_1_the_column_of_the_timer(state: int, action: int) -> None:
    bench, server = begin()
    bring_to(server, state, bench)
    assert TRANSITIONS[state][TIMER][0] == action
    server.on_timer(bench.now + 0.5)
    assert server.state == TRANSITIONS[state][TIMER][1]


def test_17_2_1_an_invite_before_any_answer_is_absorbed() -> None:
    bench, server = begin()
    server.receive("INVITE", bench.now)
    assert bench.take() == []


def test_17_2_1_the_latest_provisional_is_the_one_sent_again() -> None:
    bench, server = begin()
    server.respond(100, response(100), bench.now)
    server.respond(180, response(180), bench.now)
    bench.take()
    server.receive("INVITE", bench.now)
    assert bench.take() == [response(180)]


class TestTimers:
    def test_17_2_1_timer_g_doubles_up_to_t2_and_timer_h_ends_it(self) -> None:
        bench, server = begin()
        server.respond(486, response(486), bench.now)
        bench.take()
        bench.advance(31.9)
        assert bench.times == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        bench.advance(0.2)
        assert server.state == TERMINATED
        assert bench.layer.servers == {}
        assert len(bench.times) == 10

    def test_17_2_1_over_a_reliable_flow_timer_g_does_not_run(self) -> None:
        bench, server = begin(reliable=True)
        server.respond(486, response(486), bench.now)
        bench.take()
        bench.advance(31.9)
        assert bench.times == []
        assert server.state == COMPLETED
        bench.advance(0.2)
        assert server.state == TERMINATED

    def test_17_2_1_the_ack_stops_it_and_timer_i_absorbs_more_for_t4(self) -> None:
        bench, server = begin()
        server.respond(486, response(486), bench.now)
        bench.take()
        bench.advance(1)
        server.receive("ACK", bench.now)
        bench.advance(4.9)
        server.receive("ACK", bench.now)
        server.receive("INVITE", bench.now)
        assert bench.times == [0.5]
        assert server.state == CONFIRMED
        bench.advance(0.2)
        assert server.state == TERMINATED

    def test_17_2_1_timer_i_is_0_over_a_reliable_flow(self) -> None:
        bench, server = begin(reliable=True)
        server.respond(486, response(486), bench.now)
        server.receive("ACK", bench.now)
        assert server.state == TERMINATED
        assert bench.layer.servers == {}

    @pytest.mark.parametrize("reliable", [False, True])
    def test_6026_7_1_timer_l_absorbs_invites_and_passes_every_2xx_for_64_t1(
        self, reliable: bool
    ) -> None:
        bench, server = begin(reliable)
        server.respond(200, response(200, "a"), bench.now)
        bench.advance(31.9)
        server.receive("INVITE", bench.now)
        assert server.respond(200, response(200, "b"), bench.now)
        assert bench.take() == [response(200, "a"), response(200, "b")]
        bench.advance(0.2)
        assert server.state == TERMINATED
        assert not server.respond(200, response(200), bench.now)

    def test_17_2_1_while_it_waits_for_its_user_there_is_no_timer(self) -> None:
        bench, server = begin()
        server.respond(180, response(180), bench.now)
        assert bench.layer.timers.next_due() is None
        bench.advance(1000)
        assert server.state == PROCEEDING
