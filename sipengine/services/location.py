"""The location service: which contacts an AOR has, and the way to each (RFC 3261 §10, §16.5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from math import ceil
from sys import intern
from typing import Final

from sipengine.api import BindingGone, BindingRecord, Extension, Fact
from sipengine.services.binding import Binding
from sipengine.services.location_ports import Callers, ContactListener, Follower, Keeper, Waiter
from sipengine.services.ports import REACHABLE, Flows
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import RELIABLE, Flow
from sipengine.sip.uri import host_port, parse_uri, split_address

REMOVED: Final = "removed"
EXPIRED: Final = "expired"
REPLACED: Final = "replaced"

MAX_EXPIRED_AT_ONCE: Final = 500
"""Bindings that one call of `expire` ends, about 2 ms; more are due at once and wait for the next."""

MAX_FACTS_KEPT: Final = 10_000
"""Removals that could not be stored and are tried again, about 3 MB. What is beyond would come back
with a restart and end there by its own expiry."""


class Location:
    """AOR -> bindings, in memory. Every change appends its fact to `facts`.

    Expiry is one structure for all: bindings stand in the bucket of the second they expire in, a
    heap holds the seconds. A refresh that prolongs leaves the binding where it is; when that
    bucket is due it moves on. So a binding ends at most one second late.
    """

    def __init__(self, flows: Flows, facts: list[Fact]) -> None:
        self._flows = flows
        self._facts = facts
        self._of_aor: dict[str, tuple[Binding, ...]] = {}
        self._of_contact: dict[str, Binding] = {}
        self._on_connection: dict[Flow, set[Binding]] = {}
        self._buckets: dict[int, set[Binding]] = {}
        self._seconds: list[int] = []
        self._count = 0
        self.waiting: dict[str, list[Waiter]] = {}
        """AOR -> who is to hear of its next new or moved binding."""
        self._keeper: Keeper | None = None
        self._callers: Callers | None = None
        self._listener: ContactListener | None = None
        self.follower: Follower | None = None

    def connect(
        self,
        *,
        keeper: Keeper | None = None,
        callers: Callers | None = None,
        listener: ContactListener | None = None,
    ) -> None:
        """Tell these from now on: once, before the first binding, for they need the location service."""
        self._keeper = keeper
        self._callers = callers
        self._listener = listener

    def __len__(self) -> int:
        return self._count

    @property
    def aors(self) -> list[str]:
        """Every AOR with a binding, as of now."""
        return list(self._of_aor)

    def bindings_of(self, aor: str) -> tuple[Binding, ...]:
        """All bindings of an AOR, be they about to be found expired."""
        return self._of_aor.get(aor, ())

    # ------------------------------------------------------------------ asked by proxy and registrar

    def contacts(self, aor: str, now: float) -> tuple[Binding, ...]:
        """The bindings of an AOR that have not expired: highest q first, then the newest; those of
        phones that do not answer come last."""
        bindings = self._of_aor.get(aor, ())
        for binding in bindings:
            if binding.expires <= now:
                return tuple(b for b in bindings if b.expires > now)
        return bindings

    def binding_for_contact(self, uri_text: str) -> Binding | None:
        """The binding whose contact is exactly this URI.

        Of several AORs with the same contact the first keeps it, so that nobody can draw another
        phone's requests to himself by registering that phone's contact.
        """
        return self._of_contact.get(uri_text)

    def target_flow(self, binding: Binding) -> Flow | None:
        """The way to a contact, None if there is none until the phone comes back.

        A contact at the host its REGISTER came from is reached at its own address. Any other is
        behind NAT: over UDP the way back is the address that the REGISTER came from, over a
        connection it is that connection only, never an address that somebody else may have here.
        """
        target = binding.target
        if target is not None:
            return target
        flow = binding.flow
        if binding.transport in RELIABLE:
            if flow is not None and flow.open:
                return flow
            return self._flow_to_contact(binding)
        target = self._flow_to_contact(binding)
        if target is None:
            target = flow
        if target is None:
            host, port = split_address(binding.received)
            target = self._flows.flow_to(binding.transport, host, port)
        if not target.reliable:
            binding.target = target
        return target

    def is_behind_nat(self, binding: Binding) -> bool:
        """Whether a contact is reached only by way of its UDP source, which a NAT may forget."""
        if binding.transport != "UDP" or binding.path:
            return False
        if f"@{binding.received.rpartition(':')[0]}:" in binding.contact:  # as of most phones
            return False
        return self._flow_to_contact(binding) is None

    def _enrol(self, binding: Binding, now: float) -> None:
        keeper = self._keeper
        if keeper is not None and not binding.enrolled and self.is_behind_nat(binding):
            keeper.enrol(binding, now)

    def _flow_to_contact(self, binding: Binding) -> Flow | None:
        try:
            uri = parse_uri(binding.contact)
        except RemoteProtocolError:
            return None
        transport = uri.transport
        source, port = split_address(binding.received)
        if transport not in REACHABLE or uri.host != source:
            return None
        flow = binding.flow
        its_source = transport == "UDP" and (uri.port or 5060) == port
        if its_source and flow is not None and not flow.reliable:
            return flow
        return self._flows.flow_to(transport, uri.host, uri.port)

    # ------------------------------------------------------------------ changed by the registrar

    def add(self, binding: Binding, now: float, wall: float) -> None:
        """Take in a binding that is complete."""
        for other in self._of_aor.get(binding.aor, ()):
            if other.expires <= now:  # its end must not be told after this beginning
                self.remove(other, EXPIRED, wall)
        self._insert(binding)
        self._facts.append(binding.record(now, wall))
        if self._listener is not None:
            self._listener.contacts_changed(binding.aor, wall)

    def refresh(self, binding: Binding, reordered: bool, now: float, wall: float) -> None:
        """Take note that fields of a binding have changed, `reordered` if its q is among them."""
        if ceil(binding.expires) < binding.bucket:
            self._buckets[binding.bucket].discard(binding)
            self._file(binding)
        if reordered:
            self._reorder(binding.aor)
            if self._listener is not None:
                self._listener.contacts_changed(binding.aor, wall)
        self._of_contact.setdefault(binding.contact, binding)
        self._changed(binding, now, wall)

    def _changed(self, binding: Binding, now: float, wall: float) -> None:
        self._facts.append(binding.record(now, wall))
        if self.follower is not None:
            self.follower.binding_there(binding, "", now)

    def remove(self, binding: Binding, why: str, wall: float) -> None:
        """End a binding; `why` is REMOVED, EXPIRED or REPLACED."""
        self._take_out(binding)
        gone = BindingGone(
            binding.aor, binding.contact, why, wall, binding.instance, binding.reg_id
        )  # fmt: skip
        self._facts.append(gone)
        if self.follower is not None:
            self.follower.binding_gone(gone)
        if self._listener is not None:
            self._listener.contact_ended(binding, why, wall)

    def _take_out(self, binding: Binding) -> None:
        left = tuple(b for b in self._of_aor[binding.aor] if b is not binding)
        if left:
            self._of_aor[binding.aor] = left
        else:
            del self._of_aor[binding.aor]
        if self._of_contact.get(binding.contact) is binding:
            del self._of_contact[binding.contact]
        self._buckets[binding.bucket].discard(binding)
        self._leave_connection(binding)
        self._count -= 1
        binding.gone = True

    def came_by(self, binding: Binding, flow: Flow) -> bool:
        """Note the flow of a REGISTER; True if that is another way than the one known."""
        if flow is binding.flow:
            return False
        self._leave_connection(binding)
        received = host_port(*flow.remote)
        moved = received != binding.received or flow.transport != binding.transport
        binding.received = received
        binding.transport = intern(flow.transport)
        binding.local = intern(host_port(*flow.local))
        self._enter(binding, flow)
        return moved

    def _enter(self, binding: Binding, flow: Flow) -> None:
        """Have a binding, which is on no connection, be reached by `flow`."""
        if binding.flow is not None:
            binding.former = binding.flow
        binding.flow = flow
        binding.target = None
        if flow.reliable:
            self._on_connection.setdefault(flow, set()).add(binding)

    def _leave_connection(self, binding: Binding) -> None:
        flow = binding.flow
        others = self._on_connection.get(flow) if flow is not None and flow.reliable else None
        if flow is not None and others is not None:
            others.discard(binding)
            if not others:
                del self._on_connection[flow]

    def flow_closed(self, flow: Flow, now: float) -> None:
        """A connection has gone: its bindings stay, reachable only as `target_flow` says."""
        for binding in self._on_connection.pop(flow, ()):
            binding.flow = None
            binding.former = flow
            binding.lost_at = now

    def arrived(self, binding: Binding, earlier: Binding | None, now: float) -> None:
        """A phone has registered anew or from another place: enrol it for keep-alives if it needs
        them, and tell who is calling it. Call it once the binding is complete."""
        self._enrol(binding, now)
        if self.follower is not None:
            self.follower.binding_there(binding, (earlier or binding).contact, now)
        self._tell_callers(binding, (earlier or binding).contact, now)

    def _tell_callers(self, binding: Binding, old_contact: str, now: float) -> None:
        former = binding.former
        called = former is not None and bool(former.clients)
        if self._callers is not None and (called or binding.aor in self.waiting):
            self._callers.on_arrival(binding, old_contact, now)

    def mark(self, binding: Binding, unreachable_since: float, now: float, wall: float) -> None:
        """Take note that a phone does not answer since then, or answers again (0)."""
        binding.unreachable_since = unreachable_since
        self._reorder(binding.aor)
        self._changed(binding, now, wall)

    def lost(self, facts: Iterable[Fact]) -> None:
        """These facts could not be made durable. Bindings are stored with their next REGISTER, which
        then has to wait for it; removals are tried again."""
        for fact in facts:
            if not isinstance(fact, (BindingRecord, BindingGone)):
                continue
            flow = (fact.contact, fact.instance, fact.reg_id)
            there = [
                b
                for b in self._of_aor.get(fact.aor, ())
                if (b.contact, b.instance, b.reg_id) == flow
            ]
            for binding in there:
                binding.unsaved = True
            if not there and isinstance(fact, BindingGone) and len(self._facts) < MAX_FACTS_KEPT:
                self._facts.append(fact)

    def store_anew(self, now: float, wall: float) -> None:
        """Have every binding stored again, for the clock was set."""
        for bindings in self._of_aor.values():
            self._facts += [
                binding.record(now, wall) for binding in bindings if not binding.unsaved
            ]

    # ------------------------------------------------------------------ time

    def next_expiry(self) -> float | None:
        """When `expire` wants to be called, in monotonic seconds."""
        seconds = self._seconds
        while seconds and not self._buckets[seconds[0]]:
            del self._buckets[heappop(seconds)]
        return float(seconds[0]) if seconds else None

    def expire(self, now: float, wall: float) -> None:
        """End what has expired, at most MAX_EXPIRED_AT_ONCE; `next_expiry` tells if more is due."""
        seconds = self._seconds
        left = MAX_EXPIRED_AT_ONCE
        while seconds and seconds[0] <= now:
            bucket = self._buckets[seconds[0]]
            while bucket:
                if left == 0:
                    return
                left -= 1
                binding = bucket.pop()
                if binding.expires <= now:
                    self.remove(binding, EXPIRED, wall)
                else:
                    self._file(binding)
            del self._buckets[heappop(seconds)]

    def end_all_but(self, extensions: Mapping[str, Extension], now: float) -> None:
        """Have the bindings of all others expire now: whoever gets a number that was another's must
        not ring the other's phones. Those of an extension that is switched off end as well."""
        for aor in self._of_aor.keys() - extensions.keys():
            for binding in self._of_aor[aor]:
                self._buckets[binding.bucket].discard(binding)
                binding.expires = now
                self._file(binding)

    def _file(self, binding: Binding) -> None:
        second = ceil(binding.expires)
        bucket = self._buckets.get(second)
        if bucket is None:
            bucket = self._buckets[second] = set()
            heappush(self._seconds, second)
        bucket.add(binding)
        binding.bucket = second

    # ------------------------------------------------------------------ start

    def restore(self, records: Iterable[BindingRecord], now: float, wall: float) -> None:
        """Take in what an earlier process knew, before any message is received.

        UDP contacts are reached as before. Connections died with that process: see `target_flow`.
        What has expired meanwhile ends with the first `expire`.
        """
        for record in records:
            binding = Binding(
                record.aor, record.contact, record.params, record.q, record.instance,
                record.reg_id, record.registered_at,
            )  # fmt: skip
            binding.take(record, now, wall)
            binding.lost_at = now
            self._insert(binding)
            self._enrol(binding, now)

    def _reorder(self, aor: str) -> None:
        self._of_aor[aor] = _in_order(self._of_aor[aor])

    def _insert(self, binding: Binding) -> None:
        others = self._of_aor.get(binding.aor)
        if others is None:
            self._of_aor[binding.aor] = (binding,)
        else:
            binding.aor = others[0].aor  # one string for all
            self._of_aor[binding.aor] = _in_order((binding, *others))
        self._of_contact.setdefault(binding.contact, binding)
        self._file(binding)
        self._count += 1


def _in_order(bindings: tuple[Binding, ...]) -> tuple[Binding, ...]:
    return tuple(sorted(bindings, key=lambda b: (b.unreachable_since > 0, -b.q, -b.registered_at)))
