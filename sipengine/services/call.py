"""One logical call: what the proxy tells of it and its legs, for the log and for who watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipengine.api import STATE_ENDED, STATE_RINGING, STATE_TALKING, STATE_TRYING
from sipengine.services.explanation import explain
from sipengine.services.leg import Leg
from sipengine.services.people import person
from sipengine.services.routing import Diverted
from sipengine.sip.flow import Flow

if TYPE_CHECKING:
    from sipengine.services.calls import Calls
    from sipengine.services.media.anchors import Anchor

UNACKNOWLEDGED: Final = 64.0
"""Seconds without an ACK after an answer. The called phone repeats its 200 for 32 and then hangs up
(RFC 3261 §13.3.1.4); what it sends then takes as long at most."""


class Call:
    """One logical call. `caller_flow` and `callee_flow` are where each side was last heard from."""

    __slots__ = (
        "acknowledged", "anchor", "answered", "answered_by", "answered_device", "answered_leg", "call_id", "called", "callee_flow",
        "callee_tag", "caller", "caller_device", "caller_flow", "caller_name", "caller_tag", "decision", "diverted",
        "domain", "ended", "hangup_by", "heard", "hidden", "id", "left", "legs", "mended", "owner", "parts",
        "quality", "reason", "result", "revision", "ringing", "rule", "session_interval", "silent", "started", "state", "status",
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
        self.diverted: tuple[Diverted, ...] = ()  # the forwards that it came by, first to last
        self.legs: list[Leg] = []
        self.answered_leg: Leg | None = None
        self.quality = ""  # what the media gateway measured, as JSON
        self.silent = ""  # caller or callee, while the other cannot hear it
        self.anchor: Anchor | None = None  # the media gateway's part in it
        self.mended = False  # its media gateway was lost, and another carries it
        self.session_interval = (
            0  # seconds in which its phones confirm it (RFC 4028), 0 if they do not
        )
        self.hidden = False  # the caller withheld its number (RFC 3323)
        self.acknowledged = False  # the caller's phone has said that it heard of the answer
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

    def end_unless_begun(self, now: float) -> bool:
        """End an answered call whose ACK is overdue: its phones gave it up, and their BYE was lost."""
        if self.acknowledged or self.heard > self.answered or now < self.answered + UNACKNOWLEDGED:
            return False
        who = person(self, self.answered_by)
        why = f"{who} answered, but the caller’s phone was not heard from again"
        self.finish("failed", 200, "system", self.answered, why)
        return True

    def heard_from(self, tag: str, from_caller: bool, flow: Flow, now: float) -> None:
        """A request of its dialog came by `flow`; what goes to that side takes it from now on."""
        self.heard = now
        if from_caller:
            self.caller_flow = flow
        elif tag == self.callee_tag:
            self.callee_flow = flow

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
