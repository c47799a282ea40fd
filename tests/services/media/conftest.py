"""A core with a media gateway, and a browser; the phones are those of tests/services/conftest.py."""

from __future__ import annotations

import pytest

from tests.services.conftest import registered
from tests.services.media.anchored import Anchored, Plane
from tests.services.user_agents import Phone


@pytest.fixture
def wire() -> Anchored:
    return Anchored(Plane())


@pytest.fixture
def web(wire: Anchored) -> Phone:
    return registered(wire, "1001", "203.0.113.1", 40001, transport="WS")
