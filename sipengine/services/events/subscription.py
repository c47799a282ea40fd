"""One subscription: the dialog it lives in, and what its subscriber has been told (RFC 6665 §4.2)."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

from sipengine.api import SubscriptionRecord
from sipengine.sip.flow import SECURE, Flow
from sipengine.sip.uri import host_port

if TYPE_CHECKING:
    from sipengine.services.events.notifier import Notifier
    from sipengine.services.events.package import Package

DEACTIVATED: Final = "deactivated"
"""The subscriber may subscribe anew at once (RFC 6665 §4.1.3)."""
NORESOURCE: Final = "noresource"
PROBATION: Final = "probation"
REJECTED: Final = "rejected"
TIMEOUT: Final = "timeout"

BURST: Final = 5.0
"""NOTIFYs that may follow each other at once: a call rings, is answered and ends, and another begins."""

RESERVE: Final = 32
"""CSeq numbers of NOTIFYs that one record reserves: so many cost one line of the journal, and a
process that takes over skips what its predecessor may have used."""


class Subscription:
    """Fields as in `api.SubscriptionRecord`; `expires` is monotonic.

    `flow` is the one its latest SUBSCRIBE came on, None when that was another process. `told` is
    what the subscriber knows, in the words of its package. The version of a document is the CSeq
    of its NOTIFY less one: it begins at 0 and grows by one, over restarts of the engine it grows
    by more.
    """

    __slots__ = (
        "asks", "call_id", "created_at", "cseq", "dirty", "doom", "due", "event_id", "expires", "failures", "flow",
        "id", "kind", "local", "notifier", "paced_at", "package", "reason", "received", "remote",
        "remote_cseq", "remote_tag", "reserved", "resource", "retry_after", "routes", "subscriber",
        "target", "telling", "to_spend", "told", "transport", "updated_at", "user_agent", "whole",
    )  # fmt: skip

    def __init__(
        self,
        notifier: Notifier,
        package: Package,
        identity: str,
        resource: str,
        subscriber: str,
        call_id: str,
        remote_tag: str,
    ) -> None:
        self.notifier = notifier
        self.package = package
        self.id = identity
        self.resource = resource
        self.subscriber = subscriber
        self.call_id = call_id
        self.remote_tag = remote_tag
        self.event_id = self.local = self.remote = self.target = self.user_agent = ""
        self.transport = self.received = ""
        self.kind = ""  # of its documents, where that is not the package's own
        self.routes: tuple[str, ...] = ()
        self.cseq = 0
        self.reserved = 0
        self.remote_cseq = 0
        self.expires = 0.0
        self.created_at = self.updated_at = 0.0
        self.flow: Flow | None = None
        # what is to be told
        self.told: dict[str, str] = {}
        self.whole = True  # the next document must be complete
        self.dirty = False  # there may be something newer than what was told
        self.telling: Telling | None = None  # the NOTIFY under way
        self.reason = ""  # why it has ended; then the next NOTIFY is the last
        self.asks = False  # a question (RFC 6665 §4.4.3) that waits for other processes to answer
        self.doom = ""  # the reason for which it is about to end
        self.retry_after = 0
        self.failures = 0  # NOTIFYs in a row that failed
        self.due = 0.0
        self.to_spend = BURST
        self.paced_at = 0.0

    def __repr__(self) -> str:
        return f"<Subscription of {self.subscriber} to {self.package.name} of {self.resource}>"

    @property
    def key(self) -> str:
        return f"{self.package.name}|{self.resource}"

    def came_by(self, flow: Flow) -> None:
        self.flow = flow
        self.transport = flow.transport
        self.received = host_port(*flow.remote)

    def is_secure(self, flow: Flow) -> bool:
        """Whether its dialog is `sips:`, so that our Contact must be (RFC 3261 §12.1.1), and `flow` suits."""
        hops = self.routes[:1] or (self.target,)
        named = self.local + hops[0][:6]
        return "sips:" in named and flow.transport in SECURE

    @property
    def source(self) -> tuple[str, str, int]:
        """(transport, host, port) of the latest SUBSCRIBE."""
        host, _, port = self.received.rpartition(":")
        return self.transport, host.strip("[]"), int(port)

    def wait(self, now: float) -> float:
        """How long news must wait so that there is one NOTIFY a second in the long run (RFC 4235
        §3.10), or as many as the package says, though the steps of one call are told at once; in
        quarters of a second, 0 for now."""
        package = self.package
        earned = (now - self.paced_at) / package.interval
        self.to_spend = min(package.burst, self.to_spend + earned)
        self.paced_at = now
        if self.to_spend >= 1.0:
            self.to_spend -= 1.0
            return 0.0
        return ceil((1.0 - self.to_spend) * package.interval * 4.0) / 4.0

    def record(self, now: float, wall: float) -> SubscriptionRecord:
        """The fact of this subscription as it is now."""
        return SubscriptionRecord(
            self.id,
            self.package.name,
            self.event_id,
            self.resource,
            self.subscriber,
            self.call_id,
            self.local,
            self.remote,
            self.remote_tag,
            self.target,
            list(self.routes),
            self.reserved,
            self.remote_cseq,
            wall + self.expires - now,
            self.transport,
            self.received,
            self.user_agent,
            self.created_at,
            self.updated_at,
            self.kind,
        )

    def on_timer(self, now: float) -> None:
        self.notifier.try_again(self, now)


class Telling:
    """One NOTIFY under way, the user of its transaction. If the subscriber moves meanwhile he is told
    by another, and what becomes of this one means nothing any more."""

    __slots__ = ("_subscription",)

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    def on_response(self, status: int, data: bytes, now: float) -> None:
        if self._subscription.telling is self:
            self._subscription.notifier.answered(self._subscription, status, data, now)

    def on_timeout(self, now: float) -> None:
        if self._subscription.telling is self:
            self._subscription.notifier.unanswered(self._subscription, now)

    def on_transport_error(self, now: float) -> None:
        if self._subscription.telling is self:
            self._subscription.notifier.failed(self._subscription, 0, now)


def restored(
    notifier: Notifier, package: Package, record: SubscriptionRecord, expires: float
) -> Subscription:
    """The subscription of a record, until `expires` (monotonic); its flow died with its process."""
    subscription = Subscription(
        notifier, package, record.id, record.resource, record.subscriber, record.call_id,
        record.remote_tag,
    )  # fmt: skip
    subscription.event_id = record.event_id
    subscription.local = record.local
    subscription.remote = record.remote
    subscription.target = record.target
    subscription.routes = tuple(record.routes)
    subscription.cseq = subscription.reserved = record.cseq
    subscription.remote_cseq = record.remote_cseq
    subscription.expires = expires
    subscription.transport = record.transport
    subscription.received = record.received
    subscription.user_agent = record.user_agent
    subscription.created_at = record.created_at
    subscription.updated_at = record.updated_at
    subscription.kind = record.kind
    return subscription
