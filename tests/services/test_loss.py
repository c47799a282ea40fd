"""A whole call over a wire that loses, repeats and delays: every transaction ends and the row is right (RFC 3261 §17)."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.services.conftest import person, registered
from tests.services.user_agents import Dialog, OutgoingCall, Phone
from tests.services.wire import DOMAIN, Wire, snapshot
from tests.support.wire import Message, uri_of

STEP = 0.5
AGAIN = {1, 3, 7, 15, 23, 31, 39, 47, 55, 63}
"""Steps after which a message without its answer is sent again: 0.5, 1.5, 3.5, 7.5, then every 4 s."""


class Caller:
    """Sends INVITE until something comes, acknowledges each 2xx, talks 5 s, sends BYE until its 200."""

    def __init__(self, phone: Phone, call: OutgoingCall) -> None:
        self.phone, self.call = phone, call
        self.heard = self.answered = self.refused = self.done = False
        self.dialog: Dialog | None = None
        self.steps = self.since_bye = 0
        self.bye_branch = ""

    def tick(self) -> None:
        self.steps += 1
        while self.phone.inbox:
            self._take(self.phone.inbox.popleft())
        if not self.heard and self.steps in AGAIN:
            self.call.send()
        if self.dialog is not None and self.steps >= 10 and not self.done:
            if not self.bye_branch:
                self.bye_branch = self.dialog.request("BYE")
            else:
                self.since_bye += 1
                if self.since_bye in AGAIN:
                    self.dialog.request("BYE", number=self.dialog.cseq, branch=self.bye_branch)

    def _take(self, message: Message) -> None:
        if message.is_request:
            return
        if message.method == "BYE":
            self.done = True
            return
        self.heard = True
        if message.status >= 300:
            self.refused = True
            self.call.ack_failure(message)
        elif message.status >= 200:
            self.answered = True
            if self.dialog is None:
                self.dialog = Dialog(
                    self.phone,
                    self.call.call_id,
                    self.call.local,
                    message["To"],
                    uri_of(message["Contact"]),
                    message.all("Record-Route")[::-1],
                    self.call.cseq,
                )
            self.dialog.ack(self.call.cseq)


class Callee:
    """Rings, answers a second later, sends its 200 until the ACK, answers BYE."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.invite: Message | None = None
        self.since_ok = -1
        self.acknowledged = self.ended = False

    def tick(self) -> None:
        while self.phone.inbox:
            message = self.phone.inbox.popleft()
            if not message.is_request:
                continue
            if message.method == "INVITE":
                if self.invite is None:
                    self.invite = message
                    self.phone.reply(message, 180, "Ringing", tag="callee")
            elif message.method == "ACK":
                self.acknowledged = True
            elif message.method in ("BYE", "CANCEL"):
                self.ended = True
                self.phone.reply(message, 200, "OK", tag="callee")
        if self.invite is not None and not self.acknowledged and not self.ended:
            self.since_ok += 1
            if self.since_ok == 2 or self.since_ok - 2 in AGAIN:
                self.phone.reply(
                    self.invite, 200, "OK", tag="callee", extra=f"Contact: {self.phone.contact}"
                )


FATES = st.lists(st.sampled_from([(), (), (0.0,), (0.0, 0.0), (0.7,), (3.0, 0.0)]), max_size=24)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(FATES, st.sampled_from(["UDP", "TCP"]))
@example([()] * 24, "UDP")
@example([(0.0, 0.0)] * 24, "UDP")
@example([(), (0.0,)] * 12, "UDP")
def test_17_a_call_over_a_bad_wire(fates: list[tuple[float, ...]], transport: str) -> None:
    wire = Wire(snapshot([person("1001", "Alice"), person("1002", "Bob")]))
    alice = registered(wire, "1001", "198.51.100.1")
    bob = registered(wire, "1002", "198.51.100.2", 40002, transport=transport)
    call = alice.invite("1002")
    challenged = alice.response(407)
    call.ack_failure(challenged)
    call.authenticate_with(challenged)
    left = iter(fates)

    def fate(data: bytes) -> Iterator[float]:
        yield from next(left, (0.0,))

    if transport == "UDP":
        wire.fate = fate
    call.send()
    caller, callee = Caller(alice, call), Callee(bob)
    for _ in range(260):
        wire.advance(STEP)
        caller.tick()
        callee.tick()
    wire.advance(100)
    assert wire.transactions == 0
    row = wire.row
    assert row.called == "1002"
    if caller.answered:
        assert row.answered_by == f"1002@{DOMAIN}"
        assert row.result in ("answered", "")
        assert (row.state == "ended") == (caller.bye_branch != "")
        if caller.done:
            assert row.hangup_by == "caller"
            assert callee.ended
    else:
        assert row.result in ("no_answer", "failed", "answered", "")
    if not fates or transport == "TCP":
        assert caller.done
        assert row.result == "answered"
