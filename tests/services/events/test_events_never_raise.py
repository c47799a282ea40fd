"""Whatever a user with the right password writes into his headers: no exception, and nothing stays."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.services.conftest import person, registered
from tests.services.user_agents import new_branch, password_of, wire_bytes
from tests.services.wire import DOMAIN, Wire, snapshot
from tests.support.wire import digest

URI = f"sip:1002@{DOMAIN}"
OWN = f"sip:1001@{DOMAIN}"

ODD = st.one_of(
    st.sampled_from(
        [
            "", "*", "<>", "<sip:>", "<sip:a@b", "sip:a@b;lr", "<tel:1>", "<sips:a@b>", "<sip:a@[::1]:5>",
            "<sip:a@b;transport=ws>", "<sip:a@b;transport=sctp>", "<sip:a@b;maddr=1.2.3.4>", '"', '"\\',
            "<sip:%00@b>", "<sip:a@b>;tag", "<sip:a@h>, <sip:b@h>", ";", ",", "0", "-1", "1e9", "9" * 40,
            "dialog", "presence;id=", 'dialog;id="x', "message-summary;id=1;id=2", "\x00", "\xff\xfe",
        ]
    ),
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=30),
)  # fmt: skip
HEADERS = ("Contact", "Event", "Expires", "Accept", "Record-Route", "Route", "SIP-If-Match",
           "Content-Type", "Content-Encoding", "Date", "User-Agent")  # fmt: skip


@pytest.mark.parametrize("method", ["SUBSCRIBE", "PUBLISH", "MESSAGE"])
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    odd=st.dictionaries(st.sampled_from(HEADERS), ODD, max_size=3),
    name=st.one_of(st.just(""), ODD),
    body=st.one_of(st.just(""), st.text(max_size=40)),
    then=st.sampled_from([200, 404, 500, 0]),
)
def test_odd_headers_with_the_right_password(
    method: str, odd: dict[str, str], name: str, body: str, then: int
) -> None:
    wire = Wire(snapshot([person("1001", "Alice"), person("1002", "Bob")]))
    alice = registered(wire, "1001", "198.51.100.1")
    if method != "MESSAGE":
        registered(wire, "1002", "198.51.100.2")
    uri = OWN if method == "PUBLISH" else URI
    usual = {"Contact": alice.contact, "Event": "presence", "Content-Type": "application/pidf+xml"}
    lines = "".join(f"{key}: {value}\r\n" for key, value in {**usual, **odd}.items())
    credentials = ""
    for cseq in (1, 2):
        alice.inbox.clear()
        head = (
            f"{method} {uri} SIP/2.0\nVia: {alice.via(new_branch())}\nMax-Forwards: 70\n"
            f"From: {name} <{OWN}>;tag=1\nTo: <{uri}>\nCall-ID: c\nCSeq: {cseq} {method}\n{credentials}"
        )
        length = f"Content-Length: {len(body.encode())}\r\n\r\n"
        alice.send(wire_bytes(head) + (lines + length).encode("latin-1") + body.encode())
        wire.beat()
        challenges = [m for m in alice.inbox if m.status in (401, 407)]
        if not challenges:
            break
        proxy = "Proxy-" if challenges[0].status == 407 else ""
        challenge = challenges[0][f"{proxy or 'WWW-'}Authenticate"]
        value = digest(challenge, "1001", password_of("1001"), method, uri)
        credentials = f"{proxy}Authorization: {value}\n"
    for message in list(alice.inbox):
        if message.method == "NOTIFY" and message.is_request and then:
            alice.reply(message, then)
    bob = registered(wire, "1002", "198.51.100.2")
    wire.advance(5)
    bob.inbox.clear()
    wire.advance(8 * 86400)
    wire.beat()
    counters = wire.core.counters()
    assert counters["subscriptions_now"] == 0
    assert counters["messages_kept_now"] == 0
    assert (wire.subscriptions, wire.kept) == ({}, {})
    assert counters["transactions_now"] == 0
