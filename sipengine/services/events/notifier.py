"""The notifier: who has subscribed to what, until when, and telling them (RFC 6665 §4.2).

What a package has to tell is gathered for a moment and then told, one NOTIFY at a time a
subscription: news that come while one is under way are told when it is answered, the newest alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sipengine.api import Extension, Fact, SubscriptionGone, SubscriptionRecord
from sipengine.services.events.call_watch import CallWatch
from sipengine.services.events.expiries import Expiries
from sipengine.services.events.notify import next_hop, notify, retry_after_of
from sipengine.services.events.package import Package
from sipengine.services.events.subscription import (
    DEACTIVATED,
    NORESOURCE,
    PROBATION,
    REJECTED,
    RESERVE,
    TIMEOUT,
    Subscription,
    Telling,
    restored,
)
from sipengine.services.proxy.proxy import Proxy
from sipengine.services.proxy.targets import target_at, way_to
from sipengine.services.sips_contacts import secure_contact
from sipengine.services.this_process import ThisProcess
from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.transaction.own_request import OwnRequest
from sipengine.sip.uri import escape_user

GATHER_S: Final = 0.05
"""From the first news to telling them: steps of a call that follow at once make one NOTIFY."""

MAX_AT_ONCE: Final = 200
"""NOTIFYs begun in one go, some 10 ms; the rest follows in the next, so that calls need not wait."""

SECOND: Final = 1.0

GONE: Final = frozenset({404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})
"""Answers to a NOTIFY that end the subscription at once (RFC 6665 §4.2.2)."""

SILENT: Final = frozenset({DEACTIVATED, NORESOURCE, PROBATION, REJECTED})
"""Ends after which the subscriber is not told the state any more: he may not know it, or asks anew."""

RETRY_S: Final = 30
"""After any other failure all is told once more, then or when the answer's Retry-After says; a second
failure in a row ends the subscription."""
MAX_RETRY_S: Final = 300

MAX_TOTAL: Final = 100_000
"""Subscriptions at once, about 2 kB each; more are answered 503."""
MAX_OF_ACCOUNT: Final = 250
"""Of one user: a telephone with a hundred lamps, two of them, and what a reboot left behind."""


class Notifier:
    """Owns the table of subscriptions. Every change that must last appends its fact to `facts`.

    `pressing`: a fact since facts were last taken must be written before its answer goes out.
    """

    def __init__(
        self, proxy: Proxy, watch: CallWatch, facts: list[Fact], process: ThisProcess
    ) -> None:
        self._timers = proxy.layer.timers
        self._proxy = proxy
        self._watch = watch
        self._branches = proxy.branches
        self._facts = facts
        self._process = process
        self._tag_prefix = process.tag_prefix
        self._count = 0
        self._of_id: dict[str, Subscription] = {}
        self._watching: dict[str, dict[Subscription, None]] = {}  # by package and resource
        self._of_account: dict[str, dict[Subscription, None]] = {}
        self._news: dict[Subscription, None] = {}
        self._expiries = Expiries()
        self._gathering = Alarm(self, False)
        self._ticking = Alarm(self, True)
        self.pressing = False
        self.notifies = 0
        self.notifies_failed = 0

    def __len__(self) -> int:
        return len(self._of_id)

    # ------------------------------------------------------------------ subscriptions

    def find(self, call_id: str, own_tag: str, remote_tag: str) -> Subscription | None:
        """The subscription of a dialog."""
        subscription = self._of_id.get(own_tag)
        if subscription is None or subscription.call_id != call_id:
            return None
        return subscription if subscription.remote_tag == remote_tag else None

    def make(
        self, package: Package, resource: str, subscriber: str, call_id: str, remote_tag: str
    ) -> Subscription:
        """A new subscription, not in the table yet."""
        self._count += 1
        identity = f"{self._tag_prefix}e{self._count:x}"
        return Subscription(self, package, identity, resource, subscriber, call_id, remote_tag)

    def make_room(
        self, subscriber: str, package: Package, resource: str, target: str, now: float
    ) -> None:
        """Have room for one more of this user. Raises `RemoteProtocolError` if there is none.

        A phone that was restarted has forgotten its old subscriptions: at the limit they go first.
        """
        if len(self._of_id) >= MAX_TOTAL:
            raise RemoteProtocolError(503, "Service Unavailable")
        mine = self._of_account.get(subscriber, {})
        if len(mine) < MAX_OF_ACCOUNT:
            return
        for old in mine:
            if (old.package, old.resource, old.target) == (package, resource, target):
                old.retry_after = MAX_RETRY_S
                self.end(old, PROBATION, now)
                return
        raise RemoteProtocolError(403, f"Forbidden: at most {MAX_OF_ACCOUNT} subscriptions at once")

    def add(self, subscription: Subscription, now: float) -> None:
        """Take in a subscription that is complete; `tell` it then."""
        self._insert(subscription)
        self.pressing = True
        self._start_ticking(now)
        self.store(subscription, now)

    def store(self, subscription: Subscription, now: float) -> None:
        """Remember the subscription as it is now, with the CSeq numbers that it may use next."""
        subscription.reserved = subscription.cseq + RESERVE
        self._facts.append(subscription.record(now, now + self._process.offset))

    def refreshed(self, subscription: Subscription, now: float) -> None:
        """Its time, its target or the way to it may have changed."""
        self._expiries.set(subscription.id, subscription.expires)
        self.store(subscription, now)

    def end(self, subscription: Subscription, reason: str, now: float) -> None:
        """End it and say so (RFC 6665 §4.1.3): the reason stands in its last NOTIFY."""
        if not subscription.reason:
            subscription.due = 0.0
            subscription.reason = reason
            subscription.whole = True
            self._remove(subscription, reason, now)
            self.tell(subscription, now)

    def _drop(self, subscription: Subscription, why: str, now: float) -> None:
        """End it without a word: nobody is there to hear it."""
        if not subscription.reason:
            subscription.reason = why
            self._remove(subscription, why, now)

    def _insert(self, subscription: Subscription) -> None:
        self._of_id[subscription.id] = subscription
        watchers = self._watching.get(subscription.key)
        if watchers is None:
            watchers = self._watching[subscription.key] = {}
            subscription.package.first_watcher(subscription.resource)
        watchers[subscription] = None
        self._of_account.setdefault(subscription.subscriber, {})[subscription] = None
        self._expiries.set(subscription.id, subscription.expires)

    def _remove(self, subscription: Subscription, why: str, now: float) -> None:
        if self._of_id.pop(subscription.id, None) is None:
            return  # a mere question (RFC 6665 §4.4.3) was never in the table
        self._expiries.drop(subscription.id)
        watchers = self._watching[subscription.key]
        watchers.pop(subscription, None)
        if not watchers:
            del self._watching[subscription.key]
            subscription.package.last_watcher_gone(subscription.resource)
        mine = self._of_account[subscription.subscriber]
        mine.pop(subscription, None)
        if not mine:
            del self._of_account[subscription.subscriber]
        self._news.pop(subscription, None)
        subscription.due = 0.0
        self._facts.append(SubscriptionGone(subscription.id, why, now + self._process.offset))

    def set_extensions(self, extensions: dict[str, Extension], now: float) -> None:
        """End the subscriptions of and to users that are there no more (RFC 6665 §4.1.3)."""
        for subscription in self._of_id.values():
            if subscription.subscriber not in extensions:
                self._doom(subscription, REJECTED, now)
            elif subscription.resource not in extensions:
                self._doom(subscription, NORESOURCE, now)

    def of_user(self, aor: str) -> list[Subscription]:
        """The subscriptions that this user has made."""
        return list(self._of_account.get(aor, ()))

    def sign_out(self, subscription: Subscription, now: float) -> None:
        """It was made with a password that holds no longer: who knows the new one subscribes again."""
        self._doom(subscription, DEACTIVATED, now)

    def _doom(self, subscription: Subscription, reason: str, now: float) -> None:
        """Let it expire now, for that reason: a whole domain may have gone at once."""
        if not subscription.doom:
            subscription.doom = reason
            subscription.expires = now
            self._expiries.set(subscription.id, 0.0)
            self._timers.start(GATHER_S, now, self._ticking)

    # ------------------------------------------------------------------ telling

    def changed(self, package: Package, resource: str, now: float) -> None:
        """There may be news for whoever watches this resource."""
        watchers = self._watching.get(f"{package.name}|{resource}")
        if watchers is not None:
            self._news.update(watchers)
            if not self._gathering.due:
                self._timers.start(GATHER_S, now, self._gathering)

    def on_alarm(self, tick: bool, now: float) -> None:
        if tick:
            self._expire(now)
            return
        for subscription in list(self._news)[:MAX_AT_ONCE]:
            del self._news[subscription]
            self.tell(subscription, now)
        if self._news:
            self._timers.start(GATHER_S, now, self._gathering)
            return
        self._watch.forget_ended()

    def tell(self, subscription: Subscription, now: float) -> None:
        """Send a NOTIFY if there is something to tell and none is under way."""
        if subscription.telling is not None or subscription.due:
            subscription.dirty = True
            return
        subscription.dirty = False
        if not subscription.whole:  # a refresh and an end are always told
            wait = subscription.wait(now)
            if wait:
                self._timers.start(wait, now, subscription)
                return
        document: str | None = ""
        if subscription.reason not in SILENT:
            document = subscription.package.document(subscription, subscription.cseq, now)
            if document is None and not subscription.reason:
                subscription.to_spend += 1.0
                return
        try:
            flow = self._way_to(subscription)
        except RemoteProtocolError:
            self._drop(subscription, "unreachable", now)
            return
        subscription.whole = False
        subscription.cseq += 1
        if subscription.cseq > subscription.reserved and not subscription.reason:
            self.store(subscription, now)
        subscription.telling = telling = Telling(subscription)
        branch = self._branches.make(0).encode()
        addresses = self._branches.addresses
        user = escape_user(subscription.resource.rpartition("@")[0])
        contact = addresses.contact(user, flow)
        if subscription.is_secure(flow):
            contact = secure_contact(contact)
        request = notify(
            subscription, branch, flow.via or addresses.via(flow), contact, flow,
            self._state(subscription, now), document or "",
        )  # fmt: skip
        self.notifies += 1
        OwnRequest(self._proxy.layer, telling, branch, request, flow, now)

    def tell_soon(self, subscription: Subscription, now: float) -> None:
        """Tell a new subscriber the state when it is known: other processes are asked."""
        self._timers.start(GATHER_S, now, subscription)

    def _way_to(self, subscription: Subscription) -> Flow:
        uri, routes = next_hop(subscription)
        flows = self._proxy.flows
        if uri != subscription.target:
            return way_to(target_at(uri, uri, flows, uri), flows)
        if routes:
            first = parse_address(routes[0]).uri_text
            return way_to(target_at(uri, first, flows, uri), flows)
        heard = subscription.flow
        if heard is not None and not heard.open:
            heard = None
        return way_to(self._proxy.remote_target(uri, heard, subscription.source), flows)

    def _state(self, subscription: Subscription, now: float) -> str:
        if subscription.reason:
            after = f";retry-after={subscription.retry_after}" if subscription.retry_after else ""
            return f"terminated;reason={subscription.reason}{after}"
        return f"active;expires={max(0, int(subscription.expires - now + 0.5))}"

    def answered(self, subscription: Subscription, status: int, data: bytes, now: float) -> None:
        """The answer to its NOTIFY (RFC 6665 §4.2.2)."""
        if status < 200:
            return
        subscription.telling = None
        if status < 300:
            subscription.failures = 0
            self._go_on(subscription, now)
        elif status in GONE:
            self.notifies_failed += 1
            self._drop(subscription, f"NOTIFY answered {status}", now)
        else:
            self.failed(subscription, retry_after_of(data), now)

    def unanswered(self, subscription: Subscription, now: float) -> None:
        """Timer F: nobody is there (RFC 6665 §4.2.2)."""
        subscription.telling = None
        self.notifies_failed += 1
        self._drop(subscription, "NOTIFY not answered", now)

    def failed(self, subscription: Subscription, retry_after: int, now: float) -> None:
        """It could not be told; it may be when it is tried again."""
        subscription.telling = None
        self.notifies_failed += 1
        subscription.failures += 1
        if subscription.reason:
            self._go_on(subscription, now)  # its end is still to be told
            return
        if subscription.failures > 1:
            self._drop(subscription, "NOTIFY failed", now)
            return
        subscription.whole = True  # what was told is not known any more
        self._timers.start(float(min(retry_after or RETRY_S, MAX_RETRY_S)), now, subscription)

    def try_again(self, subscription: Subscription, now: float) -> None:
        subscription.due = 0.0
        if subscription.asks or not subscription.reason:
            self.tell(subscription, now)
        if subscription.asks:
            subscription.asks = False
            subscription.package.last_watcher_gone(subscription.resource)

    def _go_on(self, subscription: Subscription, now: float) -> None:
        if subscription.dirty:
            self.tell(subscription, now)

    # ------------------------------------------------------------------ time

    def _start_ticking(self, now: float) -> None:
        if not self._ticking.due:
            self._timers.start(SECOND, now, self._ticking)

    def _expire(self, now: float) -> None:
        """End what was not refreshed (RFC 6665 §4.2.1.4), at most MAX_AT_ONCE in one go."""
        gone = self._expiries.take(now, MAX_AT_ONCE)
        for identity in gone:
            subscription = self._of_id[identity]
            self.end(subscription, subscription.doom or TIMEOUT, now)
        if len(gone) == MAX_AT_ONCE:
            self._timers.start(GATHER_S, now, self._ticking)
        elif self._of_id:
            self._start_ticking(now)

    # ------------------------------------------------------------------ start

    def restore(
        self, records: Iterable[SubscriptionRecord], packages: dict[str, Package], now: float
    ) -> None:
        """Take up what an earlier process left; each subscriber is told everything anew.

        What he knows is not known, and a call that only rang died with that process.
        """
        for record in records:
            package = packages.get(record.package)
            if package is None:
                self._facts.append(
                    SubscriptionGone(record.id, "no such package", now + self._process.offset)
                )
                continue
            left = record.expires_at - (now + self._process.offset)
            subscription = restored(self, package, record, now + left)
            self._insert(subscription)
            self._news[subscription] = None
        if self._of_id:
            self._start_ticking(now)
            self._timers.start(SECOND, now, self._gathering)


class Alarm:
    """A timer of the notifier: the second's tick, or the moment that gathers news."""

    __slots__ = ("_notifier", "_tick", "due")

    def __init__(self, notifier: Notifier, tick: bool) -> None:
        self._notifier = notifier
        self._tick = tick
        self.due = 0.0

    def on_timer(self, now: float) -> None:
        self.due = 0.0
        self._notifier.on_alarm(self._tick, now)
