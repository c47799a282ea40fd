"""Who rings and who answers is told in P-Asserted-Identity (RFC 3325 §5 on answers)."""

from __future__ import annotations

import pytest

from sipengine.api import Domain, Extension, Rule
from tests.services.conftest import World, ha1, person, registered
from tests.services.user_agents import IncomingCall, OutgoingCall, Phone
from tests.services.wire import DOMAIN, Wire, snapshot
from tests.support.wire import Message

BOB = f'"Bob" <sip:1002@{DOMAIN}>'
CLAIM = "P-Asserted-Identity: <sip:1009@pbx.test>\n"
GATE = '"Gate" <sip:+431234@elsewhere.example>'
TRUSTED = "198.51.100.9"


@pytest.fixture
def asserting(world: World) -> Wire:
    return world(domains=(Domain(DOMAIN, assert_identity=True, trusted=(TRUSTED,)),))


def answer(call: IncomingCall, status: int, extra: str = "") -> None:
    """Answer with these header lines in front of the Contact."""
    call.phone.reply(call.invite, status, "Well", tag=call.tag, extra=extra + call.contact)


def told(message: Message) -> list[str]:
    return message.all("P-Asserted-Identity")


def between(wire: Wire, caller_host: str = "198.51.100.1") -> tuple[OutgoingCall, IncomingCall]:
    """A call of 1001 to 1002 that waits for its answer."""
    caller = registered(wire, "1001", caller_host)
    called = registered(wire, "1002", "198.51.100.2")
    return caller.call("1002"), called.incoming()


@pytest.mark.parametrize(
    ("extra", "to_phone", "to_trusted"),
    [
        ("", [BOB], [BOB]),
        (CLAIM, [BOB], [BOB]),
        ("p-asserted-identity : <sip:1009@pbx.test>\n", [BOB], [BOB]),
        ("P-Asserted-Identity:\r\n <sip:1009@pbx.test>\n", [BOB], [BOB]),
        (f"{CLAIM}Privacy: none\n", [BOB], [BOB]),
        ("Privacy: id\n", [], [BOB]),
        (f"{CLAIM}Privacy: user; ID;critical\n", [], [BOB]),
        ("Privacy: history,\r\n\tid\n", [], [BOB]),
        ("P-Preferred-Identity: <sip:1003@pbx.test>\n", [BOB], [BOB]),
    ],
)
@pytest.mark.parametrize("host", ["198.51.100.1", TRUSTED])
def test_3325_5_who_rings_and_answers_is_the_extension(
    asserting: Wire, extra: str, to_phone: list[str], to_trusted: list[str], host: str
) -> None:
    wanted = to_trusted if host == TRUSTED else to_phone
    call, incoming = between(asserting, host)
    for status in (180, 183, 200):
        answer(incoming, status, extra)
        heard = call.phone.response(status)
        assert told(heard) == wanted
        assert heard.all("P-Preferred-Identity") == []
        assert bool(heard["Privacy"]) == ("Privacy" in extra)
        assert heard["Contact"] == incoming.phone.contact
    answer(incoming, 200, extra)  # again, as its ACK was lost
    assert told(call.phone.response(200)) == wanted


def test_3325_5_who_refuses_is_not_named_and_names_nobody(asserting: Wire) -> None:
    call, incoming = between(asserting)
    incoming.reject(486, extra=CLAIM + incoming.contact)
    assert told(call.fails(486)) == []


def test_3325_5_no_domain_vouches_and_answers_go_back_as_they_came(wire: Wire) -> None:
    call, incoming = between(wire)
    answer(incoming, 200, CLAIM)
    assert told(call.phone.response(200)) == ["<sip:1009@pbx.test>"]


def test_3325_5_a_domain_that_only_trusts_believes_no_phone_and_names_none(world: World) -> None:
    call, incoming = between(world(domains=(Domain(DOMAIN, trusted=(TRUSTED,)),)))
    answer(incoming, 200, CLAIM)
    assert told(call.phone.response(200)) == []


@pytest.mark.parametrize(("name", "heard"), [("", "<sip:1009@other.test>"), (DOMAIN, "")])
def test_3325_5_the_domain_of_who_answers_decides(name: str, heard: str) -> None:
    """Only `other.test` vouches for anybody, or only the caller's own domain does."""
    vouching = name or "other.test"
    domains = tuple(Domain(one, assert_identity=one == vouching) for one in (DOMAIN, "other.test"))
    there = Extension("1009", "other.test", ha1_md5=ha1("1009", "md5", "other.test"))
    wire = Wire(snapshot([person("1001", "Alice"), there], domains=domains))
    alice = registered(wire, "1001", "198.51.100.1")
    other = registered(wire, "1009", "198.51.100.5", domain="other.test")
    alice.call("sip:1009@other.test")
    answer(other.incoming(), 200, CLAIM)
    assert told(alice.response(200)) == ([heard] if heard else [])


def test_3325_5_what_anybody_else_claims_is_taken_off(asserting: Wire) -> None:
    alice = registered(asserting, "1001", "198.51.100.1")
    gate = Phone(asserting, "gate", "203.0.113.7")
    alice.call(f"sip:1@{gate.host}")
    answer(gate.incoming(), 200, CLAIM)
    assert told(alice.response(200)) == []


@pytest.mark.parametrize(
    ("extra", "heard"),
    [
        (f"P-Asserted-Identity: {GATE}\nP-Asserted-Identity: <tel:+431>\n", [GATE, "<tel:+431>"]),
        (f"P-Asserted-Identity: {GATE}\nPrivacy: id\n", []),
        (f"P-Asserted-Identity: {GATE}\nPrivacy: none\n", [GATE]),
        ("", []),
    ],
)
def test_3325_5_a_trusted_server_is_believed_and_its_privacy_kept(
    asserting: Wire, extra: str, heard: list[str]
) -> None:
    alice = registered(asserting, "1001", "198.51.100.1")
    gate = Phone(asserting, "gate", TRUSTED)
    for status in (180, 200, 486):
        call = alice.call(f"sip:{status}@{TRUSTED}")
        answer(gate.incoming(), status, extra)
        assert told(call.phone.response(status)) == heard
        gate.inbox.clear()
        alice.inbox.clear()


def test_3325_5_one_trusted_server_tells_another_what_is_withheld(asserting: Wire) -> None:
    caller = registered(asserting, "1001", TRUSTED)
    gate = Phone(asserting, "gate", TRUSTED, 5080)
    call = caller.call(f"sip:1@{TRUSTED}:5080")
    answer(gate.incoming(), 200, f"P-Asserted-Identity: {GATE}\nPrivacy: id\n")
    assert told(call.phone.response(200)) == [GATE]


def test_3325_5_of_a_fork_each_is_named_by_its_own_extension(world: World) -> None:
    team = Rule("team", DOMAIN, "1500", "forward", ("1002", "1003"))
    wire = world(domains=(Domain(DOMAIN, assert_identity=True),), rules=(team,))
    alice = registered(wire, "1001", "198.51.100.1")
    bob = registered(wire, "1002", "198.51.100.2")
    carol = registered(wire, "1003", "198.51.100.3")
    alice.call("1500")
    bob.incoming().ring()
    answered = carol.incoming()
    answer(answered, 200)
    assert told(alice.response(180)) == [BOB]
    assert [value.rpartition(" ")[2] for value in told(alice.response(200))] == [
        f"<sip:1003@{DOMAIN}>"
    ]


@pytest.mark.parametrize("method", ["INVITE", "INFO", "BYE"])
def test_3325_5_later_answers_of_a_phone_claim_nothing(asserting: Wire, method: str) -> None:
    call, incoming = between(asserting)
    incoming.answer()
    dialog = call.answered()
    incoming.phone.request("ACK")
    dialog.request(method)
    request = incoming.phone.request(method)
    incoming.phone.reply(request, 200, extra=CLAIM + incoming.contact)
    heard = [message for message in call.phone.inbox if message.status == 200]
    assert [told(message) for message in heard] == [[]]


@pytest.mark.parametrize("method", ["OPTIONS", "MESSAGE", "REFER"])
@pytest.mark.parametrize("status", [200, 488])
def test_3325_5_nor_do_answers_to_other_requests(asserting: Wire, method: str, status: int) -> None:
    alice = registered(asserting, "1001", "198.51.100.1")
    bob = registered(asserting, "1002", "198.51.100.2")
    alice.authenticated(method, f"sip:1002@{DOMAIN}", extra="Refer-To: <sip:1@x>\n")
    bob.reply(bob.request(method), status, tag="b", extra=f"{CLAIM}X-More: yes\n")
    answer = alice.response(status)
    assert (answer["X-More"], told(answer)) == ("yes", [])


def test_3325_5_a_trusted_server_is_believed_in_them(asserting: Wire) -> None:
    alice = registered(asserting, "1001", "198.51.100.1")
    gate = Phone(asserting, "gate", TRUSTED)
    alice.authenticated("OPTIONS", f"sip:1@{TRUSTED}")
    gate.reply(gate.request("OPTIONS"), 200, tag="g", extra=f"P-Asserted-Identity: {GATE}\n")
    assert told(alice.response(200)) == [GATE]
