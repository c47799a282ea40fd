"""The garbage collector looks only at what may be garbage."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator

import pytest

from sipengine import interpreter


class Node:
    other: Node | None = None


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    interval = sys.getswitchinterval()
    yield
    gc.unfreeze()
    gc.enable()
    sys.setswitchinterval(interval)


def test_what_is_loaded_at_the_start_is_never_looked_at_again() -> None:
    interpreter.hold_collector()
    assert not gc.isenabled()
    loaded = [Node() for _ in range(1000)]
    interpreter.settle_interpreter()
    assert not gc.isenabled()  # `collect` is called at leisure
    assert gc.get_freeze_count() > len(loaded)
    weak = weakref.ref(loaded[0])
    loaded.clear()
    assert weak() is None  # it ends all the same


def test_a_collection_ends_cycles_and_freezes_only_what_made_it_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = Node()
    node.other = node
    weak = weakref.ref(node)
    del node
    frozen = gc.get_freeze_count()
    monkeypatch.setattr(interpreter, "LONG_S", 1e9)
    assert interpreter.collect() > 0
    assert weak() is None
    assert gc.get_freeze_count() == frozen
    monkeypatch.setattr(interpreter, "LONG_S", 0.0)
    interpreter.collect()
    assert gc.get_freeze_count() > frozen
