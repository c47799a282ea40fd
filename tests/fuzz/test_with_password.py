"""Every method of a user with the right password, its headers and bodies by the grammar: what the event
server, the registrar, the mailbox of texts and our own user agent make of them.
"""

from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.effort import effort
from tests.fuzz.grammar import HEADER, NOISE, RESPONSES, SDP, answering, joined, maybe, mostly
from tests.fuzz.test_core import asked_by, check_sent, office, settled
from tests.services.user_agents import Phone, new_branch, password_of, wire_bytes
from tests.services.wire import DOMAIN
from tests.support.wire import digest

BOB, ALICE, ECHO = f"sip:1002@{DOMAIN}", f"sip:1001@{DOMAIN}", f"sip:*43@{DOMAIN}"
ASKED = st.sampled_from(
    [
        ("REGISTER", f"sip:{DOMAIN}"), ("REGISTER", ALICE), ("SUBSCRIBE", BOB), ("SUBSCRIBE", ALICE),
        ("PUBLISH", ALICE), ("MESSAGE", BOB), ("MESSAGE", f"sip:1003@{DOMAIN}"), ("REFER", BOB),
        ("REFER", ECHO), ("INVITE", ECHO), ("INVITE", f"sip:1003@{DOMAIN}"), ("OPTIONS", BOB),
        ("NOTIFY", BOB), ("INFO", ECHO),
    ]
)  # fmt: skip
XML = st.lists(
    mostly(
        st.sampled_from(
            ['<?xml version="1.0"?>', '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:a">', "</presence>",
             '<tuple id="a">', "</tuple>", "<status>", "</status>", "<basic>open</basic>", "<basic>closed</basic>",
             "<note>&amp;&lt;\u00e4</note>", "<note>", "</note>", "<!-- -->", "<![CDATA[x]]>", "<!DOCTYPE x>", "&a;", "&#0;",
             '<r:activities xmlns:r="urn:ietf:params:xml:ns:pidf:rpid"><r:away/><r:meeting/></r:activities>',
             "<a:b/>", "<" * 50, "<a>" * 200, "</a>" * 200, "&#x110000;", "\ufeff"]
        ),
        NOISE,
    ),
    max_size=12,
).map("".join)  # fmt: skip
BODY = maybe(XML | SDP | NOISE)
PIDF = joined(
    [st.just('<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:a">'), XML, st.just("</presence>")]
)  # fmt: skip
KIND = st.tuples(
    st.sampled_from(["Content-Type", "c"]),
    st.sampled_from(
        ["application/pidf+xml", "application/sdp;x=y", "multipart/mixed;boundary=x", "text/plain", "", "application/pkcs7-mime"]
    ),
)  # fmt: skip
HEADERS: st.SearchStrategy[list[tuple[str, str]]] = st.lists(mostly(HEADER, KIND), max_size=4)  # type: ignore[arg-type]
_serial = count(1)


def ask(phone: Phone, method: str, uri: str, headers: list[tuple[str, str]], body: str) -> None:
    """A request with drawn headers beside sound ones, and credentials when it is challenged."""
    given_names = {name for name, _ in headers}
    usual = {"Contact": phone.contact, "Event": "presence", "Refer-To": f"<{BOB}>"}
    if method in ("SUBSCRIBE", "PUBLISH", "REFER", "MESSAGE", "REGISTER"):
        headers = [*headers, *((k, v) for k, v in usual.items() if k not in given_names)]
    if body and not given_names & {"Content-Type", "c"}:
        kind = {"PUBLISH": "application/pidf+xml", "INVITE": "application/sdp"}
        headers = [*headers, ("Content-Type", kind.get(method, "text/plain"))]
    octets = body.encode("utf-8", "replace")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    call_id, credentials = f"drawn-{next(_serial)}", ""
    for cseq in (1, 2):
        phone.inbox.clear()
        head = (
            f"{method} {uri} SIP/2.0\nVia: {phone.via(new_branch())}\nMax-Forwards: 70\n"
            f"From: <{phone.aor}>;tag=d\nTo: <{phone.aor if method == 'REGISTER' else uri}>\n"
            f"Call-ID: {call_id}\nCSeq: {cseq} {method}\n{credentials}"
        )
        length = f"Content-Length: {len(octets)}\r\n\r\n"
        data = wire_bytes(head) + (lines + length).encode("latin-1", "replace") + octets
        phone.wire.receive(data, phone.flow)
        phone.wire.beat()
        challenged = next((m for m in phone.inbox if m.status in (401, 407)), None)
        if challenged is None:
            return
        proxy = "Proxy-" if challenged.status == 407 else ""
        challenge = challenged[f"{proxy or 'WWW-'}Authenticate"]
        value = digest(challenge, phone.number, password_of(phone.number), method, uri)
        credentials = f"{proxy}Authorization: {value}\n"


@effort(150)
@given(st.data(), st.lists(ASKED, min_size=1, max_size=5))
def test_whatever_a_user_asks_the_core_stands_and_what_it_sends_is_sound(
    data: st.DataObject, asked: list[tuple[str, str]]
) -> None:
    wire = office()
    phones = [one for one in wire._phones.values() if isinstance(one, Phone)]
    alice = next(phone for phone in phones if phone.number == "1001")
    bob = wire.flow_to("UDP", "198.51.100.2", 5060)
    since = len(wire.sent)
    for method, uri in asked:
        body = data.draw(PIDF | BODY if method == "PUBLISH" else BODY)
        ask(alice, method, uri, data.draw(HEADERS), body)
        if data.draw(st.booleans()):
            wire.receive(answering(data.draw(RESPONSES), asked_by(wire)), bob)
        if data.draw(st.booleans()):
            wire.advance(1.5)
    wire.beat()
    check_sent(wire, since)
    wire.advance(8000)  # the longest subscription ends, too
    settled(wire)
    assert wire.core.counters()["subscriptions_now"] == 0
