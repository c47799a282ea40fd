"""Broken, oversized and hostile input: the exact answer where one is possible, never an exception."""

from __future__ import annotations

import pytest

from tests.services.conftest import World, registered
from tests.services.user_agents import Phone, wire_bytes
from tests.services.wire import DOMAIN, Wire

BOB = f"sip:1002@{DOMAIN}"
GOOD = f"""\
INVITE {BOB} SIP/2.0
Via: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK1;rport
Max-Forwards: 70
From: <sip:1001@{DOMAIN}>;tag=1
To: <{BOB}>
Call-ID: bad
CSeq: 1 INVITE
Contact: <sip:1001@198.51.100.1:5060>
Content-Length: 4

body"""


def without(name: str) -> str:
    return "\n".join(line for line in GOOD.split("\n") if not line.startswith(f"{name}:"))


def replaced(name: str, value: str) -> str:
    lines = [
        f"{name}: {value}" if line.startswith(f"{name}:") else line for line in GOOD.split("\n")
    ]
    return "\n".join(lines)


@pytest.fixture
def sender(wire: Wire) -> Phone:
    return Phone(wire, "1001", "198.51.100.1")


BROKEN = [
    ("negative length", replaced("Content-Length", "-1"), 400, "Content-Length"),
    ("length in words", replaced("Content-Length", "four"), 400, "Content-Length"),
    ("length too large", replaced("Content-Length", "5"), 400, "Content-Length"),
    ("length beyond all measure", replaced("Content-Length", "9" * 5000), 400, "Content-Length"),
    ("two lengths", GOOD.replace("Content-Length: 4", "Content-Length: 4\nl: 4"), 400, "Content-Length"),
    ("cseq of another method", replaced("CSeq", "1 BYE"), 400, "CSeq"),
    ("cseq without number", replaced("CSeq", "INVITE"), 400, "CSeq"),
    ("cseq without method", replaced("CSeq", "1"), 400, "CSeq"),
    ("cseq out of range", replaced("CSeq", "2147483648 INVITE"), 400, "CSeq"),
    ("cseq of 5000 digits", replaced("CSeq", "9" * 5000 + " INVITE"), 400, "CSeq"),
    ("negative cseq", replaced("CSeq", "-1 INVITE"), 400, "CSeq"),
    ("two From", GOOD.replace("To:", "f: <sip:x@y>;tag=2\nTo:"), 400, "From"),
    ("two To", GOOD.replace("To:", "t: <sip:x@y>\nTo:"), 400, "To"),
    ("two Call-ID", GOOD.replace("CSeq:", "i: other\nCSeq:"), 400, "Call-ID"),
    ("two Max-Forwards", GOOD.replace("CSeq:", "Max-Forwards: 1\nCSeq:"), 400, "Max-Forwards"),
    ("header line without colon", GOOD.replace("CSeq:", "Nonsense\nCSeq:"), 400, "colon"),
    ("header name with a blank", GOOD.replace("CSeq:", "Bad Name: x\nCSeq:"), 400, "header"),
    ("header name that is none", GOOD.replace("CSeq:", "\x01: x\nCSeq:"), 400, "header"),
    ("unknown version", GOOD.replace("SIP/2.0\n", "SIP/3.0\n", 1), 505, "Version"),
    ("no version", GOOD.replace(f"{BOB} SIP/2.0\n", f"{BOB}\n", 1), 400, "request line"),
    ("blanks in the request line", GOOD.replace("INVITE sip", "INVITE  sip", 1), 400, "request line"),
    ("uri in brackets", GOOD.replace(f"INVITE {BOB}", f"INVITE <{BOB}>", 1), 400, "URI"),
    ("uri without host", GOOD.replace(f"INVITE {BOB}", "INVITE sip:", 1), 400, "URI"),
    ("uri with port 99999", GOOD.replace(f"INVITE {BOB}", f"INVITE {BOB}:99999", 1), 400, "port"),
    ("uri of another scheme", GOOD.replace(f"INVITE {BOB}", "INVITE tel:12345", 1), 416, "Scheme"),
    ("uri of 4000 characters", GOOD.replace(f"INVITE {BOB}", f"INVITE sip:{'a' * 4000}@b", 1), 414, "URI"),
    ("300 headers", GOOD.replace("CSeq:", "X: y\n" * 300 + "CSeq:"), 513, "headers"),
    ("empty branch", GOOD.replace("branch=z9hG4bK1", "branch="), 407, ""),
    ("From that is no address", replaced("From", "<sip:1001@pbx.test;tag=1"), 400, "broken address in From header"),
    ("From with an open quote", replaced("From", f'"Alice <sip:1001@{DOMAIN}>;tag=1'), 400, "broken address in From header"),
    ("From with a port of letters", replaced("From", "<sip:1001@pbx.test:x>;tag=1"), 400, "broken URI in From header"),
    ("From with port 99999", replaced("From", "<sip:1001@pbx.test:99999>;tag=1"), 400, "broken port in URI in From header"),
    ("From of 5000 characters", replaced("From", f"<sip:{'a' * 5000}@pbx.test>;tag=1"), 400, "unusable URI in From header"),
    ("Route that is no address", GOOD.replace("To:", "Route: <sip:x\nTo:"), 400, "broken address in Route header"),
    ("Route of another scheme", GOOD.replace("To:", "Route: <tel:1>\nTo:"), 400, "unusable URI in Route header"),
    ("uri with a port of letters", GOOD.replace(f"INVITE {BOB}", f"INVITE {BOB}:x", 1), 400, "URI in Request-URI"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "status", "words"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
def test_8_2_6_each_broken_thing_has_its_answer(
    sender: Phone, text: str, status: int, words: str
) -> None:
    sender.send(text)
    answer = sender.response(status)
    assert words in answer.start
    assert answer["Call-ID"]
    assert answer.to_tag
    sender.nothing()


@pytest.mark.parametrize("missing", ["From", "To", "Call-ID", "CSeq"])
def test_4475_3_3_1_a_missing_header_is_400_with_what_there_is(sender: Phone, missing: str) -> None:
    sender.send(without(missing))
    answer = sender.response(400)
    assert answer.start == f"SIP/2.0 400 Bad Request: no {missing} header"
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        assert bool(answer[name]) == (name != missing)


def test_8_1_1_without_a_via_there_is_no_answer(sender: Phone) -> None:
    missing = "Via"
    sender.send(without(missing))
    sender.nothing()
    reason, peer, sample = sender.wire.core.take_drops()[0]
    assert missing in reason
    assert peer == "UDP 198.51.100.1:5060"
    assert sample.startswith(b"INVITE ")


@pytest.mark.parametrize(
    "case", [case for case in BROKEN if "cseq of another" not in case[0]], ids=lambda c: c[0]
)
def test_17_1_1_3_a_broken_ack_is_never_answered(
    sender: Phone, case: tuple[str, str, int, str]
) -> None:
    sender.send(
        case[1]
        .replace("INVITE sip", "ACK sip")
        .replace(" INVITE\n", " ACK\n", 1)
        .replace("INVITE", "ACK")
    )
    sender.nothing()


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace(f"INVITE {BOB} SIP/2.0", "SIP/2.0 200 OK"),
        GOOD.replace(f"INVITE {BOB} SIP/2.0", "SIP/2.0 700 What"),
        GOOD.replace(f"INVITE {BOB} SIP/2.0", "SIP/2.0 4294967301 better not break"),
        GOOD.replace(f"INVITE {BOB} SIP/2.0", "SIP/2.0 abc"),
        GOOD.replace(f"INVITE {BOB} SIP/2.0", "SIP/3.0 200 OK"),
        GOOD.replace(f"INVITE {BOB} SIP/2.0", "sip/2.0 400 No"),
        "SIP/2.0 200 OK",
        "SIP/2.0 200 OK\n\n",
        "SIP/2.0 \n\n",
        "SIP/2.0 200 OK\nVia: \n\n",
        "SIP/2.0 200 OK\nVia: ;branch=\n\n",
        "\n\nSIP/2.0 200 OK\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nFrom: a:b\nTo: a:b\nCall-ID: c\nCSeq: 1 BYE\n\n",
    ],
)
def test_18_1_2_a_response_is_never_answered(sender: Phone, text: str) -> None:
    sender.send(text)
    sender.nothing()
    assert sender.wire.core.take_drops()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"\x00",
        b"\x00" * 1500,
        b"\xff\xfe" * 700,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"INVITE",
        b"INVITE \r\n\r\n",
        b" \r\n\r\n",
        b":\r\n\r\n",
        b"\r\n" * 3000,
        b"a" * 65000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SIP/2.0 ",
        b"SIP/2.0 200\r\n\r\n",
    ],
)
def test_what_is_no_sip_at_all_is_dropped(sender: Phone, data: bytes) -> None:
    sender.send(data)
    sender.nothing()
    assert sender.wire.transactions == 0


@pytest.mark.parametrize("text", [GOOD, GOOD.replace("INVITE", "OPTIONS")])
def test_18_3_a_message_cut_off_anywhere_is_answered_400_or_dropped(
    sender: Phone, text: str
) -> None:
    data = wire_bytes(text)
    for end in range(len(data)):
        sender.send(data[:end])
        while sender.inbox:
            assert sender.receive().status == 400
    assert sender.wire.transactions == 0


def test_18_3_what_is_behind_the_body_of_a_datagram_is_thrown_away(
    alice: Phone, bob: Phone
) -> None:
    call = alice.invite("1002")
    call.authenticate()
    alice.inbox.clear()
    body = bob.request("INVITE").body
    assert body == call.body
    before = len(alice.wire.sent)
    alice.send(wire_bytes(call.text) + b"INVITE sip:evil SIP/2.0\r\n\r\n")
    assert [message.status for message in alice.wire.messages(before)] == [100]


@pytest.mark.parametrize("stuff", ["a\rb", "a\nb", "a\r\r\nb"])
def test_7_3_1_a_lone_cr_or_lf_within_a_header_is_refused(sender: Phone, stuff: str) -> None:
    """Some phone's parser would take what is behind it for a header of its own."""
    sender.send(wire_bytes(GOOD).replace(b"Contact:", f"X: {stuff}\r\nContact:".encode()))
    sender.response(400)


def test_drops_are_counted_and_only_a_few_are_kept(sender: Phone) -> None:
    for _ in range(100):
        sender.send(b"nonsense")
    assert sender.wire.core.counters()["messages_broken"] == 100
    assert len(sender.wire.core.take_drops()) <= 8
    assert sender.wire.core.take_drops() == []


def test_headers_of_any_spelling_do_not_fill_the_memory(sender: Phone) -> None:
    from sipengine.sip.names import NAMES

    for at in range(5000):
        sender.send(GOOD.replace("Contact:", f"X-{at}: y\nX{'a' * 1000}{at}: z\nContact:"))
        sender.inbox.clear()
    assert len(NAMES) < 6000
    assert max(len(name) for name in NAMES) < 100


def test_a_flood_of_unauthenticated_invites_leaves_nothing_behind(sender: Phone) -> None:
    for at in range(500):
        sender.send(
            GOOD.replace("z9hG4bK1", f"z9hG4bK{at}").replace("Call-ID: bad", f"Call-ID: {at}")
        )
    assert sender.wire.transactions == 0
    assert sender.wire.core.counters()["calls_now"] == 0
    assert sender.wire.core.next_timer() is None


@pytest.mark.pure
def test_the_limit_of_transactions_is_503(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from sipengine.services import request_chain

    wire = world()
    alice = registered(wire, "1001", "198.51.100.1")
    registered(wire, "1002", "198.51.100.2")
    monkeypatch.setattr(request_chain, "MAX_TRANSACTIONS", 1)
    alice.call("1002")
    alice.other_request("INVITE", BOB)
    assert alice.response(503)["Retry-After"]
