"""One branch of an INVITE whose descriptions go by way of a media gateway.

The INVITE waits for the gateway's offer, each response with a description for its answer; what comes
meanwhile waits behind it, in order. Without an offer in the INVITE (RFC 3261 §13.2.1) the callee's
first description is the offer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipengine.services.call import Call
from sipengine.services.leg import Leg
from sipengine.services.media.bodies import sdp_of, with_sdp
from sipengine.services.media.crossing import Crossing, to_tag_of
from sipengine.services.ports import MediaAnswer
from sipengine.services.proxy.branch import Branch
from sipengine.services.proxy.late_success import hang_up
from sipengine.services.proxy.targets import Target
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message

if TYPE_CHECKING:
    from sipengine.services.proxy.invite_context import InviteContext

MAX_HELD: Final = 16
"""Responses that wait behind one that the gateway has; a phone that repeats itself sends one a second."""


class CrossingBranch(Branch):
    """`crossing.anchor` is None where no gateway could be had: such a branch fails at once."""

    __slots__ = (
        "_asked",
        "_crossing",
        "_held",
        "_in",
        "_message",
        "_offer",
        "_out",
        "_sdp",
        "_through",
    )

    def __init__(
        self,
        context: InviteContext,
        target: Target,
        leg: Leg | None,
        crossing: Crossing,
        message: Message,
    ) -> None:
        super().__init__(context, target, leg)
        self._crossing = crossing
        self._message = message
        self._sdp = sdp_of(message.encode()) if message.body else b""  # the INVITE's offer
        self._offer = b""  # what the gateway made of it
        self._asked = b""  # the description that the gateway has now
        self._in = b""  # the last one of the callee's, and what the gateway made of it
        self._out = b""
        self._held: list[tuple[int, bytes]] = []
        self._through = False  # the gateway was asked because of a 2xx

    @property
    def crosses(self) -> bool:
        return not self._crossing.why

    def start(self, now: float) -> None:
        """Ask for the offer, or send the INVITE if it has none."""
        crossing, call = self._crossing, self._context.call
        if crossing.why and call is not None:
            call.decision += (f"Its media goes by the media gateway, because {crossing.why}.",)
        if crossing.anchor is None:
            self._refuse(503, "no media gateway answers", now)
        elif self._sdp:
            self._asked = self._sdp
            crossing.offer(True, self._message.from_tag, self._sdp, crossing.host, self)
        else:
            super().start(now)

    def copy(self, flow: Flow) -> tuple[bytes, bytes]:
        anchor = self._crossing.anchor
        note = "" if anchor is None else anchor.note
        branch, request = self._context.copy_for(self.target, flow, note)
        return branch, with_sdp(request, self._offer) if self._offer else request

    # -- the gateway's answers

    def on_media(self, answer: MediaAnswer, now: float) -> None:
        asked, self._asked = self._asked, b""
        anchor = self._crossing.anchor
        if not self.pending or (self.cancel_wanted and self.client is None) or anchor is None:
            return
        if self.client is None and not self._held:
            self._offered(answer, now)
            return
        if not answer.ok:
            self._fail_answered(answer, now)
            return
        self._crossing.anchors.agreed(anchor, now)
        self._in, self._out = asked, answer.sdp.encode("latin-1")
        self._go_on(now)

    def _offered(self, answer: MediaAnswer, now: float) -> None:
        anchor = self._crossing.anchor
        assert anchor is not None
        if not answer.ok:
            self._refuse(answer.status, answer.why, now)
            return
        anchor.instance = answer.instance
        self._offer = answer.sdp.encode("latin-1")
        super().start(now)

    def _refuse(self, status: int, why: str, now: float) -> None:
        self._context.media_why = why
        self._failed(status, b"", now)

    def _fail_answered(self, answer: MediaAnswer, now: float) -> None:
        """The callee has answered, but the caller would not hear it."""
        held, self._held = self._held, []
        for status, data in held:
            if 200 <= status < 300:
                self._hang_up(data, now)
                self._refuse(answer.status, answer.why, now)
                return
        self.cancel("", now)
        self._refuse(answer.status, answer.why, now)

    def _hang_up(self, success: bytes, now: float) -> None:
        proxy = self._context.proxy
        if self.flow is not None:
            hang_up(success, proxy.layer, proxy.branches, self.flow, False, now)

    # -- the callee's answers

    def on_response(self, status: int, data: bytes, now: float) -> None:
        if not self._held and not (status > 100 and sdp_of(data)):
            super().on_response(status, data, now)
        elif len(self._held) < MAX_HELD:
            self._held.append((status, data))
            if len(self._held) == 1:
                self._go_on(now)

    def _go_on(self, now: float) -> None:
        """Hand on what waits, up to the next description that the gateway has not seen."""
        while self._held and not self._asked:
            status, data = self._held[0]
            sdp = sdp_of(data) if 100 < status < 300 else b""
            # Of a fork the last answer is heard: a 2xx counts anew, whoever announced something since.
            anew = status >= 200 and not self._through and bool(self._in) and bool(self._sdp)
            if sdp and (sdp != self._in or anew):
                self._through = self._through or status >= 200
                self._ask(status, data, sdp)
                return
            del self._held[0]
            super().on_response(status, with_sdp(data, self._out) if sdp else data, now)

    def _ask(self, status: int, data: bytes, sdp: bytes) -> None:
        self._asked = sdp
        crossing, mine = self._crossing, self._message.from_tag
        host = "" if self.flow is None else self.flow.remote[0]
        theirs = to_tag_of(data)
        if self._sdp:
            crossing.answer(False, (mine, theirs), sdp, host, self)
            return
        if status < 200 and crossing.anchor is not None:
            crossing.anchor.awaiting = True
        crossing.offer(False, theirs, sdp, host, self)

    def answered(self, call: Call, success: bytes, now: float) -> None:
        anchor = self._crossing.anchor
        if anchor is not None and anchor.call is None:
            anchor.invite = self._message
            anchor.caller_flow, anchor.callee_flow = call.caller_flow, self.flow
            self._crossing.anchors.answered(anchor, call, success, now)

    # -- its end

    def _failed(self, status: int, data: bytes, now: float) -> None:
        if self.pending and self._context.call is not None:
            self._crossing.end(None)  # a dialog that never came to be; others keep their media
        super()._failed(status, data, now)
