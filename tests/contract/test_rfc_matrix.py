"""docs/rfc-matrix.md is what docs/rfc_matrix.py makes of the sources."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_matrix_was_made_from_these_sources() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "rfc_matrix.py"))["page"]()
    assert (ROOT / "docs" / "rfc-matrix.md").read_text(encoding="utf-8") == made, (
        "run `make matrix`"
    )
