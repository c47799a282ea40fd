"""INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §7.2)."""

from __future__ import annotations

import pytest

from sipengine.sip.header_line import header_line
from sipengine.sip.transaction.invite_client import (
    ACCEPTED,
    ACK_AGAIN,
    ACK_AND_PASS,
    CALLING,
    COMPLETED,
    END,
    ERROR,
    FAILURE,
    NOTHING,
    PASS,
    PROCEEDING,
    PROVISIONAL,
    REPORT_ERROR,
    RETRANSMIT,
    SUCCESS,
    TERMINATED,
    TIMER,
    TRANSITIONS,
    InviteClient,
    ack_of_failure,
)
from tests.sip.transaction.recorder import INVITE, Bench, response

BRANCH = b"z9hG4bKx"


def begin(reliable: bool = False) -> tuple[Bench, InviteClient]:
    bench = Bench(reliable)
    client = InviteClient(bench.layer, bench.user, BRANCH, INVITE, bench.flow, bench.now)
    assert bench.take() == [INVITE]
    return bench, client


def bring_to(client: InviteClient, state: int, bench: Bench) -> None:
    if state == PROCEEDING:
        client.receive(180, response(180), bench.now)
    elif state == COMPLETED:
        client.receive(486, response(486), bench.now)
    elif state == ACCEPTED:
        client.receive(200, response(200), bench.now)
    elif state == TERMINATED:
        client.abandon()
    assert client.state == state
    bench.take()
    bench.user.heard.clear()


def test_the_table_has_a_row_for_every_state_and_input() -> None:
    assert [len(row) for row in TRANSITIONS] == [5] * 5
    assert all(
        0 <= action <= END and 0 <= after <= TERMINATED
        for row in TRANSITIONS
        for action, after in row
    )


@pytest.mark.parametrize("state", [CALLING, PROCEEDING, COMPLETED, ACCEPTED, TERMINATED])
@pytest.mark.parametrize("kind", [PROVISIONAL, SUCCESS, FAILURE, ERROR])
def test_17_1_1_every_row_does_what_the_table_says(state: int, kind: int) -> None:
    bench, client = begin()
    bring_to(client, state, bench)
    action, after = TRANSITIONS[state][kind]
    if kind == ERROR:
        client.fail(bench.now)
    else:
        status = {PROVISIONAL: 183, SUCCESS: 202, FAILURE: 503}[kind]
        client.receive(status, response(status), bench.now)
    assert client.state == after
    sent, heard = bench.take(), bench.user.heard
    if action in (NOTHING, END):
        assert (sent, heard) == ([], [])
    elif action == PASS:
        assert (sent, heard) == ([], [status])
    elif action == ACK_AND_PASS:
        assert heard == [503]
        assert sent[0].startswith(b"ACK ")
    elif action == ACK_AGAIN:
        assert heard == []
        assert sent[0].startswith(b"ACK ")
    else:
        assert action == REPORT_ERROR
        assert heard == ["error"]
    assert (BRANCH in bench.layer.clients) == (after != TERMINATED)
    assert (client in bench.flow.clients) == (after != TERMINATED)


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (CALLING, RETRANSMIT),
        (PROCEEDING, NOTHING),
        (COMPLETED, END),
        (ACCEPTED, END),
        (TERMINATED, NOTHING),
    ],
)
def test_17_1_1_the_column_of_the_timer(state: int, action: int) -> None:
    bench, client = begin()
    bring_to(client, state, bench)
    assert TRANSITIONS[state][TIMER][0] == action
    client.on_timer(bench.now + 0.5)
    assert client.state == TRANSITIONS[state][TIMER][1]
    assert bench.take() == ([INVITE] if action == RETRANSMIT else [])


class TestTimers:
    def test_17_1_1_2_timer_a_doubles_and_timer_b_ends_it(self) -> None:
        bench, client = begin()
        bench.advance(31.9)
        assert bench.times == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
        assert all(data == INVITE for _, data in bench.sent)
        assert bench.user.heard == []
        bench.advance(0.2)
        assert bench.user.heard == ["timeout"]
        assert client.state == TERMINATED
        bench.advance(100)
        assert len(bench.times) == 6
        assert bench.user.heard == ["timeout"]

    def test_17_1_1_2_over_a_reliable_flow_nothing_is_sent_again(self) -> None:
        bench, _ = begin(reliable=True)
        bench.advance(31.9)
        assert bench.times == []
        bench.advance(0.2)
        assert bench.user.heard == ["timeout"]

    def test_17_1_1_2_a_provisional_stops_a_and_b(self) -> None:
        bench, client = begin()
        bench.advance(1)
        client.receive(100, response(100), bench.now)
        bench.advance(10_000)
        assert bench.times == [0.5]
        assert bench.user.heard == [100]
        assert client.state == PROCEEDING

    def test_17_1_1_2_timer_d_absorbs_failures_for_32_s(self) -> None:
        bench, client = begin()
        client.receive(486, response(486), bench.now)
        for _ in range(3):
            bench.advance(10)
            client.receive(486, response(486), bench.now)
        assert len(bench.take()) == 4  # each one acknowledged
        assert bench.user.heard == [486]
        bench.advance(1.9)
        assert client.state == COMPLETED
        bench.advance(0.2)
        assert client.state == TERMINATED
        assert bench.layer.clients == {}

    def test_17_1_1_2_timer_d_is_0_over_a_reliable_flow(self) -> None:
        bench, client = begin(reliable=True)
        client.receive(486, response(486), bench.now)
        assert client.state == TERMINATED
        assert bench.layer.clients == {}
        assert bench.take()[0].startswith(b"ACK ")

    @pytest.mark.parametrize("reliable", [False, True])
    def test_6026_7_2_timer_m_lets_every_2xx_through_for_64_t1(self, reliable: bool) -> None:
        bench, client = begin(reliable)
        client.receive(200, response(200, "one"), bench.now)
        bench.advance(31.9)
        client.receive(200, response(200, "two"), bench.now)
        assert bench.user.heard == [200, 200]
        bench.advance(0.2)
        assert client.state == TERMINATED
        assert bench.layer.clients == {}
        assert bench.times == []  # the ACK of a 2xx is not this machine's


class TestAck:
    def test_17_1_1_3_the_ack_of_a_failure(self) -> None:
        head = ack_of_failure(INVITE, response(486, "theirs")).decode().split("\r\n")
        assert head[0] == "ACK sip:b@h SIP/2.0"
        assert head[1] == "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx"
        assert head.count(head[1]) == 1
        assert "To: <sip:b@h>;tag=theirs" in head
        assert "From: <sip:a@h>;tag=1" in head
        assert "Call-ID: c" in head
        assert "CSeq: 7 ACK" in head
        assert [line for line in head if line.startswith("Route")] == [
            "Route: <sip:r1;lr>",
            "Route: <sip:r2;lr>",
        ]
        assert head[-3:] == ["Content-Length: 0", "", ""]
        assert not any(line.startswith("Contact") for line in head)

    @pytest.mark.parametrize(
        "to",
        [
            b"To: <sip:b@h>;tag=z",
            b"t:<sip:b@h>;tag=z",
            b"TO : <sip:b@h>;tag=z",
            b"To: <sip:b@h>\r\n ;tag=z",
            b"t: <sip:b@h>\r\n\t;tag=z",
        ],
    )
    def test_7_3_the_to_of_the_answer_however_it_is_spelt(self, to: bytes) -> None:
        answer = response(486).replace(b"To: <sip:b@h>;tag=t", to)
        line = header_line(answer, b"To", b"t")
        assert line is not None
        assert line.startswith(b"To:")
        assert line.endswith(b"tag=z")
        assert b"\r\n" not in line
        assert line in ack_of_failure(INVITE, answer).split(b"\r\n")

    def test_7_3_what_stands_in_the_body_is_no_header(self) -> None:
        answer = response(486).replace(b"To: <sip:b@h>;tag=t", b"t: <sip:b@h>;tag=real")
        line = header_line(answer + b"\r\nTo: <sip:evil>;tag=body\r\n", b"To", b"t")
        assert line == b"To: <sip:b@h>;tag=real"

    def test_an_answer_without_to_is_acknowledged_with_ours(self) -> None:
        assert b"\r\nTo: <sip:b@h>\r\n" in ack_of_failure(INVITE, b"SIP/2.0 486 X\r\n\r\n")
