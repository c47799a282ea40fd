"""The search for the servers of a next hop (RFC 3263 §4.1, §4.2), without asking anybody itself.

`search` is a generator: it yields the questions it has, all of which may be asked at once, is sent
their answers in the same order, and returns what it found.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Final

from sipengine.sip.next_hop import Located, NextHop, Server, is_numeric
from sipengine.sip.server_records import (
    LABELS,
    Dice,
    Naptr,
    Srv,
    by_priority,
    chosen_services,
    interleaved,
)
from sipengine.sip.via import DEFAULT_PORTS

NAPTR: Final = "NAPTR"
SRV: Final = "SRV"
A: Final = "A"
AAAA: Final = "AAAA"

MAX_TARGETS: Final = 16
"""SRV targets whose addresses are asked for: no domain lists more, and each costs questions."""
MAX_ADDRESSES: Final = 8
"""Addresses of one name and family."""
MAX_SERVERS: Final = 12
"""Servers that one request may try; a caller gives up long before."""


@dataclass(frozen=True, slots=True)
class Question:
    """A name without the last dot, and NAPTR, SRV, A or AAAA."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Records of the kind that was asked for. None and `failed`: nobody could tell."""

    naptr: tuple[Naptr, ...] = ()
    srv: tuple[Srv, ...] = ()
    addresses: tuple[str, ...] = ()
    failed: bool = False


Search = Generator[list[Question], list[Answer], Located]
_Candidate = tuple[str, str, int]
"""Transport, name or address, port."""


def search(hop: NextHop, supported: Sequence[str], kinds: Sequence[str], dice: Dice) -> Search:
    """Find the servers of `hop`.

    `supported` are the transports we speak, `kinds` the kinds of address we have sockets for (AAAA, A).
    """
    usual = hop.usual_transport
    if hop.is_numeric or hop.port:  # no SRV where the port is given (RFC 3263 §4.2)
        port = hop.port or DEFAULT_PORTS[usual]
        return (yield from _addresses(hop, [(usual, hop.host, port)], kinds))
    if hop.transport:
        services = [(hop.transport, f"{LABELS[hop.transport]}.{hop.host}")]
    else:
        answers = yield [Question(hop.host, NAPTR)]
        services = chosen_services(answers[0].naptr, supported, hop.secure)
        if not services:
            services = [
                (transport, f"{LABELS[transport]}.{hop.host}")
                for transport in supported
                if transport in LABELS and (transport == "TLS" or not hop.secure)
            ]
    answers = yield [Question(name, SRV) for _, name in services]
    found: list[_Candidate] = []
    refused = False
    for (transport, _), answer in zip(services, answers, strict=True):
        for record in by_priority(answer.srv, dice):
            if record.target:
                found.append((transport, record.target.lower(), record.port))
            else:
                refused = True
    if found:
        return (yield from _addresses(hop, found[:MAX_TARGETS], kinds))
    if refused:  # the domain says so by a target of "." (RFC 2782)
        return Located((), f"{hop.host} takes no calls")
    return (yield from _addresses(hop, [(usual, hop.host, DEFAULT_PORTS[usual])], kinds))


def _addresses(hop: NextHop, candidates: list[_Candidate], kinds: Sequence[str]) -> Search:
    """The addresses of every candidate, in their order; of each, both families by turns."""
    names = list(dict.fromkeys(name for _, name, _ in candidates if not is_numeric(name)))
    questions = [Question(name, kind) for name in names for kind in kinds]
    answers = (yield questions) if questions else []
    known = dict(zip(questions, answers, strict=True))
    servers: dict[Server, None] = {}
    for transport, name, port in candidates:
        if is_numeric(name):
            addresses = [name]
        else:
            lists = [known[Question(name, kind)].addresses[:MAX_ADDRESSES] for kind in kinds]
            addresses = interleaved(lists[0], lists[1] if len(lists) > 1 else ())
        for address in addresses:
            servers[Server(transport, address, port, hop.host)] = None
    if servers:
        return Located(tuple(servers)[:MAX_SERVERS])
    if any(answer.failed for answer in answers):
        return Located((), f"the name {hop.host} could not be looked up, no name server answered")
    return Located((), f"the name {hop.host} could not be found")
