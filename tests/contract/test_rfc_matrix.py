"""docs/rfc-matrix.md is what docs/rfc_matrix.py makes of the sources."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_sections_that_are_cited_exist() -> None:
    """A number that is mistyped would claim a section that nothing serves."""
    matrix = runpy.run_path(str(ROOT / "docs" / "rfc_matrix.py"))
    assert matrix["unknown_sections"]() == set()
    section_of_test = matrix["section_of_test"]
    for name, section in {
        "test_8_2_2_1_404_where_there_is_no_user": (3261, "8.2.2.1"),
        "test_6665_4_1_2_2_481_for_what_is_not_there": (6665, "4.1.2.2"),
        "test_3326_8606_several_reasons": (3326, ""),
        "test_the_nonce_rfc7616_3_3": (7616, "3.3"),
        "test_27_things": None,
    }.items():
        assert section_of_test(name) == section
    exists = matrix["exists"]
    assert [
        one for one in ("21.4.28", "21.4.29", "16.7.10", "16.7.11", "21.5.14") if exists(one)
    ] == [
        "21.4.28",
        "16.7.10",
    ]


def test_the_matrix_was_made_from_these_sources() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "rfc_matrix.py"))["page"]()
    assert (ROOT / "docs" / "rfc-matrix.md").read_text(encoding="utf-8") == made, (
        "run `make matrix`"
    )
