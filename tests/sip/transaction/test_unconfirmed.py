"""ACKs with a branch of their own, found by what the failure says (RFC 3261 §17.1.1.3, Interop)."""

from __future__ import annotations

import pytest

from sipengine.sip.transaction.invite_server import COMPLETED, CONFIRMED, InviteServer
from tests.sip.transaction.recorder import Bench, response


def failed(failure: bytes = response(486)) -> tuple[Bench, InviteServer]:
    bench = Bench()
    server = InviteServer(bench.layer, "z9hG4bKx|h:5060", bench.flow, "c", bench.now)
    server.respond(486, failure, bench.now)
    assert server.state == COMPLETED
    return bench, server


def test_a_failure_is_found_by_call_id_number_and_to_tag_until_its_ack() -> None:
    bench, server = failed()
    found = bench.layer.unconfirmed.find("c", 7, "t")
    assert found is server
    found.receive("ACK", bench.now)
    assert server.state == CONFIRMED
    assert len(bench.layer.unconfirmed) == 0


@pytest.mark.parametrize("other", [("d", 7, "t"), ("c", 8, "t"), ("c", 7, "u"), ("c", 7, "")])
def test_one_that_differs_in_any_of_them_is_not_found(other: tuple[str, int, str]) -> None:
    bench, _ = failed()
    assert bench.layer.unconfirmed.find(*other) is None


def test_7_3_3_short_names_and_folds_make_no_difference() -> None:
    bench, server = failed(b"SIP/2.0 486 X\r\nt:\r\n <sip:b@h> ;TAG=t\r\ncseq : 7  INVITE\r\n\r\n")
    assert bench.layer.unconfirmed.find("c", 7, "t") is server


def test_17_2_1_timer_h_ends_the_waiting() -> None:
    bench, _ = failed()
    bench.advance(40)
    assert len(bench.layer.unconfirmed) == 0


def test_8_2_2_2_of_two_merged_requests_refused_alike_the_later_one_is_kept() -> None:
    bench, first = failed()
    second = InviteServer(bench.layer, "z9hG4bKy|h:5060", bench.flow, "c", bench.now)
    second.respond(486, response(486), bench.now)
    first.receive("ACK", bench.now)  # by its branch
    assert bench.layer.unconfirmed.find("c", 7, "t") is second


def test_a_success_is_none_of_it() -> None:
    bench = Bench()
    server = InviteServer(bench.layer, "z9hG4bKx|h:5060", bench.flow, "c", bench.now)
    server.respond(200, response(200), bench.now)
    assert len(bench.layer.unconfirmed) == 0
