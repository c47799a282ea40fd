"""What the engine knew before it stopped: Postgres, plus the journal's lines not yet carried there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, LiteralString
from uuid import UUID

import psycopg
import structlog

from pbx.enginelink.message_rows import stored_messages
from pbx.enginelink.recorder import claim_position
from pbx.enginelink.subscription_rows import stored_subscriptions
from sipengine.api import (
    STATE_ENDED,
    BanRecord,
    BindingGone,
    BindingRecord,
    CallRecord,
    KeptMessage,
    KeptMessageGone,
    LegRecord,
    SubscriptionGone,
    SubscriptionRecord,
)
from sipengine.journal import Journal, JournalError, decode

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Restored:
    """Every binding, subscription and kept message (expired ones too: the engine reports them gone),
    every call not ended, every ban that goes on or ended less than a week ago."""

    bindings: list[BindingRecord]
    calls: list[CallRecord]
    bans: list[BanRecord] = field(default_factory=list)
    subscriptions: list[SubscriptionRecord] = field(default_factory=list)
    messages: list[KeptMessage] = field(default_factory=list)


_BINDINGS: Final[LiteralString] = """
SELECT aor, contact, params, q, extract(epoch FROM expires_at)::float8, call_id, cseq, path,
    transport, received, local, user_agent, instance, reg_id,
    extract(epoch FROM registered_at)::float8, extract(epoch FROM updated_at)::float8,
    extract(epoch FROM unreachable_since)::float8
FROM registrations_binding
"""

_CALLS: Final[LiteralString] = """
SELECT id::text, revision, domain, call_ids, tags, state, caller, caller_name, caller_device,
    called, answered_by, answered_device, extract(epoch FROM started)::float8,
    extract(epoch FROM ringing)::float8, extract(epoch FROM answered)::float8,
    extract(epoch FROM ended)::float8, result, sip_status, hangup_by, rule, reason, decision
FROM calls_call WHERE state <> 'ended'
"""

_LEGS: Final[LiteralString] = """
SELECT l.call_id::text, l.position, l.target, l.contact, l.device,
    extract(epoch FROM l.started)::float8, extract(epoch FROM l.ringing)::float8,
    extract(epoch FROM l.answered)::float8, extract(epoch FROM l.ended)::float8,
    l.sip_status, l.result
FROM calls_leg l JOIN calls_call c ON c.id = l.call_id
WHERE c.state <> 'ended' ORDER BY l.call_id, l.position
"""

_BANS: Final[LiteralString] = """
SELECT id::text, revision, source, kind, reason, count, level, extract(epoch FROM since)::float8,
    extract(epoch FROM until)::float8, dropped, extract(epoch FROM lifted_at)::float8, lifted_by
FROM guard_ban WHERE until > now() - interval '7 days' ORDER BY until DESC LIMIT 65536
"""


def restore(journal: Journal, connection: psycopg.Connection) -> Restored:
    """Return the state that all facts so far add up to. `connection` is in autocommit mode.

    Nobody else may be carrying this journal meanwhile. Raises `psycopg.Error`, `JournalError`.
    """
    position = claim_position(connection, journal)
    journal.move_past(position)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        bindings = {}
        for row in connection.execute(_BINDINGS):
            record = BindingRecord(*row)
            bindings[_flow_of(record)] = record
        calls = {row[0]: CallRecord(*(*row, [])) for row in connection.execute(_CALLS)}
        for call_id, *leg in connection.execute(_LEGS):
            calls[call_id].legs.append(LegRecord(*leg))
        bans = {row[0]: BanRecord(*row) for row in connection.execute(_BANS)}
        subscriptions = stored_subscriptions(connection)
        messages = stored_messages(connection)
    unreadable = 0
    for line in journal.read(position):
        try:
            fact = decode(line)
        except JournalError:
            # Damaged, or of another version's form. Without it we know less; without the others
            # nobody could call. The recorder stores it or puts it aside.
            unreadable += 1
            continue
        if isinstance(fact, BindingRecord):
            bindings[_flow_of(fact)] = fact
        elif isinstance(fact, BindingGone):
            for flow in _flows_gone(fact, bindings):
                bindings.pop(flow, None)
        elif isinstance(fact, BanRecord):
            earlier = bans.get(fact.id)
            if earlier is None or earlier.revision < fact.revision:
                bans[fact.id] = fact
        elif isinstance(fact, SubscriptionRecord):
            subscriptions[fact.id] = fact
        elif isinstance(fact, SubscriptionGone):
            subscriptions.pop(fact.id, None)
        elif isinstance(fact, KeptMessage):
            messages[fact.id] = fact
        elif isinstance(fact, KeptMessageGone):
            messages.pop(fact.id, None)
        else:
            known = calls.get(fact.id)
            if known is None or known.revision < fact.revision:
                calls[fact.id] = fact
    going_on = [call for call in calls.values() if call.state != STATE_ENDED]
    ended = _ended(connection, going_on)
    going_on = [call for call in going_on if call.revision > ended.get(call.id, -1)]
    if unreadable:
        logger.error("journal lines not understood at start", lines=unreadable)
    return Restored(
        list(bindings.values()),
        going_on,
        list(bans.values()),
        list(subscriptions.values()),
        list(messages.values()),
    )


_Flow = tuple[str, str, str, int]


def _flow_of(record: BindingRecord) -> _Flow:
    return record.aor, record.contact, record.instance, record.reg_id


def _flows_gone(gone: BindingGone, bindings: dict[_Flow, BindingRecord]) -> list[_Flow]:
    """Which bindings a removal means; one of an older version's journal does not say it all."""
    if gone.instance is not None:
        return [(gone.aor, gone.contact, gone.instance, gone.reg_id)]
    return [flow for flow in bindings if flow[:2] == (gone.aor, gone.contact)]


def _ended(connection: psycopg.Connection, calls: list[CallRecord]) -> dict[str, int]:
    """Of `calls`, those that Postgres knows as ended, with the revision that did.

    Lines come twice if the position was lost; an old one must not bring a call back to life.
    """
    ids = []
    for call in calls:
        try:
            ids.append(UUID(call.id))
        except ValueError:
            continue  # the recorder will put it aside
    rows = connection.execute(
        "SELECT id::text, revision FROM calls_call WHERE id = ANY(%s) AND state = 'ended'", (ids,)
    )
    return dict(rows.fetchall())
