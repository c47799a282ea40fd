"""What is said of a part that ends again and again: the first times each, then one in a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

AT_FIRST: Final = 4  # ends in a row, each of which is said
EVERY: Final = (
    300.0  # seconds between two lines then: what keeps a part from living may last a night
)


class Complaints:
    """Of one part, named `name`, whose log is `log`."""

    def __init__(self, name: str, log: Path, say: Callable[[str], None]) -> None:
        self._name = name
        self._log = log
        self._say = say
        self._said_at = 0.0
        self._unsaid = 0

    def say(self, ending: str, delay: float, *, in_a_row: int) -> None:
        """It ended (or could not be started) for the `in_a_row`-th time and is started in `delay` s."""
        now = time.monotonic()
        if in_a_row > AT_FIRST and now < self._said_at + EVERY:
            self._unsaid += 1
            return
        since = f" ({self._unsaid} times more since it was last said)" if self._unsaid else ""
        self._say(
            f"{self._name} {ending}{since}; starting it again in {delay:g} s (log: {self._log})"
        )
        self._said_at, self._unsaid = now, 0
