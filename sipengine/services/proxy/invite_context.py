"""The response context of one INVITE (RFC 3261 §16.7): its branches, their answers, its stages.

A call rings in stages (services/routing.py), all targets of a stage at once. A stage's timeout is
shorter than Timer C and stands for it (§16.8); an in-dialog INVITE has only Timer C itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipengine.services.binding import Binding
from sipengine.services.call import Call
from sipengine.services.media.crossing import Crossing
from sipengine.services.media.crossing_branch import CrossingBranch
from sipengine.services.proxy import outcomes
from sipengine.services.proxy.additions import Additions, breadth_line
from sipengine.services.proxy.best_response import BestResponse
from sipengine.services.proxy.branch import Branch
from sipengine.services.proxy.forwarding import Outgoing
from sipengine.services.proxy.late_success import hang_up
from sipengine.services.proxy.preloaded_route import PreloadedRoute
from sipengine.services.proxy.redirections import new_targets
from sipengine.services.proxy.returning import Waiting, wait_for
from sipengine.services.proxy.session_timer import SessionAsk
from sipengine.services.proxy.targets import MAX_BREADTH, Target, target_of
from sipengine.services.replies import reply
from sipengine.services.routing import ANY, BUSY, NO_ANSWER, Stage
from sipengine.sip.flow import Flow
from sipengine.sip.header_line import header_line
from sipengine.sip.message import Message, tag_of
from sipengine.sip.timers import TIMER_C
from sipengine.sip.transaction.invite_server import InviteServer

if TYPE_CHECKING:
    from sipengine.services.proxy.proxy import Proxy

ELSEWHERE: Final = 'Reason: SIP;cause=200;text="Call completed elsewhere"'
"""RFC 3326 §2: phones that see this do not list a missed call."""


class InviteContext:
    """All branches of one INVITE. `call` is None for an INVITE within a dialog."""

    __slots__ = (
        "_additions", "_best", "_branches", "_breadth", "_cancelled", "_done", "_follow", "_pending",
        "_redirects", "_request", "_server", "_source", "_stage", "_timed_out", "_unanswered",
        "_waited", "_waiting", "call", "crossing", "due", "media_why", "proxy", "route", "session",
    )  # fmt: skip

    def __init__(
        self,
        proxy: Proxy,
        server: InviteServer,
        message: Message,
        outgoing: Outgoing,
        source: Flow,
        call: Call | None,
        additions: Additions | None = None,
    ) -> None:
        self.proxy = proxy
        self._additions = additions
        self.route: PreloadedRoute | None = None
        self._breadth = ""  # the Max-Breadth line of each of several branches
        self.session: SessionAsk | None = None
        self.call = call
        self.crossing: Crossing | None = None  # of an INVITE in a dialog whose media is anchored
        self.media_why = ""  # what a media gateway could not do
        self.due = 0.0
        self._server = server
        self._request: tuple[Message, Outgoing] | None = message, outgoing
        self._source = source
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
        self._cancelled = False
        self._done = False
        server.user = self

    # -- going out

    def start(self, stage: Stage, follow_redirects: bool, now: float) -> None:
        """Ring the first stage and, as they fail, those it leads on to."""
        self._follow = follow_redirects
        self._ring_stage(stage, now)

    def relay(self, target: Target, now: float) -> None:
        """Forward an INVITE of a dialog to the one place it goes to."""
        self.proxy.layer.timers.start(TIMER_C, now, self)
        self._ring(target, now)

    def _ring_stage(self, stage: Stage | None, now: float) -> None:
        while stage is not None:
            self._stage = stage
            self._timed_out = False
            targets = self.proxy.targets(stage.destinations, now)
            if targets:
                if not self._may_fork(stage, len(targets)):
                    self._best.offer(440, b"")
                    break
                self._unanswered = ""
                self._best = BestResponse()  # the caller hears what became of the last who rang
                self.proxy.layer.timers.start(float(stage.timeout), now, self)
                for target in targets:
                    self._ring(target, now)
                return
            if self._waits(stage, now):
                return
            if not self._best.status:
                self._best.offer(480, b"")
            if self.call is not None:
                outcomes.note_unreachable(self.call, stage, now)
            stage = stage.after(NO_ANSWER)
        self._answer(now)

    def _may_fork(self, stage: Stage, branches: int) -> bool:
        """Whether that many branches are allowed at once (RFC 5393 §5.3.3); notes what they are told."""
        additions = self._additions
        assert self._request is not None
        if additions is None:
            if not stage.diverted:
                self._breadth = breadth_line(MAX_BREADTH, branches) if branches > 1 else ""
                return True
            additions = self._additions = Additions(self._request[0])
        return additions.begin(stage, self._request[0].uri, branches)

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
        if target is not None and self._stage is not None:
            self._best = BestResponse()
            proxy.layer.timers.start(float(self._stage.timeout), now, self)
            self._ring(target, now)
        elif self._best.status:
            self._stage_over(now)
        else:
            self._ring_stage(self._stage, now)

    def _ring(self, target: Target, now: float) -> None:
        target = target if self.route is None else self.route.by_way_of(target)
        anchors = self.proxy.anchors
        crossing: Crossing | None = None
        if anchors is not None and self._request is not None:
            crossing = self.crossing
            if self.call is not None:
                crossing = anchors.crossing(self._request[0], self._source, target.flow, target.uri)
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
            assert self._request is not None
            branch = CrossingBranch(self, target, leg, crossing, self._request[0])
        self._branches.append(branch)
        branch.start(now)
        return branch

    def copy_for(self, target: Target, flow: Flow, media: str = "") -> tuple[bytes, bytes]:
        """(branch parameter, INVITE) to send to a target by `flow`; `media` is for its Record-Route."""
        call = self.call
        note = "" if call is None else self.proxy.record_route.lines(
            call.call_id, call.caller_tag, self._source, flow, media, target.uri
        )  # fmt: skip
        assert self._request is not None
        extra = self._breadth if self._additions is None else self._additions.lines(target, flow)
        return self._request[1].to(target.uri, flow, note + target.routes + extra)

    @property
    def call_id(self) -> str:
        """The Call-ID, while branches may still be sent."""
        return "" if self._request is None else self._request[0].call_id

    # -- coming back

    def provisional(self, branch: Branch, status: int, data: bytes, now: float) -> None:
        if self.call is not None and branch.leg is not None:
            self.call.leg_ringing(branch.leg, status, now)
        elif not self._done:
            self.proxy.layer.timers.start(TIMER_C, now, self)  # §16.7 step 2
        if not self._done and not self._cancelled:
            self._server.respond(status, data, now)

    def success(self, branch: Branch, data: bytes, now: float) -> None:
        """A 2xx: every one goes back at once (§16.7 step 5), the first ends the others."""
        if branch.pending:
            branch.pending = False
            if not branch.given_up:
                self._pending -= 1
        branch.due = 0.0
        if self.session is not None:
            data = self.session.answered(data, now)
        forwarded = self._server.respond(200, data, now)
        if self.call is not None and not forwarded:
            self._came_too_late(branch, data, now)
            return
        if branch.leg is not None and self.call is not None:
            to = header_line(data, b"To", b"t")
            tag = tag_of((to or b"").decode("latin-1"))
            self.call.leg_answered(branch.leg, tag, branch.flow, now)
            branch.answered(self.call, data, now)
        if not self._done:
            self._done = True
            self.due = 0.0
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
        if branch.leg is not None and self.call is not None:
            self.call.leg_ended(
                branch.leg, status, outcomes.leg_result(branch, status, self._done), now
            )
        if branch.given_up:
            return
        self._pending -= 1
        if self._done:
            self._let_go()
            return
        if status == 430:  # RFC 5626 §5.3: for us, not for the caller
            status, data = 480, b""
        if not data and not branch.cancel_wanted and not self._cancelled and branch.target.others:
            self._ring(branch.target.next_flow(), now)
            return
        if status == 488 and not self._cancelled and self._again_with_other_media(branch, now):
            return
        follow = self._follow and 300 <= status < 400 and not self._cancelled and bool(data)
        if follow and self._follow_contacts(data, now):
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
        if anchors is None or self.call is None or self._request is None or branch.crosses:
            return False
        crossing = anchors.other_crossing(self._request[0], self._source)
        if crossing is None:
            return False
        self._begin(branch.target, crossing, now)
        return True

    def move(self, branch: Branch, target: Target, now: float) -> None:
        """Ring `target` in place of a branch of which nothing was heard: the phone is elsewhere."""
        if self._done or self._cancelled or not branch.unheard:
            return
        branch.given_up = True
        self._pending -= 1
        if branch.leg is not None and self.call is not None:
            self.call.leg_ended(branch.leg, 408, "failed", now)
        branch.cancel("", now)
        self._ring(target, now)

    def _follow_contacts(self, data: bytes, now: float) -> bool:
        """Ring the Contacts of a 3xx instead (§16.7 step 4); whether there was one to ring."""
        asked = {branch.target.uri for branch in self._branches}
        self._redirects, targets = new_targets(data, asked, self._redirects, self.proxy, now)
        for target in targets:
            self._ring(target, now)
        return bool(targets)

    # -- coming to an end

    def on_timer(self, now: float) -> None:
        """The stage's time is over: whoever still rings is cancelled and the next stage begins."""
        if self._done or self._cancelled:
            return
        self._timed_out = True
        self._best.offer(480 if self.call is not None else 408, b"")
        for branch in self._branches:
            if branch.pending and not branch.given_up:
                branch.given_up = True
                self._pending -= 1
                if branch.leg is not None and self.call is not None:
                    self.call.leg_ended(branch.leg, 408, "no_answer", now)
                branch.cancel("", now)
        self._stage_over(now)

    def on_cancel(self, reason: str, now: float) -> None:
        """The caller gave up (§16.10); the branches' answers end the transaction."""
        if self._done or self._cancelled:
            return
        self._cancelled = True
        self.due = 0.0
        for branch in self._branches:
            branch.cancel(reason, now)
        if self._pending == 0:
            self._answer(now)

    def _stage_over(self, now: float) -> None:
        self.due = 0.0
        stage = self._stage
        if (
            stage is None
            or self._cancelled
            or (self._best.status >= 600 and self._outcome() != BUSY)
        ):
            self._answer(now)
            return
        if self._best.status == 503 and self._waits(stage, now):
            return  # nobody said no: their connections have broken
        following = stage.after(self._outcome())
        if following is None or (self._best.status >= 600 and stage.onward[0][0] == ANY):
            # §16.7 step 5: after a 6xx nobody else is asked, but the busy forward is ours.
            self._answer(now)
            return
        self._ring_stage(following, now)

    def _outcome(self) -> str:
        return NO_ANSWER if self._timed_out else outcomes.condition_of(self._best.status)

    def _answer(self, now: float) -> None:
        """Send the best response to the caller (§16.7 step 6) and close the call's row."""
        if self._done:
            return
        self._done = True
        self.due = 0.0
        if self._waiting is not None:
            self._waiting.stop()
        status, data = (487, b"") if self._cancelled else self._best.final()
        why = ""
        own = not data
        if own:
            status = 503 if self.media_why and status == 500 else status or 480
            assert self._request is not None
            message, _ = self._request
            data = reply(message, status, to_tag=self.proxy.local_tag(self._server.key))
            why = outcomes.why_failed(self.call, status, self._unanswered, self.media_why)
        self._server.respond(status, data, now)
        if self.call is not None:
            result = "cancelled" if self._cancelled else outcomes.result_of(status)
            if why == self._unanswered != "":
                result = "failed"
            outcomes.finish(self.call, result, status, b"" if own else data, why, now)
        self._let_go()

    def _let_go(self) -> None:
        """After the last answer, keep only what a late 2xx needs.

        The transactions stay for another 32 s. Without a circle between them and this object
        everything else is freed at once, and its memory is still warm for the next call.
        """
        if self._done and self._pending == 0:
            self._branches = []
            self._server.user = None
            self._request = None
