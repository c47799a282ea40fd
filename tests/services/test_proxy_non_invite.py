"""Requests other than INVITE through the proxy (RFC 3261 §16, §17.1.2, §17.2.2; RFC 4320)."""

from __future__ import annotations

import pytest

from tests.services.conftest import World, registered
from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, Wire

BOB = f"sip:1002@{DOMAIN}"


def test_4320_4_1_no_provisional_goes_back(alice: Phone, bob: Phone) -> None:
    alice.authenticated("MESSAGE", BOB)
    request = bob.request("MESSAGE")
    for status in (100, 180, 183):
        bob.reply(request, status)
    alice.nothing()
    bob.reply(request, 200)
    alice.response(200)


def test_4320_4_2_a_dead_phone_gives_silence_and_no_408(alice: Phone, bob: Phone) -> None:
    alice.authenticated("OPTIONS", BOB)
    alice.wire.advance(40)
    alice.nothing()
    assert len(bob.inbox) == 11  # §17.1.2.2: at 0, 0.5, 1.5, 3.5, 7.5, .. 31.5 s
    assert alice.wire.transactions == 0


def test_4320_4_2_a_408_from_below_is_not_passed_on_either(alice: Phone, bob: Phone) -> None:
    alice.authenticated("OPTIONS", BOB)
    bob.reply(bob.request("OPTIONS"), 408)
    alice.nothing()
    alice.wire.advance(40)
    alice.nothing()


def test_17_2_2_a_request_sent_again_gets_the_same_answer_and_goes_on_once(
    alice: Phone, bob: Phone
) -> None:
    branch = alice.authenticated("MESSAGE", BOB)
    assert branch
    request = alice.wire.sent[-1]
    bob.reply(bob.request("MESSAGE"), 202)
    first = alice.response(202)
    assert request
    alice.other_request("MESSAGE", BOB, branch=branch)
    assert str(alice.response(202)) == str(first)
    bob.nothing()


def test_17_2_2_a_request_sent_again_before_the_answer_is_absorbed(
    alice: Phone, bob: Phone
) -> None:
    branch = alice.authenticated("MESSAGE", BOB)
    bob.request("MESSAGE")
    alice.other_request("MESSAGE", BOB, branch=branch)
    alice.nothing()
    bob.nothing()


def test_16_7_fork_the_first_2xx_wins_and_later_ones_end_here(wire: Wire, alice: Phone) -> None:
    phones = [registered(wire, "1002", f"198.51.100.{20 + at}") for at in range(3)]
    alice.authenticated("MESSAGE", BOB)
    requests = [phone.request("MESSAGE") for phone in phones]
    phones[0].reply(requests[0], 404)
    alice.nothing()
    phones[1].reply(requests[1], 200, "First")
    phones[2].reply(requests[2], 200, "Second")
    assert alice.response(200).start == "SIP/2.0 200 First"
    alice.nothing()


def test_16_7_fork_best_of_failures(wire: Wire, alice: Phone) -> None:
    phones = [registered(wire, "1002", f"198.51.100.{20 + at}") for at in range(2)]
    alice.authenticated("MESSAGE", BOB)
    requests = [phone.request("MESSAGE") for phone in phones]
    phones[0].reply(requests[0], 500)
    alice.nothing()
    phones[1].reply(requests[1], 415, "Unsupported")
    alice.response(415)


def test_16_7_fork_one_fails_and_the_other_is_dead(wire: Wire, alice: Phone) -> None:
    phones = [registered(wire, "1002", f"198.51.100.{20 + at}") for at in range(2)]
    alice.authenticated("MESSAGE", BOB)
    phones[0].reply(phones[0].request("MESSAGE"), 488)
    wire.advance(33)
    alice.nothing()  # too late: the client's own transaction is over (RFC 4320 §4.2)


def test_16_7_6_a_503_becomes_500(alice: Phone, bob: Phone) -> None:
    alice.authenticated("INFO", BOB)
    bob.reply(bob.request("INFO"), 503)
    alice.response(500)


def test_16_9_an_unreachable_phone_is_500(wire: Wire, alice: Phone, bob: Phone) -> None:
    alice.authenticated("INFO", BOB)
    wire.bounce(bob.flow)
    alice.response(500)


def test_nobody_registered_is_480_and_no_such_extension_404(alice: Phone) -> None:
    alice.authenticated("INFO", BOB)
    alice.response(480)
    alice.authenticated("INFO", f"sip:7777@{DOMAIN}")
    alice.response(404)


@pytest.mark.parametrize("status", [200, 302, 404, 500, 603])
def test_every_final_answer_ends_the_transactions(alice: Phone, bob: Phone, status: int) -> None:
    alice.authenticated("INFO", BOB)
    bob.reply(bob.request("INFO"), status)
    alice.response(status)
    alice.wire.advance(33)
    assert alice.wire.transactions == 0


def test_17_over_tcp_nothing_lasts_longer_than_the_exchange(world: World) -> None:
    wire = world()
    alice = registered(wire, "1001", "198.51.100.1", 40001, transport="TCP")
    bob = registered(wire, "1002", "198.51.100.2", 40002, transport="TCP")
    alice.authenticated("MESSAGE", BOB)
    bob.reply(bob.request("MESSAGE"), 200)
    alice.response(200)
    assert wire.transactions == 0


def test_6665_a_subscription_elsewhere_is_record_routed_and_its_notify_comes_back(
    alice: Phone, bob: Phone
) -> None:
    elsewhere = f"sip:1002@{bob.host}"  # of our own users this server tells itself
    alice.authenticated("SUBSCRIBE", elsewhere, extra="Event: dialog\n")
    request = bob.request("SUBSCRIBE")
    bob.reply(request, 200, tag="b", extra=f"Contact: {bob.contact}")
    answer = alice.response(200)
    assert answer.all("Record-Route") == request.all("Record-Route")
    bob.send(
        f"NOTIFY {alice.contact.strip('<>')} SIP/2.0\nVia: {bob.via()}\n"
        f"Route: {request['Record-Route']}\nMax-Forwards: 70\nFrom: {request['To']};tag=b\n"
        f"To: {request['From']}\nCall-ID: {request['Call-ID']}\nCSeq: 1 NOTIFY\nContent-Length: 0\n\n"
    )
    notify = alice.request("NOTIFY")
    alice.reply(notify, 200)
    bob.response(200)
