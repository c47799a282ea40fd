"""The notifier's side of a subscription (RFC 6665 §4.2), with a clock that is told."""

from __future__ import annotations

import pytest

from sipengine.api import Domain, Extension
from sipengine.services.events import notifier as limits
from tests.services.conftest import World, person, registered
from tests.services.events.watcher import Watcher, watching
from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, SERVER, Wire, snapshot
from tests.support.wire import parameter


def state_of(notify: object) -> str:
    return str(notify["Subscription-State"])  # type: ignore[index]


class TestGranting:
    def test_6665_4_2_1_1_answer_then_notify_at_once(self, wire: Wire, alice: Phone) -> None:
        watcher = Watcher(alice)
        answer = watcher.subscribe("600")
        assert answer.status == 200
        assert answer["Expires"] == "600"
        assert answer.to_tag
        assert answer["Contact"] == f"<sip:1002@{SERVER[0]}:{SERVER[1]}>"
        notify = watcher.notified()
        assert notify["CSeq"] == "1 NOTIFY"
        assert state_of(notify) == "active;expires=600"
        assert notify["Contact"] == answer["Contact"]
        assert notify["Max-Forwards"] == "70"
        alice.nothing()

    def test_6665_4_2_1_2_nobody_subscribes_without_a_password(self, alice: Phone) -> None:
        watcher = Watcher(alice)
        watcher.send("3600")
        assert alice.response(401)["WWW-Authenticate"].startswith(f'Digest realm="{DOMAIN}"')
        alice.nothing()
        assert alice.wire.core.counters()["subscriptions_now"] == 0

    def test_somebody_elses_from_is_403(self, alice: Phone) -> None:
        watcher = Watcher(alice)
        watcher.local = f"<sip:1003@{DOMAIN}>;tag=1"
        assert watcher.subscribe().status == 403

    def test_a_user_of_another_domain_is_challenged_for_this_one(self, world: World) -> None:
        wire = world(domains=(Domain(DOMAIN), Domain("other.test")))
        stranger = Phone(wire, "1001", "198.51.100.9", domain="other.test")
        watcher = Watcher(stranger)
        watcher.send("3600")
        assert f'realm="{DOMAIN}"' in stranger.response(401)["WWW-Authenticate"]

    def test_no_such_extension_is_404_and_only_after_the_password(self, alice: Phone) -> None:
        watcher = Watcher(alice, "7777")
        watcher.send("3600")
        alice.response(401)
        assert watcher.subscribe().status == 404

    @pytest.mark.parametrize("event", ["kpml", "as-feature-event", "Dialog", ""])
    def test_6665_4_2_1_1_unknown_package_is_489_with_those_known(
        self, alice: Phone, event: str
    ) -> None:
        watcher = Watcher(alice, event=event)
        answer = watcher.subscribe()
        assert answer.status == 489
        assert {"dialog", "message-summary"} <= set(answer["Allow-Events"].split(", "))

    @pytest.mark.parametrize("expires", ["1", "59"])
    def test_6665_4_2_1_1_too_brief_is_423(self, alice: Phone, expires: str) -> None:
        answer = Watcher(alice).subscribe(expires)
        assert (answer.status, answer["Min-Expires"]) == (423, "60")
        alice.nothing()

    @pytest.mark.parametrize(
        ("asked", "granted"), [("60", "60"), ("", "3600"), ("99999999", "7200"), ("junk", "3600")]
    )
    def test_6665_4_2_1_1_what_is_granted(self, alice: Phone, asked: str, granted: str) -> None:
        watcher = Watcher(alice)
        assert watcher.subscribe(asked)["Expires"] == granted
        assert state_of(watcher.notified()) == f"active;expires={granted}"

    @pytest.mark.parametrize(
        ("accept", "status"),
        [
            ("", 200),
            ("Accept: application/dialog-info+xml\n", 200),  # Yealink, Snom
            ("Accept: application/dialog-info+xml, multipart/related, application/rlmi+xml\n", 200),
            ("Accept: application/*\n", 200),
            ("Accept: */*\n", 200),
            ("Accept: application/sdp\nAccept: application/dialog-info+xml;q=0.5\n", 200),
            ("Accept: application/pidf+xml\n", 406),
            ("Accept: text/plain, application/sdp\n", 406),
        ],
    )
    def test_6665_3_1_3_accept(self, alice: Phone, accept: str, status: int) -> None:
        assert Watcher(alice, extra=accept).subscribe().status == status

    @pytest.mark.parametrize("contact", ["*", "<tel:123>", "<sip:a@h>, <sip:b@h>", "nonsense"])
    def test_a_contact_that_no_notify_can_reach_is_refused(
        self, alice: Phone, contact: str
    ) -> None:
        answer = Watcher(alice, contact=contact).subscribe()
        assert answer.status in (400, 416), answer

    def test_6665_8_2_1_the_id_stands_in_every_notify(self, wire: Wire, alice: Phone) -> None:
        watcher = Watcher(alice, event="dialog;id=17;sla")
        watcher.subscribe()
        assert watcher.notified()["Event"] == "dialog;id=17"

    def test_a_retransmitted_subscribe_makes_no_second_subscription(self, alice: Phone) -> None:
        watcher = Watcher(alice)
        watcher.subscribe()
        watcher.notified()
        last = next(data for flow, data in reversed(alice.wire.sent) if b"200" in data[:12])
        alice.inbox.clear()
        text = watcher.send("3600", branch="z9hG4bK-again")  # 401, as any new request
        alice.response(401)
        alice.send(text)
        alice.response(401)
        assert last
        assert alice.wire.core.counters()["subscriptions_now"] == 1

    def test_6665_4_4_3_a_question_is_answered_once_and_kept_nowhere(
        self, wire: Wire, alice: Phone
    ) -> None:
        watcher = Watcher(alice)
        assert watcher.subscribe("0")["Expires"] == "0"
        notify = watcher.notified()
        assert state_of(notify) == "terminated;reason=timeout"
        assert notify.body
        assert wire.core.counters()["subscriptions_now"] == 0
        wire.beat()
        assert wire.subscriptions == {}

    def test_12_1_1_route_set_and_record_route(self, wire: Wire, alice: Phone) -> None:
        edge = Phone(wire, "edge", "203.0.113.1")
        watcher = Watcher(alice, routes="Record-Route: <sip:203.0.113.1;lr>\n")
        answer = watcher.subscribe()
        assert answer.all("Record-Route") == ["<sip:203.0.113.1;lr>"]
        notify = edge.request("NOTIFY")
        assert notify.uri == f"sip:1001@{alice.host}:5060"
        assert notify.all("Route") == ["<sip:203.0.113.1;lr>"]

    def test_12_2_1_1_a_strict_router_gets_the_request_uri(self, wire: Wire, alice: Phone) -> None:
        edge = Phone(wire, "edge", "203.0.113.1")
        watcher = Watcher(alice, routes="Record-Route: <sip:203.0.113.1>\n")
        watcher.subscribe()
        notify = edge.request("NOTIFY")
        assert notify.uri == "sip:203.0.113.1"
        assert notify.all("Route") == [f"<sip:1001@{alice.host}:5060>"]

    def test_behind_nat_the_notify_goes_where_the_subscribe_came_from(self, wire: Wire) -> None:
        hidden = registered(wire, "1001", "203.0.113.7", 40123, contact_host="192.168.1.5")
        watcher = Watcher(hidden)
        watcher.subscribe()
        assert watcher.notified().uri == "sip:1001@192.168.1.5:40123"

    def test_over_tcp_by_its_connection(self, wire: Wire) -> None:
        phone = registered(wire, "1001", "198.51.100.7", 40001, transport="TCP")
        watcher = Watcher(phone)
        assert watcher.subscribe()["Contact"].endswith(";transport=tcp>")
        notify = watcher.notified()
        assert notify["Via"].startswith("SIP/2.0/TCP")
        assert "rport" not in notify["Via"]


class TestRefreshing:
    def test_6665_4_2_1_1_a_refresh_prolongs_and_tells_all(self, wire: Wire, alice: Phone) -> None:
        watcher = watching(alice)
        wire.advance(3000)
        answer = watcher.subscribe("3600")
        assert (answer.status, answer["Expires"]) == (200, "3600")
        notify = watcher.notified()
        assert notify["CSeq"] == "2 NOTIFY"
        assert state_of(notify) == "active;expires=3600"
        wire.advance(3500)
        alice.nothing()
        assert state_of(watcher.within(102)) == "terminated;reason=timeout"
        alice.nothing()

    def test_6665_4_1_2_3_expires_0_ends_it(self, wire: Wire, alice: Phone) -> None:
        watcher = watching(alice)
        assert watcher.subscribe("0").status == 200
        assert state_of(watcher.notified()) == "terminated;reason=timeout"
        assert wire.core.counters()["subscriptions_now"] == 0
        wire.beat()
        assert wire.subscriptions == {}
        assert watcher.subscribe("600").status == 481

    def test_6665_4_1_2_2_481_for_what_is_not_there(self, alice: Phone) -> None:
        watcher = Watcher(alice)
        watcher.remote += ";tag=never-heard-of"
        assert watcher.subscribe().status == 481

    @pytest.mark.parametrize("change", ["call_id", "local", "remote"])
    def test_6665_4_4_1_every_part_of_the_dialog_must_fit(self, alice: Phone, change: str) -> None:
        watcher = watching(alice)
        setattr(watcher, change, getattr(watcher, change) + "x")
        assert watcher.subscribe().status == 481

    @pytest.mark.parametrize("event", ["message-summary", "dialog;id=2"])
    def test_6665_4_4_1_another_event_in_the_dialog_is_another_subscription(
        self, alice: Phone, event: str
    ) -> None:
        watcher = watching(alice, event="dialog;id=1")
        watcher.event = event
        assert watcher.subscribe().status == 481

    def test_nobody_else_prolongs_it(self, wire: Wire, alice: Phone, bob: Phone) -> None:
        watcher = watching(alice)
        watcher.phone = bob
        assert watcher.subscribe().status == 403

    def test_12_2_2_an_old_cseq_is_refused(self, alice: Phone) -> None:
        watcher = watching(alice)
        watcher.cseq = 0
        assert watcher.subscribe().status == 500

    def test_6665_4_1_2_2_the_target_moves(self, wire: Wire, alice: Phone) -> None:
        watcher = watching(alice)
        alice.reconnect(5070)
        watcher.contact = alice.contact
        assert watcher.subscribe().status == 200
        assert watcher.notified().uri == f"sip:1001@{alice.host}:5070"

    def test_expiry_is_told_on_time_for_many(self, wire: Wire, alice: Phone) -> None:
        watchers = [watching(alice, number) for number in ("1002", "1003", "1004")]
        wire.advance(3599)
        alice.nothing()
        states = {state_of(watcher.within(3)) for watcher in watchers}
        assert states == {"terminated;reason=timeout"}
        alice.nothing()


class TestTellingFails:
    @pytest.mark.parametrize(
        "status", [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604]
    )
    def test_6665_4_2_2_what_ends_it_at_once(self, wire: Wire, alice: Phone, status: int) -> None:
        watcher = Watcher(alice)
        watcher.subscribe()
        watcher.notified(status)
        assert wire.core.counters()["subscriptions_now"] == 0
        alice.nothing()
        assert watcher.subscribe().status == 481

    def test_6665_4_2_2_no_answer_ends_it(self, wire: Wire, alice: Phone) -> None:
        watcher = Watcher(alice)
        watcher.subscribe()
        wire.advance(33)
        assert wire.core.counters()["subscriptions_now"] == 0
        assert len(alice.inbox) == 11  # §17.1.2.2
        alice.inbox.clear()
        wire.advance(60)
        alice.nothing()

    @pytest.mark.parametrize(("extra", "wait"), [("", 30), ("Retry-After: 7 (busy)", 7)])
    def test_6665_4_2_2_another_failure_is_tried_once_more(
        self, wire: Wire, alice: Phone, extra: str, wait: int
    ) -> None:
        watcher = Watcher(alice)
        watcher.subscribe()
        watcher.notified(500, extra)
        wire.advance(wait - 0.1)
        alice.nothing()
        wire.advance(0.2)
        assert watcher.notified()["CSeq"] == "2 NOTIFY"
        wire.advance(100)
        assert wire.core.counters()["subscriptions_now"] == 1

    def test_two_failures_in_a_row_end_it(self, wire: Wire, alice: Phone) -> None:
        watcher = Watcher(alice)
        watcher.subscribe()
        watcher.notified(500)
        wire.advance(30.1)
        watcher.notified(503)
        assert wire.core.counters()["subscriptions_now"] == 0

    def test_a_closed_connection_is_survived(self, wire: Wire, bob: Phone) -> None:
        phone = registered(wire, "1001", "198.51.100.7", 40001, transport="TCP")
        watcher = watching(phone)
        wire.drop_connection(phone.flow)
        phone.reconnect(40002)
        assert phone.register().status == 200
        watcher.contact = phone.contact
        assert watcher.subscribe().status == 200
        watcher.notified()

    def test_a_refresh_in_the_meantime_is_told_at_once(self, wire: Wire, alice: Phone) -> None:
        watcher = Watcher(alice)
        watcher.subscribe()
        watcher.notified(500)
        watcher.subscribe()
        watcher.notified()
        wire.advance(60)
        alice.nothing()


class TestLimits:
    @pytest.mark.pure
    def test_too_many_of_one_account(
        self, wire: Wire, alice: Phone, bob: Phone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "MAX_OF_ACCOUNT", 2)
        first = watching(alice, "1002")
        watching(alice, "1003")
        assert Watcher(alice, "1004").subscribe().status == 403
        watching(bob, "1003")
        again = Watcher(alice, "1002")  # the phone was restarted
        assert again.subscribe().status == 200
        states = {alice.request("NOTIFY")["Subscription-State"].split(";")[0] for _ in range(2)}
        assert states == {"terminated", "active"}
        assert first.subscribe().status == 481

    @pytest.mark.pure
    def test_too_many_of_all(
        self, wire: Wire, alice: Phone, bob: Phone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "MAX_TOTAL", 1)
        watching(alice)
        answer = Watcher(bob, "1003").subscribe()
        assert answer.status == 503
        assert answer["Retry-After"]

    @pytest.mark.parametrize("header", ["From", "Record-Route"])
    def test_endless_headers_are_refused(self, alice: Phone, header: str) -> None:
        long = "x" * 600
        watcher = Watcher(alice)
        if header == "From":
            watcher.local = f'"{long}" {watcher.local}'
        else:
            watcher.extra = "Record-Route: <sip:h;lr>\n" * 11
        assert watcher.subscribe().status == 400


class TestConfiguration:
    def people(self, *numbers: str) -> list[Extension]:
        return [person(number) for number in numbers]

    def test_6665_4_1_3_a_removed_extension_ends_what_watches_it(
        self, wire: Wire, alice: Phone
    ) -> None:
        watcher = watching(alice)
        wire.core.set_config(snapshot(self.people("1001", "1003")), wire.now)
        assert watcher.subscribe().status == 404
        notify = watcher.within(0.25)
        assert state_of(notify) == "terminated;reason=noresource"
        assert notify.body == ""

    def test_6665_4_1_3_a_removed_subscriber_learns_nothing_more(
        self, wire: Wire, alice: Phone
    ) -> None:
        watcher = watching(alice)
        wire.core.set_config(snapshot(self.people("1002")), wire.now)
        notify = watcher.within(0.25)
        assert (state_of(notify), notify.body) == ("terminated;reason=rejected", "")

    @pytest.mark.pure
    def test_many_that_end_at_once_are_told_in_portions(
        self, wire: Wire, alice: Phone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        watchers = [watching(alice) for _ in range(7)]
        monkeypatch.setattr(limits, "MAX_AT_ONCE", 3)
        wire.core.set_config(snapshot(self.people("1001")), wire.now)
        portions = []
        for _ in range(3):
            wire.advance(0.051)
            portions.append(len(alice.inbox))
            while alice.inbox:
                alice.reply(alice.request("NOTIFY"), 200)
        assert portions == [3, 3, 1]
        assert len(watchers) == 7
        wire.advance(5)
        alice.nothing()


def test_8_2_2_options_names_the_packages(alice: Phone) -> None:
    alice.other_request("OPTIONS", f"sip:{SERVER[0]}")
    answer = alice.response(200)
    assert "SUBSCRIBE" in answer["Allow"]
    assert "dialog" in answer["Allow-Events"]


def test_8_2_2_1_subscribe_to_the_server_itself_is_404(alice: Phone) -> None:
    alice.other_request("SUBSCRIBE", f"sip:{DOMAIN}", extra="Event: dialog\n")
    alice.response(404)


def test_every_branch_of_a_notify_is_its_own(wire: Wire, alice: Phone) -> None:
    watcher = Watcher(alice)
    watcher.subscribe()
    one = watcher.notified()
    watcher.subscribe()
    other = watcher.notified()
    assert parameter(one["Via"], "branch") != parameter(other["Via"], "branch")
