"""The messages of a call, wherever they are kept: the owner asks every process (decision 15)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from sipengine.crew.frames import Asked, CallTrace, Told, TracedMessage
from sipengine.crew.handlers import WorkerEnd
from sipengine.crew.hub import Hub
from sipengine.observe.trace import Gathered, of_call
from sipengine.services.traces import Traces
from sipengine.sip.flow import Flow
from sipengine.sip.trace import Traced

PATIENCE_S: Final = 1.0
"""For all answers; a process answers within milliseconds, or is starting and has nothing to tell."""

OPEN: Final = 20
"""Questions at once: so many commands are taken at once."""

Gatherer = Callable[[Gathered], None]


@dataclass(slots=True)
class _Question:
    then: Gatherer
    waiting: set[int]
    timer: asyncio.TimerHandle
    gathered: Gathered = field(default_factory=list)


class TraceQuestions:
    """The owner's side."""

    def __init__(self, loop: asyncio.AbstractEventLoop, hub: Hub) -> None:
        self._loop = loop
        self._hub = hub
        self._open: dict[int, _Question] = {}
        self._count = count(1)
        hub.on(Told, self._told)
        hub.on_leave(self._left)

    def ask(self, call_ids: list[str], then: Gatherer) -> None:
        """Call `then` once with what the others have of these Call-IDs, within PATIENCE_S."""
        others = set(self._hub.present)
        if not others or len(self._open) >= OPEN:
            then([])
            return
        number = next(self._count)
        timer = self._loop.call_later(PATIENCE_S, self._over, number)
        self._open[number] = _Question(then, others, timer)
        self._hub.tell_all(Asked(number, call_ids))

    def _told(self, worker: int, frame: Told) -> None:
        question = self._open.get(frame.number)
        if question is None or worker not in question.waiting:
            return
        question.gathered += [_read(trace) for trace in frame.traces]
        self._heard(frame.number, worker)

    def _left(self, worker: int) -> None:
        for number in list(self._open):
            self._heard(number, worker)

    def _heard(self, number: int, worker: int) -> None:
        question = self._open[number]
        question.waiting.discard(worker)
        if not question.waiting:
            self._over(number)

    def _over(self, number: int) -> None:
        question = self._open.pop(number)
        question.timer.cancel()
        question.then(question.gathered)


def answer_trace_questions(member: WorkerEnd, traces: Traces) -> None:
    """A worker's side."""

    def answer(frame: Asked) -> None:
        found = traces.of(frame.call_ids)
        member.tell(
            Told(
                frame.number,
                [
                    CallTrace(
                        trace.call_id,
                        [_written(one) for one in trace.messages()],
                        trace.missing,
                        trace.gap,
                    )
                    for trace in found
                ],
            )
        )

    member.on(Asked, answer)


def _written(one: Traced) -> TracedMessage:
    flow = one.flow
    return TracedMessage(
        one.at, one.received, flow.transport, flow.local, flow.remote, bytes(one.data)
    )


def _read(trace: CallTrace) -> tuple[list[Traced], int, int]:
    flows: dict[tuple[object, ...], Flow] = {}
    messages = []
    for one in trace.messages:
        key = one.transport, one.local, one.remote
        flow = flows.setdefault(key, Flow(one.transport, one.local, one.remote))
        messages.append(Traced(one.at, one.received, flow, one.data))
    return of_call(messages, trace.call_id), trace.missing, trace.gap
