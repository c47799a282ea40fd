"""Presence: computed from registration and calls (RFC 3856), published by devices (RFC 3903)."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipengine.services.events import pidf, publications
from sipengine.sip.errors import RemoteProtocolError
from tests.services.events.test_dialog_package import GATHERED, answered_call, hang_up
from tests.services.events.watcher import Watcher, watching
from tests.services.user_agents import Phone, new_branch, password_of
from tests.services.wire import DOMAIN, Wire
from tests.support.wire import Message, digest

PIDF = "{urn:ietf:params:xml:ns:pidf}"
BOB = f"sip:1002@{DOMAIN}"
_serial = count(1)


def state(notify: Message) -> tuple[str, str, list[str]]:
    """(basic, note, activities) of the document."""
    assert notify["Content-Type"] == "application/pidf+xml"
    root = ElementTree.fromstring(notify.body)
    assert root.get("entity") == BOB
    activities = [e.tag.partition("}")[2] for e in root.findall(".//*/*/*") if ":rpid}" in e.tag]
    basic = root.findtext(f"{PIDF}tuple/{PIDF}status/{PIDF}basic")
    return basic or "", root.findtext(f"{PIDF}tuple/{PIDF}note") or "", activities


def document(basic: str = "open", note: str = "", activity: str = "") -> str:
    person = (
        f"<dm:person id='p'><rpid:activities><rpid:{activity}/></rpid:activities></dm:person>"
        if activity
        else ""
    )
    return (
        "<?xml version='1.0' encoding='UTF-8'?><presence xmlns='urn:ietf:params:xml:ns:pidf'"
        " xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model'"
        f" xmlns:rpid='urn:ietf:params:xml:ns:pidf:rpid' entity='{BOB}'><tuple id='x'><status>"
        f"<basic>{basic}</basic></status><note>{note}</note></tuple>{person}</presence>"
    )


class Publisher:
    """A device of `phone`'s user that publishes."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.etag = ""

    def publish(
        self, body: str = "", *, expires: str = "600", etag: str | None = None, uri: str = BOB,
        event: str = "presence", kind: str = "application/pidf+xml",
    ) -> Message:  # fmt: skip
        etag = self.etag if etag is None else etag
        serial = next(_serial)
        authorization = ""
        for cseq in (1, 2):
            self.phone.send(
                f"PUBLISH {uri} SIP/2.0\nVia: {self.phone.via(new_branch())}\nMax-Forwards: 70\n"
                f"From: <{self.phone.aor}>;tag=p{serial}\nTo: <{uri}>\nCall-ID: publish-{serial}\n"
                f"CSeq: {cseq} PUBLISH\nEvent: {event}\nExpires: {expires}\n"
                + (f"SIP-If-Match: {etag}\n" if etag else "")
                + (f"Content-Type: {kind}\n" if body else "")
                + f"{authorization}Content-Length: {len(body.encode())}\n\n{body}"
            )
            answer = self.phone.receive()
            if answer.status != 401:
                break
            value = digest(
                answer["WWW-Authenticate"], self.phone.number, password_of(self.phone.number),
                "PUBLISH", uri,
            )  # fmt: skip
            authorization = f"Authorization: {value}\n"
        if answer.status == 200:
            self.etag = answer["SIP-ETag"]
        return answer


class TestComputed:
    def test_3856_6_registered_is_open(self, alice: Phone, bob: Phone) -> None:
        watcher = Watcher(alice, event="presence")
        watcher.subscribe()
        assert state(watcher.notified()) == ("open", "", [])

    def test_3856_6_nobody_registered_is_closed(self, alice: Phone) -> None:
        watcher = Watcher(alice, event="presence")
        watcher.subscribe()
        assert state(watcher.notified()) == ("closed", "", [])

    def test_it_follows_registration(self, wire: Wire, alice: Phone) -> None:
        watcher = watching(alice, event="presence")
        bob = Phone(wire, "1002", "198.51.100.2")
        assert bob.register(expires=100).status == 200
        wire.advance(GATHERED)
        assert state(watcher.notified())[0] == "open"
        assert bob.register(expires=100).status == 200  # a refresh is no news
        wire.advance(1)
        alice.nothing()
        assert state(watcher.within(102))[0] == "closed"

    def test_it_follows_calls(self, wire: Wire, alice: Phone, bob: Phone, carol: Phone) -> None:
        watcher = watching(carol, event="presence")
        call = alice.call("1002")
        bob.incoming().ring()
        alice.response(180)
        wire.advance(GATHERED)
        carol.nothing()  # that it rings is not for presence
        call.cancel()
        wire.advance(40)
        alice.inbox.clear()
        bob.inbox.clear()
        dialog = answered_call(alice, bob)
        wire.advance(GATHERED)
        assert state(watcher.notified()) == ("open", "On the phone", ["on-the-phone"])
        hang_up(dialog, bob)
        wire.advance(GATHERED)
        assert state(watcher.notified()) == ("open", "", [])

    def test_lamp_and_presence_of_one_user_at_once(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone
    ) -> None:
        lamp, presence = watching(carol), watching(carol, event="presence")
        presence.subscribe("0")
        presence.notified()
        dialog = answered_call(alice, bob)
        wire.advance(GATHERED)
        assert lamp.told().lamp == "confirmed"
        hang_up(dialog, bob)
        wire.advance(GATHERED)
        assert lamp.told().lamp == "idle"

    def test_some_phones_look_for_text_and_not_for_xml(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone
    ) -> None:
        """Interop: baresip searches for these very letters."""
        watcher = watching(carol, event="presence")
        answered_call(alice, bob)
        wire.advance(GATHERED)
        body = watcher.notified().body
        assert "<basic>open</basic>" in body
        assert "<rpid:on-the-phone/>" in body


class TestPublished:
    def test_3903_6_what_is_published_goes_before_what_is_computed(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        watcher = watching(alice, event="presence")
        device = Publisher(bob)
        answer = device.publish(document("open", "In a meeting", "meeting"), expires="600")
        assert (answer.status, answer["Expires"]) == (200, "600")
        assert answer["SIP-ETag"]
        wire.advance(GATHERED)
        assert state(watcher.notified()) == ("open", "In a meeting", ["meeting"])
        device.publish(document("closed", "Gone home"))
        wire.advance(GATHERED)
        assert state(watcher.notified()) == ("closed", "Gone home", [])
        assert device.publish(expires="0").status == 200
        wire.advance(GATHERED)
        assert state(watcher.notified()) == ("open", "", [])

    def test_3903_6_every_answer_has_an_entity_tag_of_its_own(self, bob: Phone) -> None:
        device = Publisher(bob)
        tags = [device.publish(document())["SIP-ETag"]]
        tags.append(device.publish()["SIP-ETag"])  # refresh
        tags.append(device.publish(document("closed"))["SIP-ETag"])
        assert len(set(tags)) == 3
        assert device.publish(etag=tags[0]).status == 412

    def test_3903_6_3_unknown_entity_tag_is_412(self, wire: Wire, bob: Phone) -> None:
        device = Publisher(bob)
        assert device.publish(document(), etag="never").status == 412
        device.publish(document())
        wire.restart()
        assert device.publish().status == 412
        assert device.publish(document(), etag="").status == 200

    def test_3903_6_5_expiry_brings_the_computed_state_back(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        watcher = watching(alice, event="presence")
        device = Publisher(bob)
        device.publish(document("open", "Lunch", "meal"), expires="60")
        wire.advance(GATHERED)
        watcher.notified()
        wire.advance(40)
        device.publish(expires="60")
        wire.advance(50)
        alice.nothing()
        assert state(watcher.within(12)) == ("open", "", [])
        assert device.publish().status == 412

    def test_the_last_word_of_several_devices_counts(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        desk, mobile = Publisher(bob), Publisher(bob)
        desk.publish(document("open", "At my desk"))
        mobile.publish(document("closed", "Away"))
        watcher = Watcher(alice, event="presence")
        watcher.subscribe()
        assert state(watcher.notified())[1] == "Away"
        mobile.publish(expires="0")
        wire.advance(GATHERED)
        assert state(watcher.notified())[1] == "At my desk"

    def test_a_phone_that_only_says_it_is_on_does_not_hide_a_call(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone
    ) -> None:
        Publisher(bob).publish(document("open"))
        watcher = watching(carol, event="presence")
        answered_call(alice, bob)
        wire.advance(GATHERED)
        assert state(watcher.notified())[2] == ["on-the-phone"]

    def test_3903_6_2_another_event_is_489(self, bob: Phone) -> None:
        answer = Publisher(bob).publish(document(), event="dialog")
        assert answer.status == 489
        assert "presence" in answer["Allow-Events"]

    def test_3903_6_4_too_brief_is_423(self, bob: Phone) -> None:
        answer = Publisher(bob).publish(document(), expires="10")
        assert (answer.status, answer["Min-Expires"]) == (423, "60")

    def test_3903_6_5_another_type_is_415(self, bob: Phone) -> None:
        answer = Publisher(bob).publish("hello", kind="text/plain")
        assert (answer.status, answer["Accept"]) == (415, "application/pidf+xml")

    def test_3903_6_nothing_to_publish_is_400(self, bob: Phone) -> None:
        assert Publisher(bob).publish().status == 400

    def test_nobody_publishes_for_another(self, alice: Phone, bob: Phone) -> None:
        assert Publisher(alice).publish(document()).status == 403

    def test_a_device_that_forgets_its_entity_tag_shuts_nobody_out(self, bob: Phone) -> None:
        """At the limit the oldest goes: who published it is told and publishes anew (RFC 3903 §4.1)."""
        devices = [Publisher(bob) for _ in range(11)]
        for device in devices:
            assert device.publish(document()).status == 200
        assert devices[0].publish().status == 412
        assert devices[1].publish().status == 200

    @pytest.mark.pure
    def test_3903_6_too_many_publications_of_all(
        self, bob: Phone, alice: Phone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(publications, "MAX_TOTAL", 1)
        assert Publisher(bob).publish(document()).status == 200
        assert Publisher(alice).publish(document(), uri=f"sip:1001@{DOMAIN}").status == 503


class TestDocuments:
    @pytest.mark.parametrize(
        "body",
        [
            b"", b"<presence>", b"<presence/>", b"\xff\xfe", b"<a xmlns='urn:ietf:params:xml:ns:pidf'/>",
            b"<!DOCTYPE a [<!ENTITY b 'c'>]><presence xmlns='urn:ietf:params:xml:ns:pidf'>&b;</presence>",
            b"<?xml version='1.0' encoding='utf-16'?><presence xmlns='urn:ietf:params:xml:ns:pidf'/>",
            b"<?xml version='1.0' encoding='nonsense'?><presence xmlns='urn:ietf:params:xml:ns:pidf'/>",
        ],
    )  # fmt: skip
    def test_broken_ones_are_400(self, body: bytes) -> None:
        with pytest.raises(RemoteProtocolError) as refused:
            pidf.read(body)
        assert refused.value.status == 400

    def test_large_ones_are_413(self) -> None:
        with pytest.raises(RemoteProtocolError) as refused:
            pidf.read(document(note="x" * 9000).encode())
        assert refused.value.status == 413

    @given(st.binary(max_size=300))
    def test_whatever_is_published_nothing_else_is_raised(self, body: bytes) -> None:
        try:
            pidf.read(body)
        except RemoteProtocolError:
            return

    @given(st.booleans(), st.text(max_size=50))
    def test_3863_4_what_is_written_can_be_read(self, is_open: bool, note: str) -> None:
        text = pidf.document("1002@pbx.test", pidf.Presence(is_open, ("busy",), note))
        found = pidf.read(text.encode("utf-8", "replace"))
        assert (found.open, found.activities) == (is_open, ("busy",))


def test_4480_3_2_made_up_activities_are_left_out() -> None:
    assert pidf.read(document(activity="dancing").encode()).activities == ()
