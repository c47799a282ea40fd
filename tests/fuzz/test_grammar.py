"""The parts of messages by their grammar: a value or 400, what is written is read back, nothing is guessed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from sipengine.sip import digest
from sipengine.sip.address import parse_address
from sipengine.sip.contact import parse_contact
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import split_list
from sipengine.sip.sdp.description import parse_description
from sipengine.sip.uri import parse_uri, same_uri
from sipengine.sip.via import parse_via
from tests.fuzz.effort import effort
from tests.fuzz.grammar import CONTACT, DIGEST, NAME_ADDR, ROUTE, SDP, URI, VIA
from tests.services.conftest import person, registered
from tests.services.wire import DOMAIN, Wire, snapshot

Value = TypeVar("Value")


def value_or_refusal(read: Callable[[str], Value], text: str) -> Value | None:
    """What `read` makes of it; None if it says what is wrong, as 400, 414 or 416."""
    try:
        return read(text)
    except RemoteProtocolError as error:
        if error.status not in (400, 414, 416):
            raise
        return None


@effort(300)
@given(URI)
def test_a_uri_is_read_written_and_read_alike(text: str) -> None:
    uri = value_or_refusal(parse_uri, text)
    if uri is None:
        return
    again = parse_uri(str(uri))
    assert again == uri
    assert same_uri(uri, again)
    assert 0 <= uri.port <= 65535


@effort(300)
@given(NAME_ADDR)
def test_an_address_keeps_its_uri(text: str) -> None:
    address = value_or_refusal(parse_address, text)
    if address is None:
        return
    assert address.uri_text in text
    assert not set("<>") & set(address.uri_text)


@effort(300)
@given(VIA)
def test_a_via_is_read_written_and_read_alike(text: str) -> None:
    via = value_or_refusal(parse_via, text)
    if via is None:
        return
    again = parse_via(str(via))
    assert (again.sent_by, again.branch) == (via.sent_by, via.branch)


@effort(300)
@given(ROUTE | CONTACT)
def test_splitting_a_list_loses_no_address(text: str) -> None:
    items = split_list(text)
    assert split_list(", ".join(items)) == items
    for item in items:
        value_or_refusal(parse_contact, item)


@effort(300)
@given(DIGEST)
def test_credentials_are_fields_none_or_400(text: str) -> None:
    fields = value_or_refusal(digest.parse_credentials, text)
    if fields is not None:
        assert all(name == name.lower() for name in fields)


@effort(100)
@given(DIGEST, st.booleans())
def test_no_made_up_credentials_let_anybody_in(credentials: str, register: bool) -> None:
    """Whatever fields are drawn, with our realm among them: never the answer of a right password."""
    wire = Wire(snapshot([person("1001"), person("1002")]))
    registered(wire, "1002", "198.51.100.2")
    since = len(wire.sent)
    method, uri, name = "INVITE", f"sip:1002@{DOMAIN}", "Proxy-Authorization"
    if register:
        method, uri, name = "REGISTER", f"sip:{DOMAIN}", "Authorization"
    text = (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bKx\r\nMax-Forwards: 70\r\n"
        f"From: <sip:1001@{DOMAIN}>;tag=1\r\nTo: <sip:1001@{DOMAIN}>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n"
        f"Contact: <sip:1001@198.51.100.9>\r\n{name}: {credentials}\r\nContent-Length: 0\r\n\r\n"
    )
    wire.receive(text.encode("latin-1"), wire.flow_to("UDP", "198.51.100.9", 5060))
    wire.beat()
    answers = wire.messages(since)
    assert [message.status for message in answers] in ([400], [401], [407])


@effort(300)
@given(SDP)
def test_a_description_is_read_or_refused(text: str) -> None:
    description = value_or_refusal(parse_description, text)
    if description is None:
        return
    assert len(description.streams) == text.count("\r\nm=") + text.startswith("m=")
