"""The configuration as the engine takes it: loaded whole from Postgres, or brought up to date.

Of disabled extensions and rules only the names are told: they must neither register nor be called.
A snapshot's `generation` is the epoch that the triggers count (migrations/enginelink/0002).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec
import psycopg

from sipengine.api import ConfigSnapshot, Domain, Extension, Pardon, Rule

MANY_KEYS: Final = 1_000
"""From so many changed extensions on, a full load costs less than looking them up one by one."""


ROWS_AT_ONCE: Final = 2_000
"""Extensions fetched at a time, some 2 MB: a million at once would be 500 MB and more."""

YIELD_EVERY: Final = 200
"""Rows after which a load lets the engine's loop have the interpreter, about 1 ms: messages do not
wait for the 5 ms that a busy thread would otherwise keep it."""


class _Notice(msgspec.Struct):
    kind: str
    keys: list[str] = []


_notice = msgspec.json.Decoder(_Notice).decode


@dataclass(slots=True)
class Changes:
    """What is known to have changed since a snapshot; grows by `note`, bounded by `MANY_KEYS`."""

    everything: bool = False
    domains: bool = False
    rules: bool = False
    pardons: bool = False
    pages: bool = False
    aors: set[str] = field(default_factory=set)

    def note(self, payload: str) -> None:
        """Add what one notification says. What cannot be understood means: everything."""
        try:
            notice = _notice(payload)
        except msgspec.DecodeError:
            notice = _Notice("all")
        if notice.kind == "extension":
            self.aors.update(notice.keys)
        elif notice.kind == "rule":
            self.rules = True
        elif notice.kind == "domain":
            self.domains = True
        elif notice.kind == "pardon":
            self.pardons = True
        elif notice.kind == "page":
            self.pages = True
        else:
            self.everything = True
        if self.everything or len(self.aors) >= MANY_KEYS:
            self.everything = True
            self.aors.clear()

    def __bool__(self) -> bool:
        some = self.domains or self.rules or self.pardons or self.pages
        return self.everything or some or bool(self.aors)


_DOMAINS: Final = (
    "SELECT name, mode, session_timer, assert_identity, trusted, is_default FROM directory_domain"
)

# A credential holds for one realm only (RFC 7616 §3.4.2): after its domain was renamed nobody can
# authenticate with it, and "" says so.
_EXTENSIONS: Final = """
SELECT e.number, d.name, e.name,
       CASE WHEN c.realm = d.name THEN c.ha1_md5 ELSE '' END,
       CASE WHEN c.realm = d.name THEN c.ha1_sha256 ELSE '' END,
       e.max_contacts, e.ring_timeout, e.forward_always, e.forward_busy, e.forward_no_answer,
       e.forward_no_answer_after
FROM directory_extension e
JOIN directory_domain d ON d.id = e.domain_id
LEFT JOIN directory_credential c ON c.extension_id = e.id
"""
_ALL_EXTENSIONS: Final = _EXTENSIONS + "WHERE e.enabled"
_SOME_EXTENSIONS: Final = (
    _EXTENSIONS
    + """
JOIN unnest(%s::text[], %s::text[]) AS wanted (number, domain)
    ON wanted.number = e.number AND wanted.domain = d.name
WHERE e.enabled
"""
)

_NAMES: Final = """
SELECT e.number || '@' || d.name, e.name
FROM directory_extension e JOIN directory_domain d ON d.id = e.domain_id
"""
_SWITCHED_OFF: Final = _NAMES + "WHERE NOT e.enabled"
_SOME_SWITCHED_OFF: Final = (
    _NAMES
    + """
JOIN unnest(%s::text[], %s::text[]) AS wanted (number, domain)
    ON wanted.number = e.number AND wanted.domain = d.name
WHERE NOT e.enabled
"""
)

_NEW_PASSWORDS: Final = """
SELECT e.number || '@' || d.name, EXTRACT(EPOCH FROM c.changed_at)::float8
FROM directory_credential c
JOIN directory_extension e ON e.id = c.extension_id
JOIN directory_domain d ON d.id = e.domain_id
WHERE c.changed_at > now() - interval '2 hours' AND e.enabled
ORDER BY c.changed_at DESC, c.id LIMIT 10000
"""
"""A registration lasts two hours at most (services.registrar); more passwords are not changed at a time
but by an import, whose phones have none yet."""

_RULES_OFF: Final = """
SELECT d.name, r.called, r.name
FROM routing_rule r JOIN directory_domain d ON d.id = r.domain_id
WHERE NOT r.enabled
ORDER BY r.position, r.id LIMIT 1000
"""

_RULES: Final = """
SELECT r.name, d.name, r.called, r.action,
       ARRAY(SELECT t.destination FROM routing_target t WHERE t.rule_id = r.id
             ORDER BY t.position, t.id),
       r.strategy, r.timeout, r.status, r.reason, r.follow_redirects
FROM routing_rule r JOIN directory_domain d ON d.id = r.domain_id
WHERE r.enabled
ORDER BY r.position, r.id
"""

_PARDONS: Final = "SELECT ban_id::text, by FROM guard_pardon ORDER BY id DESC LIMIT 200"
"""More than are made in the moments that an engine does not listen."""


_ENDED_PAGES: Final = """
SELECT mark, aor FROM pagephones_page
WHERE ended_at IS NOT NULL AND holds_until > now() ORDER BY ended_at DESC LIMIT 10000
"""
"""More log-outs in ten minutes than so large an installation has."""


def epoch(connection: psycopg.Connection) -> int:
    """Return how many changes the triggers have counted."""
    row = connection.execute(
        "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM enginelink_epoch"
    ).fetchone()
    return int(row[0]) if row else 0


def load(connection: psycopg.Connection) -> ConfigSnapshot:
    """Return the whole configuration, as of one moment. `connection` is in autocommit mode."""
    # The counter is read first: what changes meanwhile may be in the data already, never the
    # other way round.
    generation = epoch(connection)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        domains, default = _domains(connection)
        with connection.cursor("extensions") as rows:
            rows.itersize = ROWS_AT_ONCE
            extensions = _extensions(rows.execute(_ALL_EXTENSIONS), domains)
        return ConfigSnapshot(
            generation, default, domains, extensions, _rules(connection), _pardons(connection),
            _ended_pages(connection), dict(connection.execute(_SWITCHED_OFF).fetchall()),
            _rules_off(connection), _new_passwords(connection),
        )  # fmt: skip


def refresh(
    snapshot: ConfigSnapshot, changes: Changes, connection: psycopg.Connection
) -> ConfigSnapshot:
    """Return `snapshot` with what changed read anew: equal to what `load` would return."""
    if changes.everything:
        return load(connection)
    generation = epoch(connection)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        fresh = replace(snapshot, generation=generation)
        if changes.domains:
            domains, default = _domains(connection)
            fresh = replace(fresh, domains=domains, default_domain=default)
        if changes.aors:
            extensions = dict(snapshot.extensions)
            for aor in changes.aors:
                extensions.pop(aor, None)
            numbers, names = zip(*(_split(aor) for aor in changes.aors), strict=True)
            rows = connection.execute(_SOME_EXTENSIONS, (list(numbers), list(names)))
            extensions.update(_extensions(rows, fresh.domains))
            off = {
                aor: name for aor, name in snapshot.switched_off.items() if aor not in changes.aors
            }
            some = connection.execute(_SOME_SWITCHED_OFF, (list(numbers), list(names)))
            off.update(some.fetchall())
            fresh = replace(
                fresh,
                extensions=extensions,
                switched_off=off,
                new_passwords=_new_passwords(connection),
            )
        if changes.rules:
            fresh = replace(fresh, rules=_rules(connection), rules_off=_rules_off(connection))
        if changes.pardons:
            fresh = replace(fresh, pardons=_pardons(connection))
        if changes.pages:
            fresh = replace(fresh, ended_pages=_ended_pages(connection))
        return fresh


def _split(aor: str) -> tuple[str, str]:
    number, _, domain = aor.rpartition("@")
    return number, domain


def _domains(connection: psycopg.Connection) -> tuple[dict[str, Domain], str]:
    domains: dict[str, Domain] = {}
    default = ""
    for name, mode, timer, asserting, trusted, is_default in connection.execute(_DOMAINS):
        domains[name] = Domain(name, mode, timer, asserting, tuple(trusted.split()))
        if is_default:
            default = name
    return domains, default


def _extensions(
    rows: Iterable[tuple[Any, ...]],
    domains: dict[str, Domain],
) -> dict[str, Extension]:
    # One string object for each domain instead of one an extension: 6 MB less at 100,000.
    shared = {name: domain.name for name, domain in domains.items()}
    found: dict[str, Extension] = {}
    for number, domain, *rest in rows:
        if len(found) % YIELD_EVERY == 0:
            time.sleep(0)
        found[f"{number}@{domain}"] = Extension(number, shared.get(domain, domain), *rest)
    return found


def _rules(connection: psycopg.Connection) -> tuple[Rule, ...]:
    return tuple(
        Rule(name, domain, called, action, tuple(targets), *rest)
        for name, domain, called, action, targets, *rest in connection.execute(_RULES)
    )


def _rules_off(connection: psycopg.Connection) -> tuple[tuple[str, str, str], ...]:
    return tuple(connection.execute(_RULES_OFF).fetchall())


def _new_passwords(connection: psycopg.Connection) -> dict[str, float]:
    return dict(connection.execute(_NEW_PASSWORDS).fetchall())


def _pardons(connection: psycopg.Connection) -> tuple[Pardon, ...]:
    return tuple(Pardon(ban, by) for ban, by in connection.execute(_PARDONS))


def _ended_pages(connection: psycopg.Connection) -> dict[str, str]:
    return dict(connection.execute(_ENDED_PAGES).fetchall())
