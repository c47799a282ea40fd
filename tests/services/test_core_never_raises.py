"""Whatever bytes come, `receive` never raises, and when all timers have run nothing is left."""

from __future__ import annotations

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sipengine.sip.flow import Flow
from tests.services.conftest import person, registered
from tests.services.user_agents import wire_bytes
from tests.services.wire import DOMAIN, SERVER, Wire, snapshot
from tests.support.wire import parse

BOB = f"sip:1002@{DOMAIN}"


def fresh() -> tuple[Wire, list[bytes]]:
    """A wire in the middle of two calls, and real messages of every kind to spoil."""
    wire = Wire(snapshot([person("1001", "Alice"), person("1002", "Bob")]))
    alice = registered(wire, "1001", "198.51.100.1")
    bob = registered(wire, "1002", "198.51.100.2")
    seen: list[bytes] = []
    receive = wire.receive

    def remember(data: bytes, flow: Flow) -> None:
        seen.append(data)
        receive(data, flow)

    wire.receive = remember
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
    wire.receive = receive
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
