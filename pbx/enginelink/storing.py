"""Journal lines into tables: one statement a table, in which Postgres itself reads the JSON.

The engine's processor pays for joining bytes, not for rows. Of several facts about one thing in a
batch only the last is stored; storing a batch again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any, Final, LiteralString

import msgspec
import psycopg

from pbx.enginelink import message_rows, subscription_rows
from sipengine.api import (
    BanRecord,
    BindingRecord,
    CallRecord,
    KeptMessage,
    LegRecord,
    SubscriptionRecord,
)
from sipengine.journal import (
    KIND_BAN,
    KIND_BINDING,
    KIND_CALL,
    KIND_GONE,
    KIND_MESSAGE,
    KIND_MESSAGE_GONE,
    KIND_SUBSCRIPTION,
    KIND_UNSUBSCRIBED,
    Line,
)

_HUMAN_TEXT: Final = frozenset(
    [
        "user_agent",
        "caller",
        "caller_name",
        "caller_device",
        "called",
        "answered_by",
        "answered_device",
        "device",
        "reason",
        "decision",
    ]
)
"""Fields that are only read by people. The others also identify things, octet by octet."""

_COLUMNS: Final = frozenset(
    column.name
    for record in (
        BindingRecord,
        CallRecord,
        LegRecord,
        BanRecord,
        SubscriptionRecord,
        KeptMessage,
    )
    for column in fields(record)
)

# A line tells a binding and a removal apart by `why`, which only a removal has.
_BINDINGS: Final[LiteralString] = """
WITH facts AS MATERIALIZED (
    SELECT DISTINCT ON (aor, contact, instance, reg_id) *
    FROM ROWS FROM (json_to_recordset(%s::json) AS (
        aor text, contact text, params text, q float8, expires_at float8, call_id text,
        cseq bigint, path jsonb, transport text, received text, local text, user_agent text,
        instance text, reg_id integer, registered_at float8, updated_at float8,
        unreachable_since float8, why text
    )) WITH ORDINALITY AS line (
        aor, contact, params, q, expires_at, call_id, cseq, path, transport, received, local,
        user_agent, instance, reg_id, registered_at, updated_at, unreachable_since, why, place)
    ORDER BY aor, contact, instance, reg_id, place DESC
), gone AS (
    DELETE FROM registrations_binding b USING facts f
    WHERE f.why IS NOT NULL AND b.aor = f.aor AND b.contact = f.contact
        AND b.instance = f.instance AND b.reg_id = f.reg_id
)
INSERT INTO registrations_binding (
    aor, contact, params, q, expires_at, call_id, cseq, path, transport, received, local,
    user_agent, instance, reg_id, registered_at, updated_at, unreachable_since)
SELECT aor, contact, params, q, to_timestamp(expires_at), call_id, cseq, path, left(transport, 8),
    left(received, 64), left(local, 64), user_agent, instance, reg_id,
    to_timestamp(registered_at), to_timestamp(updated_at), to_timestamp(unreachable_since)
FROM facts WHERE why IS NULL
ON CONFLICT (aor, contact, instance, reg_id) DO UPDATE SET
    params = excluded.params, q = excluded.q, expires_at = excluded.expires_at,
    call_id = excluded.call_id, cseq = excluded.cseq, path = excluded.path,
    transport = excluded.transport, received = excluded.received, local = excluded.local,
    user_agent = excluded.user_agent, registered_at = excluded.registered_at,
    updated_at = excluded.updated_at, unreachable_since = excluded.unreachable_since
"""

# A removal told by a version that kept one binding a contact does not say which flow it was.
_GONE_AT_CONTACT: Final[LiteralString] = """
DELETE FROM registrations_binding b USING (SELECT %s::json AS line) f
WHERE b.aor = f.line->>'aor' AND b.contact = f.line->>'contact'
"""

# A call's revision only goes up; its legs are those of the revision that is stored.
_CALLS: Final[LiteralString] = """
WITH facts AS MATERIALIZED (
    SELECT DISTINCT ON (id) *
    FROM json_to_recordset(%s::json) AS line (
        id uuid, revision integer, domain text, call_ids jsonb, tags jsonb, state text,
        caller text, caller_name text, caller_device text, called text, answered_by text,
        answered_device text, started float8, ringing float8, answered float8, ended float8,
        result text, sip_status integer, hangup_by text, rule text, reason text, decision jsonb,
        legs json, quality text, session_interval integer)
    ORDER BY id, revision DESC
), changed AS (
    INSERT INTO calls_call (
        id, revision, domain, call_ids, tags, state, caller, caller_name, caller_device, called,
        answered_by, answered_device, started, ringing, answered, ended, result, sip_status,
        hangup_by, rule, reason, decision, quality, session_interval)
    SELECT id, revision, left(domain, 253), call_ids, tags, state, caller, caller_name,
        caller_device, called, answered_by, answered_device, to_timestamp(started),
        to_timestamp(ringing), to_timestamp(answered), to_timestamp(ended), result, sip_status,
        hangup_by, rule, reason, decision, coalesce(quality, ''),
        coalesce(session_interval, 0)
    FROM facts
    ON CONFLICT (id) DO UPDATE SET
        revision = excluded.revision, domain = excluded.domain, call_ids = excluded.call_ids,
        tags = excluded.tags, state = excluded.state, caller = excluded.caller,
        caller_name = excluded.caller_name, caller_device = excluded.caller_device,
        called = excluded.called, answered_by = excluded.answered_by,
        answered_device = excluded.answered_device, started = excluded.started,
        ringing = excluded.ringing, answered = excluded.answered, ended = excluded.ended,
        result = excluded.result, sip_status = excluded.sip_status,
        hangup_by = excluded.hangup_by, rule = excluded.rule, reason = excluded.reason,
        decision = excluded.decision, session_interval = excluded.session_interval,
        quality = CASE excluded.quality WHEN '' THEN calls_call.quality ELSE excluded.quality END
    WHERE calls_call.revision < excluded.revision
    RETURNING id
), legs AS MATERIALIZED (
    SELECT f.id AS call_id, leg.*
    FROM changed JOIN facts f USING (id)
    CROSS JOIN LATERAL json_to_recordset(f.legs) AS leg (
        position integer, target text, contact text, device text, started float8, ringing float8,
        answered float8, ended float8, sip_status integer, result text)
), removed AS (
    DELETE FROM calls_leg l USING changed c
    WHERE l.call_id = c.id AND NOT EXISTS (
        SELECT FROM legs n WHERE n.call_id = l.call_id AND n.position = l.position)
)
INSERT INTO calls_leg (
    call_id, position, target, contact, device, started, ringing, answered, ended, sip_status,
    result)
SELECT call_id, position, target, contact, device, to_timestamp(started), to_timestamp(ringing),
    to_timestamp(answered), to_timestamp(ended), sip_status, result
FROM legs
ON CONFLICT (call_id, position) DO UPDATE SET
    target = excluded.target, contact = excluded.contact, device = excluded.device,
    started = excluded.started, ringing = excluded.ringing, answered = excluded.answered,
    ended = excluded.ended, sip_status = excluded.sip_status, result = excluded.result
"""

_BANS: Final[LiteralString] = """
INSERT INTO guard_ban (
    id, revision, source, kind, reason, count, level, since, until, dropped, lifted_at, lifted_by)
SELECT DISTINCT ON (id) id, revision, left(source, 64), left(kind, 16), reason, count, level,
    to_timestamp(since), to_timestamp(until), dropped, to_timestamp(lifted_at),
    left(lifted_by, 150)
FROM json_to_recordset(%s::json) AS line (
    id uuid, revision integer, source text, kind text, reason text, count integer,
    level smallint, since float8, until float8, dropped bigint, lifted_at float8, lifted_by text)
ORDER BY id, revision DESC
ON CONFLICT (id) DO UPDATE SET
    revision = excluded.revision, dropped = excluded.dropped, lifted_at = excluded.lifted_at,
    lifted_by = excluded.lifted_by
WHERE guard_ban.revision < excluded.revision
"""

_STATEMENTS: Final[dict[int, LiteralString]] = {
    KIND_BINDING: _BINDINGS,
    KIND_GONE: _BINDINGS,
    KIND_CALL: _CALLS,
    KIND_BAN: _BANS,
    KIND_SUBSCRIPTION: subscription_rows.STORE,
    KIND_UNSUBSCRIBED: subscription_rows.STORE,
    KIND_MESSAGE: message_rows.STORE,
    KIND_MESSAGE_GONE: message_rows.STORE,
}


def store(connection: psycopg.Connection, lines: Iterable[Line]) -> None:
    """Store `lines`, none of them damaged, in their order, inside the caller's transaction.

    Raises `psycopg.Error`; `is_poison` tells whether a line is to blame.
    """
    rows: dict[LiteralString, list[bytes]] = {}
    for kind, payload, _ in lines:
        clean = payload
        if b"\xc2" in payload or b"\xc3" in payload or b"\\u0000" in payload:
            clean = _storable(payload)
        statement = _STATEMENTS.get(kind)
        if kind == KIND_GONE and b'"instance":"' not in payload:
            _store_bindings(connection, rows.pop(_BINDINGS, []))
            connection.execute(_GONE_AT_CONTACT, (clean.decode(),))
        elif statement is not None:
            rows.setdefault(statement, []).append(clean)
    for statement, payloads in rows.items():
        connection.execute(statement, (_array(payloads),))


def _store_bindings(connection: psycopg.Connection, bindings: list[bytes]) -> None:
    if bindings:
        connection.execute(_BINDINGS, (_array(bindings),))


def is_poison(error: psycopg.Error) -> bool:
    """Whether `error` says that a value cannot be stored, ever, rather than not now.

    Classes of SQLSTATE: 21 a key twice in one statement, 22 data, 23 constraints, 54 a limit of
    Postgres (an index entry too long).
    """
    if error.sqlstate == "23502" and error.diag.column_name not in _COLUMNS:
        return False  # a column that nothing here knows of: the schema is to blame, not the line
    return (error.sqlstate or "")[:2] in ("21", "22", "23", "54")


def _array(payloads: list[bytes]) -> str:
    return (b"[" + b",".join(payloads) + b"]").decode()


def _storable(payload: bytes) -> bytes:
    """Return `payload` as Postgres takes it and people can read it.

    The engine's strings are SIP octets decoded as Latin-1, so UTF-8 text (RFC 3261 §7) is told
    octet by octet: what people read becomes proper text here. Postgres stores no U+0000. Such an
    octet begins with C2 or C3 in the JSON, which the quotes in our own sentences do not.
    """
    return msgspec.json.encode(_mended(msgspec.json.decode(payload), human=False))


def _mended(value: Any, *, human: bool) -> Any:
    if isinstance(value, str):
        text = value.replace("\0", "?")
        if human and not text.isascii():
            try:
                return text.encode("latin-1").decode("utf-8").replace("\0", "?")
            except UnicodeError:
                return text  # it was text already, or is no UTF-8
        return text
    if isinstance(value, list):
        return [_mended(item, human=human) for item in value]
    if isinstance(value, dict):
        return {key: _mended(item, human=key in _HUMAN_TEXT) for key, item in value.items()}
    return value
