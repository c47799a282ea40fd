"""Says no: by the guard's leave to the sender, and to the call log for a call that was to be."""

from __future__ import annotations

from sipengine.services.broken_part import named
from sipengine.services.guard.guard import Guard
from sipengine.services.own_answers import OwnAnswers
from sipengine.services.refused_calls import RefusedCalls
from sipengine.services.traces import Traces
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message


class Refuser:
    """What the core does with messages that lead to nothing."""

    def __init__(
        self, answers: OwnAnswers, guard: Guard | None, calls: RefusedCalls, traces: Traces
    ) -> None:
        self._answers = answers
        self._guard = guard
        self._calls = calls
        self._traces = traces

    def broken(self, data: bytes, flow: Flow, error: RemoteProtocolError, now: float) -> None:
        """What came is no SIP message."""
        self._traces.other(data, flow, now)
        told = self._guard is None or self._guard.may_refuse(flow, error.status, now)
        self._answers.refuse_broken(data, flow, error, told)
        self._calls.unread(data, flow, error.status, error.reason, now)

    def refuse(
        self,
        message: Message,
        flow: Flow,
        error: RemoteProtocolError,
        now: float,
        guarded: bool = True,
    ) -> None:
        """Answer on `flow` what is wrong with a request; `guarded`: if the guard lets it."""
        if not guarded or self._guard is None or self._guard.may_refuse(flow, error.status, now):
            self._answers.refuse(message, flow, error)
        if message.method == "INVITE" and not message.to_tag:
            told = named(message, error)
            self._calls.note(message, flow, told.status, told.reason, now)

    def drop(self, reason: str, flow: Flow, data: bytes, now: float) -> None:
        """Take a message that wants no answer and belongs to nothing."""
        if self._guard is not None:
            self._guard.stray(flow, now)
        self._traces.other(data, flow, now)
        self._answers.drop(reason, flow, data)
