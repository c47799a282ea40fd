"""The `rules:` part of a configuration file."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ValidationError

from pbx.configfile.document import Document, Rule
from pbx.configfile.nodes import LONG, NAME_LIMIT, Entry, Fields, Reader
from pbx.directory.validators import DESTINATION_LIMIT, validate_one_line, validate_target
from pbx.routing.actions import check_targets
from pbx.routing.validators import validate_called, validate_target_groups

_TARGETS_LIMIT: Final = 100
"""More phones than may ring for one call; also bounds what a repeated YAML alias can cost."""
_RULE: Final = (
    "name",
    "called",
    "action",
    "targets",
    "strategy",
    "timeout",
    "status",
    "reason",
    "follow_redirects",
    "enabled",
)
_ACTIONS: Final = {name: name for name in ("forward", "redirect", "redirect_contacts", "reject")}
_STRATEGIES: Final = {"simultaneous": "simultaneous", "sequential": "sequential"}


def read_rule(reader: Reader, item: Entry, document: Document, lines: dict[str, int]) -> None:
    fields = reader.fields(item, _RULE)
    if fields is None:
        return
    before = len(reader.errors)
    entry = reader.required(item, fields, "name")
    name = reader.name(entry)
    if name and entry is not None and reader.is_repeated(entry, "rule", name, lines):
        return
    called_entry = reader.required(item, fields, "called")
    action_entry = reader.required(item, fields, "action")
    rule = Rule(
        name=name,
        called=reader.text(called_entry, limit=LONG, check=validate_called),
        action=reader.choice(action_entry, "forward", _ACTIONS),
        enabled=reader.yes_or_no(fields.get("enabled"), True),
        strategy=reader.choice(fields.get("strategy"), "simultaneous", _STRATEGIES),
        timeout=reader.whole_number(fields.get("timeout"), 20, 1, 170),
        status=reader.whole_number(fields.get("status"), 480, 400, 699),
        reason=reader.text(fields.get("reason"), limit=NAME_LIMIT, check=validate_one_line),
        follow_redirects=reader.yes_or_no(fields.get("follow_redirects"), False),
        targets=tuple(_targets(reader, fields.get("targets"))),
    )
    if len(reader.errors) == before:
        _check_rule(reader, item, fields, rule)
    document.rules[name] = rule


def _targets(reader: Reader, entry: Entry | None) -> list[str]:
    if entry is None:
        return []
    found = []
    for item in reader.items(entry, _TARGETS_LIMIT):
        if item.is_empty:
            reader.error(item, "empty; give a number, an address or a SIP URI")
            continue
        found.append(reader.text(item, limit=DESTINATION_LIMIT, check=validate_target))
    return found


def _check_rule(reader: Reader, item: Entry, fields: Fields, rule: Rule) -> None:
    """Check what concerns several keys of a rule, each of them being right by itself."""
    targets = fields.get("targets", item)
    try:
        check_targets(rule.action, rule.targets, rule.called)
    except ValidationError as error:
        reader.error(targets, " ".join(error.messages))
    if "targets" not in fields:
        return
    for entry, destination in zip(reader.items(targets, _TARGETS_LIMIT), rule.targets, strict=True):
        try:
            validate_target_groups(rule.called, destination)
        except ValidationError as error:
            reader.error(entry, " ".join(error.messages))
