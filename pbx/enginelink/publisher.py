"""Hints to open pages that something changed: a thread that publishes to the Channels layer.

Postgres is the truth and a page reads it; a hint that is lost costs a moment, never a fact. So a
hint is a plain PUBLISH in the form of channels_redis' pub/sub layer (the group's channel name, the
message in MessagePack): no Django and no event loop in the engine. channels-redis is pinned to a
minor version, and tests/pbx/enginelink/test_publisher.py has its layer receive what is sent here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
import redis
import structlog

from sipengine.journal import KIND_BINDING, KIND_CALL, KIND_GONE, Line

GROUP: Final = "live"
REDIS_CHANNEL: Final = f"asgi__group__{GROUP}"
MOST_KEYS: Final = 100
"""Beyond, a page reads everything again, which costs it less than so many single rows."""
RETRY_S: Final = 1.0
ANSWER_S: Final = 2.0

logger = structlog.get_logger()


class _Key(msgspec.Struct):
    id: str = ""
    aor: str = ""


_key = msgspec.json.Decoder(_Key).decode


class Publisher:
    """Merges hints while one is under way, so it holds at most `MOST_KEYS` of each sort."""

    def __init__(self, redis_url: Callable[[], str]) -> None:
        """`redis_url` says where Redis is, as redis-py takes it; while it says "", hints go nowhere.

        It is asked until there is one: Redis may be started after the engine.
        """
        self._redis_url = redis_url
        self._client: redis.Redis | None = None
        self._guard = threading.Lock()
        self._calls: set[str] | None = set()  # None: too many to name
        self._aors: set[str] | None = set()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live-hints", daemon=True)
        self.published = 0
        self.failures = 0
        self._failing = False  # the latest hint

    def start(self) -> None:
        self._thread.start()

    def hint(self, lines: Iterable[Line]) -> None:
        """Tell pages that what `lines` are about is now in Postgres. Never blocks, never fails: after a
        line that cannot be read they look at everything again."""
        lines = list(lines)
        calls = _keys([line for line in lines if line.kind == KIND_CALL])
        aors = _keys([line for line in lines if line.kind in (KIND_BINDING, KIND_GONE)])
        with self._guard:
            self._calls = _merged(self._calls, calls)
            self._aors = _merged(self._aors, aors)
        self._wake.set()

    def close(self, patience_s: float = 1.0) -> None:
        """Publish what is waiting if Redis answers at once, and end the thread."""
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(patience_s)
        if self._client is not None and not self._thread.is_alive():
            self._client.close()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while not self._publish():
                if self._closing.wait(RETRY_S):
                    return
            if self._closing.is_set():
                return

    def _publish(self) -> bool:
        """Send what is waiting. False if that failed; it waits on then, merged with what comes."""
        with self._guard:
            calls, aors = self._calls, self._aors
            self._calls, self._aors = set(), set()
        if calls == set() and aors == set():
            return True
        message: dict[str, object] = {"type": "live.changed"}
        if calls is not None:
            message["calls"] = sorted(calls)
        if aors is not None:
            message["aors"] = sorted(aors)
        try:
            if self._client is None:
                url = self._redis_url()
                if not url:
                    return True
                self._client = redis.Redis.from_url(
                    url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S
                )
            self._client.publish(REDIS_CHANNEL, msgspec.msgpack.encode(message))
        except (redis.RedisError, OSError, ValueError) as error:
            if not self._failing:
                logger.warning("live hints not taken by Redis", why=str(error))
            self.failures += 1
            self._failing = True
            with self._guard:
                self._calls = _merged(self._calls, calls)
                self._aors = _merged(self._aors, aors)
            return False
        self.published += 1
        if self._failing:
            self._failing = False
            logger.info("Redis takes live hints again")
        return True


def nowhere() -> str:
    """The URL of no Redis."""
    return ""


def _keys(lines: list[Line]) -> set[str] | None:
    if len(lines) > MOST_KEYS:
        return None
    try:
        keys = [_key(line.payload) for line in lines]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return {key.id or key.aor for key in keys}


def _merged(one: set[str] | None, other: set[str] | None) -> set[str] | None:
    if one is None or other is None:
        return None
    both = one | other
    return both if len(both) <= MOST_KEYS else None
