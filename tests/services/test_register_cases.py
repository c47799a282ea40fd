"""REGISTER requests of every odd kind, asked of the whole core (RFC 3261 §10.2, §10.3)."""

from __future__ import annotations

import pytest

from sipengine.api import Domain
from tests.services.conftest import World, registered
from tests.services.test_exact_answers import ask
from tests.services.user_agents import Phone, password_of
from tests.services.wire import DOMAIN, Wire
from tests.support.wire import Message, digest, uri_of

SERVER = f"sip:{DOMAIN}"
ME = f"<sip:1001@{DOMAIN}>"
FIRST, SECOND = "sip:1001@198.51.100.1:5060", "sip:1001@198.51.100.9:6000"


@pytest.fixture
def phone(wire: Wire) -> Phone:
    return Phone(wire, "1001", "198.51.100.1")


def register(phone: Phone, extra: str = "", *, uri: str = SERVER, to: str = ME) -> Message:
    answer = ask(phone, "REGISTER", uri, extra, to=to)
    assert answer is not None
    return answer


def there(wire: Wire) -> dict[str, str]:
    """The contacts of Alice and what they were kept with."""
    return {b.contact: b.params for b in wire.core.location.contacts(f"1001@{DOMAIN}", wire.now)}


@pytest.mark.parametrize("uri", [f"sip:1001@{DOMAIN}", f"sip:1002@{DOMAIN}", f"sip:x@{DOMAIN};a=b"])
def test_10_2_a_user_in_the_request_uri_is_overlooked(phone: Phone, uri: str) -> None:
    """It must not be there; telephones that write it mean the registrar all the same."""
    bob = registered(phone.wire, "1002", "198.51.100.2")
    assert register(phone, uri=uri).status == 200
    assert list(there(phone.wire)) == [FIRST]
    bob.nothing()


def test_10_3_1_another_domain_is_not_registered_here(wire: Wire, phone: Phone) -> None:
    """It would be forwarded, but nobody is who his From says, as that is of the other domain, too."""
    other = "<sip:1001@elsewhere.test>"
    phone.domain = "elsewhere.test"
    answer = register(phone, uri="sip:elsewhere.test", to=other)
    assert (answer.status, there(wire)) == (403, {})
    assert not wire.lookups


def test_10_3_1_a_user_of_ours_may_register_elsewhere(wire: Wire, phone: Phone) -> None:
    wire.servers.clear()
    ask(phone, "REGISTER", "sip:elsewhere.test", to="<sip:a@elsewhere.test>")
    assert [hop.host for hop, _, _ in wire.lookups] == ["elsewhere.test"]
    assert there(wire) == {}


@pytest.mark.parametrize(
    ("to", "status"),
    [
        ("<sip:1001:secret@pbx.test>", 200),
        ("<sip:%31%30%301@pbx.test>", 200),
        ("<sip:1001@pbx.test;user=phone;x=%20>", 200),
        ("<sip:1001@pbx.test?Subject=x>", 200),
        ("sip:1001@pbx.test;user=phone", 200),
        ("<sip:1002@pbx.test>", 403),
        ("<sip:1001@elsewhere.test>", 404),
        ("<sip:100%00@pbx.test>", 403),
        ("<sip:1001@pbx.test", 400),
    ],
)
def test_10_3_5_the_to_header(phone: Phone, to: str, status: int) -> None:
    assert register(phone, to=to).status == status
    assert len(there(phone.wire)) == (status == 200)


def test_10_3_5_to_of_another_domain_of_ours_is_404(world: World) -> None:
    wire = world(domains=(Domain(DOMAIN), Domain("second.test")))
    phone = Phone(wire, "1001", "198.51.100.1")
    assert register(phone, to="<sip:1001@second.test>").status == 404
    assert there(wire) == {}


def test_19_1_5_headers_of_a_contact_stay_there_and_go_nowhere(wire: Wire, alice: Phone) -> None:
    bob = Phone(wire, "1002", "198.51.100.2")
    contact = "sip:1002@198.51.100.2:5060?Subject=x&Route=%3Csip:203.0.113.9%3E"
    answer = bob.register(contact=f"<{contact}>")
    assert uri_of(answer["Contact"]) == contact
    alice.call("1002")
    invite = bob.request("INVITE")
    assert invite.uri == "sip:1002@198.51.100.2:5060"
    assert not invite["Subject"]
    assert not invite["Route"]


@pytest.mark.parametrize(
    "bad",
    [
        "<sip:1001@198.51.100.9:99999>", "<sip:a@h>;q=2", "<sip:a@h>;q=0.1234", "<sip:a@h>;q=", "<>",
        "<sip:a@h>;q=-1", "<tel:1>", "<http://a>", "junk", "<sip:a@h", "*", '"x <sip:a@h>',
    ],
)  # fmt: skip
@pytest.mark.parametrize("first", [True, False])
def test_10_3_7_one_bad_contact_and_nothing_is_changed(phone: Phone, bad: str, first: bool) -> None:
    phone.register()
    before = there(phone.wire)
    good = f"Contact: <{SECOND}>\n"
    other = f"Contact: {bad}\n"
    gone = f"Contact: <{FIRST}>;expires=0\n"
    # `ask` writes a Contact of its own, the one that is there already
    answer = register(phone, f"{other}{good}{gone}" if first else f"{good}{gone}{other}")
    assert 400 <= answer.status < 500, answer
    assert there(phone.wire) == before


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("Expires: 4294967296\n", 7200),
        ("Expires: 99999999999999999999\n", 7200),
        ("Expires: 4294967295\n", 7200),
        ("Expires: -1\n", 3600),
        ("Expires: soon\n", 3600),
        ("Expires: \n", 3600),
    ],
)  # fmt: skip
def test_10_2_1_1_expires_of_any_size(phone: Phone, asked: str, granted: int) -> None:
    answer = register(phone, asked)
    assert answer.status == 200
    assert f"expires={granted}" in answer["Contact"]


@pytest.mark.parametrize(
    ("other", "kept"),
    [
        (f"<{FIRST}>;q=0.3;expires=900", "expires=900"),
        (f"<{FIRST.replace('sip:', 'SIP:')}>;q=0.3;expires=900", "expires=900"),
        ("<sip:%31001@198.51.100.1:5060;x=1>;expires=900", "expires=900"),
        (f"<{FIRST}>;expires=0", ""),
    ],
)  # fmt: skip
def test_19_1_4_a_contact_twice_in_one_request_counts_once(
    phone: Phone, other: str, kept: str
) -> None:
    for _ in range(2):  # the binding that is there is no other case
        answer = register(phone, f"Contact: {other}\n")
        assert answer.status == 200
        assert len(answer.all("Contact")) == bool(kept)
        assert kept in (answer["Contact"] or "")


def test_10_3_7_cseq_counts_within_its_call_id_and_all_contacts_stand_or_fall(
    wire: Wire, phone: Phone
) -> None:
    def send(call_id: str, cseq: int, *contacts: str, expires: int = 600) -> int:
        lines = "".join(f"Contact: {contact}\n" for contact in contacts)
        phone.inbox.clear()
        text = (
            "REGISTER {uri} SIP/2.0\nVia: {via}\nMax-Forwards: 70\nFrom: {me};tag=1\nTo: {me}\n"
            "Call-ID: {id}\nCSeq: {cseq} REGISTER\n{lines}Expires: {expires}\n{auth}"
            "Content-Length: 0\n\n"
        )
        return _send(phone, text, id=call_id, cseq=cseq, lines=lines, expires=expires)

    assert send("one", 5, f"<{FIRST}>") == 200
    assert send("two", 1, f"<{SECOND}>") == 200
    assert send("one", 5, f"<{FIRST}>") == 200  # again
    assert send("one", 4, f"<{FIRST}>", expires=0) == 500
    assert send("two", 2, f"<{SECOND}>;expires=0") == 200
    assert list(there(wire)) == [FIRST]
    # the first Contact alone would be in order, the second is not: neither is done
    assert send("one", 3, f"<{SECOND}>", f"<{FIRST}>;expires=0") == 500
    assert list(there(wire)) == [FIRST]
    assert send("three", 1, f"<{FIRST}>;expires=0") == 200
    assert there(wire) == {}


def _send(phone: Phone, text: str, **values: object) -> int:
    auth = ""
    for _ in range(2):
        phone.send(text.format(uri=SERVER, via=phone.via(), me=ME, auth=auth, **values))
        phone.wire.beat()
        answer = phone.receive()
        if answer.status != 401:
            break
        value = digest(answer["WWW-Authenticate"], "1001", password_of("1001"), "REGISTER", SERVER)
        auth = f"Authorization: {value}\n"
    return answer.status
