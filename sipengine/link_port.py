"""What the engine needs from the link to the database, as Protocols that `pbx.enginelink` fulfils."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sipengine.api import ConfigSnapshot, RefusedPhone, Restored
from sipengine.commands import CommandPort
from sipengine.net.facts import JournalPort


class Start(Protocol):
    @property
    def snapshot(self) -> ConfigSnapshot: ...
    @property
    def restored(self) -> Restored: ...


class LinkPort(CommandPort, Protocol):
    """The part of `pbx.enginelink.link.Link` that the engine uses."""

    @property
    def journal(self) -> JournalPort: ...
    def start(self) -> Start: ...
    def watch(self, on_change: Callable[[ConfigSnapshot], None]) -> None: ...
    def notify_written(self) -> None: ...
    def publish_status(
        self,
        counters: dict[str, int | float],
        generation: int = 0,
        refused: Sequence[RefusedPhone] = (),
    ) -> None: ...
    def counters(self) -> dict[str, int | float]: ...
    def close(self, deadline_s: float = 3.0) -> None: ...
