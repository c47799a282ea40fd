"""Fixtures for the media gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.gateway.served import Served, serve, stop
from tests.support.free_ports import free_block


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    first = free_block(42)
    made = serve((first, first + 41))
    yield made
    await stop(made)
