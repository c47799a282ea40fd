"""From the text of a configuration file to a `Document`, or to every error in it."""

from __future__ import annotations

from typing import Final

from pbx.configfile.document import Document
from pbx.configfile.nodes import LONG, Entry, FileError, Reader
from pbx.configfile.reading_calls import read_calls
from pbx.configfile.reading_extensions import read_extension
from pbx.configfile.reading_rules import read_rule
from pbx.configfile.tree import Unreadable, parse
from pbx.directory.validators import validate_domain

SIZE_LIMIT: Final = 32 * 1024 * 1024
"""Bytes: over 100,000 extensions; a bigger file is a mistake, and YAML costs 20 times its size."""
_EXTENSIONS_LIMIT: Final = 250_000
_RULES_LIMIT: Final = 10_000

_TOP: Final = ("version", "domain", "mode", "calls", "extensions", "rules")
_MODES: Final[dict[str, str | None]] = {"proxy": "proxy", "redirect": "redirect"}


class BadFile(Exception):
    """The file cannot be applied. `errors` is everything that is wrong with it."""

    def __init__(self, errors: list[FileError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors


def read(data: bytes) -> Document:
    """Return what the file says. Raises BadFile with every error, sorted by line."""
    root = _parse(_decode(data))
    reader = Reader()
    document = _document(reader, root)
    if reader.errors or document is None:
        raise BadFile(sorted(reader.errors, key=lambda error: error.line))
    return document


def _decode(data: bytes) -> str:
    if len(data) > SIZE_LIMIT:
        megabytes = SIZE_LIMIT // (1024 * 1024)
        raise BadFile([FileError(0, "", f"the file is too large; at most {megabytes} MB are read")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadFile(
            [FileError(line, "", "this is not UTF-8 text; save the file as UTF-8")]
        ) from None


def _parse(text: str) -> Entry:
    try:
        node = parse(text)
    except Unreadable as error:
        message = f"this is not valid YAML: {error}"
        raise BadFile([FileError(error.line, "", message)]) from None
    if node is None:
        raise BadFile([FileError(0, "", "the file is empty; begin it with “version: 1”")])
    return Entry(node, "")


def _document(reader: Reader, root: Entry) -> Document | None:
    fields = reader.fields(root, _TOP)
    if fields is None:
        return None
    if (version := reader.required(root, fields, "version")) is not None:
        reader.choice(version, 1, {"1": 1})
    domain = ""
    if (entry := reader.required(root, fields, "domain")) is not None:
        domain = reader.text(entry, limit=LONG, check=validate_domain).lower()
    document = Document(domain, reader.choice(fields.get("mode"), None, _MODES))
    if (entry := fields.get("calls")) is not None:
        document.calls = read_calls(reader, entry)
    if (entry := fields.get("extensions")) is not None:
        lines: dict[str, int] = {}
        for item in reader.items(entry, _EXTENSIONS_LIMIT):
            read_extension(reader, item, document, lines)
    if (entry := fields.get("rules")) is not None:
        lines = {}
        for item in reader.items(entry, _RULES_LIMIT):
            read_rule(reader, item, document, lines)
    return document
