"""What one process has of an engine's records (docs/decisions/0017-worker-processes.md)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sipengine.steering import share_of

ENGINE: Final = "engine"


@dataclass(frozen=True, slots=True)
class EngineProcess:
    """Process `number` of `count`. The owner, 0, has all that belongs to no call."""

    number: int = 0
    count: int = 1

    @property
    def is_owner(self) -> bool:
        return not self.number

    @property
    def name(self) -> str:
        """Of its row in the status table."""
        return f"{ENGINE}-{self.number}" if self.number else ENGINE

    def journal(self, owners: Path) -> Path:
        """The directory of its journal, in the owner's."""
        return owners / f"worker-{self.number}" if self.number else owners

    def has_call(self, call_ids: list[str]) -> bool:
        """Whether a call is its own. One that was never told of (no Call-ID) is the owner's."""
        if self.count == 1:
            return True
        call_id = call_ids[0].encode("latin-1", "replace") if call_ids else b""
        return (share_of(call_id, self.count) if call_id else 0) == self.number


ONLY: Final = EngineProcess()
"""The one process of an engine."""
