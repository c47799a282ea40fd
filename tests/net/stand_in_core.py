"""A core for tests of the sockets: it answers what it is told to, and remembers what it was told."""

from __future__ import annotations

from sipengine.api import BindingGone, Fact
from sipengine.services.overload import Admission
from sipengine.services.traces import Traces
from sipengine.sip.flow import Flow
from sipengine.sip.transaction.layer import TransactionLayer

Out = tuple[Flow, bytes]


class StandInCore:
    """Echoes each message; `FACT n` is answered only when a fact about it is durable, `HELD` as if
    there had been one."""

    def __init__(self) -> None:
        self.out: list[Out] = []
        self.received: list[tuple[bytes, Flow]] = []
        self.failed: list[Flow] = []
        self.facts: list[Fact] = []
        self.held: list[Out] = []
        self.out_of_hand: list[Out] = []  # the answers of the facts taken last
        self.timers: list[float] = []
        self.fired: list[float] = []
        self.silent = False
        self.taken: list[bool] = []  # each time facts were taken: whether only those that press
        self.pressing = False
        self.traces = Traces(TransactionLayer(), 0)
        self.admission = Admission()
        self.keeps_what_is_lost = False
        self._taken: list[Fact] = []

    @property
    def facts_pressing(self) -> bool:
        return self.pressing

    @property
    def answers_waiting(self) -> bool:
        return bool(self.held)

    @property
    def facts_waiting(self) -> bool:
        return bool(self.facts or self.held)

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        if data.startswith(b"BUG"):
            raise ZeroDivisionError("a defect")
        self.received.append((data, flow))
        if data.startswith(b"FACT"):
            self.facts.append(BindingGone("1001@test", data.decode("latin-1"), "removed", 0.0))
            self.held.append((flow, b"durable " + data))
        elif data.startswith(b"HELD"):
            self.held.append((flow, data))
        elif data.startswith(b"CALL"):  # a fact that no answer waits for; "CALL ENDS" is pressing
            self.facts.append(BindingGone("1001@test", data.decode("latin-1"), "removed", 0.0))
            self.pressing = self.pressing or data == b"CALL ENDS"
            self.out.append((flow, data))
        elif not self.silent:
            self.out.append((flow, data))

    def flow_failed(self, flow: Flow, now: float) -> None:
        self.failed.append(flow)

    def next_timer(self) -> float | None:
        return min(self.timers, default=None)

    def handle_timers(self, now: float) -> None:
        self.fired += [due for due in self.timers if due <= now]
        self.timers = [due for due in self.timers if due > now]

    def take_facts(self, pressing: bool = False) -> tuple[list[Fact], list[Out]]:
        facts, held = self.facts, self.held
        self.facts, self.held = [], []
        self._taken = facts
        self.pressing = False
        self.taken.append(pressing)
        self.out_of_hand = held
        return facts, held

    def facts_lost(self) -> None:
        if self.keeps_what_is_lost:
            self.facts += self._taken
        self.out += [(flow, b"lost " + data) for flow, data in self.out_of_hand]
