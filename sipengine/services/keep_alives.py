"""OPTIONS to phones behind NAT: they hold the NAT's mapping open and show whether the phone is there.

Only contacts over UDP are asked whose REGISTER came from another host than they name: nobody but
the NAT knows the way to those, and it forgets it after some 30 s of silence (RFC 4787 §4.3). A phone
that uses Outbound keeps its flow itself (RFC 5626 §4.4.2), and is asked all the same, so that its
end is noticed. Any answer will do, and whatever it says.

A phone that leaves SILENT_TIMES requests unanswered, each repeated for 32 s, is marked unreachable:
it is shown so and tried last, until it answers or registers again.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from sipengine.services.binding import Binding
from sipengine.services.location import Location
from sipengine.services.own_answers import OwnAnswers
from sipengine.services.proxy.forwarding import Branches
from sipengine.services.this_process import ThisProcess
from sipengine.sip.flow import Flow
from sipengine.sip.transaction.layer import TransactionLayer
from sipengine.sip.transaction.own_request import OwnRequest

INTERVAL: Final = 28.0
"""Seconds between two requests to one phone; NATs forget UDP after 30 s at the earliest."""
BEAT: Final = 1.0
"""All phones are asked in turn, some every second, so that the load is even."""
MOST_A_BEAT: Final = 400
"""About 25 ms of a second. With more than 11,200 such phones each is asked more seldom."""
SILENT_TIMES: Final = 2
"""One outage of half a minute is a router that restarts."""
UNREACHABLE_TURNS: Final = 4
"""A phone that is marked is asked at every fourth turn only: each time costs eleven datagrams."""


class KeepAlives:
    """Asks the phones that `Location` enrols."""

    def __init__(
        self,
        layer: TransactionLayer,
        location: Location,
        branches: Branches,
        answers: OwnAnswers,
        unique: str,
        process: ThisProcess,
    ) -> None:
        """`unique` is different in every process; `process` knows wall-clock time."""
        self.due = 0.0
        self.asking: set[Binding] = set()
        self.silent: dict[Binding, int] = {}
        """Phone -> how many requests in a row it has not answered."""
        self._layer = layer
        self._location = location
        self._branches = branches
        self._answers = answers
        self._unique = unique[:12]
        self._process = process
        self._turns: deque[Binding] = deque()
        self._owed = 0.0
        self._count = 0

    def enrol(self, binding: Binding, now: float) -> None:
        """Ask this phone from now on, for as long as it is registered and behind NAT."""
        binding.enrolled = True
        self._turns.append(binding)
        self._answers.counts["phones_behind_nat_now"] = len(self._turns)
        if not self.due:
            self._layer.timers.start(BEAT, now, self)

    def on_timer(self, now: float) -> None:
        self.due = 0.0
        turns = self._turns
        self._owed = min(self._owed + len(turns) * BEAT / INTERVAL, MOST_A_BEAT)
        while self._owed >= 0.999 and turns:  # as 28 times a 28th is a little less than 1
            self._owed -= 1.0
            binding = turns.popleft()
            if binding.gone or not self._location.is_behind_nat(binding):
                binding.enrolled = False
                self.silent.pop(binding, None)
                continue
            turns.append(binding)
            self._count += 1
            if not binding.unreachable_since or self._count % UNREACHABLE_TURNS == 0:
                self.ask(binding, now)
        self._answers.counts["phones_behind_nat_now"] = len(turns)
        if turns:
            self._layer.timers.start(BEAT, now, self)

    def ask(self, binding: Binding, now: float) -> None:
        flow = self._location.target_flow(binding)
        if flow is None or binding in self.asking:
            return
        self._count += 1
        domain = binding.aor.rpartition("@")[2]
        branch = self._branches.make(0)
        via = flow.via or self._branches.addresses.via(flow)
        text = (
            f"OPTIONS {binding.contact} SIP/2.0\r\n"
            f"Via: {via};branch={branch};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{domain}>;tag={self._unique}{self._count:x}\r\n"
            f"To: <{binding.contact}>\r\nCall-ID: {self._unique}-{self._count:x}\r\n"
            f"CSeq: 1 OPTIONS\r\nContact: <sip:{via.rpartition(' ')[2]}>\r\n"
            "Accept: application/sdp\r\nContent-Length: 0\r\n\r\n"
        )
        self.asking.add(binding)
        self._answers.count("keep_alives_sent")
        question = Question(self, binding, flow)
        OwnRequest(
            self._layer, question, branch.encode(), text.encode("latin-1", "replace"), flow, now
        )

    def answered(self, binding: Binding, now: float) -> None:
        self.silent.pop(binding, None)
        if binding.unreachable_since:
            self._answers.count("phones_reachable_again")
            self._location.mark(binding, 0.0, now, now + self._process.offset)

    def unanswered(self, binding: Binding, now: float) -> None:
        times = self.silent.get(binding, 0) + 1
        self.silent[binding] = times
        if times < SILENT_TIMES:
            self.ask(binding, now)
        elif not binding.unreachable_since:
            self._answers.count("phones_unreachable")
            self._location.mark(
                binding, now + self._process.offset, now, now + self._process.offset
            )


class Question:
    """One OPTIONS that is out; the user of its client transaction."""

    __slots__ = ("_binding", "_flow", "_keeper")

    def __init__(self, keeper: KeepAlives, binding: Binding, flow: Flow) -> None:
        self._keeper = keeper
        self._binding = binding
        self._flow = flow

    def on_response(self, status: int, data: bytes, now: float) -> None:
        if self._ended():
            self._keeper.answered(self._binding, now)

    def on_timeout(self, now: float) -> None:
        if self._ended():
            self._keeper.unanswered(self._binding, now)

    def on_transport_error(self, now: float) -> None:
        if self._ended():
            self._keeper.unanswered(self._binding, now)

    def _ended(self) -> bool:
        """Whether what became of it says anything: the phone may have gone or moved meanwhile."""
        binding = self._binding
        self._keeper.asking.discard(binding)
        return not binding.gone and (binding.flow is None or binding.flow is self._flow)
