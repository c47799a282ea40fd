"""RTP endpoints on real sockets: latching, echo, tone, limits."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import pairwise

import pytest

from sipengine.media import endpoint as module
from sipengine.media import server as server_module
from sipengine.media.endpoint import RtpEndpoint
from sipengine.media.rtp import HEADER, payload_of
from sipengine.media.server import MediaServer
from sipengine.services.feature_codes import ECHO, TONE
from sipengine.sip.sdp.answering import Agreed
from sipengine.sip.sdp.codecs import Codec
from tests.support.free_ports import free_block
from tests.support.wait import eventually

PCMU = Codec(0, "PCMU", 8000)
HERE = "127.0.0.1"


class Told:
    def __init__(self) -> None:
        self.whys: list[str] = []
        self.drains = 0

    def ended(self, why: str, now: float) -> None:
        self.whys.append(why)

    def drain(self, now: float) -> None:
        self.drains += 1


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def media(told: Told) -> AsyncIterator[MediaServer]:
    first = free_block(8)
    server = MediaServer(asyncio.get_running_loop(), (HERE,), (first, first + 7), told.drain)
    yield server
    server.close()


class Talker:
    """A phone's RTP socket."""

    def __init__(self, host: str = HERE) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, 0))
        self.sock.setblocking(False)
        self.number = 0

    @property
    def agreed(self) -> Agreed:
        host, port = self.sock.getsockname()
        return Agreed(host, port, PCMU, True, True)

    def say(self, where: tuple[str, int], payload: bytes, payload_type: int = 0) -> None:
        self.number += 1
        head = HEADER.pack(0x80, payload_type, self.number, self.number * 160, 77)
        self.sock.sendto(head + payload, where)

    async def hears(self, within: float = 2.0) -> bytes:
        loop = asyncio.get_running_loop()
        return await asyncio.wait_for(loop.sock_recv(self.sock, 2000), within)

    async def hears_nothing(self) -> None:
        with pytest.raises(TimeoutError):
            await self.hears(0.15)

    def __enter__(self) -> Talker:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()


def opened(media: MediaServer, told: Told, program: str = ECHO) -> RtpEndpoint:
    sound = media.open(program, HERE, HERE, told.ended)
    assert isinstance(sound, RtpEndpoint)
    return sound


async def test_echo_gives_back_what_was_said_under_its_own_name(
    media: MediaServer, told: Told
) -> None:
    sound = opened(media, told)
    with Talker() as phone:
        sound.connect(phone.agreed)
        stamps = []
        for word in (b"a" * 160, b"b" * 160):
            phone.say(sound.address, word)
            echo = await phone.hears()
            found = payload_of(echo)
            assert found is not None
            assert found[2] == word
            stamps.append(found[1])
            assert echo[8:12] != b"\0\0\0\x4d", "another SSRC than the phone's (RFC 3550 §8)"
        assert (stamps[1] - stamps[0]) & 0xFFFFFFFF == 160


async def test_it_listens_to_the_first_source_only(media: MediaServer, told: Told) -> None:
    sound = opened(media, told)
    with Talker() as phone, Talker() as stranger:
        sound.connect(phone.agreed)
        phone.say(sound.address, b"a" * 160)
        await phone.hears()
        stranger.say(sound.address, b"s" * 160)
        await stranger.hears_nothing()
        await phone.hears_nothing()


async def test_behind_nat_the_source_counts_not_the_description(
    media: MediaServer, told: Told
) -> None:
    sound = opened(media, told)
    with Talker() as phone:
        sound.connect(phone.agreed._replace(host="192.168.7.7", port=4))
        phone.say(sound.address, b"a" * 160)
        assert await phone.hears()


async def test_other_hosts_are_strangers_even_as_the_first(media: MediaServer, told: Told) -> None:
    sound = opened(media, told)
    with Talker("127.0.0.2") as stranger, Talker() as phone:
        sound.connect(phone.agreed)
        stranger.say(sound.address, b"s" * 160)
        await stranger.hears_nothing()


async def test_nothing_before_anything_was_agreed_or_while_held(
    media: MediaServer, told: Told
) -> None:
    sound = opened(media, told)
    with Talker() as phone:
        phone.say(sound.address, b"a" * 160)
        await phone.hears_nothing()
        sound.connect(phone.agreed._replace(sends=False))
        phone.say(sound.address, b"a" * 160)
        await phone.hears_nothing()


async def test_other_payloads_are_not_given_back(media: MediaServer, told: Told) -> None:
    sound = opened(media, told)
    with Talker() as phone:
        sound.connect(phone.agreed)
        phone.say(sound.address, b"\1\0\0\0", payload_type=101)
        await phone.hears_nothing()


async def test_a_flood_is_not_given_back_whole(media: MediaServer, told: Told) -> None:
    sound = opened(media, told)
    with Talker() as phone:
        sound.connect(phone.agreed)
        count = 0
        for _ in range(300):
            phone.say(sound.address, b"a" * 160)
            await asyncio.sleep(0)
        with suppress(TimeoutError):
            while count < 1000:
                await phone.hears(0.15)
                count += 1
        assert 100 <= count <= module.PACKETS_A_SECOND


async def test_tone_comes_every_20_ms(media: MediaServer, told: Told) -> None:
    sound = opened(media, told, TONE)
    with Talker() as phone:
        sound.connect(phone.agreed)
        began = asyncio.get_running_loop().time()
        packets = [await phone.hears() for _ in range(26)]
        took = asyncio.get_running_loop().time() - began
    assert 0.4 < took < 1.5
    stamps = [found[1] for data in packets if (found := payload_of(data)) is not None]
    assert {(b - a) & 0xFFFFFFFF for a, b in pairwise(stamps)} == {160}


async def test_no_description_turns_a_tone_on_somebody_else(media: MediaServer, told: Told) -> None:
    sound = opened(media, told, TONE)
    with Talker("127.0.0.2") as victim:
        sound.connect(victim.agreed)
        await victim.hears_nothing()


@pytest.mark.parametrize(("limit", "words"), [("SILENCE_S", "no sound"), ("LONGEST_S", "minutes")])
async def test_it_ends_by_itself(
    media: MediaServer, told: Told, monkeypatch: pytest.MonkeyPatch, limit: str, words: str
) -> None:
    monkeypatch.setattr(module, limit, 0.0)
    monkeypatch.setattr(module, "TICK_S", 0.05)
    sound = opened(media, told)
    with Talker() as phone:
        sound.connect(phone.agreed)
        await eventually(lambda: told.whys)
    assert words in told.whys[0]
    assert told.drains == 1


async def test_ports_are_even_bounded_and_come_back(
    media: MediaServer, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    sounds = [opened(media, told) for _ in range(4)]
    assert all(sound.address[1] % 2 == 0 for sound in sounds)
    assert len({sound.address for sound in sounds}) == 4
    assert media.open(ECHO, HERE, HERE, told.ended) is None, "all four are taken"
    sounds[0].close()
    monkeypatch.setattr(server_module, "MOST", 4)
    assert media.open(ECHO, HERE, HERE, told.ended) is not None
    assert media.open(ECHO, HERE, HERE, told.ended) is None
    assert media.counters()["rtp_endpoints_now"] == 4
    assert media.counters()["rtp_endpoints_refused"] == 2


async def test_no_endpoint_for_a_family_we_do_not_have(media: MediaServer, told: Told) -> None:
    assert media.open(ECHO, "2001:db8::1", HERE, told.ended) is None
