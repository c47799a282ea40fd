"""Questions to name servers over UDP and TCP (RFC 1035), by dnspython.

Each question has a socket and an identifier of its own, so that nobody can forge an answer without
seeing the question (RFC 5452). What was asked is asked once, however many wait for it.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from time import monotonic
from typing import Final

import dns.asyncbackend
import dns.asyncresolver
import dns.exception
import dns.message
import dns.nameserver
import dns.rdatatype
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
import dns.rdtypes.IN.NAPTR
import dns.rdtypes.IN.SRV
import dns.resolver

from sipengine.net.dns_cache import DnsCache
from sipengine.net.flows import Address
from sipengine.sip.locating import AAAA, A, Answer, Question
from sipengine.sip.server_records import Naptr, Srv

TRY_S: Final = 0.8
"""Until another name server is asked, or the same one again: one datagram may be lost."""
QUESTION_S: Final = 2.0
"""For one question, all tries together."""

AT_ONCE: Final = 64
"""Questions under way; each takes a socket and some 0.6 ms of our processor. More of them wait."""

MAX_RECORDS: Final = 64
"""Of one answer: more than are ever of use (`MAX_TARGETS`), as their order is not that of priority."""

PAYLOAD: Final = 1232
"""Largest answer over UDP (RFC 6891 §6.2.5): fits every path; longer ones come by TCP."""

LOOK_AGAIN_S: Final = 30.0
"""How long a change of /etc/resolv.conf may go unnoticed."""


class Dns:
    """`ask(question)`. `servers` are (address, port); where none are given, /etc/resolv.conf says them."""

    def __init__(
        self, servers: tuple[Address, ...], resolv_conf: Path = Path("/etc/resolv.conf")
    ) -> None:
        self._servers = servers
        self._resolv_conf = resolv_conf
        self._stamp = 0
        self._look_at = 0.0
        self._resolver = _resolver(servers)
        self._backend = dns.asyncbackend.get_backend("asyncio")
        self._cache = DnsCache()
        self._asked: dict[Question, asyncio.Task[Answer]] = {}
        self._turn = asyncio.Semaphore(AT_ONCE)
        self.questions = self.failures = 0

    async def ask(self, question: Question) -> Answer:
        """The answer. Never raises; `failed` if no name server could tell."""
        known = self._cache.get(question, monotonic())
        if known is not None:
            return known
        task = self._asked.get(question)
        if task is None:
            task = self._asked[question] = asyncio.create_task(self._ask(question))
            task.add_done_callback(lambda _: self._asked.pop(question, None))
        # Whoever gives up waiting leaves the question to the others, and its answer to the cache.
        return await asyncio.shield(task)

    async def _ask(self, question: Question) -> Answer:
        answer, lifetime = Answer(failed=True), 0.0
        try:
            async with asyncio.timeout(QUESTION_S * 2), self._turn:
                self.questions += 1
                answer, lifetime = await self._query(question)
        except TimeoutError:
            self.failures += 1
        except (dns.exception.DNSException, OSError, ValueError):
            self.failures += 1
        return self._cache.put(question, answer, lifetime, monotonic())

    async def _query(self, question: Question) -> tuple[Answer, float]:
        self._look()
        if not self._resolver.nameservers:
            return Answer(failed=True), 0.0
        try:
            found = await self._resolver.resolve(
                question.name + ("." if "." in question.name else ""),
                question.kind,
                raise_on_no_answer=False,
                lifetime=QUESTION_S,
                # Only the name of a machine near by is looked for in the domains of resolv.conf.
                search="." not in question.name and question.kind in (A, AAAA),
                backend=self._backend,
            )
        except dns.resolver.NXDOMAIN as missing:
            responses = missing.kwargs["responses"].values()
            return Answer(), min(map(_missing_lifetime, responses), default=0.0)
        except (dns.exception.SyntaxError, dns.name.EmptyLabel, dns.name.LabelTooLong, dns.name.NameTooLong):  # fmt: skip
            return Answer(), 0.0  # no name that could exist
        if found.rrset is None:
            return Answer(), _missing_lifetime(found.response)
        return _records(list(found)[:MAX_RECORDS]), float(found.rrset.ttl)

    def _look(self) -> None:
        """Read /etc/resolv.conf again if it has changed, unless we were told the name servers."""
        now = monotonic()
        if self._servers or now < self._look_at:
            return
        self._look_at = now + LOOK_AGAIN_S
        try:
            stamp = os.stat(self._resolv_conf).st_mtime_ns
            if stamp != self._stamp:
                self._stamp = stamp
                fresh = _resolver(())
                fresh.read_resolv_conf(str(self._resolv_conf))
                self._resolver = fresh
        except (OSError, dns.exception.DNSException):
            self._resolver = _resolver(())  # no name servers are known

    def close(self) -> list[asyncio.Task[Answer]]:
        """Ask no more; gives the questions that are about to end."""
        ending = list(self._asked.values())
        for task in ending:
            task.cancel()
        return ending


def _resolver(servers: tuple[Address, ...]) -> dns.asyncresolver.Resolver:
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in servers]
    resolver.timeout = TRY_S
    resolver.use_edns(0, 0, PAYLOAD)
    return resolver


def _missing_lifetime(response: dns.message.Message) -> float:
    """How long the absence of a name holds (RFC 2308 §5): the lesser of the SOA's lifetime and minimum."""
    for rrset in response.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            return float(min(rrset.ttl, rrset[0].minimum))
    return 0.0


def _records(records: list[object]) -> Answer:
    naptr: list[Naptr] = []
    srv: list[Srv] = []
    addresses: list[str] = []
    for record in records:
        match record:
            case dns.rdtypes.IN.NAPTR.NAPTR():
                naptr.append(
                    Naptr(
                        record.order,
                        record.preference,
                        record.flags.decode("latin-1"),
                        record.service.decode("latin-1"),
                        record.regexp.decode("latin-1"),
                        _name(record.replacement),
                    )
                )
            case dns.rdtypes.IN.SRV.SRV():
                srv.append(Srv(record.priority, record.weight, record.port, _name(record.target)))
            case dns.rdtypes.IN.A.A() | dns.rdtypes.IN.AAAA.AAAA():
                addresses.append(record.address)
    return Answer(tuple(naptr), tuple(srv), tuple(addresses))


def _name(name: dns.name.Name) -> str:
    """A domain name without its last dot; "" for the root."""
    return name.to_text(omit_final_dot=True).lower().removesuffix(".")
