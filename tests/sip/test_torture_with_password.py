"""The torture messages of RFC 4475 and RFC 5118 that are challenged, from senders who have the password.

Whom they name is registered at one phone. `data/*/expected.toml` says in `known` what becomes of
each: the final answer, or "forwarded", and then it reaches the phone as it was.
"""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import unquote

import pytest

from sipengine.api import BindingRecord, Domain, Extension, Restored
from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message
from sipengine.sip.next_hop import Located, Server
from sipengine.sip.parser import parse
from sipengine.sip.uri import parse_uri
from tests.services.wire import SERVER, WALL, Wire, snapshot
from tests.sip.test_torture import ALL, EXPECTED, EXPECTED_6, PEER, PEER_6, SERVER_6, message
from tests.support.wire import digest
from tests.support.wire import parse as read

PHONE, PHONE_6 = "203.0.113.7", "2001:db8::9:7"
CHALLENGED = [
    (folder, name)
    for folder, name in ALL
    if (EXPECTED if folder == "torture" else EXPECTED_6)[name]["answer"] in (401, 407)
]
HOP_BY_HOP = {"Via", "Max-Forwards", "Record-Route", "Content-Length", "Authorization", "Proxy-Authorization", "Route"}  # fmt: skip


def fate_of(folder: str, name: str) -> dict[str, Any]:
    return (EXPECTED if folder == "torture" else EXPECTED_6)[name]


def of(folder: str, section: str) -> pytest.MarkDecorator:
    """Those of one section that are challenged."""
    names = [name for where, name in CHALLENGED
             if where == folder and fate_of(where, name)["section"].startswith(section)]  # fmt: skip
    assert names
    return pytest.mark.parametrize("name", names)


def person(uri: str) -> Extension | None:
    """The extension that a URI names, whatever its domain."""
    try:
        parsed = parse_uri(uri)
    except RemoteProtocolError:
        return None
    number, domain = unquote(parsed.user), parsed.host
    if not number:
        return None
    secret = f"{number}:{domain}:pw".encode()
    return Extension(
        number, domain,
        ha1_md5=hashlib.new("md5", secret, usedforsecurity=False).hexdigest(),
        ha1_sha256=hashlib.new("sha256", secret).hexdigest(),
    )  # fmt: skip


def binding(aor: str, host: str, local: str) -> BindingRecord:
    contact = f"sip:phone@[{host}]" if ":" in host else f"sip:phone@{host}"
    source = f"[{host}]:5060" if ":" in host else f"{host}:5060"
    return BindingRecord(
        aor=aor, contact=contact, params="", q=1.0, expires_at=WALL + 9000, call_id="r", cseq=1,
        path=[], transport="UDP", received=source, local=local, user_agent="", instance="",
        reg_id=0, registered_at=WALL, updated_at=WALL,
    )  # fmt: skip


def told(folder: str, name: str) -> tuple[Wire, list[tuple[str, bytes]]]:
    """(the world, what was sent once the password was given: the host it went to, the message)."""
    data = message(name, folder)
    whole = parse(data)
    six = folder == "torture6"
    caller = person(parse_address(whole.value("From") or "").uri_text)
    caller = caller or person("sip:nobody@example.com")
    called = person(whole.uri)
    domains = dict.fromkeys(["example.com", *(e.domain for e in (caller, called) if e)])
    people = {e.aor: e for e in (caller, called) if e}
    wire = Wire(
        snapshot(list(people.values()), domains=tuple(Domain(name) for name in domains)),
        server=SERVER_6 if six else SERVER,
    )
    if called is not None and whole.method != "REGISTER":
        local = "[2001:db8::10]:5060" if six else "192.0.2.1:5060"
        there = binding(called.aor, PHONE_6 if six else PHONE, local)
        wire.core.restore(Restored([there], []), wire.now, wire.wall)
    wire.servers["registrar.example.com"] = Located((Server("UDP", PHONE, 5060),))
    flow = wire.flow_to("UDP", *(PEER_6 if six else PEER))
    wire.receive(data, flow)
    challenged = read(wire.sent[-1][1])
    challenge = challenged["WWW-Authenticate"] or challenged["Proxy-Authenticate"]
    name = "Authorization" if challenged.status == 401 else "Proxy-Authorization"
    number = caller.number if caller is not None else ""
    value = digest(challenge, number, "pw", whole.method, whole.uri)
    head, _, body = data.partition(b"\r\n\r\n")
    before = len(wire.sent)
    line = f"\r\n{name}: {value}\r\n\r\n".encode()
    wire.receive(head + line + body, flow)
    wire.beat()
    return wire, [(to.remote[0], sent) for to, sent in wire.sent[before:]]


def check(folder: str, name: str) -> Message | None:
    """The message as it was forwarded, if it was, after both its fate and its wording are right."""
    fate, original = fate_of(folder, name), parse(message(name, folder))
    _, out = told(folder, name)
    sent = [parse(data) for _, data in out]
    peer = (PEER_6 if folder == "torture6" else PEER)[0]
    answers = [one.status for (host, _), one in zip(out, sent, strict=True) if host == peer]
    requests = [one for one in sent if not one.status]
    if fate["known"] != "forwarded":
        assert (answers, requests) == ([fate["known"]], [])
        return None
    assert answers in ([], [100])
    copy = requests[-1]
    assert (copy.method, copy.body) == (original.method, original.body)
    assert lines_of(copy) == lines_of(original)
    vias = copy.all("Via")
    assert len(vias) == len(original.all("Via")) + 1
    assert vias[2:] == original.all("Via")[1:]
    assert int(copy.value("Max-Forwards") or 0) == int(original.value("Max-Forwards") or 71) - 1
    return copy


def lines_of(whole: Message) -> list[tuple[str, str]]:
    """The headers that a proxy has no business with, in their order."""
    pairs = zip(whole.names[1:], whole.lines[1:], strict=True)
    return [
        (name, line.partition(":")[2].strip()) for name, line in pairs if name not in HOP_BY_HOP
    ]


def of_200(name: str) -> tuple[Wire, Message]:
    """The world after a REGISTER, and its answer."""
    wire, out = told("torture", name)
    return wire, parse(out[-1][1])


@of("torture", "3.1.1")
def test_4475_3_1_1_what_is_valid_is_served(name: str) -> None:
    check("torture", name)


@of("torture", "3.1.2")
def test_4475_3_1_2_what_is_invalid(name: str) -> None:
    check("torture", name)


@of("torture", "3.2")
def test_4475_3_2_a_branch_of_the_cookie_alone(name: str) -> None:
    check("torture", name)


@of("torture", "3.3")
def test_4475_3_3_what_a_server_may_not_understand(name: str) -> None:
    check("torture", name)


@of("torture", "3.4")
def test_4475_3_4_a_phone_of_rfc_2543(name: str) -> None:
    check("torture", name)


@of("torture6", "4")
def test_5118_4_once_the_password_is_given(name: str) -> None:
    check("torture6", name)


def test_4475_3_1_1_4_nul_in_a_user_part_makes_two_contacts() -> None:
    wire, answer = of_200("escnull")
    assert sorted(value.partition(";")[0] for value in answer.all("Contact")) == [
        "<sip:%00%00@host5.example.com>", "<sip:%00@host5.example.com>",
    ]  # fmt: skip
    assert {record.aor for record in wire.bindings.values()} == {"null-\0-null@example.com"}


def test_4475_3_1_1_11_the_strict_router_of_the_multipart_message_is_asked_first() -> None:
    copy = check("torture", "mpart01")
    assert copy is not None
    assert copy.uri == "sip:127.0.0.1:5080"
    assert copy.all("Route") == [f"<sip:phone@{PHONE}>"]


@pytest.mark.parametrize("name", ["cparam01", "cparam02"])
def test_4475_3_3_12_a_parameter_belongs_to_the_contact_or_to_its_uri(name: str) -> None:
    wire, answer = of_200(name)
    uri = "sip:+19725552222@gw1.example.net"
    if name == "cparam02":
        uri += ";unknownparam"
    (contact,) = answer.all("Contact")
    assert contact.startswith(f"<{uri}>")
    assert (";unknownparam" in contact.partition(">")[2]) == (name == "cparam01")
    assert [record.contact for record in wire.bindings.values()] == [uri]


def test_4475_3_3_14_headers_of_a_contact_come_back_as_they_were() -> None:
    _, answer = of_200("regescrt")
    contact = "sip:user@example.com?Route=%3Csip:sip.example.com%3E"
    assert answer.all("Contact")[0].partition(">")[0] == f"<{contact}"
