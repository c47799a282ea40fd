"""What the core and the sockets ask the guard (sans-IO; `now` is monotonic, `process` knows the wall clock).

Three measures, mildest first (docs/decisions/0006-guard.md):
- silence: a source that has used up its share of fruitless messages is not answered any more;
- a pause of two seconds in which nothing is taken from it, not even parsed;
- a ban, only for a source that is proven to be where it says it is: it has a connection, or it
  echoed a nonce that was made for it. So nobody can have another one banned by forging his address.
A source with a live registration (or one that called with the right password lately) is never
paused or banned: there, each account has to wait by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Final, Protocol

from sipengine.api import BanRecord, BindingRecord, Fact, Pardon
from sipengine.services.guard.accounts import Accounts
from sipengine.services.guard.bans import Bans
from sipengine.services.guard.refused import Refused
from sipengine.services.guard.sources import Allowed, Source, Sources, source_of
from sipengine.services.guard.words import BROKEN, FLOOD, PASSWORDS, SCAN, count_of, reason_of
from sipengine.services.this_process import ThisProcess
from sipengine.sip.flow import Flow

PAUSE: Final = 2.0
"""Seconds in which a source that floods is not listened to."""

TRUST: Final = 7200.0
"""Seconds that the right password speaks for the address it came from: the longest registration."""

MAX_TRUSTED: Final = 1_048_576
"""Sources trusted at once, some 130 MB: as many as there may be phones at addresses of their own.
Beyond, those that proved themselves longest ago go, many at once: to find a dictionary's first key
takes the longer the more were removed before it."""

TRUST_GRAIN: Final = 30.0
"""Trust is prolonged in steps of this, so that most good requests change nothing."""

PROOF: Final = 600.0
"""Seconds that an echoed nonce proves an address."""

MAX_WRONG: Final = 20
MAX_WRONG_OF_MANY: Final = 10
MANY: Final = 3
"""Wrong passwords in the window: 20 for one or two accounts (a phone with an old password tries
every minute), 10 if three accounts or more were tried, as no telephone does."""

MAX_SCANS: Final = 10
MAX_BROKEN: Final = 60
MAX_FLOODS: Final = 3

CONFIGURATION: Final = "the configuration"
"""Who lifted the ban of a source that is exempt by now."""

SCANNERS: Final = (
    "friendly-scanner", "sipvicious", "sipcli", "vaxsipuseragent", "vaxipuseragent", "sundayddr",
    "sip-scan", "sipscan", "pplsip", "smap", "csipsimple-scan", "friendly-request",
)  # fmt: skip
"""Parts of User-Agents (lower case) that no telephone has. They are not answered at all."""


@lru_cache(maxsize=1024)
def is_scanner(agent: str) -> bool:
    """Whether a User-Agent is a known scanner's."""
    lowered = agent.lower()
    return any(name in lowered for name in SCANNERS)


class TrustListener(Protocol):
    """Whoever must hear of addresses that somebody called from with the right password."""

    def trusted(self, source: str, until: float) -> None:
        """`until` is wall-clock time."""
        ...


class Guard:
    """One engine's guard. `shut` is what the sockets look at first: empty nearly always."""

    def __init__(
        self,
        allowed: Allowed,
        facts: list[Fact],
        process: ThisProcess,
        now: float,
        refused: Refused | None = None,
        bans: Bans | None = None,
    ) -> None:
        """`bans` are those of a process that follows another's; otherwise they are decided here."""
        self._allowed = allowed
        self._sources = Sources(allowed)
        self._accounts = Accounts()
        self.bans = bans or Bans(facts, process, process.passing_key("bans").hex())
        self.trust_listener: TrustListener | None = None
        self._process = process
        self.refused = refused or Refused(process)
        self._trusted: dict[str, float] = {}
        self.shut = self.bans.shut
        self.pausing = self._accounts.paused
        self._dropped = self.unanswered = self.scanners = self.wrong = self.waits = 0

    # ------------------------------------------------------------------ before a message is read

    def blocks(self, host: str, now: float) -> bool:
        """Whether nothing is to be taken from this address. Ask only while `shut` is not empty."""
        entry = self.shut.get(source_of(host))
        if entry is None or entry.until <= now:
            return False
        entry.dropped += 1
        self._dropped += 1
        return True

    def bad_stream(self, host: str, now: float) -> None:
        """A connection from there brought what is no SIP at all."""
        source = self._sources.of(source_of(host), now)
        source.proven_until = now + PROOF
        source.broken += 1
        self._judge(source, BROKEN, source.broken, MAX_BROKEN, now)

    # ------------------------------------------------------------------ messages that lead to nothing

    def may_answer(self, flow: Flow, agent: str, now: float) -> bool:
        """A stranger asks something that costs us an answer: whether he gets it."""
        source = self._source(flow, now)
        if source.exempt:
            return True
        if agent and is_scanner(agent):
            self.scanners += 1
            source.scans += 1
            self._charge(source, now)
            self._judge(source, SCAN, source.scans, MAX_SCANS, now)
            return False
        return self._charge(source, now)

    def may_refuse(self, flow: Flow, status: int, now: float) -> bool:
        """A request is refused with `status`: whether its sender is told."""
        source = self._source(flow, now)
        if source.exempt:
            return True
        if status in (405, 501, 416, 505):
            source.scans += 1
            self._judge(source, SCAN, source.scans, MAX_SCANS, now)
        elif status in (400, 414, 513):
            source.broken += 1
            self._judge(source, BROKEN, source.broken, MAX_BROKEN, now)
        return self._charge(source, now) and source.name not in self.shut

    def stray(self, flow: Flow, now: float) -> None:
        """A message that wants no answer and belongs to nothing."""
        source = self._source(flow, now)
        if not source.exempt:
            self._charge(source, now)

    def _source(self, flow: Flow, now: float) -> Source:
        source = self._sources.of(source_of(flow.remote[0]), now)
        if flow.reliable:
            source.proven_until = now + PROOF
        return source

    def _charge(self, source: Source, now: float) -> bool:
        if source.take(1.0, now):
            return True
        self.unanswered += 1
        if not self._is_trusted(source.name, now):
            source.floods += 1
            self.bans.pause(source.name, PAUSE, now)
            self._judge(source, FLOOD, source.floods, MAX_FLOODS, now)
        return False

    # ------------------------------------------------------------------ passwords

    def must_wait(self, flow: Flow, account: str, now: float) -> float:
        """Seconds until this account is looked at again for this flow. Ask only while `pausing`."""
        if flow.account == account:
            return 0.0
        source = self._source(flow, now)
        if source.exempt:
            return 0.0
        stranger = not self._is_trusted(source.name, now)
        seconds = self._accounts.wait(source.name, account, stranger, now)
        if seconds > 0.0:
            self.waits += 1
            self.refused.again(source.name, account, now)
        return seconds

    def failed(self, flow: Flow, account: str, now: float, device: str = "") -> bool:
        """A wrong password, or no such account, with a nonce that was made for this source.

        Whether the sender is answered. `device` is how it calls itself.
        """
        source = self._source(flow, now)
        self.refused.note(source.name, account, device, now)
        self.wrong += 1
        if source.exempt:
            return True
        source.proven_until = now + PROOF
        source.wrong += 1
        number = account.partition("@")[0]
        source.note_account(number)
        self._accounts.failed(source.name, account, now)
        most = MAX_WRONG if len(source.accounts) < MANY else MAX_WRONG_OF_MANY
        self._judge(source, PASSWORDS, source.wrong, most, now)
        return self._charge(source, now) and source.name not in self.shut

    def passed(self, flow: Flow, account: str, now: float) -> None:
        """The right password: the address is trusted for as long as a registration may last."""
        name = source_of(flow.remote[0])
        self._proved(name, flow, account)
        until = now + TRUST
        if self._trusted.get(name, 0.0) < until - TRUST_GRAIN:
            self._trust(name, until)
            if self.trust_listener is not None:
                self.trust_listener.trusted(name, until + self._process.offset)
        source = self._sources.known(name)
        if source is not None:
            source.give_back(1.0)

    def _proved(self, name: str, flow: Flow, account: str) -> None:
        if flow.account != account:
            flow.account = account
            self._accounts.passed(name, account)
        self.refused.passed(name, account)

    # ------------------------------------------------------------------ judging

    def _judge(self, source: Source, kind: str, count: int, most: int, now: float) -> None:
        """Ban a source that reached `most`, if it is proven and not trusted."""
        if count < most or source.proven_until < now or self._is_trusted(source.name, now):
            return
        if source.exempt:
            return
        self.bans.ban(source.name, kind, reason_of(kind, source, now), count_of(kind, source), now)
        source.forget(now)

    def accuse(self, name: str, kind: str, reason: str, count: int, now: float) -> float:
        """Another process of this engine found that this source is to be banned: it is, unless it is
        trusted here, exempt, or banned already. Returns until when it is trusted (wall-clock time), or 0.0."""
        if self._is_trusted(name, now):
            return self._trusted[name] + self._process.offset
        if not (self._sources.of(name, now).exempt or self.bans.is_banned(name)):
            self.bans.ban(name, kind, reason, count, now)
        return 0.0

    def trust(self, name: str, until: float) -> None:
        """Another process of this engine trusts this source until then (wall-clock time)."""
        until -= self._process.offset
        if until > self._trusted.get(name, 0.0):
            self._trust(name, until)

    def registered_elsewhere(self, flow: Flow, account: str) -> None:
        """A phone gave the right password to another process of this engine, by what is `flow` here."""
        self._proved(source_of(flow.remote[0]), flow, account)

    def registered(self, binding: BindingRecord, now: float) -> None:
        """A phone is registered: where it is, is trusted for that long."""
        name = source_of(binding.received.rpartition(":")[0].strip("[]"))
        until = binding.expires_at - self._process.offset
        if until > self._trusted.get(name, now):
            self._trust(name, until)

    def _is_trusted(self, name: str, now: float) -> bool:
        return self._trusted.get(name, 0.0) > now

    def _trust(self, name: str, until: float) -> None:
        self._trusted.pop(name, None)
        if len(self._trusted) >= MAX_TRUSTED:
            for oldest in list(islice(self._trusted, MAX_TRUSTED // 256)):
                del self._trusted[oldest]
        self._trusted[name] = until

    # ------------------------------------------------------------------ time, start and orders

    def sweep(self, now: float) -> None:
        """Once a second."""
        if self.shut:
            self.bans.sweep(now)
        if self.pausing:
            self._accounts.sweep(now)

    def set_servers(self, hosts: Iterable[str], now: float) -> None:
        """The other servers that are trusted now: never limited, and let in if they were banned."""
        servers = frozenset(source_of(host) for host in hosts)
        if servers != self._allowed.servers:
            self._allowed.servers = servers
            self._sources.clear()  # each of them remembers whether it is exempt
            self._let_in_exempt(now)

    def _let_in_exempt(self, now: float) -> None:
        """Lift the bans of sources that the configuration exempts by now."""
        for name in [name for name in self.shut if self._allowed.covers(name)]:
            self.bans.lift(name, CONFIGURATION, now + self._process.offset)

    def pardon(self, pardons: Iterable[Pardon], now: float) -> None:
        """Follow the orders of people to let somebody in again."""
        for name in self.bans.pardon(pardons, now + self._process.offset):
            source = self._sources.known(name)
            if source is not None:
                source.forget(now)

    def restore(
        self, bans: Iterable[BanRecord], bindings: Iterable[BindingRecord], now: float
    ) -> Iterator[BindingRecord]:
        """Take up what an earlier process knew: the bans at once, the bindings as they pass through."""
        self.bans.restore(bans, now)
        self._let_in_exempt(now)
        return self._registered(bindings, now)

    def _registered(self, bindings: Iterable[BindingRecord], now: float) -> Iterator[BindingRecord]:
        for binding in bindings:
            self.registered(binding, now)
            yield binding

    def counters(self) -> dict[str, int]:
        """Numbers for health and metrics; those ending in `_now` go up and down."""
        bans = sum(1 for entry in self.shut.values() if entry.record is not None)
        return {
            "guard_bans": self.bans.total,
            "guard_bans_now": bans,
            "guard_dropped": self._dropped,
            "guard_unanswered": self.unanswered,
            "guard_scanners": self.scanners,
            "guard_wrong_passwords": self.wrong,
            "guard_waits": self.waits,
            "guard_sources_now": len(self._sources),
        }
