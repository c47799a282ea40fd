"""Who takes which frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from sipengine.crew.frames import Frame

F = TypeVar("F", bound=Frame)


class OwnerEnd(Protocol):
    """What the owner's side of a matter needs of the hub; `number` is a worker's."""

    def on(self, kind: type[F], handle: Callable[[int, F], None]) -> None: ...
    def on_join(self, joined: Callable[[int], None]) -> None: ...
    def on_leave(self, left: Callable[[int], None]) -> None: ...
    def tell(self, number: int, frame: Frame) -> None: ...
    def tell_all(self, frame: Frame) -> None: ...


class WorkerEnd(Protocol):
    """What a worker's side of a matter needs of the member."""

    def on(self, kind: type[F], handle: Callable[[F], None]) -> None: ...
    def on_join(self, joined: Callable[[], None]) -> None: ...
    def on_leave(self, left: Callable[[], None]) -> None: ...
    def tell(self, frame: Frame) -> None: ...


Handlers = dict[type[Frame], Any]
"""Frame class -> the one that takes it: a dictionary cannot say that the two belong together."""

NOBODY: Final = "nobody takes frames of the kind"


def set_handler(handlers: Handlers, kind: type[Frame], handle: object) -> None:
    """Enter who takes a kind of frame. Raises ValueError if somebody does already."""
    if kind in handlers:
        raise ValueError(f"{kind.__name__} has somebody who takes it already")
    handlers[kind] = handle
