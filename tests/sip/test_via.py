"""The Via header (RFC 3261 §20.42)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.via import parse_via


@pytest.mark.parametrize(
    ("value", "transport", "host", "port", "parameters"),
    [
        ("SIP/2.0/UDP h:5060;branch=z9hG4bK1", "UDP", "h", 5060, {"branch": "z9hG4bK1"}),
        ("sip/2.0/tcp H", "TCP", "h", 0, {}),
        ("SIP / 2.0 / UDP first.example.com: 4000;ttl=16\t;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1",
         "UDP", "first.example.com", 4000, {"ttl": "16", "maddr": "224.2.0.1", "branch": "z9hG4bKa7c6a8dlze.1"}),
        ("SIP/2.0/UDP [2001:db8::9:1]:5070;rport", "UDP", "2001:db8::9:1", 5070, {"rport": ""}),
        ("SIP/2.0/UDP [2001:DB8::9:1]", "UDP", "2001:db8::9:1", 0, {}),
        ("SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks", "WSS", "df7jal23ls0d.invalid", 0, {"branch": "z9hG4bK56sdasks"}),
        ("SIP/2.0/UNKNOWN t4.example.com ; branch = x ; BRANCH=y", "UNKNOWN", "t4.example.com", 0, {"branch": "x"}),
    ],
)  # fmt: skip
def test_20_42_parts(
    value: str, transport: str, host: str, port: int, parameters: dict[str, str]
) -> None:
    via = parse_via(value)
    assert (via.transport, via.host, via.port, via.parameters) == (
        transport,
        host,
        port,
        parameters,
    )
    assert via.branch == parameters.get("branch", "")
    again = parse_via(str(via))
    assert (again.transport, again.sent_by, again.parameters) == (
        via.transport,
        via.sent_by,
        via.parameters,
    )


@pytest.mark.parametrize(
    "value",
    [
        "",
        "SIP/2.0",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/3.0/UDP h",
        "SIP/2.0/UDP h:",
        "SIP/2.0/UDP h:x",
        "SIP/2.0/UDP h:99999",
        "SIP/2.0/UDP h x",
        "SIP/2.0/UDP [::1",
    ],
)
def test_20_42_what_is_no_via_is_400(value: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_via(value)
    assert caught.value.status == 400


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text(max_size=40).map(lambda t: "SIP/2.0/UDP " + t))
def test_parse_via_gives_a_via_or_400(text: str) -> None:
    try:
        parse_via(text)
    except RemoteProtocolError as error:
        assert error.status == 400  # noqa: PT017
