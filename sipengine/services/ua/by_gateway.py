"""A session of ours whose peer does not speak RTP: its descriptions go by way of a media gateway.

The application offers and answers RTP as to any phone, and hears the peer's words as the gateway puts
them. Each description takes a moment; what was asked for an exchange that is over counts no more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sipengine.services.ports import MediaAnswer
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.sdp.answering import Origin
from sipengine.sip.sdp.description import Description, parse_description

if TYPE_CHECKING:
    from sipengine.services.call import Call
    from sipengine.services.media.anchors import Anchor, Anchors
    from sipengine.services.ua.session import Session

WARNING: Final = "its media could not be carried"

Then = Callable[[Description, float], None]
Failed = Callable[[int, str, float], None]
"""(status, a clause, now)."""


class ByGateway:
    """An `AnchorOwner`. The peer is the caller of the anchor, or its callee if we called it."""

    __slots__ = ("_anchor", "_anchors", "_asked", "_origin", "_session", "_to_us", "near")

    def __init__(self, session: Session, anchors: Anchors, anchor: Anchor) -> None:
        self._session = session
        self._anchors = anchors
        self._anchor = anchor
        anchor.owner = self
        self._to_us = anchor.caller_tag != session.local_tag
        self._asked: _Asked | None = None
        self.near = anchors.near(anchor) or session.agent.place.host
        self._origin = Origin(session.agent.names.session_number(), self.near)

    @property
    def busy(self) -> bool:
        """Whether the gateway has a description that is not answered yet."""
        return self._asked is not None

    def watched_for(self, call: Call, now: float) -> None:
        """The session is answered: what the gateway measures goes to the row of `call`."""
        self._anchors.answered(self._anchor, call, b"", now)

    # -- the peer's descriptions

    def hear_offer(self, offer: Description) -> None:
        asked = self._begin(self._tell_offer, self._not_carried)
        text = str(offer).encode("latin-1")
        self._anchors.offer(self._anchor, self._to_us, self._peer_tag, text, self._peer_host, asked)

    def hear_answer(self, answer: Description) -> None:
        asked = self._begin(self._tell_answer, self._useless)
        tags = self._session.local_tag, self._peer_tag
        text = str(answer).encode("latin-1")
        self._anchors.answer(self._anchor, self._to_us, tags, text, self._peer_host, asked)

    # -- ours

    def give_offer(self, offer: Description, then: Then) -> None:
        self._give_offer(offer, self._begin(then, self._offer_not_carried))

    def give_asked_offer(self, offer: Description, then: Then) -> None:
        """As `give_offer`, for one that the peer asked for."""
        self._give_offer(offer, self._begin(then, self._not_carried))

    def _give_offer(self, offer: Description, asked: _Asked) -> None:
        tag, text = self._session.local_tag, self._origin.sign(offer).encode("latin-1")
        self._anchors.offer(self._anchor, not self._to_us, tag, text, self.near, asked)

    def give_answer(self, answer: Description, then: Then) -> None:
        asked = self._begin(then, self._not_carried)
        tags = self._peer_tag, self._session.local_tag
        text = self._origin.sign(answer).encode("latin-1")
        self._anchors.answer(self._anchor, not self._to_us, tags, text, self.near, asked)

    # -- both

    def _tell_offer(self, offer: Description, now: float) -> None:
        self._session.user.on_offer(self._session, offer, now)

    def _tell_answer(self, answer: Description, now: float) -> None:
        self._session.user.on_answer(self._session, answer, now)

    def _not_carried(self, status: int, why: str, now: float) -> None:
        """The peer's offer or our answer to it is nothing that the gateway can carry."""
        answering = self._session.answering
        if answering is not None and answering.initial and not answering.final:
            self._session.reject(status, now, why)
        else:
            self._session.refuse(status, now, why)

    def _offer_not_carried(self, status: int, why: str, now: float) -> None:
        self._session.user.on_offer_refused(self._session, status, now)

    def _useless(self, status: int, why: str, now: float) -> None:
        """Nor the peer's answer."""
        self._session.end(now, why)

    def _begin(self, then: Then, failed: Failed) -> _Asked:
        self._asked = _Asked(self, then, failed)
        return self._asked

    @property
    def _peer_tag(self) -> str:
        dialog = self._session.dialog
        return "" if dialog is None else dialog.remote_tag

    @property
    def _peer_host(self) -> str:
        heard = self._session.heard
        return "" if heard is None else heard.remote[0]

    def told(self, asked: _Asked, answer: MediaAnswer, now: float) -> None:
        if asked is not self._asked or self._session.ended:
            return
        self._asked = None
        if not answer.ok:
            asked.failed(answer.status, f"{WARNING}: {answer.why}", now)
            return
        self._anchor.instance = answer.instance
        try:
            description = parse_description(answer.sdp)
        except RemoteProtocolError:
            asked.failed(503, f"{WARNING}: the gateway's description cannot be read", now)
            return
        asked.then(description, now)

    def media_lost(self, why: str, now: float) -> None:
        """The gateway, or its way to the peer, cannot carry the session any more; `why` is a clause."""
        self._session.end(now, why)

    def end(self) -> None:
        """The session is over."""
        self._asked = None
        self._anchors.end(self._anchor, self._anchor.call)


def tell_offer(session: Session, offer: Description | None, now: float) -> None:
    """The peer offers, or asks for an offer: the application hears it."""
    if session.by_gateway is None or offer is None:
        session.user.on_offer(session, offer, now)
    else:
        session.by_gateway.hear_offer(offer)


def tell_answer(session: Session, answer: Description, now: float) -> None:
    """The peer answered our offer."""
    if session.by_gateway is None:
        session.user.on_answer(session, answer, now)
    else:
        session.by_gateway.hear_answer(answer)


class _Asked:
    """One question to the gateway."""

    __slots__ = ("_way", "failed", "then")

    def __init__(self, way: ByGateway, then: Then, failed: Failed) -> None:
        self._way = way
        self.then = then
        self.failed = failed

    def on_media(self, answer: MediaAnswer, now: float) -> None:
        self._way.told(self, answer, now)
