"""The registration event package: a phone hears of its user's other phones (RFC 3680)."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from tests.services.conftest import World, registered
from tests.services.events.watcher import Watcher, watching
from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, Wire
from tests.support.wire import Message

REG = "{urn:ietf:params:xml:ns:reginfo}"
AGAIN = 5.1  # seconds after which news may be told again
UUID = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"


class Info:
    """One document, read."""

    def __init__(self, notify: Message) -> None:
        assert notify["Content-Type"] == "application/reginfo+xml"
        self.root = ElementTree.fromstring(notify.body)
        assert self.root.tag == f"{REG}reginfo"
        self.state = self.root.get("state")
        self.version = int(self.root.get("version") or -1)
        (self.registration,) = self.root
        assert self.registration.get("aor") == f"sip:1001@{DOMAIN}"
        self.contacts = {
            contact.findtext(f"{REG}uri"): (contact.get("state"), contact.get("event"))
            for contact in self.registration
        }


def reg(phone: Phone, number: str = "1001") -> Watcher:
    return Watcher(phone, number, event="reg")


@pytest.fixture
def desk(alice: Phone) -> Phone:
    return alice


def another(wire: Wire, at: int, *, extra: str = "") -> Phone:
    phone = Phone(wire, "1001", f"203.0.113.{at}")
    assert phone.register(contact=f"<{phone.contact.strip('<>')}>{extra}").status == 200
    return phone


def uri(phone: Phone) -> str:
    return phone.contact.strip("<>")


def test_3680_4_4_the_first_notify_is_full_state(wire: Wire, desk: Phone) -> None:
    wire.advance(100)
    watcher = reg(desk)
    watcher.extra = "Accept: application/reginfo+xml\n"
    answer = watcher.subscribe("")
    assert (answer.status, answer["Expires"]) == (200, "3761")
    info = Info(watcher.notified())
    assert (info.state, info.version) == ("full", 0)
    assert info.registration.get("state") == "active"
    assert info.contacts == {uri(desk): ("active", "registered")}
    (contact,) = info.registration
    assert contact.get("duration-registered") == "100"
    assert contact.get("expires") == "3500"
    assert contact.get("callid", "").startswith("reg-1001-")
    assert contact.get("id")


def test_3680_4_7_1_a_second_device_registers_and_unregisters(wire: Wire, desk: Phone) -> None:
    watcher = watching(desk, "1001", event="reg")
    mobile = another(wire, 7, extra=f';q=0.3;+sip.instance="<{UUID}>"')
    info = Info(watcher.within(1))
    assert info.version == 1
    assert info.contacts[uri(mobile)] == ("active", "registered")
    found = {c.findtext(f"{REG}uri"): c for c in info.registration}[uri(mobile)]
    assert found.get("q") == "0.3"
    assert found.findtext(f"{REG}unknown-param[@name='+sip.instance']") == f'"<{UUID}>"'
    assert mobile.register(expires=0).status == 200
    info = Info(watcher.within(AGAIN))
    assert info.contacts[uri(mobile)] == ("terminated", "unregistered")
    assert info.contacts[uri(desk)][0] == "active"
    assert info.registration.get("state") == "active"


def test_3680_4_7_2_a_contact_that_expires(wire: Wire, desk: Phone) -> None:
    watcher = watching(desk, "1001", event="reg")
    mobile = Phone(wire, "1001", "203.0.113.7")
    assert mobile.register(expires=60).status == 200
    Info(watcher.within(AGAIN))
    info = Info(watcher.within(70))
    assert info.contacts[uri(mobile)] == ("terminated", "expired")


def test_3680_4_7_2_the_last_contact_ends_the_registration(wire: Wire, desk: Phone) -> None:
    watcher = watching(desk, "1001", event="reg")
    assert desk.register(expires=0).status == 200
    info = Info(watcher.within(AGAIN))
    assert info.registration.get("state") == "terminated"
    assert info.contacts == {uri(desk): ("terminated", "unregistered")}
    assert watcher.subscribe("0").status == 200
    assert Info(watcher.notified()).registration.get("state") == "init"


def test_3680_4_10_news_come_at_most_every_five_seconds(wire: Wire, desk: Phone) -> None:
    watcher = watching(desk, "1001", event="reg")
    mobile = another(wire, 7)
    Info(watcher.within(1))
    tablet = another(wire, 8)
    assert mobile.register(expires=0).status == 200
    wire.advance(4)
    desk.nothing()
    info = Info(watcher.within(2))
    assert info.contacts[uri(tablet)][0] == "active"
    assert info.contacts[uri(mobile)][0] == "terminated"


def test_a_refresh_is_no_news(wire: Wire, desk: Phone) -> None:
    watching(desk, "1001", event="reg")
    assert desk.register().status == 200
    wire.advance(20)
    desk.nothing()


def test_what_came_and_went_between_two_notifys_is_not_told(wire: Wire, desk: Phone) -> None:
    watching(desk, "1001", event="reg")
    mobile = another(wire, 7)
    assert mobile.register(expires=0).status == 200
    wire.advance(20)
    desk.nothing()


def test_3680_5_1_of_many_contacts_only_the_changed_ones_are_told(world: World) -> None:
    wire = world(e1001={"max_contacts": 10})
    desk = registered(wire, "1001", "198.51.100.1")
    phones = [another(wire, at) for at in range(10, 15)]
    watcher = watching(desk, "1001", event="reg")
    assert phones[0].register(expires=0).status == 200
    info = Info(watcher.within(AGAIN))
    assert info.state == "partial"
    assert info.contacts == {uri(phones[0]): ("terminated", "unregistered")}
    assert info.registration.get("state") == "active"
    assert watcher.subscribe().status == 200
    info = Info(watcher.within(AGAIN))
    assert info.state == "full"
    assert len(info.contacts) == 5


def test_3680_4_6_nobody_hears_of_another_users_phones(alice: Phone, bob: Phone) -> None:
    watcher = reg(alice, "1002")
    assert watcher.subscribe().status == 403
    bob.nothing()


def test_3680_4_5_another_type_is_406(desk: Phone) -> None:
    watcher = reg(desk)
    watcher.extra = "Accept: application/dialog-info+xml\n"
    answer = watcher.subscribe()
    assert answer.status == 406


def test_the_subscription_outlives_a_restart_with_the_ids_of_contacts(
    wire: Wire, desk: Phone
) -> None:
    watcher = reg(desk)
    watcher.subscribe()
    before = Info(watcher.notified())
    wire.restart()
    after = Info(watcher.within(3))
    assert after.state == "full"
    assert after.version > before.version
    assert [c.get("id") for c in after.registration] == [c.get("id") for c in before.registration]
    mobile = another(wire, 7)
    assert Info(watcher.within(AGAIN)).contacts[uri(mobile)] == ("active", "registered")


def test_hostile_contacts_make_no_broken_document(wire: Wire, desk: Phone) -> None:
    watcher = watching(desk, "1001", event="reg")
    other = Phone(wire, "1001", "203.0.113.9")
    contact = '<sip:a&b@203.0.113.9:5060>;x="]]><!-- & \'\\" \x01";&=1'
    answer = other.register(contact=contact)
    assert answer.status == 200
    info = Info(watcher.within(AGAIN))
    assert info.contacts["sip:a&b@203.0.113.9:5060"][0] == "active"
