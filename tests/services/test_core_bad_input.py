"""Broken, oversized and hostile input: the exact answer where one is possible, never an exception."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.services.conftest import World, person, registered
from tests.services.user_agents import Phone, wire_bytes
from tests.services.wire import DOMAIN, SERVER, Wire, snapshot
from tests.support.wire import parse

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
    ("From that is no address", replaced("From", "<sip:1001@pbx.test;tag=1"), 400, "address"),
    ("From with an open quote", replaced("From", f'"Alice <sip:1001@{DOMAIN}>;tag=1'), 400, "address"),
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


# ------------------------------------------------------------------ properties


def fresh() -> tuple[Wire, list[bytes]]:
    """A wire in the middle of two calls, and real messages of every kind to spoil."""
    wire = Wire(snapshot([person("1001", "Alice"), person("1002", "Bob")]))
    alice = registered(wire, "1001", "198.51.100.1")
    bob = registered(wire, "1002", "198.51.100.2")
    seen: list[bytes] = []
    receive = wire.receive

    def remember(data: bytes, flow: object) -> None:
        seen.append(data)
        receive(data, flow)  # type: ignore[arg-type]

    wire.receive = remember  # type: ignore[method-assign,assignment]
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    alice.response(180)
    incoming.answer()
    dialog = call.answered()
    bob.inbox.clear()
    dialog.request("INVITE")
    waiting = bob.request("INVITE")
    alice.inbox.clear()
    other = alice.call("1002")
    ringing = bob.incoming()
    ringing.ring()
    for status in (183, 302, 401, 486, 503, 603):
        text = (
            f"SIP/2.0 {status} X\nVia: {ringing.invite.all('Via')[0]}\nVia: {ringing.invite.all('Via')[1]}\n"
            f"From: {ringing.invite['From']}\nTo: {ringing.invite['To']};tag=z\nCall-ID: {other.call_id}\n"
            f"CSeq: {ringing.invite['CSeq']}\nContact: <sip:x@y>\nContent-Length: 0\n\n"
        )
        seen.append(wire_bytes(text))
    alice.other_request("OPTIONS", f"sip:{DOMAIN}")
    alice.other_request("CANCEL", BOB)
    dialog.request("BYE", extra="Proxy-Require: x\nRequire: y\nRoute: <sip:1.2.3.4;lr>\n")
    assert waiting
    wire.receive = receive  # type: ignore[method-assign]
    return wire, seen


def settled(wire: Wire) -> None:
    """Whatever came in: after all timers have run nothing is left."""
    wire.advance(400)
    assert wire.transactions == 0
    wire.beat()


MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, 10_000),
        st.integers(0, 30),
        st.one_of(
            st.binary(max_size=6),
            st.sampled_from(
                [
                    b"\r\n",
                    b"\r\n\r\n",
                    b",",
                    b";",
                    b'"',
                    b"<",
                    b">",
                    b"%00",
                    b"9" * 5000,
                    b" ",
                    b":",
                    b"@",
                    b"\r\nRoute: <sip:192.0.2.1;lr>",
                    b"\r\nContent-Length: 99999",
                    b"\r\nVia: x",
                    b"\r\n ",
                    b";lr",
                    b"sip:",
                    b"tel:",
                    b"\xff",
                    b"\r\nRequire: a",
                    b"\r\nRoute:",
                    b"[::1]",
                    b"!",
                    b";tag=",
                    b"\r\nMax-Forwards: 0",
                    b"\r\nProxy-Authorization: Digest",
                    b"-1",
                    b"*",
                ]
            ),
        ),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, 1000), MUTATIONS, st.booleans()), min_size=1, max_size=8))
def test_receive_never_raises_for_spoilt_messages(
    spoils: list[tuple[int, list[tuple[int, int, bytes]], bool]],
) -> None:
    wire, messages = fresh()
    flows = [wire.flow_to("UDP", "198.51.100.1", 5060), wire.flow_to("UDP", "198.51.100.2", 5060)]
    for which, mutations, side in spoils:
        data = messages[which % len(messages)]
        for position, length, insert in mutations:
            at = position % (len(data) + 1)
            data = data[:at] + insert + data[at + length :]
        wire.receive(data, flows[side])
    settled(wire)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode)), max_size=5)
)
@example([b"ACK sip:192.0.2.1;lr SIP/2.0\r\nRoute:\r\n\r\n"])
def test_receive_never_raises_for_random_bytes(datagrams: list[bytes]) -> None:
    wire = Wire(snapshot([person("1001")]))
    flow = wire.flow_to("UDP", "198.51.100.1", 5060)
    for data in datagrams:
        wire.receive(data, flow)
    settled(wire)


HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "Via",
                "v",
                "From",
                "f",
                "To",
                "t",
                "Call-ID",
                "i",
                "CSeq",
                "Max-Forwards",
                "Route",
                "Record-Route",
                "Contact",
                "m",
                "Content-Length",
                "l",
                "Proxy-Authorization",
                "Authorization",
                "Expires",
                "Require",
                "Proxy-Require",
                "Reason",
                "X",
            ]
        ),
        st.one_of(
            st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=40),
            st.sampled_from(
                [
                    "SIP/2.0/UDP h:1;branch=z9hG4bKx",
                    "<sip:a@b>;tag=1",
                    "<sip:a@b>",
                    "1 INVITE",
                    "2 REGISTER",
                    "70",
                    "0",
                    f"<sip:{SERVER[0]};lr>",
                    f"<sip:{SERVER[0]};lr;f=U1!U2!3>",
                    "*",
                    'Digest realm="pbx.test"',
                    "call",
                ]
            ),
        ),
    ),
    max_size=14,
)
URIS = st.sampled_from(
    [
        f"sip:{DOMAIN}",
        BOB,
        f"sip:{SERVER[0]};lr",
        f"sip:{SERVER[0]};lr;f=x",
        "sip:x@y",
        "tel:1",
        "sip:",
        "*",
        "sip:[::1]",
        "sips:x@y",
    ]
)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "FOO"]),
    URIS,
    HEADERS,
    st.booleans(),
)
def test_receive_never_raises_for_messages_put_together_at_random(
    method: str, uri: str, headers: list[tuple[str, str]], reliable: bool
) -> None:
    wire = Wire(snapshot([person("1001"), person("1002")]))
    flow = wire.flow_to("TCP" if reliable else "UDP", "198.51.100.1", 5060)
    good = [("Via", "SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK1"), ("From", f"<sip:1001@{DOMAIN}>;tag=1"),
            ("To", f"<{BOB}>"), ("Call-ID", "c"), ("CSeq", f"1 {method}"), ("Content-Length", "0")]  # fmt: skip
    given_names = {name for name, _ in headers}
    headers = headers + [(name, value) for name, value in good if name not in given_names]
    text = f"{method} {uri} SIP/2.0\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers) + "\r\n"
    wire.receive(text.encode("latin-1"), flow)
    for _, data in wire.sent:
        answer = parse(data)
        assert method != "ACK" or answer.is_request
    settled(wire)


def test_the_limit_of_transactions_is_503(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import sipengine.services.core as core

    wire = world()
    alice = registered(wire, "1001", "198.51.100.1")
    registered(wire, "1002", "198.51.100.2")
    monkeypatch.setattr(core, "MAX_TRANSACTIONS", 1)
    alice.call("1002")
    alice.other_request("INVITE", BOB)
    assert alice.response(503)["Retry-After"]
