"""The numbers that a rule is for: one, those that begin so, or a regular expression."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

MAX_PATTERN: Final = 255


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed `called`: exact, prefix or regular expression."""

    kind: str  # "exact", "prefix", "regex"
    text: str
    regex: re.Pattern[str] | None = field(default=None, compare=False)

    def match(self, called: str) -> tuple[str, ...] | None:
        """The groups {1}, {2}, .. if `called` matches, else None."""
        if self.kind == "exact":
            return () if called == self.text else None
        if self.kind == "prefix":
            return () if called.startswith(self.text) else None
        assert self.regex is not None
        found = self.regex.search(called[:MAX_PATTERN])
        return None if found is None else tuple(g or "" for g in found.groups())


def parse_called(text: str) -> Pattern:
    """`1999`, `19*` or `/^19(\\d\\d)$/`. Raises ValueError that says in words what is wrong."""
    if not text:
        raise ValueError("the called number is empty")
    if len(text) > MAX_PATTERN:
        raise ValueError(f"longer than {MAX_PATTERN} characters")
    if text.startswith("/"):
        if len(text) < 3 or not text.endswith("/"):
            raise ValueError("a regular expression stands between two slashes, like /^19(\\d\\d)$/")
        try:
            return Pattern("regex", text, re.compile(text[1:-1], re.ASCII))
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
    if "*" in text[1:-1]:
        raise ValueError("a star may stand at the end, like 19*, or begin a feature code, like *72")
    if text.endswith("*") and len(text) > 1:
        return Pattern("prefix", text[:-1])
    return Pattern("exact", text)
