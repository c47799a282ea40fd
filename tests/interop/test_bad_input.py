"""Each refusal with its exact answer, and silence where the RFC wants it, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import PbxProcess
from tests.support.wire import Message, Wire, choose, digest
from tests.support.wire_calls import branch
from tests.support.ws_wire import WsWire

CONFIGURATION = {"extensions": [extension("3801"), extension("3802")]}
SERVER, USER = "sip:pbx.test", "sip:3802@pbx.test"


@pytest.fixture(params=["udp", "tcp", "ws"])
def wire(request: pytest.FixtureRequest, pbx: PbxProcess) -> Iterator[Wire]:
    if request.param == "ws":
        with WsWire((pbx.sip[0], int(pbx.environment["PBX_WS_PORT"]))) as wire:
            yield wire
    else:
        with Wire(pbx.sip, request.param) as wire:
            yield wire


def request(
    wire: Wire, method: str, uri: str, *, without: str = "", extra: str = "", body: str = "", **lines: str
) -> str:  # fmt: skip
    """A sound request but for what is left out, replaced (`lines`) or added."""
    headers = {
        "Via": f"SIP/2.0/{wire.transport.upper()} {wire.local};branch={branch()};rport",
        "Max-Forwards": "70",
        "From": "<sip:3801@pbx.test>;tag=1",
        "To": f"<{uri}>",
        "Call-ID": branch(),
        "CSeq": f"1 {method}",
        "Content-Length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in lines.items() if name != "start"},
    }
    start = lines.get("start", f"{method} {uri} SIP/2.0")
    text = "".join(f"{name}: {value}\n" for name, value in headers.items() if name != without)
    return f"{start}\n{text}{extra}\n{body}"


def answered(wire: Wire, text: str) -> Message:
    wire.send(text)
    return wire.receive()


Case = tuple[str, str, dict[str, str], int, str]
"""Method, Request-URI, what is wrong, status, and what the reason phrase must name."""

CASES: dict[str, Case] = {
    "no From": ("OPTIONS", SERVER, {"without": "From"}, 400, "From"),
    "no To": ("OPTIONS", SERVER, {"without": "To"}, 400, "To"),
    "no Call-ID": ("OPTIONS", SERVER, {"without": "Call-ID"}, 400, "Call-ID"),
    "no CSeq": ("OPTIONS", SERVER, {"without": "CSeq"}, 400, "CSeq"),
    "CSeq of another method": ("OPTIONS", SERVER, {"CSeq": "1 BYE"}, 400, "CSeq"),
    "CSeq too large": ("OPTIONS", SERVER, {"CSeq": "2147483648 OPTIONS"}, 400, "CSeq"),
    "two From": ("OPTIONS", SERVER, {"extra": "f: <sip:a@b>;tag=2\n"}, 400, "From"),
    "Max-Forwards no number": ("INVITE", USER, {"Max_Forwards": "x"}, 400, "Max-Forwards"),
    "From cannot be read": ("INVITE", USER, {"From": "<sip:a@b;tag=1"}, 400, "From"),
    "Route cannot be read": ("INVITE", USER, {"Route": "<sip:x"}, 400, "Route"),
    "Route of another scheme": ("INVITE", USER, {"Route": "<tel:1>"}, 400, "Route"),
    "URI with a port of letters": ("INVITE", f"{USER}:x", {}, 400, "Request-URI"),
    "credentials cannot be read": (
        "INVITE", USER, {"extra": 'Proxy-Authorization: Digest realm="pbx.test", nonce="x\n'}, 400,
        "Proxy-Authorization",
    ),
    "credentials of REGISTER cannot be read": (
        "REGISTER", SERVER, {"extra": 'Authorization: Digest realm="pbx.test", nonce="x\n'}, 400,
        "Authorization",
    ),
    "two Max-Forwards": ("OPTIONS", SERVER, {"extra": "Max-Forwards: 3\n"}, 400, "Max-Forwards"),
    "two Call-IDs": ("OPTIONS", SERVER, {"extra": "i: another\n"}, 400, "Call-ID"),
    "Max-Breadth no number": ("INVITE", USER, {"Max_Breadth": "x"}, 400, "Max-Breadth"),
    "line without colon": ("OPTIONS", SERVER, {"extra": "Nonsense\n"}, 400, "colon"),
    "version 3": ("OPTIONS", SERVER, {"start": f"OPTIONS {SERVER} SIP/3.0"}, 505, "Version"),
    "unknown scheme": ("OPTIONS", "nobody:pbx.test", {}, 416, "Scheme"),
    "endless URI": ("INVITE", f"sip:{'a' * 5000}@pbx.test", {}, 414, "URI"),
    "300 headers": ("OPTIONS", SERVER, {"extra": "X: y\n" * 300}, 513, "headers"),
    "no hop left": ("INVITE", USER, {"Max_Forwards": "0"}, 483, "Hops"),
    "unknown Require": ("OPTIONS", SERVER, {"extra": "Require: magic\n"}, 420, "Extension"),
    "unknown Proxy-Require": ("INVITE", USER, {"extra": "Proxy-Require: magic\n"}, 420, "Extension"),
    "method not for the server": ("REFER", SERVER, {}, 405, "Allowed"),
    "no method at all": ("FROBNICATE", SERVER, {}, 501, "Implemented"),
    "BYE of no call": ("BYE", USER, {"To": "<sip:3802@pbx.test>;tag=9"}, 481, "Exist"),
    "CANCEL of no call": ("CANCEL", USER, {}, 481, "Exist"),
    "a text for the server": (
        "OPTIONS", SERVER, {"extra": "Content-Type: text/plain\n", "body": "hello"}, 415, "Media"
    ),
    "a packed body": (
        "OPTIONS", SERVER,
        {"extra": "Content-Type: application/sdp\nContent-Encoding: gzip\n", "body": "v=0"}, 415, "Media",
    ),
    "a body under lock": (
        "OPTIONS", SERVER, {"extra": "Content-Type: application/pkcs7-mime\n", "body": "x"}, 493, "Undeci"
    ),
}  # fmt: skip

HEADERS = {
    405: ("Allow", "REGISTER"),
    501: ("Allow", "INVITE"),
    415: ("Accept", "application/sdp"),
    420: ("Unsupported", "magic"),
}


@pytest.mark.parametrize("name", CASES)
def test_21_4_each_breach_has_its_answer(wire: Wire, name: str) -> None:
    method, uri, wrong, status, words = CASES[name]
    answer = answered(wire, request(wire, method, uri, **wrong))
    assert (answer.status, words in answer.start) == (status, True), answer.start
    if status in HEADERS:
        header, value = HEADERS[status]
        assert value in answer[header]
    follows = answered(wire, request(wire, "OPTIONS", SERVER))
    assert follows.status == 200, "and the next request is served"


def test_8_2_3_a_message_too_large_for_a_stream_is_513(pbx: PbxProcess) -> None:
    with Wire(pbx.sip, "tcp") as wire:
        wire.send(request(wire, "OPTIONS", SERVER, Content_Length="100000"))
        assert wire.receive().status == 513
        assert wire.is_closed()


def test_10_2_8_too_short_an_interval_is_423(phones: Phones) -> None:
    answer = phones.wire("3801", register=False).register(expires=10)
    assert (answer.status, answer["Min-Expires"]) == (423, "60")


def test_16_3_a_request_that_comes_back_unchanged_is_482(phones: Phones) -> None:
    alice, bob = phones.wire("3801"), phones.wire("3802")
    call = alice.call("3802")
    invite = bob.wire.receive_request("INVITE")
    back = str(invite).replace(invite.start, "INVITE sip:3802@pbx.test SIP/2.0", 1)
    via = f"Via: {bob.via(branch())}\n"
    first, _, rest = back.partition("\n")
    bob.wire.send(f"{first}\n{via}{rest}")
    looped = bob.wire.receive_final("INVITE")
    assert looped.status == 482
    bob.reply(invite, 486, "Busy Here", tag="b")
    call.fails(486)


@pytest.mark.parametrize(
    ("headers", "status", "header", "value"),
    [
        ("Event: nonsense\n", 489, "Allow-Events", "dialog"),
        ("Event: dialog\nAccept: text/plain\n", 406, "", ""),
    ],
)
def test_rfc6665_4_2_1_1_a_subscription_that_cannot_be_is_told_why(
    phones: Phones, headers: str, status: int, header: str, value: str
) -> None:
    alice = phones.wire("3801", register=False)
    extra = f"Expires: 300\n{headers}"
    alice.wire.send(
        request(alice.wire, "SUBSCRIBE", USER, extra=f"Contact: {alice.contact}\n{extra}")
    )
    answer = alice.wire.receive()
    if answer.status == 401:
        challenge = choose(answer.all("WWW-Authenticate"), "MD5")
        credentials = digest(challenge, "3801", alice.password, "SUBSCRIBE", USER)
        extra += f"Authorization: {credentials}\n"
        again = request(
            alice.wire,
            "SUBSCRIBE",
            USER,
            extra=f"Contact: {alice.contact}\n{extra}",
            CSeq="2 SUBSCRIBE",
        )
        alice.wire.send(again)
        answer = alice.wire.receive()
    assert answer.status == status, answer
    if header:
        assert value in answer[header]


SILENT = {
    "ACK of nothing": "ACK",
    "broken ACK": "ACK <sip:pbx.test> SIP/2.0",
    "stray response": "SIP/2.0 200 OK",
    "stray failure": "SIP/2.0 486 Busy Here",
}


@pytest.mark.parametrize("name", SILENT)
@pytest.mark.parametrize("via", ["", "255.255.255.255:5060", "224.0.1.75"])
def test_18_1_2_what_wants_no_answer_gets_none(wire: Wire, name: str, via: str) -> None:
    """ACKs and stray responses, also with a broadcast or multicast address in the Via (RFC 4475 §3.1.2.19)."""
    start = SILENT[name]
    if start == "ACK":
        start = f"ACK {USER} SIP/2.0"
    lines = {"Via": f"SIP/2.0/{wire.transport.upper()} {via};branch=z9hG4bK7"} if via else {}
    wire.send(request(wire, "ACK", USER, start=start, To=f"<{USER}>;tag=7", **lines))
    follows = answered(wire, request(wire, "OPTIONS", SERVER, Call_ID="after"))
    assert (follows.status, follows["Call-ID"]) == (200, "after"), (
        "the first answer is to the second"
    )
