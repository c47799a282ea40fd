"""Header names in every spelling (RFC 3261 §7.3.1, §7.3.3)."""

from __future__ import annotations

import pytest

from sipengine.sip.names import COMPACT_FORMS, NAMES


@pytest.mark.parametrize(("short", "name"), COMPACT_FORMS.items())
def test_7_3_3_compact_forms_in_either_case(short: str, name: str) -> None:
    assert NAMES[short] == NAMES[short.upper()] == name


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("Via", "Via"), ("VIA", "Via"), ("vIa", "Via"), ("Via ", "Via"), ("via\t ", "Via"), ("call-id", "Call-ID"), ("CALL-ID", "Call-ID"),
     ("Call-Id", "Call-ID"), ("cseq", "CSeq"), ("www-authenticate", "WWW-Authenticate"), ("x-foo", "X-Foo"), ("X-FOO", "X-Foo"),
     ("p-asserted-identity", "P-Asserted-Identity"), ("C%6Fntact", "C%6Fntact".title())],
)  # fmt: skip
def test_7_3_1_names_have_no_case(spelling: str, name: str) -> None:
    assert NAMES[spelling] == name


@pytest.mark.parametrize(
    "spelling", ["", " ", " Via", "X Y", "X:Y", "\x00", "é", "<", '"', "a,b", "(x)"]
)
def test_25_1_what_is_no_token_is_no_name(spelling: str) -> None:
    assert NAMES[spelling] == ""


def test_what_is_remembered_is_bounded() -> None:
    for at in range(6000):
        assert NAMES[f"x-invented-{at}"] == f"X-Invented-{at}"
    assert len(NAMES) <= 4200
    long = "x" * 1000
    assert NAMES[long]
    assert long not in NAMES
