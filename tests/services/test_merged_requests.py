"""One request that comes by two ways: a copy is no second request (RFC 3261 §8.2.2.2)."""

from __future__ import annotations

import pytest

from sipengine.api import Rule
from tests.services.conftest import World, registered
from tests.services.events.watcher import Watcher
from tests.services.user_agents import Phone, new_branch
from tests.services.wire import DOMAIN, Wire


def again(phone: Phone, request: str | bytes = b"") -> None:
    """A request (the last one) comes by another way: with a branch of another proxy."""
    text = str(request or phone.last)
    old = text.partition("branch=")[2].partition("\n")[0].partition(";")[0]
    phone.send(text.replace(old, new_branch()))


def test_8_2_2_2_copy_of_a_call_that_is_answered_here(wire: Wire, alice: Phone) -> None:
    call = alice.invite("*43")
    call.authenticate()
    invite = alice.last
    alice.inbox.clear()
    again(alice)
    alice.response(482)
    assert len(wire.media.opened) == 1
    alice.send(invite)  # the request itself, sent again, is none
    assert not any(answer.status == 482 for answer in alice.inbox)


def test_8_2_2_2_copy_of_a_redirected_call(world: World) -> None:
    wire = world(rules=(Rule("moved", DOMAIN, "1999", "redirect", ("1002",)),))
    alice = registered(wire, "1001", "198.51.100.1")
    call = alice.invite("1999")
    call.authenticate()
    alice.response(302)
    again(alice)
    alice.response(482)


def test_8_2_2_2_copy_of_a_subscription(wire: Wire, alice: Phone) -> None:
    watcher = Watcher(alice)
    watcher.subscribe()
    request = alice.last
    watcher.notified()
    again(alice, request)
    alice.response(482)
    assert len(wire.core.events.notifier) == 1
    alice.send(request)
    alice.response(200)


def test_8_2_2_2_copy_of_a_kept_message(wire: Wire, alice: Phone) -> None:
    alice.authenticated(
        "MESSAGE", f"sip:1002@{DOMAIN}", extra="Content-Type: text/plain\n", body="x"
    )
    request = alice.last
    wire.beat()
    alice.response(202)
    again(alice)
    alice.response(482)
    alice.send(request)
    wire.beat()
    alice.response(202)
    assert len(wire.kept) == 1


def test_8_2_2_2_a_proxy_lets_the_phone_judge(wire: Wire, alice: Phone, bob: Phone) -> None:
    """A copy of a forwarded request is a request of its own (§16): its password is asked for anew."""
    call = alice.call("1002")
    ringing = bob.incoming()
    again(alice)
    alice.response(407)
    ringing.answer()
    call.answered()


def test_8_2_2_2_the_same_numbers_mean_nothing_once_it_is_over(wire: Wire, alice: Phone) -> None:
    watcher = Watcher(alice)
    watcher.subscribe()
    request = str(alice.last)
    watcher.notified()
    wire.advance(40)
    again(alice, request)
    alice.response(401)


@pytest.mark.parametrize("change", ["CSeq: 2 ", "Call-ID: ", ";tag="])
def test_8_2_2_2_another_request_is_no_copy(wire: Wire, alice: Phone, change: str) -> None:
    alice.invite("*43").authenticate()
    alice.inbox.clear()
    text = str(alice.last)
    branch = text.partition("branch=")[2].partition("\n")[0].partition(";")[0]
    other = change.replace("2", "3") if "2" in change else f"{change}x"
    text = text.replace(branch, new_branch())
    assert change in text
    alice.send(text.replace(change, other, 1))
    alice.response(407)


def test_what_is_remembered_of_them_stays_small(wire: Wire, alice: Phone) -> None:
    for _ in range(150):
        Watcher(alice).subscribe("0")
        alice.inbox.clear()
        wire.advance(40)
    assert len(wire.core._layer.own) <= 64
