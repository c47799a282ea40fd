"""Calls to other domains, whose servers the engine finds by a real name server (RFC 3263)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cast import PASSWORD, extension
from tests.support.dns_server import DnsServer
from tests.support.free_ports import free_port
from tests.support.pbx_process import DOMAIN, PbxProcess
from tests.support.sipp import Sipp
from tests.support.wait import until
from tests.support.wire_phone import WirePhone

SCENARIOS = Path(__file__).parent / "scenarios"


@pytest.fixture(scope="module")
def names() -> Iterator[DnsServer]:
    with DnsServer("here.test A 127.0.0.1") as server:
        yield server


@pytest.fixture(scope="module")
def engine(names: DnsServer) -> Iterator[PbxProcess]:
    """A PBX of its own, which asks the tests' name server."""
    environment = {"PBX_DNS": "{}:{}".format(*names.address)}
    with PbxProcess(only="engine", environment=environment) as running:
        running.apply({"extensions": [extension("3263")]})
        yield running


@pytest.fixture
def alice(engine: PbxProcess) -> Iterator[WirePhone]:
    with WirePhone("3263", PASSWORD.format("3263"), server=engine.sip, domain=DOMAIN) as phone:
        assert phone.register().status == 200
        yield phone


def srv(*ports: int, transport: str = "udp", domain: str = "other.test") -> list[str]:
    """Records of servers on this machine, the first preferred."""
    names = [
        f"_sip._{transport}.{domain} SRV {at} 1 {port} here.test." for at, port in enumerate(ports)
    ]
    return [*names, "here.test A 127.0.0.1"]


def talks(engine: PbxProcess, alice: WirePhone, uri: str, callee: Sipp) -> None:
    call = alice.call(uri)
    call.rings()
    dialog = call.answered()
    assert dialog.bye().status == 200
    callee.finish().check(1)
    row = engine.row_of(call.call_id)
    assert (row["result"], row["hangup_by"]) == ("answered", "caller")
    assert len(engine.legs_of(row)) == 1


def test_a_dead_server_makes_way_for_the_second_rfc3263_4_3(
    engine: PbxProcess, names: DnsServer, alice: WirePhone, tmp_path: Path
) -> None:
    with Sipp(SCENARIOS / "callee.xml", tmp_path) as second:
        names.zone(*srv(free_port(), second.port, domain="dead.test"))
        talks(engine, alice, "sip:bob@dead.test", second)


def test_an_overloaded_server_makes_way_for_the_second_rfc3263_4_3(
    engine: PbxProcess, names: DnsServer, alice: WirePhone, tmp_path: Path
) -> None:
    with (
        Sipp(SCENARIOS / "overloaded.xml", tmp_path) as first,
        Sipp(SCENARIOS / "callee.xml", tmp_path) as second,
    ):
        names.zone(*srv(first.port, second.port, domain="full.test"))
        talks(engine, alice, "sip:bob@full.test", second)
        first.finish().check(1)


def test_naptr_chooses_tcp_rfc3263_4_1(
    engine: PbxProcess, names: DnsServer, alice: WirePhone, tmp_path: Path
) -> None:
    with Sipp(SCENARIOS / "callee.xml", tmp_path, transport="t1") as callee:
        names.zone(
            'tcp.test NAPTR 1 1 "s" "SIP+D2T" "" _sip._tcp.tcp.test.',
            *srv(callee.port, transport="tcp", domain="tcp.test"),
            *srv(free_port(), domain="tcp.test"),
        )
        talks(engine, alice, "sip:bob@tcp.test", callee)


def test_a_name_that_does_not_exist_is_told_in_the_call_log(
    engine: PbxProcess, names: DnsServer, alice: WirePhone
) -> None:
    call = alice.call("sip:bob@nowhere.test")
    call.fails(500)
    row = engine.row_of(call.call_id)
    assert row["result"] == "failed"
    assert row["reason"].endswith("The call failed: the name nowhere.test could not be found.")


def test_servers_none_of_which_answers_are_told_in_the_call_log(
    engine: PbxProcess, names: DnsServer, alice: WirePhone
) -> None:
    names.zone(*srv(free_port(), free_port(), domain="gone.test"))
    call = alice.call("sip:bob@gone.test")
    call.fails(500)
    row = engine.row_of(call.call_id)
    assert row["reason"].endswith("The call failed: none of the 2 servers of gone.test answered.")


def test_a_name_that_takes_long_holds_up_neither_calls_nor_registrations(
    engine: PbxProcess, names: DnsServer, alice: WirePhone, tmp_path: Path
) -> None:
    names.silent = True
    try:
        waiting = alice.call("sip:bob@silent.test")
        until(lambda: any(name == "silent.test" for name, _, _ in names.asked), "the question")
        phone = WirePhone("3263", PASSWORD.format("3263"), server=engine.sip, domain=DOMAIN)
        with phone:
            assert phone.register(deadline=1.0).status == 200
        assert engine.answers_options()
    finally:
        names.silent = False
    waiting.cancel()
    alice.wire.receive_final("CANCEL")
    waiting.fails(487)
    assert engine.row_of(waiting.call_id)["result"] == "cancelled"
