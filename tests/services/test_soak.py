"""A day at the office in a minute: thousands of registrations, calls and failures by a clock that is told.

At the end every table is as at the beginning: nothing that any of them left behind is kept.
"""

from __future__ import annotations

import gc
import math
import random
import tracemalloc

from sipengine.services.core import Core
from tests.services.conftest import person, registered
from tests.services.user_agents import Dialog, OutgoingCall, Phone
from tests.services.wire import DOMAIN, Wire, snapshot
from tests.support.wire import Message

DAY = 24 * 3600.0
PEOPLE = 12
OPERATIONS = 1_500
MOST_GROWTH = 400_000
"""Bytes that the second half of the day may leave behind: what the bounded memos (of nonces, URIs and
senders) still take in. One call kept for every five things done would be more."""


class Office:
    """Phones that call each other in every way there is. `rng` decides, always alike."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        people = [person(str(1001 + n), f"Person {n}") for n in range(PEOPLE - 2)]
        people.append(person(str(1000 + PEOPLE - 1), forward_busy="1001", ring_timeout=30))
        people.append(person(str(1000 + PEOPLE), forward_always="1002"))
        self.wire = Wire(snapshot(people))
        self.phones = [
            registered(
                self.wire,
                str(1001 + n),
                f"198.51.100.{n + 1}",
                5060 if n % 3 else 40000 + n,
                transport="UDP" if n % 3 else "TCP",
            )
            for n in range(PEOPLE)
        ]

    def core(self) -> Core:
        return self.wire.core

    def quiet(self) -> None:
        """Everybody forgets what he has not read; the journal has taken its facts."""
        for phone in self.phones:
            phone.inbox.clear()
        self.wire.beat()
        self.wire.sent.clear()
        self.wire.revisions.clear()
        for key in [key for key, row in self.wire.rows.items() if row.state == "ended"]:
            del self.wire.rows[key]

    def step(self) -> None:
        self.quiet()
        caller, called = self.rng.sample(self.phones, 2)
        action = self.rng.choice(
            [self.refresh, self.talk, self.talk, self.busy, self.cancelled, self.unanswered, self.dead_phone,
             self.wrong_password, self.options, self.lost_ack, self.nobody, self.garbage]
        )  # fmt: skip
        action(caller, called)
        self.wire.advance(self.rng.uniform(1, 2 * DAY / OPERATIONS))

    # -- what happens in an office

    def refresh(self, caller: Phone, called: Phone) -> None:
        caller.register()

    def call(self, caller: Phone, called: Phone) -> tuple[OutgoingCall, Message | None]:
        """A call and the INVITE that arrives somewhere, if it does."""
        call = caller.call(called.number)
        for phone in self.phones:
            for message in phone.inbox:
                if message.is_request and message.method == "INVITE":
                    self.callee = phone
                    return call, message
        return call, None

    def talk(self, caller: Phone, called: Phone) -> None:
        call, invite = self.call(caller, called)
        if invite is None:
            return
        phone = self.callee
        self.wire.advance(self.rng.uniform(0, 20))
        phone.reply(invite, 180, "Ringing", tag="t")
        phone.reply(invite, 200, "OK", tag="t", extra=f"Contact: {phone.contact}")
        caller.inbox.clear()
        dialog = Dialog(
            caller, call.call_id, call.local, f"{invite['To']};tag=t", phone.contact[1:-1],
            invite.all("Record-Route")[::-1], call.cseq,
        )  # fmt: skip
        dialog.ack()
        self.wire.advance(self.rng.choice([5.0, 200.0, 1900.0]))
        if self.rng.random() < 0.9:  # else one of them fell asleep: the sweep will find it
            phone.inbox.clear()
            dialog.request("BYE")
            for message in phone.inbox:
                if message.method == "BYE" and self.rng.random() < 0.9:
                    phone.reply(message, 200)
                    break

    def busy(self, caller: Phone, called: Phone) -> None:
        _, invite = self.call(caller, called)
        if invite is not None:
            self.callee.reply(invite, self.rng.choice([486, 603, 404, 500, 302]), tag="t")

    def cancelled(self, caller: Phone, called: Phone) -> None:
        call, invite = self.call(caller, called)
        if invite is not None and self.rng.random() < 0.7:
            self.callee.reply(invite, 180, tag="t")
        call.cancel()
        if invite is not None and self.rng.random() < 0.5:
            self.callee.reply(invite, 487, tag="t")

    def unanswered(self, caller: Phone, called: Phone) -> None:
        _, invite = self.call(caller, called)
        if invite is not None:
            self.callee.reply(invite, 180, tag="t")
        self.wire.advance(90)
        self.quiet()

    def dead_phone(self, caller: Phone, called: Phone) -> None:
        """It loses its connection or its power while it rings, and comes back later."""
        self.call(caller, called)
        if called.transport == "TCP":
            self.wire.drop_connection(called.flow)
        self.wire.advance(self.rng.choice([1.0, 40.0]))
        self.quiet()
        if called.transport == "TCP":
            called.reconnect(called.port + PEOPLE)
        called.register()

    def wrong_password(self, caller: Phone, called: Phone) -> None:
        caller.register(password="wrong")

    def options(self, caller: Phone, called: Phone) -> None:
        caller.other_request("OPTIONS", f"sip:{DOMAIN}")

    def nobody(self, caller: Phone, called: Phone) -> None:
        caller.call(str(self.rng.randrange(5000, 9999)))

    def lost_ack(self, caller: Phone, called: Phone) -> None:
        _, invite = self.call(caller, called)
        if invite is not None:
            for _ in range(3):
                self.callee.reply(invite, 200, tag="t", extra=f"Contact: {self.callee.contact}")
                self.wire.advance(1)

    def garbage(self, caller: Phone, called: Phone) -> None:
        self.wire.receive(self.rng.randbytes(200), caller.flow)
        self.wire.receive(b"SIP/2.0 200 OK\r\n\r\n", caller.flow)
        self.wire.receive(
            b"INVITE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP y;branch=z9hG4bKq\r\n\r\n", caller.flow
        )


def tables(wire: Wire) -> dict[str, int]:
    """How much is in each table of the core."""
    core = wire.core
    flows = [*wire._udp.values(), *wire._tcp.values()]
    return {
        "servers": len(core._layer.servers),
        "clients": len(core._layer.clients),
        "calls": core._calls.count,
        "dialogs": len(core._calls.by_dialog),
        "sessions": len(core._sessions),
        "clients of flows": sum(len(flow.clients) for flow in flows),
        "facts": len(core._new_facts),
        "held": len(core._held),
        "out": len(core.out),
    }


def test_a_day_leaves_nothing_behind() -> None:
    office = Office(20261122)
    empty = tables(office.wire)
    tracemalloc.start()
    try:
        middle = 0
        for at in range(OPERATIONS):
            office.step()
            if at == OPERATIONS // 2:
                office.core().traces.sweep(math.inf)
                gc.collect()
                middle = tracemalloc.get_traced_memory()[0]
        office.wire.advance(13 * 3600)  # forgotten calls are closed
        for phone in office.phones:
            phone.register()
        office.quiet()
        office.wire.advance(700)
        office.quiet()
        office.core().traces.sweep(math.inf)
        gc.collect()
        growth = tracemalloc.get_traced_memory()[0] - middle
    finally:
        tracemalloc.stop()
    assert office.wire.now >= DAY
    assert tables(office.wire) == empty
    assert (len(office.core().traces), office.core().traces.size) == (0, 0)
    assert office.core().counters()["calls"] > OPERATIONS / 3
    assert growth < MOST_GROWTH, f"{growth} bytes more than at noon"
    office.wire.advance(2 * 3600)  # nobody registers any more
    office.wire.beat()
    location = office.core().location
    kept = (location._of_aor, location._of_contact, location._on_connection, location._buckets)
    assert [len(table) for table in kept] == [0, 0, 0, 0]
    assert len(office.core()._layer.timers) <= 1
    assert office.wire.bindings == {}
