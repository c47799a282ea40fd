"""Which documents a subscriber takes, under which name, and SUBSCRIBEs that cross NOTIFYs (RFC 6665)."""

from __future__ import annotations

import pytest

from tests.services.conftest import registered
from tests.services.events.watcher import Watcher, watching
from tests.services.user_agents import Phone
from tests.services.wire import Wire

PIDF, CPIM = "application/pidf+xml", "application/cpim-pidf+xml"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", PIDF),
        (f"Accept: {CPIM}\n", CPIM),
        (f"Accept: {CPIM}, {PIDF}\n", PIDF),
        (f"Accept: {CPIM};q=0, {PIDF};q=0.1\n", PIDF),
        (f"Accept: {PIDF};q=0, {CPIM}\n", CPIM),
        (f"Accept: {PIDF};q=0.0, application/*\n", PIDF),
        ("Accept: Application/CPIM-PIDF+XML;x=y\n", CPIM),
    ],
)
def test_6665_3_1_3_presence_under_the_name_that_is_taken(
    alice: Phone, accept: str, kind: str
) -> None:
    watcher = Watcher(alice, event="presence", extra=accept)
    assert watcher.subscribe().status == 200
    notify = watcher.notified()
    assert notify["Content-Type"] == kind
    assert "urn:ietf:params:xml:ns:pidf" in notify.body
    assert watcher.subscribe().status == 200
    assert watcher.notified()["Content-Type"] == kind


@pytest.mark.parametrize(
    ("event", "accept"),
    [
        ("presence", f"{PIDF};q=0"), ("presence", f"{CPIM};q=0, {PIDF} ; Q=0.000"),
        ("presence", "application/dialog-info+xml"), ("dialog", CPIM), ("dialog", ""),
    ],
)  # fmt: skip
def test_21_4_7_406_for_who_takes_none(alice: Phone, event: str, accept: str) -> None:
    answer = Watcher(alice, event=event, extra=f"Accept: {accept}\n").subscribe()
    assert answer.status == (200 if not accept else 406)


@pytest.mark.parametrize("identity", ['"a;b"', '"x y"', '"<>"', "\xe4", '"a\\"b"'])
def test_6665_8_2_1_an_id_that_is_no_token_is_refused(alice: Phone, identity: str) -> None:
    assert Watcher(alice, event=f"dialog;id={identity}").subscribe().status == 400
    alice.nothing()


@pytest.mark.parametrize("event", ["dialog;sla", "dialog;sla;ma", "dialog;call-id=x;from-tag=y"])
def test_6665_8_2_1_other_parameters_make_no_other_event(alice: Phone, event: str) -> None:
    watcher = Watcher(alice, event=event)
    assert watcher.subscribe().status == 200
    assert watcher.notified()["Event"] == "dialog"
    watcher.event = "dialog"  # the refresh may leave them out: package and id alone count
    assert watcher.subscribe().status == 200


def test_6665_4_2_2_a_481_to_the_notify_ends_it_and_the_refresh_hears_481(
    wire: Wire, alice: Phone
) -> None:
    watcher = Watcher(alice)
    watcher.subscribe()
    watcher.notified(481)
    assert len(wire.core.events.notifier) == 0
    assert watcher.subscribe().status == 481
    again = Watcher(alice)  # the phone begins anew
    assert again.subscribe().status == 200


def test_6665_4_4_1_a_refresh_while_a_notify_is_under_way_is_told_after_it(
    wire: Wire, alice: Phone
) -> None:
    watcher = Watcher(alice)
    watcher.subscribe()
    first = alice.request("NOTIFY")
    assert watcher.subscribe("600").status == 200
    alice.nothing()  # one at a time
    alice.reply(first, 200)
    second = watcher.notified()
    assert second["Subscription-State"] == "active;expires=600"
    assert int(second["CSeq"].split()[0]) == int(first["CSeq"].split()[0]) + 1
    wire.advance(5)
    alice.nothing()


def test_6665_4_1_2_3_an_end_that_crosses_a_notify_has_its_last_word(
    wire: Wire, alice: Phone, bob: Phone, carol: Phone
) -> None:
    watcher = watching(alice)
    bob.call("1003")
    carol.incoming().ring()
    wire.advance(0.1)
    news = alice.request("NOTIFY")
    assert watcher.subscribe("0").status == 200
    alice.reply(news, 200)
    last = watcher.notified()
    assert last["Subscription-State"] == "terminated;reason=timeout"
    wire.advance(5)
    alice.nothing()
    assert len(wire.core.events.notifier) == 0
    assert watcher.subscribe().status == 481


def test_6665_4_1_2_3_an_end_that_crosses_the_481_of_a_notify(
    wire: Wire, alice: Phone, bob: Phone, carol: Phone
) -> None:
    watcher = watching(alice)
    bob.call("1003")
    carol.incoming().ring()
    wire.advance(0.1)
    news = alice.request("NOTIFY")
    assert watcher.subscribe("0").status == 200
    alice.reply(news, 481)
    wire.advance(60)
    assert len(wire.core.events.notifier) == 0
    assert sum(message.method == "NOTIFY" for message in alice.inbox) <= 1
    wire.advance(60)
    assert wire.transactions == 0


def test_12_2_2_an_older_refresh_comes_too_late(alice: Phone) -> None:
    watcher = watching(alice)
    assert watcher.subscribe("600").status == 200
    watcher.notified()
    watcher.cseq = 1
    assert watcher.subscribe("0").status == 500
    alice.nothing()


def test_6665_4_4_3_a_question_is_answered_and_forgotten(wire: Wire, alice: Phone) -> None:
    watcher = Watcher(alice, event="presence", extra=f"Accept: {CPIM}\n")
    assert watcher.subscribe("0")["Expires"] == "0"
    told = watcher.notified()
    assert told["Subscription-State"].startswith("terminated")
    assert told["Content-Type"] == CPIM
    assert len(wire.core.events.notifier) == 0
    assert watcher.subscribe("0").status == 481


def test_6665_4_1_2_2_who_moves_is_told_at_once_and_is_not_forgotten(wire: Wire) -> None:
    """A phone comes by another connection while a NOTIFY is on its way by the one before."""
    phone = registered(wire, "1001", "198.51.100.7", 40001, transport="TCP")
    watcher = Watcher(phone)
    watcher.subscribe()
    lost = phone.request("NOTIFY")
    phone.reconnect(40002)
    watcher.contact = phone.contact
    assert watcher.subscribe().status == 200
    told = watcher.notified()
    assert int(told["CSeq"].split()[0]) > int(lost["CSeq"].split()[0])
    wire.advance(40)
    assert len(wire.core.events.notifier) == 1, "the one before was not answered"
    assert watcher.subscribe().status == 200


@pytest.mark.parametrize("status", [500, 503])
def test_6665_4_1_3_an_end_that_crosses_a_failure_is_still_told(
    wire: Wire, alice: Phone, status: int
) -> None:
    watcher = Watcher(alice)
    watcher.subscribe()
    first = alice.request("NOTIFY")
    assert watcher.subscribe("0").status == 200
    alice.reply(first, status)
    assert watcher.notified()["Subscription-State"] == "terminated;reason=timeout"


def test_6665_3_1_3_a_refresh_without_accept_keeps_the_type_that_was_asked_for(
    alice: Phone,
) -> None:
    watcher = watching(alice, event="presence", extra=f"Accept: {CPIM}\n")
    watcher.extra = ""
    watcher.subscribe()
    assert watcher.notified()["Content-Type"] == CPIM


def test_6665_3_1_3_a_refresh_may_ask_for_another_type(alice: Phone) -> None:
    watcher = watching(alice, event="presence", extra=f"Accept: {CPIM}\n")
    watcher.extra = "Accept: text/plain\n"
    assert watcher.subscribe().status == 406
    watcher.extra = "Accept: application/pidf+xml\n"
    assert watcher.subscribe().status == 200
    assert watcher.notified()["Content-Type"] == "application/pidf+xml"


def test_6665_3_1_3_the_type_that_was_asked_for_survives_a_restart(
    wire: Wire, alice: Phone
) -> None:
    """Some telephones know PIDF by its older name alone, and answer 415 to the other."""
    watcher = watching(alice, event="presence", extra=f"Accept: {CPIM}\n")
    wire.restart()
    wire.advance(1.5)
    assert watcher.notified()["Content-Type"] == CPIM
