"""What the engine knew before it stopped: Postgres, plus the journal's lines not yet carried there.

Bindings come as a stream, for there may be a million: no more than a few thousand are here at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, LiteralString
from uuid import UUID

import psycopg
import structlog

from pbx.enginelink.engine_process import ONLY, EngineProcess
from pbx.enginelink.message_rows import stored_messages
from pbx.enginelink.recorder import claim_position
from pbx.enginelink.subscription_rows import stored_subscriptions
from sipengine.api import (
    STATE_ENDED,
    BanRecord,
    BindingGone,
    BindingRecord,
    CallRecord,
    Fact,
    KeptMessage,
    KeptMessageGone,
    LegRecord,
    Restored,
    SubscriptionGone,
    SubscriptionRecord,
)
from sipengine.journal import Journal, JournalError, decode

logger = structlog.get_logger()


_BINDINGS: Final[LiteralString] = """
SELECT aor, contact, params, q, extract(epoch FROM expires_at)::float8, call_id, cseq, path,
    transport, received, local, user_agent, instance, reg_id,
    extract(epoch FROM registered_at)::float8, extract(epoch FROM updated_at)::float8,
    extract(epoch FROM unreachable_since)::float8
FROM registrations_binding
"""
ROWS_AT_ONCE: Final = 5_000
"""Of bindings, some 5 MB, 25 ms to fetch: the time limit of a statement holds for each such portion."""

_CALLS: Final[LiteralString] = """
SELECT id::text, revision, domain, call_ids, tags, state, caller, caller_name, caller_device,
    called, answered_by, answered_device, extract(epoch FROM started)::float8,
    extract(epoch FROM ringing)::float8, extract(epoch FROM answered)::float8,
    extract(epoch FROM ended)::float8, result, sip_status, hangup_by, rule, reason, decision,
    session_interval
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


def restore(
    journal: Journal, connection: psycopg.Connection, process: EngineProcess = ONLY
) -> Restored:
    """Return the state that all facts so far add up to. `connection` is in autocommit mode. Of the calls
    only those that `process` has; a worker has nothing else, the owner tells it what it must know.

    The bindings are read from `connection` while they are gone through, all as of now: lines that
    are carried meanwhile change nothing. Until then nobody may carry this journal.
    Raises `psycopg.Error`, `JournalError`.
    """
    position = claim_position(connection, journal)
    journal.move_past(position)
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    calls = {
        row[0]: CallRecord(*(*row, [], "", interval))  # what was measured of it stays in the table
        for *row, interval in connection.execute(_CALLS)
    }
    for call_id, *leg in connection.execute(_LEGS):
        calls[call_id].legs.append(LegRecord(*leg))
    state = _State(calls, {}, {}, {})
    if process.is_owner:
        state.bans = {row[0]: BanRecord(*row) for row in connection.execute(_BANS)}
        state.subscriptions = stored_subscriptions(connection)
        state.messages = stored_messages(connection)
    unreadable = 0
    for line in journal.read(position):
        try:
            fact = decode(line)
        except JournalError:
            # Damaged, or of another version's form. Without it we know less; without the others
            # nobody could call. The recorder stores it or puts it aside.
            unreadable += 1
            continue
        state.take(fact)
    going_on = [
        call
        for call in calls.values()
        if call.state != STATE_ENDED and process.has_call(call.call_ids)
    ]
    ended = _ended(connection, going_on)
    going_on = [call for call in going_on if call.revision > ended.get(call.id, -1)]
    if unreadable:
        logger.error("journal lines not understood at start", lines=unreadable)
    if not process.is_owner:
        connection.execute("COMMIT")
        return Restored((), going_on)
    return Restored(
        _bindings(connection, state.tail),
        going_on,
        list(state.bans.values()),
        list(state.subscriptions.values()),
        list(state.messages.values()),
    )


_Flow = tuple[str, str, str, int]


def _flow_of(record: BindingRecord) -> _Flow:
    return record.aor, record.contact, record.instance, record.reg_id


class _Tail:
    """What the journal's lines say of bindings beyond the table: the flows that they are about, each
    with its latest record or None if it has gone."""

    def __init__(self) -> None:
        self.flows: dict[_Flow, BindingRecord | None] = {}
        self.contacts: set[tuple[str, str]] = set()
        """AOR and contact of removals by an older version, which did not tell the flow."""

    def take_away(self, gone: BindingGone) -> None:
        if gone.instance is not None:
            self.flows[gone.aor, gone.contact, gone.instance, gone.reg_id] = None
            return
        self.contacts.add((gone.aor, gone.contact))
        for flow in self.flows:
            if flow[:2] == (gone.aor, gone.contact):
                self.flows[flow] = None


@dataclass
class _State:
    """The tables' rows by id, brought up to date by the journal's facts, oldest first. Rows of calls
    and bans may be newer than a fact: the higher revision counts."""

    calls: dict[str, CallRecord]
    bans: dict[str, BanRecord]
    subscriptions: dict[str, SubscriptionRecord]
    messages: dict[str, KeptMessage]
    tail: _Tail = field(default_factory=_Tail)

    def take(self, fact: Fact) -> None:
        match fact:
            case BindingRecord():
                self.tail.flows[_flow_of(fact)] = fact
            case BindingGone():
                self.tail.take_away(fact)
            case BanRecord():
                earlier = self.bans.get(fact.id)
                if earlier is None or earlier.revision < fact.revision:
                    self.bans[fact.id] = fact
            case SubscriptionRecord():
                self.subscriptions[fact.id] = fact
            case SubscriptionGone():
                self.subscriptions.pop(fact.id, None)
            case KeptMessage():
                self.messages[fact.id] = fact
            case KeptMessageGone():
                self.messages.pop(fact.id, None)
            case CallRecord():
                known = self.calls.get(fact.id)
                if known is None or known.revision < fact.revision:
                    self.calls[fact.id] = fact


def _bindings(connection: psycopg.Connection, tail: _Tail) -> Iterator[BindingRecord]:
    """The rows that the tail says nothing about, then what it says; ends the transaction."""
    with connection.cursor("bindings") as rows:
        rows.itersize = ROWS_AT_ONCE
        for row in rows.execute(_BINDINGS):
            record = BindingRecord(*row)
            if _flow_of(record) not in tail.flows and row[:2] not in tail.contacts:
                yield record
    connection.execute("COMMIT")
    for later in tail.flows.values():
        if later is not None:
            yield later


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
