"""What the engine knew before it stopped: Postgres, plus the journal's lines not yet carried there."""

from __future__ import annotations

from dataclasses import dataclass

from sipengine.api import BindingRecord, CallRecord


@dataclass(frozen=True, slots=True)
class Restored:
    """Every binding (expired ones too: the engine reports them gone) and every call not ended."""

    bindings: list[BindingRecord]
    calls: list[CallRecord]
