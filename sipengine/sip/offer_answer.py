"""Whose turn it is to offer and to answer in a dialog (RFC 3264 §4, §5, §8; RFC 6337).

At any moment there is at most one offer without its answer. What the peer may not do raises
`RemoteProtocolError` with the status that RFC 3261 §14.2 and RFC 3311 §5.2 give; what we may not
do ourselves is a defect.
"""

from __future__ import annotations

from typing import Final

from sipengine.sip.errors import LocalProtocolError, RemoteProtocolError
from sipengine.sip.sdp.description import Description

STABLE: Final = 0
OFFERED: Final = 1
"""We sent an offer and wait for the answer."""
ASKED: Final = 2
"""The peer sent an offer and waits for our answer."""

SEND_OFFER: Final = 0
SEND_ANSWER: Final = 1
RECEIVE_OFFER: Final = 2
RECEIVE_ANSWER: Final = 3
GIVE_UP: Final = 4

DEFECT: Final = -1
PENDING: Final = 491
"""Both offered at once (RFC 3311 §5.2, RFC 3261 §14.1): 491, and both try again later."""
TOO_EARLY: Final = 500
"""An offer while ours to answer is open: 500 with Retry-After (RFC 3311 §5.2)."""
UNASKED: Final = 400

TRANSITIONS: Final[tuple[tuple[int, ...], ...]] = (
    # SEND_OFFER   SEND_ANSWER  RECEIVE_OFFER  RECEIVE_ANSWER  GIVE_UP
    (OFFERED,      DEFECT,      ASKED,         UNASKED,        STABLE),  # STABLE
    (DEFECT,       DEFECT,      PENDING,       STABLE,         STABLE),  # OFFERED
    (DEFECT,       STABLE,      TOO_EARLY,     UNASKED,        STABLE),  # ASKED
)  # fmt: skip
"""(state, event) -> next state, or what is wrong with it."""


class Negotiation:
    """The offers and answers of one dialog. `local` and `remote` are those both sides agreed on last."""

    __slots__ = ("_offer", "local", "remote", "state")

    def __init__(self) -> None:
        self.state = STABLE
        self.local: Description | None = None
        self.remote: Description | None = None
        self._offer: Description | None = None

    @property
    def offer(self) -> Description | None:
        """The offer that waits for its answer."""
        return self._offer

    def send_offer(self, description: Description) -> None:
        self._move(SEND_OFFER)
        self._offer = description

    def receive_offer(self, description: Description) -> None:
        """Raises 491, 500, or 488 for an offer with fewer streams than before (RFC 3264 §8)."""
        if self.remote is not None and len(description.streams) < len(self.remote.streams):
            raise RemoteProtocolError(488, "Not Acceptable Here: a stream is missing")
        self._move(RECEIVE_OFFER)
        self._offer = description

    def send_answer(self, description: Description) -> None:
        assert self._offer is not None
        if mismatch(self._offer, description):
            raise LocalProtocolError("our answer does not fit the offer")
        self._move(SEND_ANSWER)
        self.local, self.remote = description, self._offer
        self._offer = None

    def receive_answer(self, description: Description) -> None:
        """Raises `RemoteProtocolError` 488 if it does not fit our offer; then nothing is agreed."""
        offered = self._offer
        self._move(RECEIVE_ANSWER)
        self._offer = None
        assert offered is not None
        wrong = mismatch(offered, description)
        if wrong:
            raise RemoteProtocolError(488, f"Not Acceptable Here: {wrong}")
        self.local, self.remote = offered, description

    def give_up(self) -> None:
        """The offer was refused: what was agreed before stays (RFC 3261 §14.1)."""
        self._move(GIVE_UP)
        self._offer = None

    def _move(self, event: int) -> None:
        to = TRANSITIONS[self.state][event]
        if to == DEFECT:
            raise LocalProtocolError(f"offer/answer event {event} in state {self.state}")
        if to == PENDING:
            raise RemoteProtocolError(491, "Request Pending")
        if to == TOO_EARLY:
            raise RemoteProtocolError(500, "Server Internal Error: an offer is being answered")
        if to == UNASKED:
            raise RemoteProtocolError(400, "Bad Request: an answer without an offer")
        self.state = to


def mismatch(offered: Description, answered: Description) -> str:
    """What is wrong with an answer (RFC 3264 §6), "" if nothing is."""
    if len(offered.streams) != len(answered.streams):
        return "the answer has another number of streams than the offer"
    for ours, theirs in zip(offered.streams, answered.streams, strict=True):
        if ours.kind != theirs.kind:
            return "a stream of the answer is of another kind"
        if not ours.port and theirs.port:
            return "the answer opens a stream that was not offered"
    return ""
