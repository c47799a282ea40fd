"""The location service of a process that no phone registers with: what the owner's says, and nothing else
(docs/decisions/0017-worker-processes.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sipengine.api import BindingGone, BindingRecord, Extension, Fact
from sipengine.services.binding import Binding
from sipengine.services.location import REPLACED, Location
from sipengine.services.ports import Flows
from sipengine.sip.flow import Flow


class Replica(Location):
    """`take` and `end` follow the owner. What would change a binding otherwise does nothing: bindings expire
    and are ended there, and nothing is written here."""

    def __init__(self, flows: Flows) -> None:
        super().__init__(flows, [])
        self._buckets = {0: set()}  # none expires here
        self._unconfirmed: set[Binding] = set()
        self._replaced: Binding | None = None

    # ------------------------------------------------------------------ what the owner tells

    def take(
        self,
        record: BindingRecord,
        flow: Flow | None,
        page: str,
        earlier: str,
        now: float,
        wall: float,
    ) -> Binding:
        """A binding is there or has changed. `flow` is the way its REGISTER came, None if that is a
        connection which has closed. `earlier` as in `location.Follower`."""
        binding = self._find(record.aor, record.contact, record.instance, record.reg_id)
        new = binding is None
        if binding is None:
            binding = Binding(
                record.aor, record.contact, record.params, record.q, record.instance,
                record.reg_id, record.registered_at,
            )  # fmt: skip
            replaced, self._replaced = self._replaced, None
            if replaced is not None and replaced.aor == record.aor and earlier:
                binding.came_after(replaced, record.call_id)
        self._unconfirmed.discard(binding)
        place = (binding.q, binding.unreachable_since)
        self._follow(binding, flow, now)
        binding.take(record, now, wall)
        binding.page = page
        if new:
            self._insert(binding)
        elif place != (binding.q, binding.unreachable_since):
            self._reorder(binding.aor)
        if earlier:
            self._tell_callers(binding, earlier, now)
        return binding

    def end(self, gone: BindingGone) -> None:
        """A binding has ended; nothing if it is not known."""
        binding = self._find(gone.aor, gone.contact, gone.instance or "", gone.reg_id)
        if binding is not None:
            self._unconfirmed.discard(binding)
            self._take_out(binding)
            if gone.why == REPLACED:
                self._replaced = binding

    def begin_anew(self) -> None:
        """All bindings will be told again; those of before count until `all_told`."""
        self._unconfirmed = {binding for aor in self.aors for binding in self.bindings_of(aor)}

    def all_told(self) -> None:
        """Those that were not told again have ended."""
        for binding in self._unconfirmed:
            self._take_out(binding)
        self._unconfirmed = set()

    def _find(self, aor: str, contact: str, instance: str, reg_id: int) -> Binding | None:
        for binding in self.bindings_of(aor):
            if (
                binding.contact == contact
                and binding.instance == instance
                and binding.reg_id == reg_id
            ):
                return binding
        return None

    def _follow(self, binding: Binding, flow: Flow | None, now: float) -> None:
        """Be reached by that flow from now on."""
        if flow is binding.flow:
            return
        self._leave_connection(binding)
        if flow is None:
            binding.former, binding.flow, binding.lost_at = binding.flow, None, now
            binding.target = None
        else:
            self._enter(binding, flow)

    # ------------------------------------------------------------------ what the owner alone does

    def _file(self, binding: Binding) -> None:
        return

    def remove(self, binding: Binding, why: str, wall: float) -> None:
        return

    def next_expiry(self) -> float | None:
        return None

    def expire(self, now: float, wall: float) -> None:
        return

    def end_all_but(self, extensions: Mapping[str, Extension], now: float) -> None:
        return

    def store_anew(self, now: float, wall: float) -> None:
        return

    def lost(self, facts: Iterable[Fact]) -> None:
        return
