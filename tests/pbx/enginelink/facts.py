"""Facts for tests, what they add up to, and what the tables say."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace

import psycopg

from sipengine.api import BindingGone, BindingRecord, CallRecord, Fact, LegRecord

T0 = 1_800_000_000.0


def binding(number: int, **changes: object) -> BindingRecord:
    record = BindingRecord(
        aor=f"{number}@pbx.example",
        contact=f"sip:{number}@192.0.2.7:5062;transport=udp",
        params='+sip.instance="<urn:uuid:f81d>"',
        q=0.5,
        expires_at=T0 + 0.25,
        call_id="a84b4c76e66710@192.0.2.7",
        cseq=1826,
        path=["<sip:edge.example;lr>"],
        transport="udp",
        received="192.0.2.7:5062",
        local="192.0.2.1:5060",
        user_agent="desk phone",
        instance="urn:uuid:f81d",
        reg_id=1,
        registered_at=T0 - 1000,
        updated_at=T0 + 0.125,
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def gone(number: int, **changes: object) -> BindingGone:
    record = binding(number, **changes)
    return BindingGone(
        record.aor, record.contact, "expired", T0, record.instance, record.reg_id
    )  # fmt: skip


def gone_of_old(number: int) -> BindingGone:
    """As versions told it that kept one binding a contact."""
    record = binding(number)
    return BindingGone(record.aor, record.contact, "expired", T0)


def leg(position: int, result: str = "ringing") -> LegRecord:
    contact = f"sip:{position}@h"
    return LegRecord(
        position, "1002@pbx.example", contact, "d", T0, T0 + 1, None, None, 180, result
    )


def call(number: int, revision: int, state: str = "ringing", **changes: object) -> CallRecord:
    record = CallRecord(
        id=str(uuid.UUID(int=number)),
        revision=revision,
        domain="pbx.example",
        call_ids=[f"c{number}"],
        tags=["from", "to"],
        state=state,
        caller="1001@pbx.example",
        caller_name="Alice",
        caller_device="desk phone",
        called="1002",
        answered_by="",
        answered_device="",
        started=T0,
        ringing=T0 + 1,
        answered=None,
        ended=T0 + 9 if state == "ended" else None,
        result="no_answer" if state == "ended" else "",
        sip_status=180,
        hangup_by="",
        rule="team",
        reason=f"Revision {revision}.",
        decision=["team: matches"],
        legs=[leg(position) for position in range(1 + revision % 3)],
        session_interval=90 * revision,
    )
    return replace(record, **changes)  # type: ignore[arg-type]


Flow = tuple[str, str, str, int]
Bindings = dict[Flow, BindingRecord]
Calls = dict[str, CallRecord]


def flow_of(fact: BindingRecord) -> Flow:
    return fact.aor, fact.contact, fact.instance, fact.reg_id


def fold(facts: Iterable[Fact]) -> tuple[Bindings, Calls]:
    """What `facts`, one after the other, add up to."""
    bindings: Bindings = {}
    calls: Calls = {}
    for fact in facts:
        if isinstance(fact, BindingRecord):
            bindings[flow_of(fact)] = fact
        elif isinstance(fact, BindingGone):
            for key in list(bindings):
                flow = (fact.instance, fact.reg_id)
                if key[:2] == (fact.aor, fact.contact) and flow in (key[2:], (None, 0)):
                    del bindings[key]
        elif isinstance(fact, CallRecord) and (
            fact.id not in calls or calls[fact.id].revision < fact.revision
        ):
            calls[fact.id] = fact
    return bindings, calls


def tables(connection: psycopg.Connection) -> tuple[Bindings, Calls]:
    """What the tables say, read with plain queries of the tests' own."""

    def columns(record: type, but: tuple[str, ...] = ()) -> str:
        times = {
            "expires_at",
            "registered_at",
            "updated_at",
            "unreachable_since",
            "started",
            "ringing",
            "answered",
            "ended",
        }
        names = [name for name in record.__slots__ if name not in but]  # type: ignore[attr-defined]
        return ", ".join(
            f"extract(epoch FROM {name})::float8" if name in times else name for name in names
        )

    bindings = [
        BindingRecord(*row)
        for row in connection.execute(f"SELECT {columns(BindingRecord)} FROM registrations_binding")
    ]
    calls: Calls = {}
    for row in connection.execute(f"SELECT {columns(CallRecord, ('legs',))} FROM calls_call"):
        *values, quality, interval = row
        calls[str(row[0])] = CallRecord(str(row[0]), *values[1:], [], quality, interval)  # type: ignore[call-arg]
    rows = connection.execute(
        f"SELECT call_id::text, {columns(LegRecord)} FROM calls_leg ORDER BY call_id, position"
    )
    for call_id, *values in rows:
        calls[call_id].legs.append(LegRecord(*values))
    found = {flow_of(record): record for record in bindings}
    assert len(found) == len(bindings)
    return found, calls
