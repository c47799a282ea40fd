"""Levels of privacy (RFC 3323): this server does `id` and `history`, and is no service for the others.

| Privacy               | without `critical`  | with `critical`           |
| --------------------- | ------------------- | ------------------------- |
| none, id, history     | handed on           | handed on                 |
| header, session, user | handed on untouched | 500, nothing is forwarded |
| anything else         | handed on untouched | 500, nothing is forwarded |
"""

from __future__ import annotations

import pytest

from sipengine.api import Domain
from tests.services.conftest import World, registered
from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, Wire

BEYOND_US = ["header", "session", "user", "header;session;user", "id;user", "frobnicate"]
OTHERS = ["MESSAGE", "OPTIONS", "REFER", "INFO2"]


@pytest.mark.parametrize(
    "value", [*BEYOND_US, "none", "id", "history", "critical", "none;critical", "id; history;critical"]
)  # fmt: skip
def test_3323_5_what_is_not_insisted_on_is_handed_on_untouched(
    alice: Phone, bob: Phone, value: str
) -> None:
    alice.call("1002", extra=f"Privacy: {value}\n")
    invite = bob.request("INVITE")
    assert invite.all("Privacy") == [value]
    assert invite["From"].startswith(f'"1001" <sip:1001@{DOMAIN}>')
    assert invite["Contact"] == alice.contact


@pytest.mark.parametrize("value", [f"{value};critical" for value in BEYOND_US])
def test_3323_5_what_is_critical_and_cannot_be_done_is_500(
    wire: Wire, alice: Phone, bob: Phone, value: str
) -> None:
    alice.call("1002", extra=f"Privacy: {value}\n").fails(500)
    bob.nothing()
    assert wire.rows == {}


@pytest.mark.parametrize(
    "extra",
    ["Privacy: CRITICAL ; User\n", "Privacy: user,critical\n", "Privacy: user\nPrivacy: critical\n",
     "Privacy: user;\r\n critical\n"],
)  # fmt: skip
def test_3323_4_2_however_it_is_spelt(alice: Phone, bob: Phone, extra: str) -> None:
    alice.call("1002", extra=extra).fails(500)
    bob.nothing()


@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize("vouches", [False, True])
def test_3323_5_other_requests_are_held_to_the_same(
    world: World, method: str, vouches: bool
) -> None:
    wire = world(domains=(Domain(DOMAIN, assert_identity=vouches),))
    alice = registered(wire, "1001", "198.51.100.1")
    bob = registered(wire, "1002", "198.51.100.2")
    more = "Refer-To: <sip:1@x>\n"
    alice.authenticated(method, f"sip:1002@{DOMAIN}", extra=f"Privacy: user;critical\n{more}")
    alice.response(500)
    bob.nothing()
    alice.authenticated(method, f"sip:1002@{DOMAIN}", extra=f"Privacy: user\n{more}")
    assert bob.request(method)["Privacy"] == "user"


@pytest.mark.parametrize("method", ["BYE", "INFO", "INVITE"])
def test_3323_5_a_request_of_a_dialog_goes_on_all_the_same(
    alice: Phone, bob: Phone, method: str
) -> None:
    call = alice.call("1002")
    bob.incoming().answer()
    dialog = call.answered()
    bob.request("ACK")
    dialog.request(method, extra="Privacy: session;critical\n")
    assert bob.request(method)["Privacy"] == "session;critical"


def test_3323_4_3_who_requires_a_privacy_service_is_told_that_this_is_none(
    alice: Phone, bob: Phone
) -> None:
    call = alice.invite("1002", extra="Privacy: user\nProxy-Require: privacy\n")
    assert call.fails(420)["Unsupported"] == "privacy"
    bob.nothing()


def test_3323_5_what_an_answer_calls_critical_does_not_undo_the_answer(
    alice: Phone, bob: Phone
) -> None:
    call = alice.call("1002")
    incoming = bob.incoming()
    bob.reply(
        incoming.invite, 200, tag=incoming.tag,
        extra=f"Privacy: user;critical\n{incoming.contact}",
    )  # fmt: skip
    assert alice.inbox[0]["Privacy"] == "user;critical"
    call.answered()
