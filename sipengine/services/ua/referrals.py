"""REFER within a session, and the subscription that it implies (RFC 3515), both roles."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sipengine.services.ua.alarm import Alarm
from sipengine.services.ua.composing import CAPABILITIES, SIPFRAG, Headers, answer
from sipengine.services.ua.exchange import is_gone
from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message
from sipengine.sip.status import reason_phrase
from sipengine.sip.transaction.non_invite_server import NonInviteServer

if TYPE_CHECKING:
    from sipengine.services.ua.session import Session

LASTS: Final = 180.0
"""Seconds that an implicit subscription lasts: longer than anything rings (RFC 3515 §2.4.7)."""
MAX_OPEN: Final = 4
"""Referrals of one session at once; more are refused with 503."""
ENDS: Final = frozenset({405, 480, 489, 501})
"""Answers to a NOTIFY by which its subscription alone is over (RFC 5057 §5.1)."""

Progress = Callable[[int, bool, float], None]
"""(status of the referred call, whether that is the last news, now)."""


class Referral:
    """A REFER that we accepted: the peer hears by NOTIFY what becomes of it."""

    __slots__ = ("_alarm", "_event", "_session", "done", "target")

    def __init__(self, session: Session, message: Message, target: str) -> None:
        """`target` is the URI of Refer-To, headers such as Replaces included."""
        self._session = session
        self._event = f"refer;id={message.cseq}"
        self.target = target
        self.done = False
        self._alarm = Alarm(session.agent.layer.timers, self._expired)

    def tell(self, status: int, now: float) -> None:
        """The referred call was answered so; a final status ends the subscription (RFC 3515 §2.4.5)."""
        if self.done or self._session.ended:
            return
        if status >= 200:
            self._close(status, "noresource", now)
            return
        if not self._alarm.due:
            self._alarm.start(LASTS, now)
        self._notify(status, f"active;expires={int(self._alarm.due - now)}", now)

    def _expired(self, now: float) -> None:
        if not self.done and not self._session.ended:
            self._close(503, "timeout", now)

    def _close(self, status: int, why: str, now: float) -> None:
        self.done = True
        self._alarm.stop()
        self._notify(status, f"terminated;reason={why}", now)

    def _notify(self, status: int, state: str, now: float) -> None:
        headers: Headers = [
            ("Event", self._event),
            ("Subscription-State", state),
            ("Contact", self._session.contact),
        ]
        body = f"SIP/2.0 {status} {reason_phrase(status)}\r\n"
        self._session.request("NOTIFY", headers, now, self._heard, body, SIPFRAG)

    def _heard(self, status: int, response: Message | None, now: float) -> None:
        if (
            is_gone(status, response) or status in ENDS
        ):  # the subscription is gone, the session stays
            self.done = True
            self._alarm.stop()


class Referrals:
    """All REFERs of one session, ours and the peer's."""

    __slots__ = ("_listeners", "_open", "_session")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._open: list[Referral] = []
        self._listeners: dict[str, Progress] = {}  # by the CSeq of our REFER

    # -- the peer refers us

    def asked(self, message: Message, server: NonInviteServer, now: float) -> None:
        """Raises `RemoteProtocolError` 400 unless there is exactly one Refer-To (RFC 3515 §2.4.2)."""
        targets = message.all("Refer-To")
        if len(targets) != 1:
            raise RemoteProtocolError(400, "Bad Request: not exactly one Refer-To header")
        self._open = [one for one in self._open if not one.done]
        if len(self._open) >= MAX_OPEN:
            raise RemoteProtocolError(503, "Service Unavailable: too many referrals")
        session = self._session
        referral = Referral(session, message, parse_address(targets[0]).uri_text)
        status = session.user.on_refer(session, referral, now)
        headers = [("Contact", session.contact), *CAPABILITIES]
        server.respond(status, answer(message, status, headers), now)
        if status == 202:
            self._open.append(referral)
            referral.tell(100, now)  # RFC 3515 §2.4.4: at once
            session.user.on_referred(session, referral, now)

    # -- we refer the peer

    def send(self, target: str, progress: Progress, now: float, headers: Headers) -> None:
        """Ask the peer to call `target`, a name-addr; `progress` hears what becomes of it."""
        session = self._session
        assert session.dialog is not None
        key = str(session.dialog.local_seq + 1)
        if len(self._listeners) >= MAX_OPEN:  # its peer has never told the end of the oldest
            del self._listeners[next(iter(self._listeners))]
        self._listeners[key] = progress
        lines = [("Refer-To", target), ("Contact", session.contact), *CAPABILITIES, *headers]

        def answered(status: int, response: Message | None, now: float) -> None:
            if status >= 300:
                self._listeners.pop(key, None)
                progress(status, True, now)

        session.request("REFER", lines, now, answered)

    def notified(self, message: Message, server: NonInviteServer, now: float) -> None:
        """A NOTIFY of a REFER of ours (RFC 3515 §2.4.4). Raises 489 for other events, 481 for no such REFER."""
        event, _, parameters = (message.value("Event") or "").partition(";")
        if event.strip().lower() != "refer":
            raise RemoteProtocolError(489, "Bad Event")
        key = ""
        for item in parameters.split(";"):
            name, _, value = item.partition("=")
            if name.strip().lower() == "id":
                key = value.strip()
        if not key and self._listeners:
            key = next(
                iter(self._listeners)
            )  # without id it is the first REFER's (RFC 3515 §2.4.6)
        progress = self._listeners.get(key)
        if progress is None:
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist: no such subscription")
        server.respond(200, answer(message, 200, []), now)
        over = (message.value("Subscription-State") or "").lower().startswith("terminated")
        if over:
            del self._listeners[key]
        status = status_of_fragment(message.body)
        if status or over:
            progress(status or 503, over, now)


def status_of_fragment(body: str) -> int:
    """The status in a message/sipfrag body (RFC 3420), 0 if there is none."""
    if body[:8].upper() == "SIP/2.0 " and body[8:11].isdigit() and body[8:11].isascii():
        return int(body[8:11])
    return 0
