"""The calls that are going on, and what the log will say of them (D8).

The proxy tells what happened to a call and its legs; `take_records` gives the rows that changed
since it was last asked, so that a call that rings and is answered in a moment costs one row, not four.
Times inside are monotonic; `offset` makes wall-clock time of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from sipengine.api import (
    STATE_ENDED,
    STATE_RINGING,
    STATE_TALKING,
    STATE_TRYING,
    CallRecord,
    Extension,
    LegRecord,
)
from sipengine.services.call_row import row_of
from sipengine.services.explanation import explain
from sipengine.services.leg import Leg as Leg
from sipengine.services.traces import Traces
from sipengine.sip.flow import Flow
from sipengine.sip.timers import TimerQueue

if TYPE_CHECKING:
    from sipengine.services.media.anchors import Anchor

MAX_CALLS: Final = 50_000
"""Calls at once; more are refused with 503. About 4 kB each."""
FORGOTTEN_AFTER: Final = 12 * 3600.0
"""An answered call of which nothing is heard for so long is closed: its BYE must have been missed."""
SWEEP_INTERVAL: Final = 900.0
"""How often such calls are looked for: one timer, as one a call would keep the ended ones in memory."""


class Call:
    """One logical call. `caller_flow` and `callee_flow` are where each side was last heard from."""

    __slots__ = (
        "anchor", "answered", "answered_by", "answered_device", "answered_leg", "call_id", "called", "callee_flow",
        "callee_tag", "caller", "caller_device", "caller_flow", "caller_name", "caller_tag", "decision",
        "domain", "ended", "hangup_by", "heard", "hidden", "id", "left", "legs", "owner", "parts",
        "quality", "reason", "result", "revision", "ringing", "rule", "silent", "started", "state", "status",
        "transferred_by", "whole",
    )  # fmt: skip

    def __init__(self, owner: Calls, uuid: str, call_id: str, caller_tag: str, now: float) -> None:
        self.owner = owner
        self.id = uuid
        self.revision = 0
        self.call_id = call_id
        self.caller_tag = caller_tag
        self.callee_tag = ""
        self.caller_flow: Flow | None = None
        self.callee_flow: Flow | None = None
        self.state = STATE_TRYING
        self.domain = self.caller = self.caller_name = self.caller_device = self.called = ""
        self.answered_by = self.answered_device = self.result = self.hangup_by = ""
        self.rule = self.reason = ""
        self.left = ""  # the callee's tag of an early dialog that the caller ended by BYE
        self.started = now
        self.ringing = self.answered = self.ended = 0.0
        self.status = 0
        self.decision: tuple[str, ...] = ()
        self.legs: list[Leg] = []
        self.answered_leg: Leg | None = None
        self.quality = ""  # what the media gateway measured, as JSON
        self.silent = ""  # caller or callee, while the other cannot hear it
        self.anchor: Anchor | None = None  # the media gateway's part in it
        self.hidden = False  # the caller withheld its number (RFC 3323)
        self.heard = now  # when a request of its dialog last came
        self.whole: Call | None = None  # the call that this one continues (services.transfers)
        self.transferred_by = ""
        self.parts: list[Call] = []

    @property
    def going_on(self) -> bool:
        return self.state != STATE_ENDED

    # -- what the proxy tells

    def leg_started(self, target: str, contact: str, device: str, now: float) -> Leg:
        leg = Leg(target, contact, device, now)
        self.legs.append(leg)
        self.owner.changed(self, leg, now)
        return leg

    def leg_ringing(self, leg: Leg, status: int, now: float) -> None:
        leg.status = status
        if not leg.ringing:
            leg.ringing = now
            leg.result = "ringing"
            if self.state == STATE_TRYING:
                self.state = STATE_RINGING
                self.ringing = now
            self.owner.changed(self, leg, now)

    def leg_ended(self, leg: Leg, status: int, result: str, now: float) -> None:
        if not leg.ended:
            leg.status = status
            leg.result = result
            leg.ended = now
            self.owner.changed(self, leg, now)

    def leg_answered(self, leg: Leg, callee_tag: str, flow: Flow | None, now: float) -> None:
        """A 2xx passed. The first one makes the call; a second dialog of a fork is only a leg."""
        leg.status = 200
        leg.result = "answered"
        if not leg.answered:
            leg.answered = now
        if self.state in (STATE_TALKING, STATE_ENDED):
            return
        self.state = STATE_TALKING
        self.answered = self.heard = now
        self.status = 200
        self.answered_leg = leg
        self.answered_by = leg.target
        self.answered_device = leg.device
        self.callee_flow = flow
        self.callee_tag = callee_tag
        self.owner.changed(self, leg, now, pressing=True)
        if self.left and self.left == callee_tag:
            self.finish("answered", 200, "caller", now)

    def dialog_left(self, callee_tag: str, by_caller: bool, now: float) -> None:
        """A BYE was answered. One of an early dialog ends the call if that is answered after all
        (RFC 5407 §3.1.3); else the answer to the INVITE ends it, or another phone takes it."""
        if self.answered:
            self.finish("answered", 200, "caller" if by_caller else "callee", now)
        elif by_caller:
            self.left = callee_tag

    def quality_told(self, figures: str, silent: str) -> None:
        """The media gateway's figures; the last may come when the call has just ended."""
        if figures and figures != self.quality:
            self.quality = figures
            self.silent = silent
            self.owner.row_changed(self)

    def finish(self, result: str, status: int, hangup_by: str, now: float, why: str = "") -> None:
        """The call is over; `why` is added to its sentence where the result does not tell enough."""
        if self.state == STATE_ENDED:
            return
        if not self.answered:
            self.status = status
        self.state = STATE_ENDED
        self.ended = now
        self.result = result
        self.hangup_by = hangup_by
        leg = self.answered_leg
        if leg is not None and not leg.ended:
            leg.ended = now
        self.reason = explain(self, why)
        self.owner.ended(self, now)
        if self.whole is not None:
            self.whole.part_over(self, now)

    def continue_in(self, part: Call) -> None:
        """What is left of this call goes on in `part`: their row is one. Its own dialog may be over."""
        part.whole = self
        self.parts.append(part)
        self.owner.continued(self, part)

    def part_over(self, part: Call, now: float) -> None:
        """If nothing of the call is left now, its row has ended as `part` did."""
        if self.going_on or self.continues:
            return
        same_side = part.caller == self.caller  # who was transferred: the caller, or the called one
        sides = {"caller": "callee", "callee": "caller"}
        by = part.hangup_by if same_side else sides.get(part.hangup_by, part.hangup_by)
        self.ended, self.hangup_by = now, by
        self.reason = explain(self)
        self.owner.row_changed(self, pressing=True)

    @property
    def continues(self) -> bool:
        """Whether a part of it goes on, be its own dialog over or not."""
        return any(part.going_on for part in self.parts)


class CallWatcher(Protocol):
    """Whoever must hear of each step of a call, as it is taken."""

    def call_changed(self, call: Call, leg: Leg | None, now: float) -> None:
        """`leg` is the one that took the step; None: the call has ended, with all its legs."""
        ...


class Calls:
    """All calls going on, by dialog: `Call-ID|tag` of either side."""

    __slots__ = (
        "_dirty",
        "_open",
        "_pressing",
        "_restored",
        "_timers",
        "_unique",
        "by_dialog",
        "due",
        "extensions",
        "offset",
        "own_mark",
        "total",
        "traces",
        "watcher",
    )

    def __init__(self, timers: TimerQueue, offset: float, unique: str) -> None:
        """`unique` is 15 hex digits that no other process has."""
        self._unique = unique
        self.extensions: dict[str, Extension] = {}  # of the present configuration, for names
        self._timers = timers
        self._dirty: dict[Call, None] = {}  # their rows changed and may wait for a moment
        self._pressing: dict[Call, None] = {}  # they were answered or ended since last taken
        self._open: set[Call] = set()
        self._restored: dict[Call, list[str]] = {}  # further dialogs of calls of an earlier process
        self.by_dialog: dict[str, Call] = {}  # of two with the same Call-ID and tag the later
        self.due = 0.0
        self.offset = offset
        self.own_mark = ""  # begins the tags of our own user agent, if there is one
        self.total = 0
        self.watcher: CallWatcher | None = None  # set while somebody watches a party
        self.traces: Traces | None = None  # told which Call-IDs are calls of the log

    def begin(self, call_id: str, caller_tag: str, now: float) -> Call:
        """A new call, with a UUID of version 7 (RFC 9562 §5.7): time, a count, and this process."""
        millis = int((now + self.offset) * 1000)
        unique = self._unique
        uuid = (
            f"{millis >> 16 & 0xFFFFFFFF:08x}-{millis & 0xFFFF:04x}-7{self.total & 0xFFF:03x}"
            f"-8{unique[:3]}-{unique[3:]}"
        )
        if not self.due:
            self._timers.start(SWEEP_INTERVAL, now, self)
        if self.traces is not None:
            self.traces.admitted(call_id, now)
        return self._add(uuid, call_id, caller_tag, now)

    def _add(self, uuid: str, call_id: str, caller_tag: str, now: float) -> Call:
        call = Call(self, uuid, call_id, caller_tag, now)
        self.by_dialog[f"{call_id}|{caller_tag}"] = call
        self._open.add(call)
        self.total += 1
        self._dirty[call] = None
        return call

    def find(self, call_id: str, from_tag: str, to_tag: str) -> tuple[Call, bool] | None:
        """The call of an in-dialog request, and whether its caller is the one who speaks."""
        call = self.by_dialog.get(f"{call_id}|{from_tag}")
        if call is not None:
            return call, True
        call = self.by_dialog.get(f"{call_id}|{to_tag}")
        return None if call is None else (call, False)

    def name_of(self, aor: str) -> str:
        """The name of the extension with this AOR, "" if there is none."""
        extension = self.extensions.get(aor)
        return "" if extension is None else extension.name

    def changed(self, call: Call, leg: Leg, now: float, pressing: bool = False) -> None:
        self.row_changed(call, pressing)
        if self.watcher is not None:
            self.watcher.call_changed(call, leg, now)

    def row_changed(self, call: Call, pressing: bool = False) -> None:
        """What only the log tells changed; also of a call that has ended."""
        rows = self._pressing if pressing else self._dirty
        rows[call if call.whole is None else call.whole] = None

    def ended(self, call: Call, now: float) -> None:
        self.row_changed(call, pressing=True)
        if self.watcher is not None:
            self.watcher.call_changed(call, None, now)
        self._open.discard(call)
        if self.traces is not None:
            self.traces.ended(call.call_id)
        key = f"{call.call_id}|{call.caller_tag}"
        if self.by_dialog.get(key) is call:
            del self.by_dialog[key]
        if self._restored and call in self._restored:
            for key in self._restored.pop(call):
                self.by_dialog.pop(key, None)
        call.caller_flow = call.callee_flow = None

    def continued(self, whole: Call, part: Call) -> None:
        """`part` has no row of its own; that of `whole` goes on even if it had ended."""
        self._dirty.pop(part, None)
        self._pressing.pop(part, None)
        self._dirty[whole] = None

    @property
    def count(self) -> int:
        """How many calls are going on."""
        return len(self._open)

    def with_party(self, aor: str) -> list[Call]:
        """The calls going on that this AOR makes or is called by."""
        return [
            call
            for call in self._open
            if call.caller == aor or any(leg.target == aor for leg in call.legs)
        ]

    def on_timer(self, now: float) -> None:
        for call in list(self._open):
            if call.state == STATE_TALKING and now - call.heard >= FORGOTTEN_AFTER:
                call.finish("answered", 200, "", now, "its end was not seen")
        self.due = 0.0
        if self._open:
            self._timers.start(SWEEP_INTERVAL, now, self)

    @property
    def waiting(self) -> bool:
        return bool(self._dirty or self._pressing)

    @property
    def pressing(self) -> bool:
        """Whether a call was answered or ended since its row was last taken."""
        return bool(self._pressing)

    def take_records(self, only_pressing: bool = False) -> list[CallRecord]:
        """The rows that changed since last asked, or only those of calls answered or ended since."""
        taken = self._pressing
        self._pressing = {}
        if only_pressing:
            for call in taken:
                self._dirty.pop(call, None)
        elif self._dirty:
            taken.update(self._dirty)
            self._dirty.clear()
        return [row_of(call, self.offset) for call in taken]

    def restore(self, records: list[CallRecord], now: float) -> None:
        """Take up the calls that an earlier process left: talking ones go on, others died with it."""
        for record in records:
            tags = [*record.tags, "", ""]
            call = self._add(
                record.id,
                record.call_ids[0] if record.call_ids else "",
                tags[0],
                record.started - self.offset,
            )
            call.callee_tag = tags[1]
            call.hidden = True  # that is not kept: rather name nobody to those who watch
            for at, call_id in enumerate(record.call_ids[1:], 1):  # parts: any BYE may end it now
                key = f"{call_id}|{tags[min(2 * at, len(tags) - 1)]}"
                self.by_dialog[key] = call
                self._restored.setdefault(call, []).append(key)
                call.callee_tag = ""
            call.revision = record.revision
            call.state = record.state
            call.domain = record.domain
            call.caller = record.caller
            call.caller_name = record.caller_name
            call.caller_device = record.caller_device
            call.called = record.called
            call.answered_by = record.answered_by
            call.answered_device = record.answered_device
            call.ringing = self._mono(record.ringing)
            call.answered = self._mono(record.answered)
            call.status = record.sip_status
            call.rule = record.rule
            call.decision = tuple(record.decision)
            call.legs = [self._leg(leg) for leg in record.legs]
            for leg in call.legs:
                if leg.answered and leg.target == call.answered_by and call.answered_leg is None:
                    call.answered_leg = leg
            if call.state == STATE_TALKING and self._is_own(call):
                call.finish("answered", 200, "system", now, "the telephone system restarted")
            elif call.state == STATE_TALKING:
                self._dirty.pop(call, None)
                call.heard = now
                if not self.due:
                    self._timers.start(SWEEP_INTERVAL, now, self)
            else:
                for leg in call.legs:
                    if not leg.ended:
                        leg.ended, leg.result = now, "failed"
                call.finish(
                    "failed",
                    0,
                    "system",
                    now,
                    "the telephone system restarted while it was ringing",
                )

    def _is_own(self, call: Call) -> bool:
        """Whether we were a side of the call ourselves: then it ended with the process."""
        mark = self.own_mark
        return bool(mark) and (call.caller_tag.startswith(mark) or call.callee_tag.startswith(mark))

    def _leg(self, record: LegRecord) -> Leg:
        leg = Leg(record.target, record.contact, record.device, record.started - self.offset)
        leg.ringing = self._mono(record.ringing)
        leg.answered = self._mono(record.answered)
        leg.ended = self._mono(record.ended)
        leg.status = record.sip_status
        leg.result = record.result
        return leg

    def _mono(self, wall: float | None) -> float:
        return 0.0 if wall is None else wall - self.offset
