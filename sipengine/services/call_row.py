"""The row of the call log that a call makes at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipengine.api import STATE_TALKING, CallRecord, LegRecord

if TYPE_CHECKING:
    from sipengine.services.call import Call


def row_of(call: Call, offset: float) -> CallRecord:
    """The row as it is now, its parts with it, as its next revision; `offset` makes wall-clock time."""
    call.revision += 1

    def at(moment: float) -> float | None:
        return moment + offset if moment else None

    legs = [
        LegRecord(
            position, leg.target, leg.contact, leg.device, leg.started + offset,
            at(leg.ringing), at(leg.answered), at(leg.ended), leg.status, leg.result,
        )
        for position, leg in enumerate([*call.legs, *(leg for part in call.parts for leg in part.legs)])
    ]  # fmt: skip
    dialogs = [call, *call.parts]
    state, ended, result, hangup_by, reason = (
        call.state, call.ended, call.result, call.hangup_by, call.reason,
    )  # fmt: skip
    if call.parts and not call.going_on and call.continues:
        state, ended, result, hangup_by, reason = STATE_TALKING, 0.0, "", "", ""
    return CallRecord(
        call.id, call.revision, call.domain, [one.call_id for one in dialogs],
        [tag for one in dialogs for tag in (one.caller_tag, one.callee_tag)],
        state, call.caller, call.caller_name, call.caller_device, call.called,
        call.answered_by, call.answered_device, call.started + offset, at(call.ringing),
        at(call.answered), at(ended), result, call.status, hangup_by, call.rule,
        reason, [line for one in dialogs for line in one.decision], legs, call.quality,
    )  # fmt: skip
