"""Extensions and rules as the configuration file writes them, and how test files' parts join."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

PASSWORD = "secret-{}-tests"
"""An extension's SIP password; {} is its number."""


def extension(number: str, **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "name": f"Phone {number}",
        "password": PASSWORD.format(number),
        **more,
    }


def merged(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """One configuration out of many; a number or rule name that two of them use is an error."""
    whole: dict[str, list[dict[str, Any]]] = {}
    for part in parts:
        for kind, objects in part.items():
            whole.setdefault(kind, []).extend(objects)
    for kind, key in (("extensions", "number"), ("rules", "name")):
        names = [thing[key] for thing in whole.get(kind, [])]
        twice = {name for name in names if names.count(name) > 1}
        assert not twice, f"{kind} of two test files: {sorted(twice)}"
    return whole
