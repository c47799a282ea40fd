"""Contact values of a REGISTER (RFC 3261 §20.10)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipengine.sip.contact import ContactParameters, delta_seconds, parse_contact
from sipengine.sip.errors import RemoteProtocolError

INSTANCE = "<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"


@pytest.mark.parametrize(
    ("value", "uri", "parameters"),
    [
        ("<sip:a@b>", "sip:a@b", ("", None, 1.0, "", 0)),
        ("sip:a@b;expires=60", "sip:a@b", ("", 60, 1.0, "", 0)),
        ("<sip:a@b;transport=tcp>;q=0.5", "sip:a@b;transport=tcp", (";q=0.5", None, 0.5, "", 0)),
        ('"A <x>" <sip:a@b>;expires=5', "sip:a@b", ("", 5, 1.0, "", 0)),
        (
            f'<sip:a@b>;expires=60;+sip.instance="{INSTANCE}";reg-id=2',
            "sip:a@b",
            (f';+sip.instance="{INSTANCE}";reg-id=2', 60, 1.0, INSTANCE, 2),
        ),
        (
            '<sip:a@b>; Expires = 60 ;x="a;expires=9"',
            "sip:a@b",
            (';x="a;expires=9"', 60, 1.0, "", 0),
        ),
        ("<sip:a@b>;reg-id=x", "sip:a@b", (";reg-id=x", None, 1.0, "", 0)),
    ],
)
def test_uri_and_parameters(
    value: str, uri: str, parameters: tuple[str, int | None, float, str, int]
) -> None:
    assert parse_contact(value) == (uri, ContactParameters(*parameters))


@pytest.mark.parametrize("value", ["", "<>x", "a b", "<sip:a@b> junk", '"unclosed <sip:a@b>', "*x"])
def test_what_is_no_address_is_400(value: str) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        parse_contact(value)
    assert error.value.status == 400


@pytest.mark.parametrize("q", ["2", "-1", "0.1234", "nan", "1.001", "1e0", ""])
def test_broken_q_is_400_rfc3261_25_1(q: str) -> None:
    with pytest.raises(RemoteProtocolError, match="broken q"):
        parse_contact(f"<sip:a@b>;q={q}")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("60", 60), ("junk", 3600), ("-5", 3600), ("", 3600), ("9" * 30, 2**32 - 1)],
)
def test_delta_seconds_malformed_is_3600_rfc3261_10_2_1_1(text: str, seconds: int) -> None:
    assert delta_seconds(text) == seconds


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=100))
def test_any_text_is_a_contact_or_400(text: str) -> None:
    for value in (text, f"<sip:a@b>;{text}"):
        try:
            parse_contact(value)
        except RemoteProtocolError as error:
            assert error.status == 400  # noqa: PT017 - most texts raise nothing
