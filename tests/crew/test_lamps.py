"""Lamps and presence where calls are of one process and subscriptions of another (RFC 4235, RFC 3856)."""

from __future__ import annotations

import re

import pytest

from sipengine.crew.lamps import CallsForLamps, Lamps
from sipengine.services.core import Core
from sipengine.services.events.foreign_calls import AWAY_S
from sipengine.services.share import Share
from tests.crew.pair import Pair
from tests.services.conftest import person, registered
from tests.services.events.watcher import DIALOG_INFO, Watcher
from tests.services.user_agents import Dialog, IncomingCall, OutgoingCall
from tests.services.wire import DOMAIN, SECRET, Wire, snapshot

GATHERED = 0.06
TOLD = 0.02


class Process(Wire):
    """The core of process `number` of two."""

    def __init__(self, number: int) -> None:
        self.number = number
        people = [person(n) for n in ("1001", "1002", "1003", "1004")]
        super().__init__(snapshot(people), now=1000.0)

    def _boot(self, instance: str) -> Core:
        return Core(
            self.config, self, secret=SECRET, instance=f"{instance} of {self.number}",
            listening=[("UDP", *self.server)], advertised=self.server, now=self.now,
            wall=self.wall, share=Share(self.number, 2), media=self.media,
        )  # fmt: skip


class Engine:
    """An owner, at which Carol (1003) subscribes, and a worker, at which Alice calls Bob (1001, 1002)."""

    def __init__(self) -> None:
        self.owner, self.worker = Process(0), Process(1)
        self.pair = Pair()
        self.lamps = Lamps(self.pair.owner, self.owner.core, lambda: self.owner.now)
        CallsForLamps(self.pair.worker, self.worker.core, lambda: self.worker.now)
        self.pair.join()
        self.alice = registered(self.worker, "1001", "198.51.100.1")
        self.bob = registered(self.worker, "1002", "198.51.100.2")
        self.carol = registered(self.owner, "1003", "198.51.100.3")

    def advance(self, seconds: float) -> None:
        """Let time pass in both, and have them hear of each other."""
        for part in (TOLD, seconds - TOLD) if seconds > TOLD else (seconds,):
            self.worker.advance(part)
            self.pair.work()
            self.owner.advance(part)
            self.pair.work()

    def watching(self, number: str = "1002", event: str = "dialog") -> Watcher:
        watcher = Watcher(self.carol, number, event=event)
        assert watcher.subscribe().status == 200
        self.pair.work()
        self.advance(GATHERED)
        watcher.notified()
        return watcher

    def rings(self, *, hidden: bool = False) -> tuple[OutgoingCall, IncomingCall]:
        call = OutgoingCall(self.alice, f"sip:1002@{DOMAIN}")
        if hidden:
            call.local = f'"Anonymous" <sip:anonymous@anonymous.invalid>;tag={call.tag}'
        call.send()
        call.authenticate()
        self.alice.response(100)
        incoming = self.bob.incoming()
        incoming.ring()
        self.alice.response(180)
        return call, incoming

    def talks(self) -> Dialog:
        call, incoming = self.rings()
        incoming.answer()
        dialog = call.answered()
        self.bob.inbox.clear()
        return dialog

    def ends(self, dialog: Dialog) -> None:
        dialog.request("BYE")
        self.bob.reply(self.bob.request("BYE"), 200)
        self.alice.response(200)

    def worker_killed(self) -> None:
        """`kill -9`; its successor has the journal, and joins when the test says so."""
        self.pair.part()
        self.worker.restart()
        self.pair.worker.__init__(self.pair)  # type: ignore[misc]
        CallsForLamps(self.pair.worker, self.worker.core, lambda: self.worker.now)


@pytest.fixture
def engine() -> Engine:
    return Engine()


def test_4235_3_7_1_a_call_of_a_worker_through_its_life(engine: Engine) -> None:
    watcher = engine.watching()
    call, incoming = engine.rings()
    engine.advance(GATHERED)
    told = watcher.told()
    assert (told.version, told.state, told.dialogs) == (1, "full", [("recipient", "early")])
    identity = told.root[0].get("id")
    remote = told.root[0].find(f"{DIALOG_INFO}remote/{DIALOG_INFO}identity")
    assert remote is not None
    assert (remote.text, remote.get("display")) == (f"sip:1001@{DOMAIN}", "1001")
    incoming.answer()
    dialog = call.answered()
    engine.bob.inbox.clear()
    engine.advance(GATHERED)
    told = watcher.told()
    assert (told.dialogs, told.root[0].get("id")) == ([("recipient", "confirmed")], identity)
    engine.ends(dialog)
    engine.advance(GATHERED)
    told = watcher.told()
    assert (told.dialogs, told.root[0].get("id")) == ([("recipient", "terminated")], identity)
    state = told.root[0].find(f"{DIALOG_INFO}state")
    assert state is not None
    assert state.get("event") == "remote-bye"
    engine.advance(60)
    engine.carol.nothing()
    assert engine.lamps.counters() == {"crew_watched_calls_now": 0}


def documents(engine: Engine, watchers: list[Watcher], hidden: bool) -> list[str]:
    """What is told of one call's steps, without what names the call."""
    found = []

    def gather() -> None:
        engine.advance(GATHERED)
        for watcher in watchers:
            body = str(watcher.notified().body)
            found.append(re.sub(r'id="[-0-9a-f]*-([ot])"', r'id="\1"', body))

    call, incoming = engine.rings(hidden=hidden)
    gather()
    incoming.answer()
    dialog = call.answered()
    engine.bob.inbox.clear()
    gather()
    engine.ends(dialog)
    gather()
    return found


@pytest.mark.parametrize("hidden", [False, True])
def test_4235_4_documents_are_as_those_of_one_process(hidden: bool) -> None:
    """What crosses is all that documents are made of, names and privacy (RFC 3323) too."""
    together, apart = Engine(), Engine()
    together.alice = registered(together.owner, "1001", "198.51.100.1")
    together.bob = registered(together.owner, "1002", "198.51.100.2")
    told = [
        documents(one, [one.watching("1001"), one.watching("1002")], hidden)
        for one in (together, apart)
    ]
    assert told[0] == told[1]
    assert ("sip:anonymous@anonymous.invalid" in told[0][1]) == hidden


def test_3856_who_talks_at_a_worker_is_on_the_phone(engine: Engine) -> None:
    watcher = engine.watching(event="presence")
    dialog = engine.talks()
    engine.advance(GATHERED)
    assert "on-the-phone" in str(watcher.notified().body)
    engine.ends(dialog)
    engine.advance(GATHERED)
    assert "on-the-phone" not in str(watcher.notified().body)


def test_6665_4_4_3_a_question_is_answered_with_the_calls_of_all(engine: Engine) -> None:
    engine.talks()
    question = Watcher(engine.carol, "1002")
    assert question.subscribe("0").status == 200
    engine.carol.nothing()  # the others are asked first
    engine.pair.work()
    engine.advance(GATHERED)
    assert question.told().lamp == "confirmed"
    assert engine.owner.core.events.watch.aors == []
    engine.pair.work()
    assert engine.lamps.counters() == {"crew_watched_calls_now": 0}
    assert engine.worker.core._calls.watcher is None


def test_a_first_notify_tells_a_call_that_goes_on_already(engine: Engine) -> None:
    engine.talks()
    watcher = Watcher(engine.carol, "1002")
    watcher.subscribe()
    engine.pair.work()
    engine.advance(GATHERED)
    told = watcher.told()
    assert (told.version, told.lamp) == (0, "confirmed")
    engine.advance(10)
    engine.carol.nothing()


def test_nothing_is_told_while_nobody_watches(engine: Engine) -> None:
    watcher = engine.watching()
    watcher.subscribe("0")
    watcher.notified()
    engine.pair.work()
    assert engine.worker.core._calls.watcher is None
    engine.talks()
    assert engine.lamps.counters() == {"crew_watched_calls_now": 0}


def test_a_killed_worker_costs_the_lamps_of_ringing_calls_only(engine: Engine) -> None:
    watcher = engine.watching()
    engine.talks()
    engine.advance(GATHERED)
    (talking,) = watcher.told().root
    fourth = registered(engine.worker, "1004", "198.51.100.4")
    fourth.call("1002")
    engine.bob.incoming().ring()
    engine.advance(GATHERED)
    assert watcher.told().dialogs == [("recipient", "confirmed"), ("recipient", "early")]
    engine.worker_killed()
    engine.advance(1)
    engine.carol.nothing()  # nothing is known yet
    engine.pair.join()
    engine.advance(GATHERED)
    told = watcher.told()
    assert told.dialogs == [("recipient", "confirmed"), ("recipient", "terminated")]
    assert told.root[0].get("id") == talking.get("id")
    identity = told.root[0].find(f"{DIALOG_INFO}remote/{DIALOG_INFO}identity")
    assert identity is not None
    assert identity.text == f"sip:1001@{DOMAIN}"  # its successor does not know whether to tell it
    engine.advance(AWAY_S + 1)
    engine.carol.nothing()


def test_no_lamp_burns_for_a_worker_that_does_not_come_back(engine: Engine) -> None:
    watcher = engine.watching()
    engine.talks()
    engine.advance(GATHERED)
    assert watcher.told().lamp == "confirmed"
    engine.pair.part()
    engine.advance(AWAY_S - 1)
    engine.carol.nothing()
    engine.advance(1.2)
    assert watcher.told().dialogs == [("recipient", "terminated")]
    engine.advance(60)
    engine.carol.nothing()
    engine.pair.join()  # it was there all the time, and its call goes on
    engine.advance(GATHERED)
    assert watcher.told().lamp == "confirmed"


def test_a_stream_that_is_made_again_is_no_news(engine: Engine) -> None:
    watcher = engine.watching()
    dialog = engine.talks()
    engine.advance(GATHERED)
    watcher.told()
    engine.pair.part()
    engine.pair.join()
    engine.advance(AWAY_S + 1)
    engine.carol.nothing()
    engine.pair.part()
    engine.ends(dialog)
    engine.pair.join()
    engine.advance(GATHERED)
    assert watcher.told().dialogs == [("recipient", "terminated")]


def test_a_restarted_owner_is_told_what_goes_on(engine: Engine) -> None:
    watcher = engine.watching()
    engine.talks()
    engine.advance(GATHERED)
    told = watcher.told()
    engine.pair.part()
    engine.owner.restart()
    engine.pair.owner.__init__(engine.pair)  # type: ignore[misc]
    engine.lamps = Lamps(engine.pair.owner, engine.owner.core, lambda: engine.owner.now)
    engine.pair.join()
    engine.advance(1.2)
    again = watcher.told()
    assert again.dialogs == told.dialogs
    assert again.version > told.version
    assert again.root[0].get("id") == told.root[0].get("id")
    engine.advance(10)
    engine.carol.nothing()


def test_a_call_of_many_parties_is_kept_as_long_as_one_is_watched(engine: Engine) -> None:
    callee = engine.watching()
    caller = engine.watching("1001")
    dialog = engine.talks()
    engine.advance(GATHERED)
    caller.notified()
    callee.notified()
    callee.subscribe("0")
    callee.notified()
    engine.pair.work()
    assert engine.lamps.counters() == {"crew_watched_calls_now": 1}
    engine.ends(dialog)
    engine.advance(GATHERED)
    assert caller.told().dialogs == [("initiator", "terminated")]
    assert engine.lamps.counters() == {"crew_watched_calls_now": 0}


def test_an_owner_bounds_what_it_takes(engine: Engine) -> None:
    engine.lamps._foreign.most = 0
    watcher = engine.watching()
    engine.talks()
    engine.advance(GATHERED)
    engine.carol.nothing()
    assert engine.lamps.counters() == {"crew_watched_calls_now": 0}
    watcher.subscribe()
    assert watcher.told().lamp == "idle"
