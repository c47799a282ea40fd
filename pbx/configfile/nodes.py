"""Reading a YAML node tree with its line numbers, collecting every error on the way.

`Reader` methods never raise for what the file says: they note the error and return a stand-in, so
that one reading finds all that is wrong.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

from django.core.exceptions import ValidationError

from pbx.configfile.tree import Mapping, Node, Scalar
from pbx.configfile.tree import Sequence as ListNode
from pbx.directory.validators import validate_one_line

NAME_LIMIT: Final = 120
LONG: Final = 1_000
"""Characters, where a check of its own says it better."""
_SHOWN_LIMIT: Final = 60
_Value = TypeVar("_Value")


class FileError(NamedTuple):
    """One thing that is wrong, and where. `line` counts from 1; 0 is the file as a whole."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.path}: {self.message}" if self.path else f"{where}{self.message}"


class Entry(NamedTuple):
    """A value in the file and its path there, such as `rules[2].called`."""

    node: Node
    path: str

    @property
    def line(self) -> int:
        return self.node.line

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing stands here: null or an empty text."""
        return isinstance(self.node, Scalar) and (self.node.is_null or self.node.value == "")


Fields = dict[str, Entry]


class Reader:
    """Turns nodes into values; `errors` is what was wrong, in the order of reading."""

    def __init__(self) -> None:
        self.errors: list[FileError] = []

    def error(self, entry: Entry, message: str) -> None:
        self.errors.append(FileError(entry.line, entry.path, message))

    def fields(self, entry: Entry, known: Sequence[str]) -> Fields | None:
        """Read a mapping; unknown and repeated keys are errors. None if it is no mapping."""
        if not isinstance(entry.node, Mapping):
            self.error(entry, f"expected keys such as “{known[0]}: …”, found {_kind(entry.node)}")
            return None
        found: Fields = {}
        for key_node, value_node in entry.node.pairs:
            key = key_node.value if isinstance(key_node, Scalar) else "?"
            path = f"{entry.path}.{key}" if entry.path else key
            if key not in known:
                self.error(Entry(key_node, path), f"unknown key{_suggestion(key, known)}")
            elif key in found:
                first = found[key].line
                self.error(Entry(key_node, path), f"given twice; first in line {first}. Keep one")
            else:
                found[key] = Entry(value_node, path)
        return found

    def items(self, entry: Entry, limit: int) -> Iterator[Entry]:
        """Yield the items of a list; null is an empty list."""
        node = entry.node
        if _is_null(node):
            return
        if not isinstance(node, ListNode):
            self.error(entry, f"expected a list (lines beginning with “-”), found {_kind(node)}")
            return
        if len(node.items) > limit:
            self.error(entry, f"{len(node.items)} entries are too many; at most {limit} are taken")
            return
        for index, item in enumerate(node.items):
            yield Entry(item, f"{entry.path}[{index}]")

    def required(self, owner: Entry, fields: Fields, key: str) -> Entry | None:
        entry = fields.get(key)
        if entry is None or _is_null(entry.node):
            self.error(owner if entry is None else entry, f"“{key}” is missing")
            return None
        return entry

    def text(
        self,
        entry: Entry | None,
        default: str = "",
        *,
        limit: int,
        check: Callable[[str], None] | None = None,
    ) -> str:
        """Read a text as it is written: an unquoted 0044 or No is those letters, null the default."""
        if entry is None or _is_null(entry.node):
            return default
        node = entry.node
        if not isinstance(node, Scalar):
            self.error(entry, f"expected a text, found {_kind(node)}")
            return default
        text = node.value
        if len(text) > limit:
            self.error(entry, f"{len(text)} characters are too many; give at most {limit}")
            return default
        if check is not None:
            try:
                check(text)
            except ValidationError as error:
                self.error(entry, " ".join(error.messages))
                return default
        return text

    def name(self, entry: Entry | None) -> str:
        """Read a name that an object is known by; it must not be empty."""
        if entry is not None and entry.is_empty:
            self.error(entry, "empty; give a name")
        return self.text(entry, limit=NAME_LIMIT, check=validate_one_line)

    def is_repeated(self, entry: Entry, kind: str, name: str, lines: dict[str, int]) -> bool:
        """Note in `lines` where a name stands; a second one is an error that tells of the first."""
        if name in lines:
            self.error(
                entry, f"{kind} “{name}” is given twice; first in line {lines[name]}. Keep one"
            )
            return True
        lines[name] = entry.line
        return False

    def whole_number(self, entry: Entry | None, default: int, low: int, high: int) -> int:
        if entry is None or _is_null(entry.node):
            return default
        node = entry.node
        # YAML would read 010 as 8 and 1:30 as 90; nobody who writes them here means that.
        if (
            not isinstance(node, Scalar)
            or not node.plain
            or not re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", node.value)
        ):
            shown = _shown(node)
            self.error(entry, f"{shown} is not a whole number; give {low} to {high}, unquoted")
            return default
        value = int(node.value)
        if value < low:
            self.error(entry, f"{value} is too small; give {low} to {high}")
        elif value > high:
            self.error(entry, f"{value} is too large; give {low} to {high}")
        else:
            return value
        return default

    def yes_or_no(self, entry: Entry | None, default: bool) -> bool:
        if entry is None or _is_null(entry.node):
            return default
        truth = entry.node.truth if isinstance(entry.node, Scalar) else None
        if truth is None:
            self.error(entry, f"{_shown(entry.node)} is neither true nor false; give one of them")
            return default
        return truth

    def choice(self, entry: Entry | None, default: _Value, choices: dict[str, _Value]) -> _Value:
        if entry is None or _is_null(entry.node):
            return default
        value = entry.node.value if isinstance(entry.node, Scalar) else None
        if value not in choices:
            *others, last = choices
            listed = f"{', '.join(others)} or {last}" if others else last
            self.error(entry, f"{_shown(entry.node)} is not known here; give {listed}")
            return default
        return choices[value]


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_null


def _kind(node: Node) -> str:
    if _is_null(node):
        return "nothing"
    if isinstance(node, Scalar):
        return _shown(node)
    return "a list" if isinstance(node, ListNode) else "keys and values"


def _shown(node: Node) -> str:
    if not isinstance(node, Scalar):
        return _kind(node)
    value = node.value
    return f"“{value}”" if len(value) <= _SHOWN_LIMIT else f"“{value[:_SHOWN_LIMIT]}…”"


def _suggestion(key: str, known: Sequence[str]) -> str:
    if key == "<<":
        return "; merged keys (<<) are not supported, write them out"
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return f"; did you mean “{close[0]}”?"
    return f"; known here are {', '.join(known)}"
