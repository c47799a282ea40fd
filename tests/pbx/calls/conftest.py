from __future__ import annotations

from collections.abc import Callable

import pytest

from pbx.calls.models import Call
from tests.pbx.calls.rows import stored_call


@pytest.fixture
def add_call(db: None) -> Callable[..., Call]:
    return stored_call
