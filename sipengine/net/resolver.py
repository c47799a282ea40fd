"""Host names to servers (RFC 3263) and to addresses, without ever holding up the loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Final

from sipengine.net.dns import Dns
from sipengine.net.flows import Address
from sipengine.net.hosts_file import HostsFile, family_of
from sipengine.services.ports import Asker
from sipengine.sip.locating import AAAA, A, Answer, Question, search
from sipengine.sip.next_hop import Located, NextHop
from sipengine.sip.server_records import Dice
from sipengine.sip.via import DEFAULT_PORTS

SEARCH_S: Final = 6.0
"""For a whole search (NAPTR, SRV and addresses after each other): a caller hears nothing meanwhile."""

SEARCHES: Final = 512
"""Under way at once; more fail at once, for the name servers are not keeping up."""

_TRANSPORTS: Final = ("UDP", "TCP", "TLS")
"""What we speak, in the order in which it is tried where the called domain has no wish."""

_LOOPBACK: Final = {A: "127.0.0.1", AAAA: "::1"}

AddressAnswer = Callable[[str], None]
"""Called on the loop with an address, or "" if the name has none."""


class Resolver:
    """`locate` for the servers of a next hop, `lookup` for one address of a host.

    `families` are those that we have sockets for; `drain(now)` is called after each answer.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        families: tuple[int, ...],
        drain: Callable[[float], None],
        dns: Dns,
        hosts: HostsFile,
    ) -> None:
        self._loop = loop
        self._kinds = tuple(
            kind
            for kind, family in ((AAAA, socket.AF_INET6), (A, socket.AF_INET))
            if family in families
        )
        self._drain = drain
        self._dns = dns
        self._hosts = hosts
        self._running: set[asyncio.Task[None]] = set()
        self._ending: list[asyncio.Task[None] | asyncio.Task[Answer]] = []
        self.failures = 0

    def locate(self, hop: NextHop, seed: str, asker: Asker) -> None:
        """Tell `asker` of the servers of `hop`: from the loop, never before this returns."""

        async def find() -> None:
            try:
                async with asyncio.timeout(SEARCH_S):
                    located = await self._search(hop, seed)
            except TimeoutError:
                located = Located((), f"the name {hop.host} could not be looked up in time")
            tell(located)

        def tell(located: Located) -> None:
            if not located.servers:
                self.failures += 1
            now = monotonic()
            try:
                asker.on_located(located, now)
            finally:
                self._drain(now)

        if len(self._running) >= SEARCHES:
            self._loop.call_soon(tell, Located((), "too many names are being looked up"))
        else:
            self._run(find())

    def lookup(self, host: str, answer: AddressAnswer) -> None:
        """Call `answer` with an address of `host`, from the loop and never before this returns."""

        async def find() -> None:
            address = ""
            try:
                async with asyncio.timeout(SEARCH_S):
                    for found in await asyncio.gather(
                        *(self._answer(Question(host.lower(), kind)) for kind in self._kinds)
                    ):
                        address = address or next(iter(found.addresses), "")
            except TimeoutError:
                address = ""
            self.failures += not address
            answer(address)

        if len(self._running) >= SEARCHES:
            self.failures += 1
            self._loop.call_soon(answer, "")
        else:
            self._run(find())

    def close(self) -> None:
        """Nobody wants to know any more."""
        for task in self._running:
            task.cancel()
        self._ending = [*self._running, *self._dns.close()]

    async def closed(self) -> None:
        """Wait until everything that `close` ended is gone."""
        if self._ending:
            await asyncio.wait(self._ending)
            await asyncio.sleep(0)  # asyncio closes a task's sockets a turn later

    def counters(self) -> dict[str, int]:
        return {
            "resolver_questions": self._dns.questions,
            "resolver_failures": self.failures,
            "resolver_searches_now": len(self._running),
        }

    def _run(self, find: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(find)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.call_exception_handler({"message": "looking up a name", "exception": error})

    async def _search(self, hop: NextHop, seed: str) -> Located:
        if self._settled_here(hop.host):
            # Whoever writes a name into /etc/hosts wants just that address: no SRV.
            port = hop.port or DEFAULT_PORTS[hop.usual_transport]
            hop = NextHop(hop.host, port, hop.transport, hop.secure)
        steps = search(hop, _TRANSPORTS, self._kinds, Dice(f"{seed} {hop.host}"))
        try:
            questions = next(steps)
            while True:
                answers = await asyncio.gather(*map(self._answer, questions))
                questions = steps.send(answers)
        except StopIteration as end:
            found: Located = end.value
            return found

    def _settled_here(self, host: str) -> bool:
        return host == "localhost" or bool(self._hosts.addresses(host, monotonic()))

    async def _answer(self, question: Question) -> Answer:
        name = question.name
        if question.kind in _LOOPBACK:
            wanted = socket.AF_INET6 if question.kind == AAAA else socket.AF_INET
            settled = self._hosts.addresses(name, monotonic())
            if settled:
                return Answer(addresses=tuple(a for a in settled if family_of(a) == wanted))
            if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 §6.3
                return Answer(addresses=(_LOOPBACK[question.kind],))
        if name == "invalid" or name.endswith(".invalid"):  # RFC 6761 §6.4
            return Answer()
        return await self._dns.ask(question)


def resolver(
    loop: asyncio.AbstractEventLoop,
    families: tuple[int, ...],
    drain: Callable[[float], None],
    name_servers: tuple[Address, ...],
) -> Resolver:
    """The resolver of this machine; `name_servers` instead of those of /etc/resolv.conf, if any."""
    return Resolver(loop, families, drain, Dns(name_servers), HostsFile())
