"""What must be done so that the configuration becomes what a file says: pure comparison.

An object of the file is wholly what the file says: a key that is left out has its default. Four
things stay as they are when left out: the domain's mode, what holds of its calls, an extension's
password, its devices.
Objects that are not in the file stay, unless pruned.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pbx.configfile.document import CallSettings, Device, Document, Extension, Rule
from pbx.directory.passwords import Secrets


@dataclass(slots=True)
class Plan:
    """What to store and what to remove, by key. Everything else already is as it should be."""

    mode: str | None = None
    calls: CallSettings | None = None
    added_extensions: dict[str, Extension] = field(default_factory=dict)
    changed_extensions: dict[str, Extension] = field(default_factory=dict)
    removed_extensions: list[str] = field(default_factory=list)
    secrets: dict[str, Secrets] = field(default_factory=dict)
    stored_devices: dict[str, list[Device]] = field(default_factory=dict)
    removed_devices: dict[str, list[str]] = field(default_factory=dict)
    added_rules: dict[str, Rule] = field(default_factory=dict)
    changed_rules: dict[str, Rule] = field(default_factory=dict)
    removed_rules: list[str] = field(default_factory=list)
    rule_order: list[str] | None = None

    @property
    def touched_extensions(self) -> int:
        """How many of the extensions that stay are changed in some way."""
        touched = {*self.changed_extensions, *self.secrets}
        touched |= {*self.stored_devices, *self.removed_devices}
        return len(touched - set(self.added_extensions))

    def __bool__(self) -> bool:
        return any(getattr(self, name) not in (None, {}, []) for name in self.__slots__)


def compare(current: Document, wanted: Document, *, prune: bool) -> Plan:
    """Return what leads from `current` to `wanted`; a falsy plan if nothing does."""
    plan = Plan()
    if wanted.mode is not None and wanted.mode != current.mode:
        plan.mode = wanted.mode
    if wanted.calls is not None and wanted.calls != current.calls:
        plan.calls = wanted.calls
    _compare_extensions(plan, current, wanted, prune=prune)
    for number, devices in wanted.devices.items():
        _compare_devices(plan, number, current.devices.get(number, ()), devices)
    if prune:
        for number in wanted.extensions.keys() & current.devices.keys() - wanted.devices.keys():
            _compare_devices(plan, number, current.devices[number], ())
    _compare_rules(plan, current, wanted, prune=prune)
    return plan


def _compare_extensions(plan: Plan, current: Document, wanted: Document, *, prune: bool) -> None:
    for number, extension in wanted.extensions.items():
        before = current.extensions.get(number)
        if before is None:
            plan.added_extensions[number] = extension
        elif before != extension:
            plan.changed_extensions[number] = extension
    for number, secrets in wanted.secrets.items():
        if current.secrets.get(number) != secrets:
            plan.secrets[number] = secrets
    if prune:
        plan.removed_extensions = [
            number for number in current.extensions if number not in wanted.extensions
        ]


def _compare_devices(
    plan: Plan, number: str, before: tuple[Device, ...], after: tuple[Device, ...]
) -> None:
    stored = [device for device in after if device not in before]
    names = {device.name for device in after}
    removed = [device.name for device in before if device.name not in names]
    if stored:
        plan.stored_devices[number] = stored
    if removed:
        plan.removed_devices[number] = removed


def _compare_rules(plan: Plan, current: Document, wanted: Document, *, prune: bool) -> None:
    for name, rule in wanted.rules.items():
        before = current.rules.get(name)
        if before is None:
            plan.added_rules[name] = rule
        elif before != rule:
            plan.changed_rules[name] = rule
    others = [name for name in current.rules if name not in wanted.rules]
    if prune:
        plan.removed_rules = others
        others = []
    order = [*wanted.rules, *others]
    if order != [name for name in current.rules if name not in plan.removed_rules]:
        plan.rule_order = order
