"""The `extensions:` part of a configuration file."""

from __future__ import annotations

import re
from typing import Final

from pbx.configfile.document import Device, Document, Extension
from pbx.configfile.nodes import LONG, NAME_LIMIT, Entry, Fields, Reader
from pbx.configfile.tree import Scalar
from pbx.directory.passwords import Secrets, hash_password, validate_password
from pbx.directory.validators import (
    DESTINATION_LIMIT,
    validate_destination,
    validate_mac,
    validate_number,
    validate_one_line,
    validate_paragraphs,
)

_DEVICES_LIMIT: Final = 100
_NOTES_LIMIT: Final = 10_000
_USER_AGENT_LIMIT: Final = 200
_EXTENSION: Final = (
    "number",
    "name",
    "password",
    "ha1_md5",
    "ha1_sha256",
    "enabled",
    "max_contacts",
    "ring_timeout",
    "forward",
    "devices",
)
_FORWARD: Final = ("always", "busy", "no_answer", "no_answer_after")
_DEVICE: Final = ("name", "mac", "user_agent", "notes")


def read_extension(reader: Reader, item: Entry, document: Document, lines: dict[str, int]) -> None:
    fields = reader.fields(item, _EXTENSION)
    if fields is None:
        return
    entry = reader.required(item, fields, "number")
    number = reader.text(entry, limit=LONG, check=validate_number)
    if number and entry is not None and reader.is_repeated(entry, "number", number, lines):
        return
    forward: Fields = {}
    if (entry := fields.get("forward")) is not None and not entry.is_empty:
        forward = reader.fields(entry, _FORWARD) or {}
    extension = Extension(
        number=number,
        name=reader.text(fields.get("name"), limit=NAME_LIMIT, check=validate_one_line),
        enabled=reader.yes_or_no(fields.get("enabled"), True),
        max_contacts=reader.whole_number(fields.get("max_contacts"), 10, 1, 100),
        ring_timeout=reader.whole_number(fields.get("ring_timeout"), 60, 1, 170),
        forward_always=_destination(reader, forward.get("always")),
        forward_busy=_destination(reader, forward.get("busy")),
        forward_no_answer=_destination(reader, forward.get("no_answer")),
        forward_no_answer_after=reader.whole_number(forward.get("no_answer_after"), 20, 1, 170),
    )
    for key in ("always", "busy", "no_answer"):
        if getattr(extension, f"forward_{key}") in _own_addresses(number, document.domain):
            reader.error(forward[key], "an extension cannot forward to itself; give another number")
    document.extensions[number] = extension
    secrets = _secrets(reader, item, fields, number, document.domain)
    if secrets is not None:
        document.secrets[number] = secrets
    if (entry := fields.get("devices")) is not None:
        document.devices[number] = _devices(reader, entry)


def _own_addresses(number: str, domain: str) -> set[str]:
    aor = f"{number}@{domain}"
    return {number, aor, f"sip:{aor}", f"sips:{aor}"} if number else set()


def _destination(reader: Reader, entry: Entry | None) -> str:
    if entry is not None and isinstance(entry.node, Scalar) and entry.node.value == "":
        return ""
    return reader.text(entry, limit=DESTINATION_LIMIT, check=validate_destination)


def _secrets(
    reader: Reader, item: Entry, fields: Fields, number: str, domain: str
) -> Secrets | None:
    given = [
        fields[key]
        for key in ("ha1_md5", "ha1_sha256")
        if key in fields and not fields[key].is_empty
    ]
    entry = fields.get("password")
    if entry is not None and not entry.is_empty:
        if given:
            reader.error(entry, "give either the password or ha1_md5 and ha1_sha256, not both")
            return None
        if not isinstance(entry.node, Scalar):
            reader.error(entry, "expected a text; put the password in quotes")
            return None
        before = len(reader.errors)
        # A message about a password must not repeat it, so its length is checked by itself.
        password = reader.text(entry, limit=LONG, check=validate_password)
        usable = len(reader.errors) == before
        return hash_password(number, domain, password) if usable else None
    if not given:
        return None
    if len(given) == 1:
        reader.error(given[0], "ha1_md5 and ha1_sha256 belong together; give both")
        return None
    md5 = _hexadecimal(reader, given[0], 32)
    sha256 = _hexadecimal(reader, given[1], 64)
    return Secrets(md5, sha256)


def _hexadecimal(reader: Reader, entry: Entry, length: int) -> str:
    text = entry.node.value if isinstance(entry.node, Scalar) else ""
    if not re.fullmatch(rf"[0-9A-Fa-f]{{{length}}}", text):
        # What stands here may be a password in the wrong place: it is not repeated.
        reader.error(entry, f"this is not a hash; expected {length} hexadecimal digits, in quotes")
    return text.lower()


def _devices(reader: Reader, entry: Entry) -> tuple[Device, ...]:
    lines: dict[str, int] = {}
    found = []
    for item in reader.items(entry, _DEVICES_LIMIT):
        fields = reader.fields(item, _DEVICE)
        if fields is None:
            continue
        name_entry = reader.required(item, fields, "name")
        name = reader.name(name_entry)
        if name_entry is not None and reader.is_repeated(name_entry, "device", name, lines):
            continue
        found.append(
            Device(
                name=name,
                mac=reader.text(fields.get("mac"), limit=LONG, check=validate_mac),
                user_agent=reader.text(
                    fields.get("user_agent"), limit=_USER_AGENT_LIMIT, check=validate_one_line
                ),
                notes=reader.text(
                    fields.get("notes"), limit=_NOTES_LIMIT, check=validate_paragraphs
                ),
            )
        )
    return tuple(sorted(found, key=lambda device: device.name))
