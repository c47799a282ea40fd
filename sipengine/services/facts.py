"""Facts on their way to the disk, and the answers that wait until they are there
(docs/decisions/0002-journal-first.md).
"""

from __future__ import annotations

from typing import Final

from sipengine.api import BindingGone, BindingRecord, Fact, KeptMessage
from sipengine.services.calls import MAX_CALLS, Calls
from sipengine.services.events.notifier import Notifier
from sipengine.services.location import Location
from sipengine.services.messages.messaging import Messaging
from sipengine.services.own_answers import OwnAnswers
from sipengine.services.replies import reply
from sipengine.services.requests_to_server import Held
from sipengine.sip.flow import Flow

_NOT_STORED: Final = ["Retry-After: 30"]


class Facts:
    """`new` are what the services add as it happens, `held` the answers that tell of it; the calls'
    rows are asked for.

    One lot is out at a time: taken, then durable or lost.
    """

    def __init__(
        self,
        new: list[Fact],
        held: Held,
        calls: Calls,
        notifier: Notifier,
        location: Location,
        messaging: Messaging,
        answers: OwnAnswers,
    ) -> None:
        self._new = new
        self._held = held
        self._calls = calls
        self._notifier = notifier
        self._location = location
        self._messaging = messaging
        self._answers = answers
        self._taken: tuple[list[Fact], Held] = [], []

    def take(self, pressing: bool) -> tuple[list[Fact], list[tuple[Flow, bytes]]]:
        """Facts since last asked, and the messages that may go out once they are durable. With
        `pressing`, the rows of calls that were neither answered nor ended stay for later."""
        facts: list[Fact] = list(self._new)
        self._new.clear()
        facts += self._calls.take_records(pressing)
        self._notifier.pressing = False
        held = list(self._held)
        self._held.clear()
        self._taken = facts, held
        return facts, [(flow, data) for flow, data, _ in held]

    def lost(self) -> list[tuple[Flow, bytes]]:
        """The lot taken last could not be made durable; the answers (503) that go out instead.

        Rows of calls and subscriptions are tried again with the next facts; bindings when their
        phones come back. Messages are for their senders to send again.
        """
        facts, unacknowledged = self._taken
        self._taken = [], []
        self._location.lost(facts)
        self._messaging.lost(facts)
        others = (BindingRecord, BindingGone, KeptMessage)
        rows = [fact for fact in facts if not isinstance(fact, others)]
        self._new += rows[: max(0, MAX_CALLS - len(self._new))]
        self._answers.count("registrations_not_stored", len(unacknowledged))
        return [
            (flow, reply(message, 503, to_tag=self._answers.tag(message), extra=_NOT_STORED))
            for flow, _, message in unacknowledged
        ]
