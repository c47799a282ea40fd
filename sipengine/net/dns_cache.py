"""Answers of name servers, for as long as they hold and no longer than is wise."""

from __future__ import annotations

from typing import Final

from sipengine.sip.locating import Answer, Question

SHORTEST_S: Final = 5.0
"""A lifetime of 0 would make each retransmission and each call a question of its own."""
LONGEST_S: Final = 3600.0
"""Who moves his servers is found within the hour, whatever lifetime he had given them."""
LONGEST_MISSING_S: Final = 300.0
"""For a name that does not exist (RFC 2308 §5): its owner may be about to make it."""
FAILED_S: Final = 5.0
"""For a name nobody could tell of: so that a flood of calls to it does not ask each time."""
STALE_S: Final = 3600.0
"""How long an old answer serves when no name server is there to give a new one (RFC 8767 §4)."""

REMEMBERED: Final = 4096
"""Answers kept, some 1 kB each; the one that was learnt first makes room."""


class DnsCache:
    """`now` is monotonic seconds, `lifetime` seconds as the records say."""

    def __init__(self) -> None:
        self._known: dict[Question, tuple[float, Answer]] = {}

    def get(self, question: Question, now: float) -> Answer | None:
        """The answer, if there is one that still holds."""
        known = self._known.get(question)
        return known[1] if known is not None and known[0] > now else None

    def put(self, question: Question, answer: Answer, lifetime: float, now: float) -> Answer:
        """Remember an answer; gives the one to use, which is an old one where nobody answered."""
        old = self._known.pop(question, None)
        if answer.failed:
            lifetime = FAILED_S
            if old is not None and not old[1].failed and now < old[0] + STALE_S:
                self._keep(question, old[1], old[0])
                return old[1]
        elif has_records(answer):
            lifetime = min(max(lifetime, SHORTEST_S), LONGEST_S)
        else:
            lifetime = min(max(lifetime, SHORTEST_S), LONGEST_MISSING_S)
        self._keep(question, answer, now + lifetime)
        return answer

    def _keep(self, question: Question, answer: Answer, until: float) -> None:
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[question] = until, answer

    def __len__(self) -> int:
        return len(self._known)


def has_records(answer: Answer) -> bool:
    return bool(answer.naptr or answer.srv or answer.addresses)
