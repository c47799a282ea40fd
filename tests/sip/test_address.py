"""name-addr, addr-spec and header parameters (RFC 3261 §20, §20.10, §25.1)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipengine.sip.address import Address, parse_address, parse_parameters, readable
from sipengine.sip.errors import RemoteProtocolError


@pytest.mark.parametrize(
    ("value", "display", "uri", "parameters"),
    [
        ("<sip:a@b>", "", "sip:a@b", ""),
        ("<sip:a@b>;tag=1", "", "sip:a@b", ";tag=1"),
        ("Alice <sip:a@b> ; tag=1", "Alice", "sip:a@b", "; tag=1"),
        ('"A. G. Bell" <sip:a@b>;tag=1', "A. G. Bell", "sip:a@b", ";tag=1"),
        ('"a\\"b\\\\c"<sip:a@b>', 'a"b\\c', "sip:a@b", ""),
        ('"<x>, ;y" <sip:a@b>', "<x>, ;y", "sip:a@b", ""),
        ("caller<sip:a@b>;tag=1", "caller", "sip:a@b", ";tag=1"),
        ("sip:a@b", "", "sip:a@b", ""),
        (
            "sip:a@b;tag=1;x",
            "",
            "sip:a@b",
            ";tag=1;x",
        ),  # §20: behind a bare URI they are the header's
        ("<sip:a@b;lr>;x=<y>", "", "sip:a@b;lr", ";x=<y>"),
        ("< sip:a@b >", "", "sip:a@b", ""),
        ("  Two Words   <tel:+1>  ", "Two Words", "tel:+1", ""),
    ],
)
def test_20_parts(value: str, display: str, uri: str, parameters: str) -> None:
    assert parse_address(value) == Address(display, uri, parameters)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "*",
        "alice",
        '"open <sip:a@b>',
        "<sip:a@b",
        "<sip:a@b> x",
        '"a" "b" <sip:a@b>',
        "a b:c",
        "Bell, A <sip:a@b>",
        "<<sip:a@b>>",
    ],
)
def test_20_what_is_no_address_is_400(value: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_address(value)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("text", "pairs"),
    [("", []), (";a", [("a", "")]), (";A=1;b=2", [("a", "1"), ("b", "2")]), (" ; a = 1 ;; b ", [("a", "1"), ("b", "")]),
     (';t="x;y=\\"z\\"";u', [("t", 'x;y="z"'), ("u", "")]), (';+sip.instance="<urn:uuid:1>";reg-id=1', [("+sip.instance", "<urn:uuid:1>"), ("reg-id", "1")])],
)  # fmt: skip
def test_25_1_parameters(text: str, pairs: list[tuple[str, str]]) -> None:
    assert parse_parameters(text) == pairs


def test_parameter_of_an_address() -> None:
    address = parse_address('<sip:a@b>;q=0.5;lr;x="a b"')
    assert address.parameter("q") == "0.5"
    assert address.parameter("lr") == ""
    assert address.parameter("x") == "a b"
    assert address.parameter("y") is None
    assert address.uri.user == "a"


def test_display_names_are_utf_8() -> None:
    assert readable("Zoë".encode().decode("latin-1")) == "Zoë"
    assert readable("Zo\xeb") == "Zo�"


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_parse_address_gives_an_address_or_400(text: str) -> None:
    try:
        address = parse_address(text)
    except RemoteProtocolError as error:
        assert error.status == 400  # noqa: PT017
    else:
        parse_parameters(address.parameters)
