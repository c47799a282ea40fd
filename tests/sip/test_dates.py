"""The Date header's form (RFC 3261 §20.17), against the standard library's."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipengine.sip.dates import sip_date


@pytest.mark.parametrize(
    ("wall", "text"),
    [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (1289690940, "Sat, 13 Nov 2010 23:29:00 GMT"),  # the RFC's own example
        (951_827_696.9, "Tue, 29 Feb 2000 12:34:56 GMT"),
    ],
)
def test_20_17_known_dates(wall: float, text: str) -> None:
    assert sip_date(wall) == text


@given(st.integers(0, 250_000_000_000))
def test_20_17_every_second_of_9000_years(wall: int) -> None:
    assert sip_date(wall) == formatdate(wall, usegmt=True)
