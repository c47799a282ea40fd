"""Alice calls Bob, both with our own user agent."""

from __future__ import annotations

import pytest

from tests.services.ua.pair import Pair


@pytest.fixture
def pair() -> Pair:
    return Pair()


@pytest.fixture
def talking(pair: Pair) -> Pair:
    """A session that stands, with nothing on its way."""
    pair.alice.call()
    assert pair.alice.session.established
    assert pair.bob.session.established
    pair.advance(33)
    pair.sent.clear()
    pair.alice.events.clear()
    pair.bob.events.clear()
    return pair
