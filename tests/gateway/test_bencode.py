"""The encoding of the ng protocol."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipengine.media.bencode import MAX_DEPTH, Value, decode, encode

VALUES = st.recursive(
    st.integers(-(10**18), 10**18) | st.binary(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(max_codepoint=255), max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_encoded_is_decoded_again(value: Value) -> None:
    assert decode(encode(value)) == value


def test_the_form_of_a_command() -> None:
    made = encode({"command": "ping", "flags": ["a", "bc"], "n": -7})
    assert made == b"d7:command4:ping5:flagsl1:a2:bce1:ni-7ee"


@given(st.binary(max_size=60))
def test_anything_else_raises_only_value_errors(data: bytes) -> None:
    try:
        decode(data)
    except ValueError:
        return


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"i12",
        b"ie",
        b"i1_0e",
        b"5:abc",
        b"-1:a",
        b"99999999999999999999999:a",
        b"l",
        b"d",
        b"di1ei2ee",
        b"d1:a",
        b"i1ei2e",
        b"l" * (MAX_DEPTH + 1) + b"e" * (MAX_DEPTH + 1),
        b"l" * 50_000,
        b"l" + b"i1e" * 8192 + b"e",
        b"d" + b"1:ai1e" * 8192 + b"e",
    ],
)
def test_broken_values_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decode(data)
