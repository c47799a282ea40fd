"""Lamps on real calls: dialog-info, presence and message-waiting (RFC 4235, RFC 3856, RFC 3842)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import PASSWORD, extension, merged
from tests.support.pbx_process import DOMAIN, PbxProcess
from tests.support.sipp import Sipp, credentials
from tests.support.wait import until
from tests.support.wire_watcher import WireWatcher, lamp_of

EXTENSIONS = {"extensions": [extension(str(number)) for number in range(2701, 2706)]}
SCENARIOS = Path(__file__).parent / "scenarios"

NUMBERS = [str(number) for number in range(2701, 2706)]


@pytest.fixture(scope="module")
def pbx() -> Iterator[PbxProcess]:
    with PbxProcess(only="engine") as running:
        running.apply(merged([EXTENSIONS]))
        yield running


def engine_back(pbx: PbxProcess) -> None:
    old = pbx.engine()
    old.kill()
    until(
        lambda: [part for part in pbx.parts("-m sipengine") if part.pid != old.pid],
        "a new engine",
        deadline=15,
        explain=pbx.tail,
    )
    until(pbx.answers_options, "the new engine to answer", deadline=15)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_lamp_goes_from_idle_to_ringing_to_busy_to_idle_rfc4235_4(
    phones: Phones, transport: str
) -> None:
    alice, bob = phones.baresip("2701"), phones.baresip("2702")
    desk = phones.wire("2703", transport=transport)
    called, caller = WireWatcher(desk, "2702"), WireWatcher(desk, "2701")
    assert called.subscribe().status == 200
    assert called.lamp() == "idle"
    assert caller.subscribe().status == 200
    assert caller.lamp() == "idle"
    alice.dial("2702")
    bob.wait_for("CALL_INCOMING")
    lamps: dict[str, list[str]] = {"2701": [], "2702": []}

    def follow(wanted: str) -> None:
        """Read NOTIFYs of both until both lamps show that."""
        while any(not seen or seen[-1] != wanted for seen in lamps.values()):
            notify = desk.wire.receive_request("NOTIFY", 8)
            desk.reply(notify, 200, "OK")
            number = "2702" if notify["Call-ID"] == called.call_id else "2701"
            lamps[number].append(lamp_of(notify.body))

    follow("early")
    bob.accept()
    alice.wait_for("CALL_ESTABLISHED")
    follow("confirmed")
    alice.hang_up()
    bob.wait_for("CALL_CLOSED")
    follow("idle")
    for seen in lamps.values():
        assert [state for state in seen if state != "trying"] == ["early", "confirmed", "idle"]


def test_real_phone_shows_presence_rfc3856(pbx: PbxProcess, phones: Phones) -> None:
    watcher = phones.baresip("2704", contacts=[f'"Bob" <sip:2702@{DOMAIN}>;presence=p2p'])
    until(lambda: "presence" in watcher.trace().lower(), "the phone to begin", deadline=5)

    def shows(word: str) -> bool:
        return word in watcher.command("contacts")

    until(
        lambda: pbx.query(
            "SELECT 1 FROM subscriptions_subscription WHERE subscriber = %s", f"2704@{DOMAIN}"
        ),
        "the subscription in the table",
        deadline=15,
        explain=watcher.trace,
    )
    bob = phones.baresip("2702")
    until(lambda: shows("Online"), "Online", deadline=10, explain=watcher.trace)
    alice = phones.baresip("2701")
    alice.dial("2702")
    bob.wait_for("CALL_INCOMING")
    bob.accept()
    alice.wait_for("CALL_ESTABLISHED")
    until(lambda: shows("Busy"), "Busy", deadline=10, explain=watcher.trace)
    alice.hang_up()
    bob.wait_for("CALL_CLOSED")
    until(lambda: shows("Online"), "Online again", deadline=10, explain=watcher.trace)


def test_real_phone_subscribes_to_its_mailbox_rfc3842(pbx: PbxProcess, phones: Phones) -> None:
    phone = phones.baresip("2705", mwi=True)
    until(
        lambda: "Messages-Waiting: no" in phone.trace(),
        "the lamp's text",
        deadline=10,
        explain=phone.trace,
    )
    rows = pbx.query(
        "SELECT package FROM subscriptions_subscription WHERE subscriber = %s", f"2705@{DOMAIN}"
    )
    assert {row["package"] for row in rows} <= {"message-summary"}


def test_subscriptions_survive_kill_9_of_the_engine_rfc6665_4_2(
    pbx: PbxProcess, phones: Phones
) -> None:
    desk, alice, bob = phones.wire("2703"), phones.wire("2701"), phones.wire("2702")
    watcher = WireWatcher(desk, "2702")
    assert watcher.subscribe().status == 200
    first = watcher.notified()
    call = alice.call("2702")
    there = bob.incoming().answer(acknowledged=False)
    dialog = call.answered()
    bob.wire.receive_request("ACK")
    assert watcher.until_lamp("confirmed")
    pbx.row_of(call.call_id, state="talking")

    engine_back(pbx)
    notify = watcher.notified(deadline=10)
    assert lamp_of(notify.body) == "confirmed", "the call goes on, and so does its lamp"
    number = int(notify["CSeq"].split()[0])
    assert number > int(first["CSeq"].split()[0]) + 1
    assert f'version="{number - 1}" state="full"' in notify.body
    dialog.request("BYE")
    there.take_bye()
    assert watcher.until_lamp("idle")
    assert watcher.subscribe().status == 200
    assert watcher.lamp() == "idle"
    assert watcher.subscribe(0).status == 200
    assert watcher.notified()["Subscription-State"].startswith("terminated")


def test_kill_9_right_after_the_answer_loses_no_subscription(
    pbx: PbxProcess, phones: Phones
) -> None:
    desk = phones.wire("2703")
    watchers = [WireWatcher(desk, number) for number in ("2701", "2702", "2704", "2705")]
    for watcher in watchers:
        assert watcher.subscribe().status == 200
        watcher.notified()
    engine_back(pbx)
    for watcher in watchers:
        assert watcher.subscribe().status == 200, "the refresh finds it"


def test_lamps_work_while_postgres_is_away(pbx: PbxProcess, phones: Phones) -> None:
    desk, alice, bob = phones.wire("2703"), phones.wire("2701"), phones.wire("2702")
    old = pbx.postgres()
    for process in pbx.parts("postgres"):
        process.freeze()
    watcher = WireWatcher(desk, "2702")
    assert watcher.subscribe().status == 200
    assert watcher.lamp() == "idle"
    call = alice.call("2702")
    there = bob.incoming().answer(acknowledged=False)
    dialog = call.answered()
    bob.wire.receive_request("ACK")
    assert watcher.until_lamp("confirmed")
    for process in pbx.parts("postgres"):
        process.kill()
    dialog.request("BYE")
    there.take_bye()
    assert watcher.until_lamp("idle")
    pbx.another_postgres(old)
    until(
        lambda: pbx.query(
            "SELECT 1 FROM subscriptions_subscription WHERE call_id = %s", watcher.call_id
        ),
        "the subscription in the table",
        deadline=30,
    )


def test_kept_messages_survive_and_are_delivered_in_order_rfc3428_7(
    pbx: PbxProcess, phones: Phones
) -> None:
    alice = phones.wire("2701", register=False)
    for text in ("one", "two"):
        assert alice.message("2705", text).status == 202
    engine_back(pbx)
    assert alice.message("2705", "three").status == 202
    bob = phones.wire("2705")
    for text in ("one", "two", "three"):
        request = bob.wire.receive_request("MESSAGE", 8)
        assert (request.body, request["Date"][-3:]) == (text, "GMT")
        assert "<sip:2701@pbx.test>" in request["From"]
        bob.reply(request, 200, "OK")
    until(
        lambda: not pbx.query("SELECT 1 FROM pager_keptmessage"),
        "the table to be empty",
        deadline=10,
    )


VENDORS = {
    "yealink": "Accept: application/dialog-info+xml\nUser-Agent: Yealink SIP-T46S 66.86.0.15\n",
    "snom": "Accept: application/dialog-info+xml\nSupported: eventlist\nUser-Agent: snomD785/10.1.141.13\n",
    "grandstream": (
        "Supported: replaces, path, timer, eventlist\nUser-Agent: Grandstream GXP2170 1.0.11.79\n"
        "Accept: application/dialog-info+xml, multipart/related, application/rlmi+xml\n"
    ),
    "polycom": (
        "Supported: replaces\nAccept-Language: en\nAccept: application/dialog-info+xml\n"
        "User-Agent: PolycomVVX-VVX_411-UA/5.9.5\n"
    ),
}


@pytest.mark.parametrize("maker", sorted(VENDORS))
def test_subscribe_as_makers_shape_it(phones: Phones, maker: str) -> None:
    desk = phones.wire("2703")
    event = "dialog;sla" if maker == "snom" else "dialog"
    watcher = WireWatcher(desk, "2702", event=event, headers=VENDORS[maker])
    assert watcher.subscribe().status == 200
    notify = watcher.notified()
    assert (notify["Event"], notify["Content-Type"]) == ("dialog", "application/dialog-info+xml")
    assert watcher.subscribe(0).status == 200
    assert watcher.notified()["Subscription-State"] == "terminated;reason=timeout"


def test_a_hundred_subscriptions_by_sipp(pbx: PbxProcess, tmp_path: Path) -> None:
    """Each subscribes, takes its NOTIFY, refreshes, takes another, and ends it."""
    rows = [
        (number, credentials(number, PASSWORD.format(number)), DOMAIN)
        for number in NUMBERS
        for _ in range(20)
    ]
    scenario = SCENARIOS / "subscriber.xml"
    with Sipp(
        scenario, tmp_path, target=pbx.server, calls=100, rate=25, limit_s=40, rows=rows
    ) as sipp:
        sipp.finish().check(100)
