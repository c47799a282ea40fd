"""An INVITE that takes the place of a session of ours (RFC 3891 §3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sipengine.sip.address import parse_parameters
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message

if TYPE_CHECKING:
    from sipengine.services.ua.agent import UserAgent
    from sipengine.services.ua.session import Session


class Replaces(NamedTuple):
    """The dialog that a Replaces header names, `to_tag` being of who is asked."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool


def replaces_of(message: Message) -> Replaces:
    """Raises `RemoteProtocolError` 400 for more than one Replaces, or a broken one (RFC 3891 §6.1)."""
    values = message.whole_lines("Replaces")
    if len(values) != 1 or message.has("Join"):
        raise RemoteProtocolError(400, "Bad Request: not exactly one Replaces header")
    call_id, _, rest = values[0].partition(";")
    parameters = {name.lower(): value for name, value in parse_parameters(f";{rest}")}
    to_tag, from_tag = parameters.get("to-tag", ""), parameters.get("from-tag", "")
    if not call_id.strip() or not to_tag or not from_tag:
        raise RemoteProtocolError(400, "Bad Request: broken Replaces header")
    return Replaces(call_id.strip(), to_tag, from_tag, "early-only" in parameters)


def replaced_by(agent: UserAgent, wanted: Replaces) -> Session:
    """The session that is to be replaced: one that stands, or one that we began and that still rings.

    Raises `RemoteProtocolError` (RFC 3891 §3): 481 if there is none, or its caller is who waits for our
    answer; 603 if it has ended; 486 if it stands and only a ringing one is wanted.
    """
    session = agent.sessions.get(wanted.to_tag)
    if session is None or session.call_id != wanted.call_id:
        raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
    if wanted.from_tag not in session.tags and not _rings_at(session, wanted.from_tag):
        raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
    if session.ended:
        raise RemoteProtocolError(603, "Decline: that call has ended")
    if session.established:
        if wanted.early_only:
            raise RemoteProtocolError(486, "Busy Here: that call is answered")
    elif not _rings_at(session, wanted.from_tag):
        raise RemoteProtocolError(481, "Call/Transaction Does Not Exist: it is not answered yet")
    return session


def _rings_at(session: Session, tag: str) -> bool:
    """Whether our INVITE has made the peer's phone with this tag ring, and nobody has answered."""
    inviting = session.inviting
    return inviting is not None and not inviting.final and tag in inviting.early
