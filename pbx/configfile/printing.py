"""Long lists on a terminal or as JSON, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, Final

_MEASURED: Final = 200
"""Rows that decide the widths of the columns; a later, wider value shifts its own row only."""
_WIDTH_LIMIT: Final = 60


def json_list(objects: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the text of a JSON list, an object a line."""
    separator = "[\n"
    for one in objects:
        yield separator + json.dumps(one, ensure_ascii=False)
        separator = ",\n"
    yield "[]\n" if separator == "[\n" else "\n]\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table whose columns stand below each other; the last is not padded."""
    remaining = iter(rows)
    first = [[_printable(cell) for cell in row] for row in islice(remaining, _MEASURED)]
    widths = [
        min(_WIDTH_LIMIT, max(len(row[column]) for row in (heads, *first)))
        for column in range(len(heads))
    ]
    later = ([_printable(cell) for cell in row] for row in remaining)
    for row in chain((heads,), first, later):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip() + "\n"


def _printable(cell: str) -> str:
    """What phones send must not move the terminal's cursor."""
    return cell if cell.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in cell)
