"""The copies of one INVITE that its branches send (RFC 3261 §16.6)."""

from __future__ import annotations

from sipengine.services.call import Call
from sipengine.services.proxy.additions import Additions
from sipengine.services.proxy.breadth import breadth_line, divide
from sipengine.services.proxy.forwarding import Outgoing
from sipengine.services.proxy.preloaded_route import PreloadedRoute
from sipengine.services.proxy.record_route import RecordRoute
from sipengine.services.proxy.targets import Target
from sipengine.services.routing import Stage
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message


class Copies:
    """What they have in common, and what each gets besides: Record-Route, Max-Breadth, History-Info,
    the caller's asserted identity. `source` is the flow that the INVITE came by.
    """

    __slots__ = (
        "_additions", "_call", "_outgoing", "_record_route", "_route", "message", "source",
    )  # fmt: skip

    def __init__(
        self,
        message: Message,
        outgoing: Outgoing,
        source: Flow,
        record_route: RecordRoute,
        *,
        call: Call | None = None,
        additions: Additions | None = None,
        route: PreloadedRoute | None = None,
    ) -> None:
        """`call` is None within a dialog: such an INVITE gets no Record-Route (§16.6 step 4)."""
        self.message = message
        self.source = source
        self._outgoing = outgoing
        self._record_route = record_route
        self._call = call
        self._additions = additions
        self._route = route

    def may_fork(self, stage: Stage, targets: list[Target]) -> bool:
        """Whether so many branches are allowed at once (RFC 5393 §5.3.3); notes what they are told."""
        additions = self._additions
        if additions is None:
            if not stage.diverted:
                return len(targets) < 2 or divide(targets, 0)
            additions = self._additions = Additions(self.message)
        return additions.begin(stage, self.message.uri, targets)

    def way_to(self, target: Target) -> Target:
        """The target by way of the Routes that the caller gave, if there are any."""
        return target if self._route is None else self._route.by_way_of(target)

    def copy(self, target: Target, flow: Flow, media: str) -> tuple[bytes, bytes]:
        """(branch parameter, INVITE) to send to a target by `flow`; `media` is for its Record-Route."""
        call = self._call
        note = "" if call is None else self._record_route.lines(
            call.call_id, call.caller_tag, self.source, flow, media, target.uri
        )  # fmt: skip
        if self._additions is not None:
            extra = self._additions.lines(target, flow)
        else:
            extra = breadth_line(target) if target.breadth else ""
        return self._outgoing.to(target.uri, flow, note + target.routes + extra)
