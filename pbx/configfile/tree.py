"""YAML as a tree of small nodes with line numbers, and nothing constructed from it.

The parser's own composer calls itself for each level, and a file of a hundred thousand `[` ends the
process; this one keeps its own stack, knows a depth limit, and needs a quarter of the memory.
"""

from __future__ import annotations

from typing import Final

import yaml
from yaml import events

DEPTH_LIMIT: Final = 20
"""The format needs six levels."""
_TEXT_TAGS: Final = (None, "!", "tag:yaml.org,2002:str")
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})
_FALSE: Final = frozenset({"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})


class Unreadable(Exception):
    """The text is not one YAML document of the kind that is read here."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class Scalar:
    """A text as written; `plain` tells that it stood without quotes."""

    __slots__ = ("line", "plain", "value")

    def __init__(self, value: str, plain: bool, line: int) -> None:
        self.value = value
        self.plain = plain
        self.line = line

    @property
    def is_null(self) -> bool:
        return self.plain and self.value in _NULLS

    @property
    def truth(self) -> bool | None:
        """True or False if it is one of YAML 1.1's words for them, else None."""
        if self.plain and self.value in _TRUE:
            return True
        return False if self.plain and self.value in _FALSE else None


class Sequence:
    __slots__ = ("items", "line")

    def __init__(self, line: int) -> None:
        self.items: list[Node] = []
        self.line = line


class Mapping:
    __slots__ = ("line", "pairs")

    def __init__(self, line: int) -> None:
        self.pairs: list[tuple[Node, Node]] = []
        self.line = line


Node = Scalar | Sequence | Mapping


def parse(text: str) -> Node | None:
    """Return the root of the one document in `text`, None if there is none. Raises Unreadable."""
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = int(mark.line) + 1 if mark is not None else 0
        raise Unreadable(line, _words(error)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position or 0) + 1
        raise Unreadable(line, f"{error.reason} (character {error.character!r})") from None
    return builder.root


class _Builder:
    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Sequence | Mapping] = []
        self._keys: list[Node | None] = []  # for each open mapping, the key that waits for a value
        self._anchors: dict[str, Node] = {}

    def take(self, event: events.Event) -> None:
        if isinstance(event, events.ScalarEvent):
            plain = not event.style and event.tag is None
            self._add(Scalar(event.value, plain, self._line(event)), event)
        elif isinstance(event, events.SequenceStartEvent):
            self._begin(Sequence(self._line(event)), event)
        elif isinstance(event, events.MappingStartEvent):
            self._begin(Mapping(self._line(event)), event)
        elif isinstance(event, events.CollectionEndEvent):
            self._open.pop()
            self._keys.pop()
        elif isinstance(event, events.AliasEvent):
            self._add(self._aliased(event), event)
        elif isinstance(event, events.DocumentStartEvent) and self.root is not None:
            raise Unreadable(
                self._line(event), "a second document begins here; leave out the line ---"
            )

    @staticmethod
    def _line(event: events.Event) -> int:
        mark = event.start_mark
        return 0 if mark is None else mark.line + 1

    def _begin(self, node: Sequence | Mapping, event: events.Event) -> None:
        if len(self._open) >= DEPTH_LIMIT:
            raise Unreadable(node.line, "nested too deeply")
        self._add(node, event)
        self._open.append(node)
        self._keys.append(None)

    def _add(self, node: Node, event: events.Event) -> None:
        if getattr(event, "tag", None) not in _TEXT_TAGS:
            raise Unreadable(node.line, "tags (words beginning with !) are not supported")
        anchor = getattr(event, "anchor", None)
        if anchor is not None and not isinstance(event, events.AliasEvent):
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif (key := self._keys[-1]) is None:
            self._keys[-1] = node
        else:
            parent.pairs.append((key, node))
            self._keys[-1] = None

    def _aliased(self, event: events.AliasEvent) -> Node:
        node = self._anchors.get(event.anchor or "")
        if node is None:
            # Without the text itself, which may be a password.
            raise Unreadable(self._line(event), "a text that begins with * must stand in quotes")
        if any(node is ancestor for ancestor in self._open):
            raise Unreadable(self._line(event), "this part of the file contains itself")
        return node


def _words(error: yaml.MarkedYAMLError) -> str:
    """Say what the parser met; add the mend for what number plans run into most."""
    problem = error.problem or error.context or "unreadable"
    if "unknown escape" in problem:
        return f"{problem}; in double quotes write each backslash twice"
    return f"{error.context}, {problem}" if error.context and error.problem else problem
