"""The response context of one INVITE (RFC 3261 §16.7): its branches, their answers, its stages.

A call rings in stages (services/routing.py), all targets of a stage at once. A stage's timeout is
shorter than Timer C and stands for it (§16.8); an in-dialog INVITE has only Timer C itself.

| state     | input                           | what is done                                  | state     |
| --------- | ------------------------------- | --------------------------------------------- | --------- |
| RINGING   | 101-199 (§16.7 step 5)          | goes to the caller                            | RINGING   |
|           | 2xx (§16.7 steps 5 and 10)      | goes to the caller, other branches cancelled  | COMPLETED |
|           | 3xx that is followed (step 4)   | its Contacts rung                             | RINGING   |
|           | 300-599, others ring still      | kept if it is the best                        | RINGING   |
|           | 6xx, others ring still          | kept, other branches cancelled                | RINGING   |
|           | the last 300-699; stage's time  | next stage rung, or a phone waited for        | RINGING   |
|           | the same in the last stage      | best response to the caller (step 6)          | COMPLETED |
|           | Timer C in a dialog (§16.8)     | 408 or better to the caller, INVITE cancelled | COMPLETED |
|           | CANCEL (§16.10)                 | branches cancelled                            | CANCELLED |
|           | CANCEL, no branch is pending    | 487 to the caller                             | COMPLETED |
| CANCELLED | 101-199, stage's time, CANCEL   | nothing                                       | CANCELLED |
|           | 2xx                             | goes to the caller                            | COMPLETED |
|           | the last 300-699                | 487 to the caller                             | COMPLETED |
| COMPLETED | 2xx, after a 2xx                | goes to the caller (a fork's other dialog)    | COMPLETED |
|           | 2xx, after another final answer | its phone is hung up                          | COMPLETED |
|           | anything else                   | noted in the log                              | COMPLETED |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipengine.services.binding import Binding
from sipengine.services.call import Call
from sipengine.services.media.crossing import Crossing
from sipengine.services.media.crossing_branch import CrossingBranch
from sipengine.services.proxy import outcomes
from sipengine.services.proxy.best_response import BestResponse
from sipengine.services.proxy.branch import Branch
from sipengine.services.proxy.breadth import divide_again
from sipengine.services.proxy.copies import Copies
from sipengine.services.proxy.late_success import hang_up
from sipengine.services.proxy.redirections import new_targets
from sipengine.services.proxy.returning import Waiting, wait_for
from sipengine.services.proxy.session_timer import SessionAsk
from sipengine.services.proxy.targets import Target, target_of
from sipengine.services.replies import reply
from sipengine.services.routing import NO_ANSWER, Decision, Stage
from sipengine.sip.flow import Flow
from sipengine.sip.header_line import header_line
from sipengine.sip.message import tag_of
from sipengine.sip.timers import TIMER_C
from sipengine.sip.transaction.invite_server import InviteServer

if TYPE_CHECKING:
    from sipengine.services.proxy.proxy import Proxy

ELSEWHERE: Final = 'Reason: SIP;cause=200;text="Call completed elsewhere"'
"""RFC 3326 §2: phones that see this do not list a missed call."""

RINGING: Final = 0
CANCELLED: Final = 1
COMPLETED: Final = 2


class InviteContext:
    """All branches of one INVITE. `call` is None for an INVITE within a dialog."""

    __slots__ = (
        "_best", "_branches", "_copies", "_crossing", "_follow", "_pending", "_redirects",
        "_session", "_stage", "_state", "_timed_out", "_unanswered", "_waited", "_waiting", "call", "due",
        "media_why", "proxy", "server",
    )  # fmt: skip

    def __init__(
        self,
        proxy: Proxy,
        server: InviteServer,
        copies: Copies,
        call: Call | None,
        session: SessionAsk | None,
        crossing: Crossing | None = None,
    ) -> None:
        """`session` is what it asks for; `crossing` the way of the media of an anchored dialog."""
        self.proxy = proxy
        self.call = call
        self.media_why = ""  # what a media gateway could not do
        self.due = 0.0
        self._session = session
        self._crossing = crossing
        self.server = server
        self._copies: Copies | None = copies  # until no branch can be sent any more
        self._state = RINGING
        self._branches: list[Branch] = []
        self._pending = 0
        self._best = BestResponse()
        self._stage: Stage | None = None
        self._waited: Stage | None = None
        self._waiting: Waiting | None = None
        self._follow = False
        self._redirects = 0
        self._timed_out = False
        self._unanswered = ""  # a clause: what became of the servers of an outside address
        server.user = self

    # -- going out

    def start(self, decision: Decision, now: float) -> None:
        """Ring the first stage of a decision and, as they fail, those it leads on to."""
        self._follow = decision.follow_redirects
        self._ring_stage(decision.stage, now)

    def relay(self, target: Target, now: float) -> None:
        """Forward an INVITE of a dialog to the one place it goes to."""
        self.proxy.layer.timers.start(TIMER_C, now, self)
        self._ring(target, now)

    def _ring_stage(self, stage: Stage | None, now: float) -> None:
        while stage is not None:
            self._stage = stage
            self._timed_out = False
            if stage.diverted and self.call is not None:
                self.call.diverted = stage.diverted
            targets = self.proxy.targets(stage.destinations, now)
            if targets:
                assert self._copies is not None
                if not self._copies.may_fork(stage, targets):
                    self._best.offer(440, b"")
                    break
                self._unanswered = ""
                self._best = BestResponse()  # the caller hears what became of the last who rang
                self.proxy.layer.timers.start(float(stage.timeout), now, self)
                for target in targets:
                    self._ring(target, now)
                if self.call is not None and len(stage.destinations) > 1:
                    outcomes.note_absent(self.call, stage, targets, now)
                return
            if self._waits(stage, now):
                return
            if not self._best.status:
                self._best.offer(480, b"")
            if self.call is not None:
                outcomes.note_unreachable(self.call, stage, now)
            stage = stage.after(NO_ANSWER)
        self._answer(now)

    def _waits(self, stage: Stage, now: float) -> bool:
        """Whether the call waits a little for the phones of a stage; it does so once a stage."""
        if self.call is None or stage is self._waited:
            return False
        self._waited = stage
        self._waiting = wait_for(self, stage.destinations, self.proxy.location, now)
        return self._waiting is not None

    def waited(self, binding: Binding | None, now: float) -> None:
        """The wait is over: ring the phone that has registered again, or go on without."""
        self._waiting = None
        proxy = self.proxy
        target = None if binding is None else target_of(binding, proxy.location, proxy.flows)
        stage, copies = self._stage, self._copies
        assert copies is not None
        if target is not None and stage is not None and copies.may_fork(stage, [target]):
            self._best = BestResponse()
            proxy.layer.timers.start(float(stage.timeout), now, self)
            self._ring(target, now)
        elif self._best.status:
            self._stage_over(now)
        else:
            self._ring_stage(self._stage, now)

    def _ring(self, target: Target, now: float) -> None:
        copies = self._copies
        assert copies is not None
        target = copies.way_to(target)
        anchors = self.proxy.anchors
        crossing: Crossing | None = None
        if anchors is not None:
            crossing = self._crossing
            if self.call is not None:
                crossing = anchors.crossing(copies.message, copies.source, target.flow, target.uri)
        branch = self._begin(target, crossing, now)
        if target.others and crossing is None:
            branch.watch_flow(now)

    def _begin(self, target: Target, crossing: Crossing | None, now: float) -> Branch:
        """Start a branch: straight to its target, or by way of a media gateway."""
        call = self.call
        leg = (
            None if call is None else call.leg_started(target.name, target.uri, target.device, now)
        )
        self._pending += 1
        if crossing is None:
            branch = Branch(self, target, leg)
        else:
            assert self._copies is not None
            branch = CrossingBranch(self, target, leg, crossing, self._copies.message)
        self._branches.append(branch)
        branch.start(now)
        return branch

    def copy_for(self, target: Target, flow: Flow, media: str = "") -> tuple[bytes, bytes]:
        """As `Copies.copy`, for the branches."""
        assert self._copies is not None
        return self._copies.copy(target, flow, media)

    @property
    def call_id(self) -> str:
        """The Call-ID, while branches may still be sent."""
        return "" if self._copies is None else self._copies.message.call_id

    # -- coming back

    def provisional(self, branch: Branch, status: int, data: bytes, now: float) -> None:
        if self.call is not None and branch.leg is not None:
            self.call.leg_ringing(branch.leg, status, now)
        elif self._state != COMPLETED:
            self.proxy.layer.timers.start(TIMER_C, now, self)  # §16.7 step 2
        if self._state == RINGING:
            self.server.respond(status, data, now)

    def success(self, branch: Branch, data: bytes, now: float) -> None:
        """A 2xx: every one goes back at once (§16.7 step 5), the first ends the others."""
        if branch.pending:
            branch.pending = False
            if not branch.given_up:
                self._pending -= 1
        branch.due = 0.0
        if self._session is not None:
            data = self._session.answered(data, now)
        forwarded = self.server.respond(200, data, now)
        if self.call is not None and not forwarded:
            self._came_too_late(branch, data, now)
            return
        if branch.leg is not None and self.call is not None:
            to = header_line(data, b"To", b"t")
            tag = tag_of((to or b"").decode("latin-1"))
            self.call.leg_answered(branch.leg, tag, branch.flow, now)
            branch.answered(self.call, data, now)
        if self._state != COMPLETED:
            self._complete()
            for other in self._branches:
                other.cancel(ELSEWHERE, now)
        self._let_go()

    def _came_too_late(self, branch: Branch, data: bytes, now: float) -> None:
        """The caller has been told that the call failed: the phone that answered is hung up."""
        proxy = self.proxy
        leg = branch.leg
        again, branch.hung_up = branch.hung_up, True
        assert branch.flow is not None  # it answered, so something was sent to it
        hang_up(data, proxy.layer, proxy.branches, branch.flow, again, now)
        if leg is not None and self.call is not None and not again:
            self.call.leg_ended(leg, 200, "cancelled", now)
        self._let_go()

    def failure(self, branch: Branch, status: int, data: bytes, now: float) -> None:
        """A final answer other than 2xx, or none at all (`data` empty)."""
        branch.due = 0.0
        completed = self._state == COMPLETED
        if self.call is not None:
            outcomes.leg_failed(self.call, branch, status, data, completed, now)
        if branch.given_up:
            return
        self._pending -= 1
        if completed:
            self._let_go()
            return
        ringing = self._state == RINGING
        if status == 430:  # RFC 5626 §5.3: for us, not for the caller
            status, data = 480, b""
        if not data and not branch.cancel_wanted and ringing and branch.target.others:
            self._ring(branch.target.next_flow(), now)
            return
        if status == 488 and ringing and self._again_with_other_media(branch, now):
            return
        follow = self._follow and 300 <= status < 400 and ringing and bool(data)
        if follow and self._follow_contacts(branch, data, now):
            return
        self._unanswered = branch.why or self._unanswered
        self._best.offer(status, data)
        if status >= 600:
            for other in self._branches:
                other.cancel("", now)  # §16.7 step 5
        if self._pending == 0:
            self._stage_over(now)

    def _again_with_other_media(self, branch: Branch, now: float) -> bool:
        """A phone refused the offer as it was (§21.4.26): offer it SRTP for RTP, or RTP for SRTP."""
        anchors = self.proxy.anchors
        copies = self._copies
        if anchors is None or self.call is None or copies is None or branch.crosses:
            return False
        crossing = anchors.other_crossing(copies.message, copies.source)
        if crossing is None:
            return False
        self._begin(branch.target, crossing, now)
        return True

    def move(self, branch: Branch, target: Target, now: float) -> None:
        """Ring `target` in place of a branch of which nothing was heard: the phone is elsewhere."""
        if self._state == RINGING and branch.unheard:
            self._give_up(branch, "failed", now)
            target.breadth = branch.target.breadth
            self._ring(target, now)

    def _give_up(self, branch: Branch, result: str, now: float) -> None:
        """Ask no more of a branch than to be cancelled: only a 2xx of it still counts."""
        branch.given_up = True
        self._pending -= 1
        self._leg_ended(branch, 408, result, now)
        branch.cancel("", now)

    def _leg_ended(self, branch: Branch, status: int, result: str, now: float) -> None:
        if branch.leg is not None and self.call is not None:
            self.call.leg_ended(branch.leg, status, result, now)

    def _follow_contacts(self, failed: Branch, data: bytes, now: float) -> bool:
        """Ring the Contacts of a 3xx instead (§16.7 step 4); whether there was one to ring."""
        asked = {branch.target.uri for branch in self._branches}
        self._redirects, targets = new_targets(data, asked, self._redirects, self.proxy, now)
        targets = divide_again(targets, failed.target)
        for target in targets:
            self._ring(target, now)
        return bool(targets)

    # -- coming to an end

    def on_timer(self, now: float) -> None:
        """The stage's time is over: whoever still rings is cancelled and the next stage begins."""
        if self._state != RINGING:
            return
        self._timed_out = True
        self._best.offer(480 if self.call is not None else 408, b"")
        for branch in self._branches:
            if branch.pending and not branch.given_up:
                self._give_up(branch, "no_answer", now)
        self._stage_over(now)

    def on_cancel(self, reason: str, now: float) -> None:
        """The caller gave up (§16.10); the branches' answers end the transaction."""
        if self._state != RINGING:
            return
        self._state = CANCELLED
        self.due = 0.0
        for branch in self._branches:
            branch.cancel(reason, now)
        if self._pending == 0:
            self._answer(now)

    def _stage_over(self, now: float) -> None:
        self.due = 0.0
        stage = self._stage
        if stage is None or self._state == CANCELLED:
            self._answer(now)
            return
        if self._best.status == 503 and self._waits(stage, now):
            return  # nobody said no: their connections have broken
        following = outcomes.stage_after(stage, self._best.status, self._timed_out)
        if following is None:
            self._answer(now)
        else:
            self._ring_stage(following, now)

    def _answer(self, now: float) -> None:
        """Send the best response to the caller (§16.7 step 6) and close the call's row."""
        if self._state == COMPLETED:
            return
        cancelled = self._state == CANCELLED
        self._complete()
        if self._waiting is not None:
            self._waiting.stop()
        status, data = (487, b"") if cancelled else self._best.final()
        why = ""
        own = not data
        if own:
            status = outcomes.own_status(status, self._best, self._unanswered, self.media_why)
            assert self._copies is not None
            message = self._copies.message
            data = reply(message, status, to_tag=self.proxy.local_tag(self.server.key))
            why = outcomes.why_failed(status, self._unanswered, self.media_why)
        self.server.respond(status, data, now)
        if self.call is not None:
            result = "cancelled" if cancelled else outcomes.result_of(status)
            if why == self._unanswered != "" or (status == 480 and self._best.unreached):
                result = "failed"
            outcomes.finish(self.call, result, status, b"" if own else data, why, now)
        self._let_go()

    def _complete(self) -> None:
        self._state = COMPLETED
        self.due = 0.0  # no timer any more

    def _let_go(self) -> None:
        """After the last answer, keep only what a late 2xx needs.

        The transactions stay for another 32 s. Without a circle between them and this object
        everything else is freed at once, and its memory is still warm for the next call.
        """
        if self._state == COMPLETED and self._pending == 0:
            self._branches = []
            self.server.user = None
            self._copies = None
