"""When subscriptions and publications run out: one moment for each name, however often it is refreshed."""

from __future__ import annotations

from heapq import heappop, heappush
from math import ceil


class Expiries:
    """Names by the whole second in which they run out: setting, moving and dropping one costs the same
    for any number of them, and what is dropped leaves at most its second behind."""

    __slots__ = ("_names", "_second_of", "_seconds")

    def __init__(self) -> None:
        self._names: dict[int, dict[str, None]] = {}  # by second
        self._second_of: dict[str, int] = {}
        self._seconds: list[int] = []  # a heap of the keys of `_names`

    def __len__(self) -> int:
        return len(self._second_of)

    def set(self, name: str, moment: float) -> None:
        """`name` runs out at `moment` and at no other."""
        self.drop(name)
        second = ceil(moment)
        names = self._names.get(second)
        if names is None:
            names = self._names[second] = {}
            heappush(self._seconds, second)
        names[name] = None
        self._second_of[name] = second

    def drop(self, name: str) -> None:
        """`name` does not run out any more, if it ever did."""
        second = self._second_of.pop(name, None)
        if second is not None:
            del self._names[second][name]

    def take(self, now: float, most: int) -> list[str]:
        """At most so many of the names that have run out, the earliest first; they are dropped."""
        taken: list[str] = []
        while self._seconds and self._seconds[0] <= now and len(taken) < most:
            names = self._names[self._seconds[0]]
            for name in list(names)[: most - len(taken)]:
                self.drop(name)
                taken.append(name)
            if not names:
                del self._names[heappop(self._seconds)]
        return taken
