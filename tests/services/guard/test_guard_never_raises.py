"""Whatever bytes come, guarded and under pressure, `receive` never raises and phones stay unharmed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sipengine.services.guard.sources import Allowed
from tests.services.conftest import person, registered
from tests.services.user_agents import Phone, wire_bytes
from tests.services.wire import DOMAIN, Wire, snapshot

EVE = "203.0.113.66"
SOUND = wire_bytes(
    f"""INVITE sip:1002@{DOMAIN} SIP/2.0
Via: SIP/2.0/UDP {EVE}:5060;branch=z9hG4bK1;rport
Max-Forwards: 70
From: <sip:1001@{DOMAIN}>;tag=1
To: <sip:1002@{DOMAIN}>
Call-ID: x
CSeq: 1 INVITE
User-Agent: sipcli/v1.8
Authorization: Digest username="1001", realm="{DOMAIN}", nonce="0", uri="sip:{DOMAIN}", response="0"
Content-Length: 0

"""
)


def spoiled(cuts: tuple[int, int], stuff: bytes) -> bytes:
    start, end = sorted(cut % (len(SOUND) + 1) for cut in cuts)
    return SOUND[:start] + stuff + SOUND[end:]


MESSAGES = st.lists(
    st.one_of(
        st.binary(max_size=300),
        st.builds(spoiled, st.tuples(st.integers(0), st.integers(0)), st.binary(max_size=8)),
    ),
    max_size=80,
)


@settings(max_examples=60, deadline=None)
@given(
    messages=MESSAGES,
    transport=st.sampled_from(["UDP", "TCP"]),
    pressures=st.lists(st.integers(0, 3), min_size=1, max_size=4),
)
def test_guarded_and_pressed(messages: list[bytes], transport: str, pressures: list[int]) -> None:
    wire = Wire(snapshot([person("1001"), person("1002")]), allowed=Allowed(()))
    good = registered(wire, "1002", "198.51.100.2")
    eve = Phone(wire, "999", EVE, transport=transport)
    for number, message in enumerate(messages):
        wire.core.admission.level = pressures[number % len(pressures)]
        eve.send(message)
    wire.core.admission.level = 0
    wire.beat()
    assert all(ban.source == EVE for ban in wire.bans.values())
    wire.advance(400)
    assert wire.transactions == 0
    assert good.register().status == 200
