"""What the database says of one domain, in the form of a configuration file."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from pbx.configfile.document import CallSettings, Device, Document, Extension, Rule
from pbx.directory import models as directory
from pbx.directory.passwords import Secrets
from pbx.routing import models as routing

EXTENSION_COLUMNS: Final = (
    "number",
    "name",
    "enabled",
    "max_contacts",
    "ring_timeout",
    "forward_always",
    "forward_busy",
    "forward_no_answer",
    "forward_no_answer_after",
)
RULE_COLUMNS: Final = (
    "name",
    "called",
    "action",
    "enabled",
    "strategy",
    "timeout",
    "status",
    "reason",
    "follow_redirects",
)
DEVICE_COLUMNS: Final = ("name", "mac", "user_agent", "notes")


def load(domain: directory.Domain) -> Document:
    """Read a domain's configuration in five queries; extensions sorted by number, rules in order.

    Secrets that hold for another realm are left out: no phone can use them.
    """
    trusted = tuple(domain.trusted.split())
    calls = CallSettings(domain.session_timer, domain.assert_identity, trusted)
    document = Document(domain.name, domain.mode, calls=calls)
    extensions = directory.Extension.objects.filter(domain=domain).order_by()
    for row in extensions.values_list(*EXTENSION_COLUMNS).iterator():
        document.extensions[row[0]] = Extension(*row)
    # Sorted here, as the order of letters differs between databases.
    document.extensions = dict(sorted(document.extensions.items(), key=_by_number))
    credentials = directory.Credential.objects.filter(
        extension__domain=domain, realm=domain.name
    ).values_list("extension__number", "ha1_md5", "ha1_sha256")
    for number, ha1_md5, ha1_sha256 in credentials.iterator():
        document.secrets[number] = Secrets(ha1_md5, ha1_sha256)
    devices: dict[str, list[Device]] = defaultdict(list)
    rows = directory.Device.objects.filter(extension__domain=domain).order_by()
    for number, *values in rows.values_list("extension__number", *DEVICE_COLUMNS).iterator():
        devices[number].append(Device(*values))
    for number, found in devices.items():
        document.devices[number] = tuple(sorted(found, key=lambda device: device.name))
    _load_rules(domain, document)
    return document


def _load_rules(domain: directory.Domain, document: Document) -> None:
    targets: dict[str, list[str]] = defaultdict(list)
    for name, destination in (
        routing.Target.objects.filter(rule__domain=domain)
        .order_by("position", "id")
        .values_list("rule__name", "destination")
        .iterator()
    ):
        targets[name].append(destination)
    rules = routing.Rule.objects.filter(domain=domain).order_by("position", "id")
    for row in rules.values_list(*RULE_COLUMNS).iterator():
        values: dict[str, Any] = dict(zip(RULE_COLUMNS, row, strict=True))
        document.rules[row[0]] = Rule(**values, targets=tuple(targets[row[0]]))


def _by_number(item: tuple[str, Extension]) -> tuple[int, str]:
    """Order 9 before 10, and 100 before 1000."""
    return len(item[0]), item[0]
