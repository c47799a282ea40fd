"""Lamps: the dialog package over live calls (RFC 4235), with a clock that is told."""

from __future__ import annotations

import pytest

from sipengine.api import Rule
from tests.services.conftest import World, registered
from tests.services.events.watcher import DIALOG_INFO, Watcher, read, watching
from tests.services.user_agents import Dialog, Phone
from tests.services.wire import DOMAIN, Wire

GATHERED = 0.06


def answered_call(caller: Phone, callee: Phone) -> Dialog:
    call = caller.call(callee.number)
    incoming = callee.incoming()
    incoming.ring()
    caller.response(180)
    incoming.answer()
    dialog = call.answered()
    callee.inbox.clear()
    return dialog


def hang_up(dialog: Dialog, other: Phone) -> None:
    dialog.request("BYE")
    other.reply(other.request("BYE"), 200)
    dialog.phone.response(200)


def test_4235_4_1_idle_is_an_empty_full_document(alice: Phone) -> None:
    watcher = Watcher(alice)
    watcher.subscribe()
    told = watcher.told()
    assert (told.version, told.state, told.entity) == (0, "full", f"sip:1002@{DOMAIN}")
    assert told.dialogs == []


def test_4235_3_7_1_a_call_through_its_life_at_the_callee(
    wire: Wire, alice: Phone, bob: Phone, carol: Phone
) -> None:
    watcher = watching(carol)
    call = alice.call("1002")
    incoming = bob.incoming()
    wire.advance(GATHERED)
    told = watcher.told()
    assert (told.version, told.state, told.dialogs) == (1, "full", [("recipient", "trying")])
    (dialog,) = told.root
    remote = dialog.find(f"{DIALOG_INFO}remote/{DIALOG_INFO}identity")
    assert remote is not None
    assert (remote.text, remote.get("display")) == (f"sip:1001@{DOMAIN}", "1001")
    local = dialog.find(f"{DIALOG_INFO}local/{DIALOG_INFO}target")
    assert local is not None
    assert local.get("uri") == f"sip:1002@{DOMAIN}"
    incoming.ring()
    alice.response(180)
    wire.advance(GATHERED)
    told = watcher.told()
    assert (told.version, told.dialogs) == (2, [("recipient", "early")])
    assert told.root[0].get("id") == dialog.get("id")
    incoming.answer()
    talk = call.answered()
    bob.inbox.clear()
    wire.advance(GATHERED)
    assert watcher.told().dialogs == [("recipient", "confirmed")]
    wire.advance(60)
    carol.nothing()
    hang_up(talk, bob)
    wire.advance(GATHERED)
    told = watcher.told()
    assert (told.version, told.dialogs) == (4, [("recipient", "terminated")])
    state = told.root[0].find(f"{DIALOG_INFO}state")
    assert state is not None
    assert state.get("event") == "remote-bye"
    wire.advance(60)
    carol.nothing()
    watcher.subscribe()
    assert watcher.told().dialogs == []


def test_4235_4_1_2_the_caller_is_the_initiator(
    wire: Wire, alice: Phone, bob: Phone, carol: Phone
) -> None:
    watcher = watching(carol, "1001")
    dialog = answered_call(alice, bob)
    wire.advance(GATHERED)
    told = watcher.told()
    assert told.dialogs == [("initiator", "confirmed")]
    identity = told.root.find(f"*/{DIALOG_INFO}remote/{DIALOG_INFO}identity")
    assert identity is not None
    assert (identity.text, identity.get("display")) == (f"sip:1002@{DOMAIN}", "Bob")
    hang_up(dialog, bob)
    wire.advance(GATHERED)
    state = watcher.told().root.find(f"*/{DIALOG_INFO}state")
    assert state is not None
    assert (state.text, state.get("event")) == ("terminated", "local-bye")


def test_steps_that_follow_at_once_make_one_notify(
    wire: Wire, alice: Phone, bob: Phone, carol: Phone
) -> None:
    watcher = watching(carol)
    answered_call(alice, bob)
    wire.advance(GATHERED)
    assert watcher.told().dialogs == [("recipient", "confirmed")]
    carol.nothing()


def test_a_call_that_is_over_within_the_moment_is_no_news(
    wire: Wire, alice: Phone, bob: Phone, carol: Phone
) -> None:
    watching(carol)
    call = alice.call("1002")
    bob.incoming().reject(486)
    call.fails(486)
    wire.advance(1)
    carol.nothing()


@pytest.mark.parametrize(
    ("status", "event"), [(486, "rejected"), (603, "rejected"), (480, "cancelled")]
)
def test_4235_4_1_2_a_call_that_fails_ends_the_lamp(
    wire: Wire, alice: Phone, bob: Phone, carol: Phone, status: int, event: str
) -> None:
    watcher = watching(carol)
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    alice.response(180)
    wire.advance(GATHERED)
    assert watcher.told().lamp == "early"
    incoming.reject(status)
    call.fails(status)
    wire.advance(GATHERED)
    state = watcher.told().root.find(f"*/{DIALOG_INFO}state")
    assert state is not None
    assert (state.text, state.get("event")) == ("terminated", event)


def test_cancelled_by_the_caller(wire: Wire, alice: Phone, bob: Phone, carol: Phone) -> None:
    watcher = watching(carol)
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    alice.response(180)
    wire.advance(GATHERED)
    watcher.told()
    call.cancel()
    incoming.cancelled()
    wire.advance(GATHERED)
    assert watcher.told().dialogs == [("recipient", "terminated")]


def test_of_several_phones_of_one_user_one_dialog(wire: Wire, alice: Phone, carol: Phone) -> None:
    phones = [registered(wire, "1002", f"198.51.100.{20 + at}") for at in range(3)]
    watcher = watching(carol)
    call = alice.call("1002")
    rung = [phone.incoming() for phone in phones]
    rung[0].ring()
    alice.response(180)
    wire.advance(GATHERED)
    assert watcher.told().dialogs == [("recipient", "early")]
    rung[1].answer()
    call.answered()
    wire.advance(GATHERED)
    assert watcher.told().dialogs == [("recipient", "confirmed")]
    wire.advance(2)
    carol.nothing()


def test_a_group_lights_the_lamp_of_each_member_until_one_answers(world: World) -> None:
    rule = Rule("team", DOMAIN, "1500", "forward", ("1002", "1003"), timeout=20)
    wire = world(rules=(rule,))
    alice, bob, carol, dave = (
        registered(wire, number, f"198.51.100.{at}")
        for at, number in enumerate(("1001", "1002", "1003", "1004"), 1)
    )
    watchers = [watching(dave, number) for number in ("1001", "1002", "1003")]
    call = alice.call("1500")
    there = bob.incoming(), carol.incoming()
    for incoming in there:
        incoming.ring()
        alice.response(180)
    wire.advance(GATHERED)
    told = [read(dave.request("NOTIFY")) for _ in watchers]
    assert {(t.entity[4:8], t.lamp) for t in told} == {
        ("1001", "early"), ("1002", "early"), ("1003", "early"),
    }  # fmt: skip
    identity = told[0].root.find(f"*/{DIALOG_INFO}remote/{DIALOG_INFO}identity")
    assert identity is not None
    assert identity.text == f"sip:1500@{DOMAIN}"
    there[0].answer()
    call.answered()
    assert call


class TestOneAtATime:
    """RFC 6665 §4.2.2: no second NOTIFY while the first is not answered; the newest state wins."""

    def test_news_wait_for_the_answer(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone
    ) -> None:
        watcher = watching(carol)
        call = alice.call("1002")
        incoming = bob.incoming()
        wire.advance(GATHERED)
        first = carol.request("NOTIFY")
        assert read(first).dialogs == [("recipient", "trying")]
        incoming.ring()
        wire.advance(GATHERED)
        incoming.answer()
        wire.advance(GATHERED)
        alice.response(180)
        talk = call.answered()
        bob.inbox.clear()
        carol.nothing()
        carol.reply(first, 200)
        told = read(carol.request("NOTIFY"))
        assert (told.version, told.dialogs) == (2, [("recipient", "confirmed")])
        assert watcher
        assert talk

    def test_what_ended_meanwhile_is_told_as_ended(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone
    ) -> None:
        watcher = watching(carol)
        talk = answered_call(alice, bob)
        wire.advance(GATHERED)
        first = carol.request("NOTIFY")
        hang_up(talk, bob)
        wire.advance(0.3)
        carol.reply(first, 200)
        assert watcher.told().dialogs == [("recipient", "terminated")]
        carol.nothing()

    def test_a_lost_notify_is_sent_again_and_then_the_newest_follows(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone
    ) -> None:
        watcher = watching(carol)
        talk = answered_call(alice, bob)
        wire.advance(GATHERED)
        carol.inbox.clear()  # lost
        hang_up(talk, bob)
        wire.advance(0.55)
        assert watcher.told().dialogs == [("recipient", "confirmed")]
        assert watcher.told().dialogs == [("recipient", "terminated")]


def test_4235_3_10_a_storm_of_calls_is_told_once_a_second(
    wire: Wire, alice: Phone, bob: Phone, carol: Phone
) -> None:
    watcher = watching(carol)
    heard = 0
    for _ in range(100):
        talk = answered_call(alice, bob)
        wire.advance(GATHERED)
        hang_up(talk, bob)
        wire.advance(GATHERED)
        while carol.inbox:
            last = watcher.told()
            heard += 1
    assert 12 <= heard <= 19, "five at once, then one in each of twelve seconds"
    for _ in range(10):
        wire.advance(0.25)
        while carol.inbox:
            last = watcher.told()
    assert last.lamp == "idle"
    wire.advance(5)
    carol.nothing()


def test_4235_3_8_many_dialogs_are_told_by_what_changed(wire: Wire, carol: Phone) -> None:
    """A full document of many calls would not fit a datagram; a refresh tells all of them."""
    callers = [registered(wire, "1001", "198.51.100.1", 5060 + at) for at in range(5)]
    bob = registered(wire, "1002", "198.51.100.2")
    watcher = watching(carol)
    dialogs = []
    for at, caller in enumerate(callers):
        dialogs.append(answered_call(caller, bob))
        wire.advance(GATHERED)
        told = watcher.told()
        if at < 2:
            assert (told.state, len(told.dialogs)) == ("full", at + 1)
        if at > 2:
            assert (told.state, told.dialogs) == ("partial", [("recipient", "confirmed")])
        assert told.version == at + 1
    hang_up(dialogs[0], bob)
    told = read(watcher.within(2))
    assert (told.state, told.dialogs) == ("partial", [("recipient", "terminated")])
    watcher.subscribe()
    told = watcher.told()
    assert (told.state, len(told.dialogs)) == ("full", 4)


def test_a_subscription_in_mid_call_is_told_of_it(
    wire: Wire, alice: Phone, bob: Phone, carol: Phone
) -> None:
    dialog = answered_call(alice, bob)
    watcher = Watcher(carol)
    watcher.subscribe()
    assert watcher.told().dialogs == [("recipient", "confirmed")]
    hang_up(dialog, bob)
    wire.advance(GATHERED)
    assert watcher.told().dialogs == [("recipient", "terminated")]


def test_names_cannot_break_the_document(
    wire: Wire, alice: Phone, bob: Phone, carol: Phone
) -> None:
    watcher = watching(carol)
    call = alice.invite("1002")
    call.local = call.local.replace('"1001"', '"A & <B> \\"C\\" Ünï\x01"')
    call.authenticate()
    bob.incoming()
    wire.advance(GATHERED)
    identity = watcher.told().root.find(f"*/{DIALOG_INFO}remote/{DIALOG_INFO}identity")
    assert identity is not None
    assert identity.get("display") == 'A & <B> "C" Ünï'


def test_fifty_watchers_hear_of_one_call(wire: Wire, alice: Phone, bob: Phone) -> None:
    desk = registered(wire, "1003", "198.51.100.3")
    watchers = [watching(desk) for _ in range(50)]
    answered_call(alice, bob)
    wire.advance(GATHERED)
    lamps = [read(desk.request("NOTIFY")).lamp for _ in watchers]
    assert lamps == ["confirmed"] * 50
    desk.nothing()


def test_nothing_is_noted_of_calls_that_nobody_watches(
    wire: Wire, alice: Phone, bob: Phone, carol: Phone
) -> None:
    assert wire.core._calls.watcher is None
    watcher = watching(carol, "1004")
    answered_call(alice, bob)
    wire.advance(1)
    carol.nothing()
    watcher.subscribe("0")
    watcher.notified()
    assert wire.core._calls.watcher is None


class TestRestart:
    def test_a_subscription_outlives_the_engine(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone
    ) -> None:
        watcher = watching(carol)
        dialog = answered_call(alice, bob)
        wire.advance(GATHERED)
        watcher.told()
        wire.advance(1000)
        wire.restart()
        notify = watcher.within(2)
        number = int(notify["CSeq"].split()[0])
        assert number > 2, "no CSeq may be used twice"
        told = read(notify)
        assert (told.version, told.state, told.lamp) == (number - 1, "full", "confirmed")
        assert 2590 <= int(notify["Subscription-State"].partition("expires=")[2]) <= 2600
        hang_up(dialog, bob)
        notify = watcher.within(1)
        assert notify["CSeq"] == f"{number + 1} NOTIFY"
        assert read(notify).dialogs == [("recipient", "terminated")]
        assert watcher.subscribe("3600").status == 200
        assert watcher.told().dialogs == []

    def test_6665_4_2_1_4_what_expired_meanwhile_is_ended(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        watcher = watching(alice)
        wire.beat()
        wire.now += 5000  # nobody is there to wake
        wire.restart(with_facts=True)
        notify = watcher.within(2)
        assert notify["Subscription-State"].startswith("terminated;reason=timeout")
        wire.beat()
        assert wire.subscriptions == {}

    def test_many_restarts_and_notifies_never_repeat_a_number(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone
    ) -> None:
        watcher = watching(carol)
        numbers = [1]
        for _ in range(3):
            for _ in range(20):
                talk = answered_call(alice, bob)
                numbers.append(int(watcher.within(2)["CSeq"].split()[0]))
                hang_up(talk, bob)
                numbers.append(int(watcher.within(2)["CSeq"].split()[0]))
            wire.restart()
            numbers.append(int(watcher.within(2)["CSeq"].split()[0]))
        assert numbers == sorted(set(numbers))

    def test_without_its_facts_the_refresh_is_481(self, wire: Wire, alice: Phone) -> None:
        watcher = watching(alice)
        wire.restart(with_facts=False)
        assert watcher.subscribe().status == 481

    def test_facts_press_so_that_the_answer_is_not_known_before_the_journal(
        self, wire: Wire, alice: Phone
    ) -> None:
        wire.beat()
        assert not wire.core.facts_pressing
        watching(alice)
        assert wire.core.facts_pressing
        wire.beat()
        assert not wire.core.facts_pressing

    def test_facts_that_could_not_be_stored_are_told_again(self, wire: Wire, alice: Phone) -> None:
        watching(alice)
        wire.core.take_facts()
        wire.core.facts_lost()
        wire.beat()
        assert len(wire.subscriptions) == 1


def test_6665_4_4_3_a_question_about_a_user_whom_nobody_watches(
    alice: Phone, bob: Phone, carol: Phone
) -> None:
    answered_call(alice, bob)
    asking = Watcher(carol)
    asking.subscribe("0")
    assert asking.told().dialogs == [("recipient", "confirmed")]


def test_6665_4_2_1_4_the_last_word_tells_the_state_as_it_is(
    wire: Wire, alice: Phone, bob: Phone, carol: Phone
) -> None:
    """The only watcher leaves while the call goes on: it has not ended with that."""
    answered_call(alice, bob)
    watcher = watching(carol)
    assert watcher.subscribe("0").status == 200
    assert watcher.told().dialogs == [("recipient", "confirmed")]
