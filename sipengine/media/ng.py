"""The client side of the ng protocol: the engine's `MediaPlane` over UDP to one or several gateways.

A command is repeated until it is answered; a gateway that answers none is taken out and tried again
by pings. A new call goes to the next that lives, a known one only to the gateway that has it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from time import monotonic
from typing import Final, cast

import structlog

from sipengine.media import commands
from sipengine.media.bencode import Value, decode, encode, text
from sipengine.services.media.pressed_keys import KEYS, LONGEST_MS
from sipengine.services.ports import (
    ANY_INSTANCE,
    OFFER,
    MediaAnswer,
    MediaListener,
    MediaRequest,
    MediaWaiter,
)

RETRY_S: Final = (0.3, 0.6, 1.1)
"""Waiting after each sending; after the last the gateway counts as dead: 2 s, well before the
caller's Timer B."""

PING_S: Final = 2.0
LAST_KEY: Final = len(KEYS) - 1

MAX_COMMAND: Final = 60_000
"""Octets; 65,507 fit an IPv4 datagram, and the answer is a bit longer than the command."""

MAX_WAITING: Final = 5000
"""Commands under way; at 300 calls a second none of them waits for longer than a dead gateway lets it."""


class _Asked:
    __slots__ = ("datagram", "instance", "request", "timer", "tries", "waiter")

    def __init__(
        self, request: MediaRequest | None, waiter: MediaWaiter | None, instance: Instance
    ) -> None:
        self.request = request  # None: a ping
        self.waiter = waiter
        self.instance = instance
        self.datagram = b""
        self.tries = 0
        self.timer: asyncio.TimerHandle | None = None


class Instance(asyncio.DatagramProtocol):
    """One gateway."""

    def __init__(self, client: NgClient, number: int, address: tuple[str, int]) -> None:
        self._client = client
        self.number = number
        self.address = address
        self.alive = True
        self.born = ""  # what tells one process of a gateway from the next, "" where it is not told
        self.transport: asyncio.DatagramTransport | None = None
        self.keys: Keys | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, _source: object) -> None:
        self._client.received(self, data)

    def error_received(self, error: Exception) -> None:
        if isinstance(error, ConnectionRefusedError):
            self._client.refused(self)  # other errors may pass: the command is repeated

    def send(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.sendto(data)


class Keys(asyncio.DatagramProtocol):
    """Hears of keys that people press: JSON as rtpengine's DTMF log sends it, from its own host alone."""

    def __init__(self, client: NgClient, host: str) -> None:
        self._client = client
        self._host = host
        self.place = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        name = transport.get_extra_info("sockname")
        self.place = f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        if source[0] == self._host:
            self._client.key_pressed(data)


class NgClient:
    """`services.ports.MediaPlane`. `after` is called whenever waiters have been told something."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        addresses: list[tuple[str, int]],
        after: Callable[[float], None],
    ) -> None:
        self._loop = loop
        self._after = after
        self._prefix = secrets.token_hex(6)
        self._count = 0
        self._asked: dict[bytes, _Asked] = {}
        self._log = structlog.get_logger()
        self._next = 0
        self.instances = [Instance(self, at, each) for at, each in enumerate(addresses)]
        self._pinging: asyncio.TimerHandle | None = None
        self._listener: MediaListener | None = None
        self.failures = 0
        self.total = 0

    async def open(self) -> None:
        for instance in self.instances:
            await self._loop.create_datagram_endpoint(
                lambda instance=instance: instance,  # type: ignore[misc]  # bound at once
                remote_addr=instance.address,
            )
            here = self.near(instance.number)
            if here:
                keys = Keys(self, instance.address[0])
                await self._loop.create_datagram_endpoint(
                    lambda keys=keys: keys,  # type: ignore[misc]
                    local_addr=(here, 0),
                )
                instance.keys = keys
        self._ping()

    def close(self) -> None:
        if self._pinging is not None:
            self._pinging.cancel()
        for asked in self._asked.values():
            if asked.timer is not None:
                asked.timer.cancel()
        self._asked.clear()
        for instance in self.instances:
            if instance.transport is not None:
                instance.transport.close()
            if instance.keys is not None:
                instance.keys.transport.close()

    # ------------------------------------------------------------------ MediaPlane

    def ask(self, request: MediaRequest, waiter: MediaWaiter | None) -> None:
        self.total += 1
        instance = self._choose(request)
        if instance is None or len(self._asked) >= MAX_WAITING:
            why = "no media gateway answers" if instance is None else "too much is asked of it"
            failed = MediaAnswer(False, request.instance, why=why, status=503)
            self._loop.call_soon(self._tell, waiter, failed)
            return
        self._send(_Asked(request, waiter, instance), self._command(request, instance))

    def _command(self, request: MediaRequest, instance: Instance) -> dict[str, Value]:
        listens = self._listener is not None and instance.keys is not None
        keys_to = instance.keys.place if listens and instance.keys is not None else ""
        return commands.command(request, keys_to)

    def listen(self, listener: MediaListener) -> None:
        self._listener = listener

    def key_pressed(self, data: bytes) -> None:
        """A report of a gateway; what is none is dropped."""
        try:
            told = json.loads(data)
            name, tag = str(told["callid"]), str(told["source_tag"])
            code, duration = int(told["event"]), int(told["duration"])
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return
        if self._listener is not None and 0 <= code <= LAST_KEY:
            now = monotonic()
            self._listener.on_key(name, tag, code, max(0, min(duration, LONGEST_MS)), now)
            self._after(now)

    def choose(self) -> int:
        """In turn, those that live."""
        for _ in self.instances:
            instance = self.instances[self._next % len(self.instances)]
            self._next += 1
            if instance.alive:
                return instance.number
        return ANY_INSTANCE

    def near(self, instance: int) -> str:
        """Ours on the way to it: no NAT lies between an engine and its gateways."""
        known = 0 <= instance < len(self.instances)
        transport = self.instances[instance].transport if known else None
        name = None if transport is None else transport.get_extra_info("sockname")
        return "" if name is None else str(name[0])

    def _choose(self, request: MediaRequest) -> Instance | None:
        number = request.instance if request.instance != ANY_INSTANCE else self.choose()
        return self.instances[number] if 0 <= number < len(self.instances) else None

    # ------------------------------------------------------------------ the wire

    def _send(self, asked: _Asked, command: dict[str, Value]) -> None:
        self._count += 1
        cookie = f"{self._prefix}_{self._count}".encode()
        asked.datagram = cookie + b" " + encode({**command})
        if len(asked.datagram) > MAX_COMMAND:
            why = "its session description is too long for the media gateway"
            failed = MediaAnswer(False, asked.instance.number, why=why, status=488)
            self._loop.call_soon(self._tell, asked.waiter, failed)
            return
        self._asked[cookie] = asked
        self._try(cookie)

    def _try(self, cookie: bytes) -> None:
        asked = self._asked.get(cookie)
        if asked is None:
            return
        if asked.tries >= len(RETRY_S):
            del self._asked[cookie]
            self._dead(asked.instance, "it does not answer")
            self._again_or_fail(asked, "the media gateway does not answer")
            return
        asked.instance.send(asked.datagram)
        asked.timer = self._loop.call_later(RETRY_S[asked.tries], self._try, cookie)
        asked.tries += 1

    def received(self, instance: Instance, data: bytes) -> None:
        cookie, _, body = data.partition(b" ")
        asked = self._asked.get(cookie)
        if asked is None or asked.instance is not instance:
            return  # the answer to a repetition
        try:
            response = decode(body)
        except ValueError:
            response = 0
        del self._asked[cookie]
        if asked.timer is not None:
            asked.timer.cancel()
        if not instance.alive:
            instance.alive = True
            self._log.info("media gateway is back", address="{}:{}".format(*instance.address))
        if asked.request is None and isinstance(response, dict):
            self._is_born(instance, text(response.get("born")))
        if asked.waiter is not None:
            request = asked.request
            tag = "" if request is None else request.from_tag
            self._tell(asked.waiter, commands.answer(response, instance.number, tag))

    def refused(self, instance: Instance) -> None:
        """Its host says that nobody listens: no use in waiting for the retries."""
        self._dead(instance, "nobody listens there")
        for cookie in [key for key, asked in self._asked.items() if asked.instance is instance]:
            asked = self._asked.pop(cookie)
            if asked.timer is not None:
                asked.timer.cancel()
            self._again_or_fail(asked, "the media gateway is not running")

    def _dead(self, instance: Instance, why: str) -> None:
        if instance.alive:
            instance.alive = False
            self._log.warning(
                "media gateway taken out", address="{}:{}".format(*instance.address), why=why
            )
            self._lost(instance)

    def _is_born(self, instance: Instance, born: str) -> None:
        """Between two pings it may have ended and been started again."""
        before, instance.born = instance.born, born
        if before and born != before:
            self._log.warning(
                "media gateway was started anew", address="{}:{}".format(*instance.address)
            )
            self._lost(instance)

    def _lost(self, instance: Instance) -> None:
        if self._listener is not None:
            self._listener.on_gateway_lost(instance.number, monotonic())

    def _again_or_fail(self, asked: _Asked, why: str) -> None:
        """An offer is taken to another gateway that lives, which then has the call; anything else has failed."""
        request = asked.request
        if request is None:
            return
        other = self.choose() if request.command == OFFER else ANY_INSTANCE
        if other >= 0:
            again = _Asked(request, asked.waiter, self.instances[other])
            self._send(again, self._command(request, again.instance))
            return
        self.failures += 1
        self._tell(asked.waiter, MediaAnswer(False, asked.instance.number, why=why, status=503))

    def _tell(self, waiter: MediaWaiter | None, answer: MediaAnswer) -> None:
        if waiter is not None:
            now = monotonic()
            waiter.on_media(answer, now)
            self._after(now)

    def _ping(self) -> None:
        self._pinging = self._loop.call_later(PING_S, self._ping)
        for instance in self.instances:
            waiting = any(
                asked.request is None and asked.instance is instance
                for asked in self._asked.values()
            )
            if not waiting:
                self._send(_Asked(None, None, instance), {"command": "ping"})

    def counters(self) -> dict[str, int]:
        return {
            "media_gateways_now": sum(1 for instance in self.instances if instance.alive),
            "media_commands": self.total,
            "media_failures": self.failures,
            "media_waiting_now": len(self._asked),
        }
