"""SIP URIs (RFC 3261 §19.1, RFC 5954)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.uri import SipUri, escape_user, host_port, parse_uri, same_uri, unescape

EXAMPLES_19_1_3 = [
    ("sip:alice@atlanta.com", "alice", "atlanta.com", 0),
    ("sip:alice:secretword@atlanta.com;transport=tcp", "alice", "atlanta.com", 0),
    ("sips:alice@atlanta.com?subject=project%20x&priority=urgent", "alice", "atlanta.com", 0),
    ("sip:+1-212-555-1212:1234@gateway.com;user=phone", "+1-212-555-1212", "gateway.com", 0),
    ("sips:1212@gateway.com", "1212", "gateway.com", 0),
    ("sip:alice@192.0.2.4", "alice", "192.0.2.4", 0),
    ("sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com", "", "atlanta.com", 0),
    ("sip:alice;day=tuesday@atlanta.com", "alice;day=tuesday", "atlanta.com", 0),
]
OTHERS = [
    ("sip:bob@biloxi.com:5070", "bob", "biloxi.com", 5070),
    ("sip:[2001:db8::10]", "", "2001:db8::10", 0),
    ("sip:user@[2001:DB8::10]:5070;lr", "user", "2001:db8::10", 5070),
    ("sip:user@[::ffff:192.0.2.10]", "user", "::ffff:192.0.2.10", 0),
    ("SIP:a@EXAMPLE.com", "a", "example.com", 0),
    ("sip:192.0.2.1;lr;f=U1.2.3.4:5!T6.7.8.9:10!abc", "", "192.0.2.1", 0),
    # RFC 4475 §3.1.1.2: all that may stand in a user part
    ("sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
     "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*", "example.com", 0),
    ("sip:;x@host", ";x", "host", 0),
    ("sip:1001@pbx.test;transport=tcp;transport=udp", "1001", "pbx.test", 0),
]  # fmt: skip


@pytest.mark.parametrize(("text", "user", "host", "port"), EXAMPLES_19_1_3 + OTHERS)
def test_19_1_1_parts(text: str, user: str, host: str, port: int) -> None:
    uri = parse_uri(text)
    assert (uri.user, uri.host, uri.port) == (user, host, port)
    assert parse_uri(str(uri)) == uri


def test_19_1_1_password_parameters_and_headers() -> None:
    uri = parse_uri("sip:alice:secretword@atlanta.com;Transport=TCP;lr;x=a=b?subject=project%20x")
    assert uri.password == "secretword"
    assert uri.parameters == (("transport", "TCP"), ("lr", ""), ("x", "a=b"))
    assert uri.parameter("lr") == ""
    assert uri.parameter("x") == "a=b"
    assert uri.parameter("maddr") is None
    assert uri.headers == "subject=project%20x"


@pytest.mark.parametrize(
    ("text", "transport"),
    [("sip:a", "UDP"), ("sip:a;transport=tcp", "TCP"), ("sips:a", "TLS"), ("sips:a;transport=tcp", "TLS"),
     ("sip:a;transport=ws", "WS"), ("sip:a;transport=SCTP", "SCTP"), ("sip:a;transport=tcp;transport=udp", "TCP")],
)  # fmt: skip
def test_19_1_1_transport(text: str, transport: str) -> None:
    assert parse_uri(text).transport == transport


@pytest.mark.parametrize(
    ("text", "status"),
    [("", 400), ("sip", 400), ("sip:", 400), ("sip:@h", 400), ("sip:a@", 400), ("sip:a@b@c", 400), ("sip:a b@c", 400),
     ("sip:a@b:99999", 400), ("sip:a@b:x", 400), ("sip:[::1", 400), ("<sip:a@b>", 400), ('sip:"a"@b', 400),
     ("sip:a@b;x=<y>", 400), ("sip:a@h_ost!", 400), ("tel:+1", 416), ("http://x/", 416), ("soap.beep://192.0.2.103:3002", 416),
     ("sip:" + "a" * 3000, 414), ("1x:y", 400)],
)  # fmt: skip
def test_what_is_no_sip_uri_says_why(text: str, status: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_uri(text)
    assert caught.value.status == status


EQUAL_19_1_4 = [
    ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
    ("sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
     "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"),
    ("sip:alice@atlanta.com?subject=project%20x&priority=urgent",
     "sip:alice@atlanta.com?priority=urgent&subject=project%20x"),
    # RFC 5954 §4.2
    ("sip:bob@[2001:db8::9:1]", "sip:bob@[2001:DB8::9:01]"),
    ("sip:bob@[::ffff:192.0.2.128]", "sip:bob@[::ffff:c000:280]"),
]  # fmt: skip
DIFFERENT_19_1_4 = [
    ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
    ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
    ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
    ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
    ("sip:bob@biloxi.com", "sip:bob:pw@biloxi.com"),
    ("sip:bob@[2001:db8::9:1]", "sip:bob@[2001:db8::9:2]"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL_19_1_4)
def test_19_1_4_equal(one: str, other: str) -> None:
    assert same_uri(parse_uri(one), parse_uri(other))
    assert same_uri(parse_uri(other), parse_uri(one))


@pytest.mark.parametrize(("one", "other"), DIFFERENT_19_1_4)
def test_19_1_4_different(one: str, other: str) -> None:
    assert not same_uri(parse_uri(one), parse_uri(other))
    assert not same_uri(parse_uri(other), parse_uri(one))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("%61", "a"),
        ("a%20b", "a b"),
        ("%", "%"),
        ("%zz", "%zz"),
        ("%00", "\0"),
        ("%2525", "%25"),
        ("%C3%A9", "é".encode().decode("latin-1")),  # UTF-8, as everything that was read
    ],
)
def test_19_1_2_escapes(text: str, plain: str) -> None:
    assert unescape(text) == plain


def test_10_3_5_the_aor_has_its_escapes_undone() -> None:
    assert parse_uri("sip:%31001@PBX.test;x=y").aor == "1001@pbx.test"


@pytest.mark.parametrize(
    ("host", "port", "text"),
    [("h", 0, "h"), ("h", 1, "h:1"), ("::1", 0, "[::1]"), ("::1", 5, "[::1]:5")],
)
def test_host_port(host: str, port: int, text: str) -> None:
    assert host_port(host, port) == text


USERS = st.text(st.sampled_from("abzABZ019-_.!~*'()&=+$,;?/%41"), min_size=1, max_size=12)
HOSTS = st.sampled_from(["h", "example.com", "192.0.2.1", "[2001:db8::1]", "a-b.c_d"])
PARAMETERS = st.lists(
    st.tuples(
        st.sampled_from(["lr", "transport", "x", "user"]),
        st.sampled_from(["", "tcp", "a%20b", "[::1]"]),
    ),
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["sip", "sips", "SIP"]),
    st.none() | USERS,
    HOSTS,
    st.integers(0, 65535),
    PARAMETERS,
)
def test_parse_and_str_are_inverse(
    scheme: str, user: str | None, host: str, port: int, parameters: list[tuple[str, str]]
) -> None:
    text = f"{scheme}:{user + '@' if user else ''}{host}{f':{port}' if port else ''}"
    text += "".join(f";{k}={v}" if v else f";{k}" for k, v in parameters)
    uri = parse_uri(text)
    assert parse_uri(str(uri)) == uri
    assert str(parse_uri(str(uri))) == str(uri)
    assert same_uri(uri, parse_uri(str(uri)))


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=60) | st.text(max_size=40).map(lambda t: "sip:" + t))
def test_parse_uri_gives_a_uri_or_says_why_not(text: str) -> None:
    try:
        uri = parse_uri(text)
    except RemoteProtocolError as error:
        assert error.status in (400, 414, 416)  # noqa: PT017
    else:
        assert isinstance(uri, SipUri)
        assert parse_uri(str(uri)) == uri


@given(st.text(max_size=20))
def test_escape_user_can_stand_in_a_uri(text: str) -> None:
    if text:
        assert parse_uri(f"sip:{escape_user(text)}@h").user == escape_user(text)
        assert unescape(escape_user(text)).encode("latin-1") == text.encode()
