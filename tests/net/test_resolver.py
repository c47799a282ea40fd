"""The resolver against a real name server over UDP and TCP, on a loop of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from time import monotonic

import dns.rcode
import pytest

from sipengine.net.dns import AT_ONCE, Dns
from sipengine.net.dns_cache import (  # fmt: skip
    FAILED_S,
    LONGEST_MISSING_S,
    LONGEST_S,
    REMEMBERED,
    SHORTEST_S,
    DnsCache,
)
from sipengine.net.hosts_file import HostsFile
from sipengine.net.resolver import SEARCHES, Resolver
from sipengine.sip.locating import Answer, Question
from sipengine.sip.next_hop import Located, next_hop_of
from sipengine.sip.uri import parse_uri
from tests.support.dns_server import DnsServer
from tests.support.free_ports import free_port
from tests.support.wait import eventually

ZONE = (
    'other.test NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.other.test.',
    'other.test NAPTR 10 20 "s" "SIP+D2U" "" _sip._udp.other.test.',
    "_sip._tcp.other.test SRV 1 1 5070 one.other.test.",
    "_sip._udp.other.test SRV 1 1 5060 one.other.test.",
    "_sip._udp.other.test SRV 2 1 5060 two.other.test.",
    "one.other.test A 192.0.2.1",
    "one.other.test AAAA 2001:db8::1",
    "two.other.test A 192.0.2.2",
    "www.other.test CNAME one.other.test.",
    "near A 192.0.2.9",
    "near.office.test A 192.0.2.10",
)
BOTH = (socket.AF_INET, socket.AF_INET6)


class Asking:
    """Collects what the resolver tells."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.told: asyncio.Future[Located] = loop.create_future()
        self.times = 0

    def on_located(self, located: Located, now: float) -> None:
        self.times += 1
        assert abs(now - monotonic()) < 1
        if not self.told.done():
            self.told.set_result(located)


class Rig:
    """One resolver; closed when its test ends."""

    made: list[Rig] = []

    def __init__(
        self, dns: Dns, hosts: Path, families: tuple[int, ...] = (socket.AF_INET,)
    ) -> None:
        self.drains = 0
        Rig.made.append(self)
        self.loop = asyncio.get_running_loop()
        self.dns = dns
        self.resolver = Resolver(self.loop, families, self._drain, dns, HostsFile(hosts))

    def _drain(self, now: float) -> None:
        self.drains += 1

    def ask(self, uri: str, seed: str = "seed") -> Asking:
        asking = Asking(self.loop)
        self.resolver.locate(next_hop_of(parse_uri(uri)), seed, asking)
        assert not asking.times, "never before locate returns"
        return asking

    async def located(self, uri: str) -> Located:
        return await asyncio.wait_for(self.ask(uri).told, 8)

    async def servers(self, uri: str) -> list[str]:
        return [f"{p.transport} {p.host} {p.port}" for p in (await self.located(uri)).servers]

    async def address(self, host: str) -> str:
        told: asyncio.Future[str] = self.loop.create_future()
        self.resolver.lookup(host, told.set_result)
        return await asyncio.wait_for(told, 8)


MakeRig = Callable[..., Rig]


@pytest.fixture(autouse=True)
async def close_all() -> AsyncIterator[None]:
    yield
    for rig in Rig.made:
        rig.resolver.close()
        await rig.resolver.closed()
    Rig.made.clear()


@pytest.fixture
def names() -> Iterator[DnsServer]:
    with DnsServer(*ZONE) as server:
        yield server


@pytest.fixture
async def rig(names: DnsServer, tmp_path: Path) -> MakeRig:
    def make(**more: object) -> Rig:
        return Rig(Dns((names.address,)), tmp_path / "hosts", **more)  # type: ignore[arg-type]

    return make


async def test_3263_4_1_naptr_srv_and_address_from_a_real_server(
    rig: MakeRig, names: DnsServer
) -> None:
    mine = rig()
    assert await mine.servers("sip:other.test") == [
        "TCP 192.0.2.1 5070",
        "UDP 192.0.2.1 5060",
        "UDP 192.0.2.2 5060",
    ]
    kinds = [kind for _, kind, _ in names.asked]
    assert kinds[:1] == ["NAPTR"]
    assert sorted(kinds[1:]) == ["A", "A", "SRV", "SRV"], "each name once"
    assert mine.drains == 1


async def test_7984_4_both_families_from_a_real_server(rig: MakeRig) -> None:
    assert await rig(families=BOTH).servers("sip:one.other.test:5080") == [
        "UDP 2001:db8::1 5080",
        "UDP 192.0.2.1 5080",
    ]


async def test_an_alias_is_followed(rig: MakeRig) -> None:
    assert await rig().servers("sip:www.other.test:5080") == ["UDP 192.0.2.1 5080"]


async def test_a_long_answer_comes_by_tcp(rig: MakeRig, names: DnsServer) -> None:
    many = [f"_sip._udp.big.test SRV {n} 1 5060 host-number-{n}.in.big.test." for n in range(60)]
    names.zone(*many, *(f"host-number-{n}.in.big.test A 192.0.2.{n}" for n in range(60)))
    tried = await rig().servers("sip:big.test;transport=udp")
    assert tried[:2] == ["UDP 192.0.2.0 5060", "UDP 192.0.2.1 5060"]
    assert ("_sip._udp.big.test", "SRV", "tcp") in names.asked


async def test_answers_are_remembered_for_as_long_as_they_hold(
    rig: MakeRig, names: DnsServer
) -> None:
    mine = rig()
    await mine.servers("sip:other.test")
    asked = len(names.asked)
    await mine.servers("sip:other.test")
    assert len(names.asked) == asked


async def test_2308_5_a_missing_name_is_remembered_as_missing(
    rig: MakeRig, names: DnsServer
) -> None:
    mine = rig()
    for _ in range(2):
        found = await mine.located("sip:nowhere.test")
        assert found == Located((), "the name nowhere.test could not be found")
    assert len(names.asked) == len(set(names.asked)) == 5, names.asked
    assert mine.resolver.counters()["resolver_failures"] == 2


async def test_many_who_want_the_same_name_ask_once(rig: MakeRig, names: DnsServer) -> None:
    mine = rig()
    every = [mine.ask("sip:other.test", f"call-{n}") for n in range(50)]
    for asking in every:
        assert (await asyncio.wait_for(asking.told, 8)).servers
        assert asking.times == 1
    assert len(names.asked) == 5, names.asked


async def test_a_slow_name_holds_no_other_up(rig: MakeRig, names: DnsServer) -> None:
    names.slow["slow.test"] = threading.Event()
    names.zone("quick.test A 192.0.2.3", "slow.test A 192.0.2.4")
    mine = rig()
    slow = mine.ask("sip:slow.test:5060")
    begun = monotonic()
    assert await mine.servers("sip:quick.test:5060") == ["UDP 192.0.2.3 5060"]
    assert monotonic() - begun < 0.7
    assert not slow.times
    names.slow["slow.test"].set()
    assert (await asyncio.wait_for(slow.told, 8)).servers[0].host == "192.0.2.4"


@pytest.mark.parametrize("how", ["silent", "servfail", "closed"])
async def test_name_servers_that_do_not_answer_are_told_apart_from_missing_names(
    names: DnsServer, tmp_path: Path, how: str
) -> None:
    address = names.address
    if how == "silent":
        names.silent = True
    elif how == "servfail":
        names.refusing = dns.rcode.SERVFAIL
    else:
        address = ("127.0.0.1", free_port())
    mine = Rig(Dns((address,)), tmp_path / "hosts")
    begun = monotonic()
    found = await mine.located("sip:other.test:5060")
    assert found.why == "the name other.test could not be looked up, no name server answered"
    assert monotonic() - begun < 4
    again = monotonic()
    await mine.located("sip:other.test:5060")
    assert monotonic() - again < 0.5, "remembered for a few seconds"


async def test_the_second_name_server_answers_where_the_first_is_silent(
    names: DnsServer, tmp_path: Path
) -> None:
    with DnsServer() as dead:
        dead.silent = True
        mine = Rig(Dns((dead.address, names.address)), tmp_path / "hosts")
        assert await mine.servers("sip:two.other.test:5060") == ["UDP 192.0.2.2 5060"]
        assert dead.asked


async def test_a_whole_search_has_an_end(rig: MakeRig, names: DnsServer) -> None:
    names.silent = True
    mine = rig()
    begun = monotonic()
    found = await mine.located("sip:other.test")
    assert not found.servers
    assert monotonic() - begun < 7.5


async def test_too_many_searches_fail_at_once_and_the_others_go_on(
    rig: MakeRig, names: DnsServer
) -> None:
    names.silent = True
    mine = rig()
    every = [mine.ask(f"sip:n{n}.other.test:5060") for n in range(SEARCHES)]
    one_more = mine.ask("sip:x.other.test:5060")
    assert (await asyncio.wait_for(one_more.told, 1)).why == "too many names are being looked up"
    assert not any(asking.times for asking in every)
    await eventually(lambda: mine.dns.questions >= AT_ONCE)
    for _ in range(20):  # whatever else would be asked is asked in the same rounds of the loop
        await asyncio.sleep(0)
    assert mine.dns.questions == AT_ONCE, "no more than that are under way"
    mine.resolver.close()
    await mine.resolver.closed()
    assert not any(asking.times for asking in every)


async def test_etc_hosts_settles_a_name_without_any_question(
    rig: MakeRig, names: DnsServer, tmp_path: Path
) -> None:
    (tmp_path / "hosts").write_text(
        "# mine\n192.0.2.77  other.test pbx2 # two names\n::1 pbx2\nnonsense x\n192.0.2.78 other.test\n"
    )
    mine = rig(families=BOTH)
    assert await mine.servers("sip:other.test") == ["UDP 192.0.2.77 5060", "UDP 192.0.2.78 5060"]
    assert await mine.servers("sip:pbx2;transport=tcp") == ["TCP ::1 5060", "TCP 192.0.2.77 5060"]
    assert await mine.address("OTHER.test") == "192.0.2.77"
    assert names.asked == []


@pytest.mark.parametrize(
    ("host", "address"),
    [("localhost", "127.0.0.1"), ("a.localhost", "127.0.0.1"), ("x.invalid", "")],
)
async def test_6761_6_special_names_are_never_asked_for(
    rig: MakeRig, names: DnsServer, host: str, address: str
) -> None:
    assert await rig().address(host) == address
    assert names.asked == []


@pytest.mark.parametrize(
    "host", ["a..b.test", "x" * 64 + ".test", ".".join(["abcdefgh"] * 32), "."]
)
async def test_a_name_that_cannot_exist_is_not_found(rig: MakeRig, host: str) -> None:
    assert await rig().address(host) == ""


async def test_resolv_conf_names_the_servers_and_is_read_again(
    names: DnsServer, tmp_path: Path
) -> None:
    """Name servers in resolv.conf have port 53: the file is made, the port put in afterwards."""
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 192.0.2.53\nsearch office.test\n")
    mine = Dns((), conf)
    mine._look()
    assert mine._resolver.nameservers == ["192.0.2.53"]
    conf.write_text("nameserver 127.0.0.1\nsearch office.test\n")
    mine._look_at = 0.0
    mine._look()
    assert mine._resolver.nameservers == ["127.0.0.1"]
    mine._resolver.port = names.address[1]
    assert (await mine.ask(Question("near", "A"))).addresses == ("192.0.2.10",)
    conf.unlink()
    mine._look_at = 0.0
    assert (await mine.ask(Question("far.test", "A"))).failed


def test_lifetimes_are_bounded_both_ways_and_old_answers_serve_when_nobody_answers() -> None:
    cache = DnsCache()
    question = Question("x.test", "A")
    good, other = Answer(addresses=("192.0.2.1",)), Answer(addresses=("192.0.2.2",))
    failed = Answer(failed=True)

    def lasts(answer: Answer, lifetime: float) -> float:
        fresh = DnsCache()
        fresh.put(question, answer, lifetime, 0.0)
        steps = [0.0, 4.9, 5.0, 29.9, 30.0, 299.9, 300.0, 3599.9, 3600.0]
        return max(at for at in steps if fresh.get(question, at) is not None)

    assert lasts(good, 0) == 4.9 < SHORTEST_S
    assert lasts(good, 30) == 29.9
    assert lasts(good, 1e9) == 3599.9 < LONGEST_S
    assert lasts(Answer(), 1e9) == 299.9 < LONGEST_MISSING_S
    assert lasts(failed, 1e9) == 4.9 < FAILED_S
    cache.put(question, good, 30, 0.0)
    assert cache.put(question, failed, 0, 40.0) is good, "RFC 8767 §4"
    assert cache.put(question, failed, 0, 3600.0) is good
    assert cache.put(question, failed, 0, 3640.0) is failed
    assert cache.put(question, other, 30, 3650.0) is other
    for n in range(REMEMBERED + 10):
        cache.put(Question(f"{n}.test", "A"), good, 30, 0.0)
    assert len(cache) == REMEMBERED


async def test_closing_ends_what_is_under_way(rig: MakeRig, names: DnsServer) -> None:
    names.silent = True
    mine = rig()
    asking = mine.ask("sip:other.test")
    await eventually(lambda: mine.dns.questions)
    mine.resolver.close()
    await mine.resolver.closed()
    assert mine.resolver.counters()["resolver_searches_now"] == 0
    assert asking.times == 0
