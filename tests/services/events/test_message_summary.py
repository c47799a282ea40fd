"""The message-waiting lamp (RFC 3842)."""

from __future__ import annotations

from sipengine.services.events.message_summary import Mailbox
from tests.services.events.test_dialog_package import GATHERED
from tests.services.events.watcher import Watcher, watching
from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, Wire


def test_3842_5_2_lamp_on_and_off(wire: Wire, alice: Phone) -> None:
    watcher = Watcher(alice, "1001", event="message-summary")
    watcher.extra = "Accept: application/simple-message-summary\n"
    assert watcher.subscribe("3600").status == 200
    notify = watcher.notified()
    assert notify["Content-Type"] == "application/simple-message-summary"
    assert notify.body.splitlines() == [
        "Messages-Waiting: no",
        f"Message-Account: sip:1001@{DOMAIN}",
        "Voice-Message: 0/0 (0/0)",
    ]
    for new, waiting in ((2, "yes"), (0, "no")):
        wire.core.events.set_mailbox(f"1001@{DOMAIN}", Mailbox(new, 8, min(new, 1), 2), wire.now)
        wire.advance(GATHERED)
        lines = watcher.notified().body.splitlines()
        assert lines[0] == f"Messages-Waiting: {waiting}"
        assert lines[2] == f"Voice-Message: {new}/8 ({min(new, 1)}/2)"
    wire.core.events.set_mailbox(f"1001@{DOMAIN}", Mailbox(0, 8, 0, 2), wire.now)
    wire.advance(1)
    alice.nothing()


def test_3842_4_1_nobody_else_learns_it(alice: Phone) -> None:
    assert Watcher(alice, "1002", event="message-summary").subscribe().status == 403


def test_3842_the_lamp_of_a_phone_that_subscribes_later_is_right(wire: Wire, alice: Phone) -> None:
    wire.core.events.set_mailbox(f"1001@{DOMAIN}", Mailbox(1), wire.now)
    watcher = Watcher(alice, "1001", event="message-summary")
    watcher.subscribe()
    assert watcher.notified().body.startswith("Messages-Waiting: yes\r\n")
    wire.restart()
    assert watching(alice, "1001", event="message-summary")
