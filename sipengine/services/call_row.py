"""The row of the call log that a call makes at one moment, and a call made of its row again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipengine.api import STATE_TALKING, CallRecord, LegRecord
from sipengine.services.leg import Leg

if TYPE_CHECKING:
    from sipengine.services.call import Call


def row_of(call: Call, offset: float) -> CallRecord:
    """The row as it is now, its parts with it, as its next revision; `offset` makes wall-clock time."""
    call.revision += 1
    dialogs = [call, *call.parts]
    legs = _leg_records([leg for one in dialogs for leg in one.legs], offset)
    state, ended, result, hangup_by, reason = (
        call.state, call.ended, call.result, call.hangup_by, call.reason,
    )  # fmt: skip
    if call.parts and not call.going_on and call.continues:
        state, ended, result, hangup_by, reason = STATE_TALKING, 0.0, "", "", ""
    return CallRecord(
        call.id, call.revision, call.domain, [one.call_id for one in dialogs],
        [tag for one in dialogs for tag in (one.caller_tag, one.callee_tag)],
        state, call.caller, call.caller_name, call.caller_device, call.called,
        call.answered_by, call.answered_device, call.started + offset,
        _wall(call.ringing, offset), _wall(call.answered, offset), _wall(ended, offset),
        result, call.status, hangup_by, call.rule, reason,
        [line for one in dialogs for line in one.decision], legs, call.quality,
        0 if call.parts else call.session_interval,
    )  # fmt: skip


def dialog_row(call: Call, offset: float) -> CallRecord:
    """What those who watch a party must know of a call as it is now: without parts, what only the log
    tells, and what names its dialog. It is no revision of the row."""
    return CallRecord(
        call.id, call.revision, call.domain, [], [], call.state, call.caller, call.caller_name, "",
        call.called, call.answered_by, "", call.started + offset, _wall(call.ringing, offset),
        _wall(call.answered, offset), _wall(call.ended, offset), call.result, call.status,
        call.hangup_by, "", "", [], _leg_records(call.legs, offset),
    )  # fmt: skip


def _leg_records(legs: list[Leg], offset: float) -> list[LegRecord]:
    return [
        LegRecord(
            position, leg.target, leg.contact, leg.device, leg.started + offset,
            _wall(leg.ringing, offset), _wall(leg.answered, offset), _wall(leg.ended, offset),
            leg.status, leg.result,
        )
        for position, leg in enumerate(legs)
    ]  # fmt: skip


def take_up(call: Call, record: CallRecord, offset: float) -> None:
    """Set all that a row tells of its call but identity and tags, which `call` has; times are monotonic."""
    call.revision = record.revision
    call.state = record.state
    call.domain = record.domain
    call.caller = record.caller
    call.caller_name = record.caller_name
    call.caller_device = record.caller_device
    call.called = record.called
    call.answered_by = record.answered_by
    call.answered_device = record.answered_device
    call.ringing = _monotonic(record.ringing, offset)
    call.answered = _monotonic(record.answered, offset)
    call.status = record.sip_status
    call.rule = record.rule
    call.decision = tuple(record.decision)
    call.session_interval = record.session_interval
    call.acknowledged = True  # as far as is known
    call.legs = [_leg(leg, offset) for leg in record.legs]
    for leg in call.legs:
        if leg.answered and leg.target == call.answered_by and call.answered_leg is None:
            call.answered_leg = leg


def _leg(record: LegRecord, offset: float) -> Leg:
    leg = Leg(record.target, record.contact, record.device, record.started - offset)
    leg.ringing = _monotonic(record.ringing, offset)
    leg.answered = _monotonic(record.answered, offset)
    leg.ended = _monotonic(record.ended, offset)
    leg.status = record.sip_status
    leg.result = record.result
    return leg


def _wall(moment: float, offset: float) -> float | None:
    return moment + offset if moment else None


def _monotonic(wall: float | None, offset: float) -> float:
    return 0.0 if wall is None else wall - offset
