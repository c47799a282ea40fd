"""Making the configuration be what a file says: one transaction, a bounded number of statements."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from django.db import connection, transaction

from pbx.configfile import stored
from pbx.configfile.document import Document
from pbx.configfile.plan import Plan, compare
from pbx.directory import actions
from pbx.directory import models as directory
from pbx.routing import models as routing

_BATCH: Final = 1000
"""Rows a statement: the gain ends here, and a statement stays below a megabyte."""
_LOCK: Final = 0x62726C6E
"""Advisory lock, so that two files are applied one after the other."""


@dataclass(slots=True)
class Outcome:
    """What was done, or with `dry_run` would have been. `domain_words` is "" if it stays as it is."""

    domain_words: str
    plan: Plan

    @property
    def changed(self) -> bool:
        return bool(self.domain_words) or bool(self.plan)


def apply(wanted: Document, *, prune: bool = False, dry_run: bool = False) -> Outcome:
    """Make the configuration be `wanted`; all or nothing. Rows that are right are not touched."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        domain, words = _take_domain(wanted.domain)
        plan = compare(stored.load(domain), wanted, prune=prune)
        if dry_run:
            transaction.set_rollback(True)
        else:
            _store(domain, plan)
        return Outcome(words, plan)


def _take_domain(name: str) -> tuple[directory.Domain, str]:
    """Return the file's domain, made if it is not there, and what was done in words.

    It becomes the default if there is none, or if the default so far has nothing in it; a default
    that nobody asked for goes away then.
    """
    done = []
    domain = directory.Domain.objects.filter(name=name).first()
    if domain is None:
        domain = actions.add_domain(name)
        done.append(f"Domain {name} added")
    elif domain.automatic:
        # Somebody names it, so it no longer follows the host's name. Nothing that anybody sees.
        domain.automatic = False
        domain.save(update_fields=["automatic"])
    default = directory.Domain.objects.filter(is_default=True).first()
    if default is None:
        actions.make_default(domain)
        done.append("it is the default domain")
    elif default != domain and actions.is_empty(default):
        replaceable = default.automatic
        actions.make_default(domain)
        done.append("it is the default domain now")
        if replaceable:
            default.delete()
            done.append(f"the empty domain {default.name} is removed")
    return domain, "; ".join(done)


def _store(domain: directory.Domain, plan: Plan) -> None:
    if plan.mode is not None:
        domain.mode = plan.mode
        domain.save(update_fields=["mode"])
    if plan.calls is not None:
        domain.session_timer = plan.calls.session_timer
        domain.assert_identity = plan.calls.assert_identity
        domain.trusted = "\n".join(plan.calls.trusted)
        domain.save(update_fields=["session_timer", "assert_identity", "trusted"])
    _store_extensions(domain, plan)
    _store_rules(domain, plan)


def _store_extensions(domain: directory.Domain, plan: Plan) -> None:
    numbers = plan.removed_extensions
    for start in range(0, len(numbers), _BATCH):
        batch = numbers[start : start + _BATCH]
        directory.Extension.objects.filter(domain=domain, number__in=batch).delete()
    directory.Extension.objects.bulk_create(
        [
            directory.Extension(domain=domain, **asdict(values))
            for values in (*plan.changed_extensions.values(), *plan.added_extensions.values())
        ],
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["domain", "number"],
        update_fields=[name for name in stored.EXTENSION_COLUMNS if name != "number"],
    )
    touched = {*plan.secrets, *plan.stored_devices, *plan.removed_devices}
    if not touched:
        return
    keys = dict(
        directory.Extension.objects.filter(domain=domain).order_by().values_list("number", "pk")
    )
    directory.Credential.objects.bulk_create(
        [
            directory.Credential(extension_id=keys[number], realm=domain.name, **secrets._asdict())
            for number, secrets in plan.secrets.items()
        ],
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["extension"],
        update_fields=["realm", "ha1_md5", "ha1_sha256", "changed_at"],
    )
    _store_devices(plan, keys)


def _store_devices(plan: Plan, keys: dict[str, int]) -> None:
    for number, names in plan.removed_devices.items():
        directory.Device.objects.filter(extension_id=keys[number], name__in=names).delete()
    directory.Device.objects.bulk_create(
        [
            directory.Device(extension_id=keys[number], **asdict(device))
            for number, devices in plan.stored_devices.items()
            for device in devices
        ],
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["extension", "name"],
        update_fields=[name for name in stored.DEVICE_COLUMNS if name != "name"],
    )


def _store_rules(domain: directory.Domain, plan: Plan) -> None:
    rules = routing.Rule.objects.filter(domain=domain)
    if plan.removed_rules:
        rules.filter(name__in=plan.removed_rules).delete()
    written = {**plan.changed_rules, **plan.added_rules}
    routing.Rule.objects.bulk_create(
        [
            routing.Rule(
                domain=domain, **{name: getattr(values, name) for name in stored.RULE_COLUMNS}
            )
            for values in written.values()
        ],
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["domain", "name"],
        update_fields=[name for name in stored.RULE_COLUMNS if name != "name"],
    )
    if plan.rule_order is not None:
        _order_rules(domain, plan.rule_order)
    keys = dict(rules.filter(name__in=list(written)).values_list("name", "pk"))
    routing.Target.objects.filter(rule_id__in=keys.values()).delete()
    routing.Target.objects.bulk_create(
        [
            routing.Target(rule_id=keys[name], position=position, destination=destination)
            for name, values in written.items()
            for position, destination in enumerate(values.targets)
        ],
        batch_size=_BATCH,
    )


def _order_rules(domain: directory.Domain, names: list[str]) -> None:
    places = {name: position for position, name in enumerate(names)}
    moved = []
    for rule in routing.Rule.objects.filter(domain=domain):
        if rule.position != places[rule.name]:
            rule.position = places[rule.name]
            moved.append(rule)
    routing.Rule.objects.bulk_update(moved, ["position"], batch_size=_BATCH)
