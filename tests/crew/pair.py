"""The two ends between an owner and one worker, joined directly: a stand-in for the streams."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from sipengine.crew.frames import Frame, decode, encode
from sipengine.crew.handlers import F


class OwnerSide:
    """`handlers.OwnerEnd` with the one worker 1."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self.handlers: dict[type[Frame], Any] = {}
        self.joined: list[Callable[[int], None]] = []
        self.left: list[Callable[[int], None]] = []

    def on(self, kind: type[F], handle: Callable[[int, F], None]) -> None:
        self.handlers[kind] = handle

    def on_join(self, joined: Callable[[int], None]) -> None:
        self.joined.append(joined)

    def on_leave(self, left: Callable[[int], None]) -> None:
        self.left.append(left)

    @property
    def present(self) -> frozenset[int]:
        return frozenset({1}) if self._pair.is_joined else frozenset()

    def tell(self, number: int, frame: Frame) -> None:
        assert number == 1
        self._pair.tell_worker(frame)

    def tell_all(self, frame: Frame) -> None:
        self._pair.tell_worker(frame)


class WorkerSide:
    """`handlers.WorkerEnd`."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self.handlers: dict[type[Frame], Any] = {}
        self.joined_: list[Callable[[], None]] = []
        self.left: list[Callable[[], None]] = []

    @property
    def joined(self) -> bool:
        return self._pair.is_joined

    def on(self, kind: type[F], handle: Callable[[F], None]) -> None:
        self.handlers[kind] = handle

    def on_join(self, joined: Callable[[], None]) -> None:
        self.joined_.append(joined)

    def on_leave(self, left: Callable[[], None]) -> None:
        self.left.append(left)

    def tell(self, frame: Frame) -> None:
        self._pair.tell_owner(frame)


class Pair:
    """What is told waits until `work`, as it would in a socket. Frames go through their bytes."""

    def __init__(self) -> None:
        self.owner = OwnerSide(self)
        self.worker = WorkerSide(self)
        self.is_joined = False
        self._queue: deque[tuple[bool, bytes]] = deque()

    def tell_worker(self, frame: Frame) -> None:
        if self.is_joined:
            self._queue.append((True, encode(frame)[4:]))

    def tell_owner(self, frame: Frame) -> None:
        if self.is_joined:
            self._queue.append((False, encode(frame)[4:]))

    def work(self) -> None:
        """Hand over what was told, and what is told because of it."""
        while self._queue:
            to_worker, body = self._queue.popleft()
            frame = decode(body)
            if to_worker:
                self.worker.handlers[type(frame)](frame)
            else:
                self.owner.handlers[type(frame)](1, frame)

    def join(self) -> None:
        self.is_joined = True
        for here in self.worker.joined_:
            here()
        for joined in self.owner.joined:
            joined(1)
        self.work()

    def part(self) -> None:
        """What was told last does not arrive."""
        self.is_joined = False
        self._queue.clear()
        for gone in self.worker.left:
            gone()
        for left in self.owner.left:
            left(1)
