"""What the log says of a journal that takes no facts: a full disk may last a whole night."""

from __future__ import annotations

from time import monotonic
from typing import Final

import structlog

from sipengine.observe.logs import Scarce

EVERY_S: Final = 60.0
"""Between two lines that say that it takes nothing."""

AGAIN_AFTER_S: Final = 10.0
"""Without a refusal, until it is said to take facts again: a disk that is nearly full takes some."""


class Undurable:
    """Refusals once a minute, with the number of those between; and once when they are over."""

    def __init__(self) -> None:
        self._scarce = Scarce(1, EVERY_S)
        self._latest: tuple[float, int] | None = None  # refusal: when, and the commits by then

    def refused(self, why: str, commits: int) -> None:
        """A write failed; `commits` were done until now."""
        self._latest = monotonic(), commits
        self._scarce.warning("facts refused by the journal", why=why)

    def look(self, commits: int) -> None:
        """Call it now and then: tells when the journal has taken facts for a while."""
        if self._latest is None:
            return
        since, before = self._latest
        if commits > before and monotonic() - since >= AGAIN_AFTER_S:
            self._latest = None
            self._scarce = Scarce(1, EVERY_S)
            structlog.get_logger().info("the journal takes facts again")
