"""The engine's side of the ng protocol: repeats, several gateways, one that dies, hostile answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from sipengine.media import commands, ng
from sipengine.media.bencode import decode, encode
from sipengine.media.ng import NgClient
from sipengine.services.ports import (
    ANSWER,
    ANY_INSTANCE,
    DELETE,
    OFFER,
    QUERY,
    TO_RTP,
    TO_WEB,
    MediaAnswer,
    MediaRequest,
)
from tests.support.wait import eventually

HERE = "127.0.0.1"
OK: Any = {"result": "ok", "sdp": "v=0"}


class Gateway(asyncio.DatagramProtocol):
    """Answers as the test says; `silent` swallows, `lose` the first so many."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []
        self.cookies: list[bytes] = []
        self.silent = False
        self.lose = 0
        self.say: Callable[[bytes], bytes] | None = None
        self.response: dict[str, Any] = dict(OK)
        self.born = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        cookie, _, body = data.partition(b" ")
        command: Any = decode(body)
        if command["command"] == b"ping":
            if not self.silent:
                pong: Any = {"result": "pong", **({"born": self.born} if self.born else {})}
                self.transport.sendto(cookie + b" " + encode(pong), source)
            return
        self.commands.append(command)
        self.cookies.append(cookie)
        if self.silent:
            return
        if self.lose:
            self.lose -= 1
            return
        answer = self.say(cookie) if self.say else cookie + b" " + encode(self.response)
        self.transport.sendto(answer, source)


class Waiter:
    def __init__(self) -> None:
        self.told: asyncio.Future[MediaAnswer] = asyncio.get_running_loop().create_future()

    def on_media(self, answer: MediaAnswer, now: float) -> None:
        self.told.set_result(answer)

    async def answer(self) -> MediaAnswer:
        async with asyncio.timeout(10):
            return await self.told


class Bench:
    """Two gateways and a client of both."""

    def __init__(self, client: NgClient, gateways: list[Gateway]) -> None:
        self.client, self.gateways = client, gateways

    async def ask(self, instance: int = ANY_INSTANCE, command: str = OFFER) -> MediaAnswer:
        waiter = Waiter()
        self.client.ask(MediaRequest(command, instance, "call", "a", "", "v=0", TO_RTP), waiter)
        return await waiter.answer()


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(ng, "RETRY_S", (0.3, 0.3, 0.5))
    monkeypatch.setattr(ng, "PING_S", 0.1)
    loop = asyncio.get_running_loop()
    gateways, addresses, transports = [], [], []
    for _ in range(2):
        transport, gateway = await loop.create_datagram_endpoint(Gateway, local_addr=(HERE, 0))
        transports.append(transport)
        gateways.append(gateway)
        addresses.append(transport.get_extra_info("sockname"))
    client = NgClient(loop, addresses, lambda now: None)
    await client.open()
    yield Bench(client, gateways)
    client.close()
    for transport in transports:
        transport.close()
    await asyncio.sleep(0)


async def test_new_calls_go_to_all_in_turn_and_known_ones_where_they_are(bench: Bench) -> None:
    seen = [(await bench.ask()).instance for _ in range(4)]
    assert sorted(seen) == [0, 0, 1, 1]
    assert [(await bench.ask(1, QUERY)).instance for _ in range(3)] == [1, 1, 1]


async def test_a_lost_command_is_repeated_with_its_cookie(bench: Bench) -> None:
    bench.gateways[0].lose = 2
    assert (await bench.ask(0)).ok
    cookies = bench.gateways[0].cookies
    assert len(cookies) == 3
    assert len(set(cookies)) == 1


async def test_a_silent_gateway_is_taken_out_and_its_offer_goes_to_another(bench: Bench) -> None:
    bench.gateways[0].silent = True
    answers = [await bench.ask(0), await bench.ask(), await bench.ask()]
    assert [(each.ok, each.instance) for each in answers] == [(True, 1)] * 3
    assert bench.client.counters()["media_gateways_now"] == 1
    bench.gateways[0].silent = False  # its next pong brings it back
    await eventually(lambda: bench.client.counters()["media_gateways_now"] == 2)


class Losses:
    """A `MediaListener`."""

    def __init__(self) -> None:
        self.lost: list[int] = []

    def on_key(self, name: str, tag: str, code: int, duration: int, now: float) -> None:
        raise AssertionError("nobody pressed a key")

    def on_gateway_lost(self, instance: int, now: float) -> None:
        self.lost.append(instance)


async def test_a_gateway_that_died_is_told_even_if_it_is_back_before_the_next_ping(
    bench: Bench,
) -> None:
    losses = Losses()
    bench.client.listen(losses)
    bench.gateways[1].silent = True
    await bench.ask(1)
    assert losses.lost == [1]
    first = bench.gateways[0]
    first.born = "one"
    await eventually(lambda: bench.client.instances[0].born == "one")
    assert losses.lost == [1]
    first.born = "another"
    await eventually(lambda: len(losses.lost) == 2)
    assert losses.lost == [1, 0]
    assert bench.client.counters()["media_gateways_now"] == 1


async def test_what_only_a_dead_gateway_knows_fails_with_503(bench: Bench) -> None:
    bench.gateways[0].silent = True
    answer = await bench.ask(0, ANSWER)
    assert (answer.ok, answer.status) == (False, 503)
    assert answer.why == "the media gateway does not answer"


async def test_none_alive_is_told_at_once(bench: Bench) -> None:
    for gateway in bench.gateways:
        gateway.silent = True
    await bench.ask(0, DELETE)
    await bench.ask(1, DELETE)
    assert bench.client.choose() < 0
    assert (await bench.ask()).why == "no media gateway answers"


async def test_a_port_where_nobody_listens_is_noticed_without_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ng, "RETRY_S", (30.0, 30.0, 30.0))  # longer than the waiter waits
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((HERE, 0))
        address = free.getsockname()
    loop = asyncio.get_running_loop()
    client = NgClient(loop, [address], lambda now: None)
    await client.open()
    waiter = Waiter()
    client.ask(MediaRequest(QUERY, 0, "call", "a"), waiter)
    assert (await waiter.answer()).why == "the media gateway is not running"
    client.close()


@pytest.mark.parametrize(
    "said",
    [
        lambda cookie: cookie + b" rubbish",
        lambda cookie: cookie + b" i7e",
        lambda cookie: cookie + b" d6:result5:errore",
        lambda cookie: cookie + b" " + encode({"result": "error", "error-reason": "x" * 5000}),
    ],
)
async def test_answers_that_are_none_fail(bench: Bench, said: Callable[[bytes], bytes]) -> None:
    bench.gateways[0].say = said
    assert not (await bench.ask(0)).ok


async def test_answers_of_strangers_are_not_taken(bench: Bench) -> None:
    """The sockets are connected, and a cookie that was not given out means nothing."""
    bench.gateways[0].say = lambda cookie: b"guessed " + encode(OK)
    answer = await bench.ask(0, QUERY)
    assert not answer.ok


async def test_a_command_that_fits_no_datagram_fails_alone(bench: Bench) -> None:
    """A body of SIP may be that long; the gateway and its other calls have nothing to do with it."""
    waiter = Waiter()
    long = "v=0\r\n" + "a=x\r\n" * 13_000
    bench.client.ask(MediaRequest(OFFER, 0, "long", "a", "", long, TO_RTP), waiter)
    told = await waiter.answer()
    assert (told.ok, told.status) == (False, 488)
    assert "too long" in told.why
    assert bench.client.counters()["media_waiting_now"] == 0
    bench.client.instances[0].error_received(OSError(90, "Message too long"))
    assert bench.client.instances[0].alive
    assert (await bench.ask(0, QUERY)).ok


@pytest.mark.parametrize(
    "told",
    [
        b"[" * 60_000,
        b'{"callid":"c","source_tag":"a","event":1e999,"duration":1}',
        b'{"callid":"c","source_tag":"a","event":1,"duration":' + b"9" * 5000 + b"}",
        b'{"callid":"c","source_tag":"a","event":null,"duration":1}',
        b"7",
    ],
)
async def test_a_key_that_cannot_be_read_is_dropped(bench: Bench, told: bytes) -> None:
    bench.client.key_pressed(told)


def test_what_each_side_is_asked_for() -> None:
    """STACK of rtpengine's options: what reached Chromium and phones through it."""
    to_web = commands.command(MediaRequest(ANSWER, 0, "c", "a", "b", "v=0", TO_WEB, "192.0.2.1"))
    assert to_web["ICE"] == "force"
    assert to_web["DTLS"] == "passive"
    assert to_web["received-from"] == ["IP4", "192.0.2.1"]
    to_phone = commands.command(MediaRequest(OFFER, 0, "c", "a", "", "v=0", TO_RTP, "2001:db8::1"))
    assert (to_phone["ICE"], to_phone["DTLS"]) == ("remove", "off")
    assert to_phone["rtcp-mux"] == ["demux"]
    assert to_phone["received-from"] == ["IP6", "2001:db8::1"]
    assert commands.command(MediaRequest(DELETE, 0, "c", "a"))["delete-delay"] == 0


@pytest.mark.parametrize(
    ("packets", "silent"),
    [((500, 400), ""), ((0, 400), "caller"), ((400, 0), "callee"), ((0, 50), ""), ((0, 0), "")],
)
def test_one_way_audio_is_told_apart_from_a_slow_start(
    packets: tuple[int, int], silent: str
) -> None:
    quality: Any = {"a": {"packets": packets[0]}, "b": {"packets": packets[1]}}
    answer = commands.answer(decode(encode({"result": "ok", "quality": quality})), 0, "a")
    assert answer.silent == silent
    assert f'"caller":{{"packets":{packets[0]}}}' in answer.figures


@pytest.mark.parametrize(
    ("caller", "callee", "silent"),
    [
        ({"packets": 900, "quiet_s": 10}, {"packets": 1400, "quiet_s": 0}, "caller"),
        ({"packets": 1400, "quiet_s": 2}, {"packets": 900, "quiet_s": 10}, "callee"),
        ({"packets": 900, "quiet_s": 9}, {"packets": 1400, "quiet_s": 0}, ""),  # comfort noise
        ({"packets": 900, "quiet_s": 40}, {"packets": 900, "quiet_s": 40}, ""),  # both on hold
        ({"packets": 900, "quiet_s": 40, "sends": 0}, {"packets": 2900, "quiet_s": 0}, ""),
        ({"packets": 0, "quiet_s": 0, "sends": 0}, {"packets": 2900, "quiet_s": 0}, ""),
        ({"packets": 0, "quiet_s": 0, "sends": 1}, {"packets": 2900, "quiet_s": 0}, "caller"),
    ],
)
def test_sound_that_ends_in_a_call_is_noticed_and_a_hold_is_none(
    caller: dict[str, int], callee: dict[str, int], silent: str
) -> None:
    quality: Any = {"a": {"sends": 1, **caller}, "b": {"sends": 1, **callee}}
    answer = commands.answer(decode(encode({"result": "ok", "quality": quality})), 0, "a")
    assert answer.silent == silent


def test_figures_of_rtpengine_are_read() -> None:
    stream = {"SSRC": 77, "stats": {"packets": 321}}
    tags: Any = {
        "a": {"medias": [{"streams": [stream]}]},
        "b": {"medias": [{"streams": [{"stats": {"packets": 5}}]}]},
    }
    mean = {"MOS": 43, "jitter": 2, "round-trip time": 900, "packet loss": 1}
    sources: Any = {"77": {"average MOS": mean}}
    told = commands.answer(decode(encode({"result": "ok", "tags": tags, "SSRC": sources})), 0, "a")
    assert '"packets":321,"mos_100":430,"jitter_us":2000' in told.figures
    assert told.silent == ""
