"""Session timers (RFC 4028): who refreshes a session, how often, and when it counts as dead.

We ask for an interval in every session, and refresh it ourselves where the peer knows nothing of
session timers: a phone that vanished is found out by the refresh that it does not answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sipengine.services.ua.alarm import Alarm
from sipengine.services.ua.composing import CAPABILITIES, Headers, options
from sipengine.services.ua.exchange import Exchange, is_gone
from sipengine.sip.address import parse_parameters
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message

if TYPE_CHECKING:
    from sipengine.services.ua.session import Session

MIN_SE: Final = 90
"""The least interval (RFC 4028 §5): less is answered 422."""
LONGEST: Final = 7200
"""More than this asked for by a peer is taken as this."""
GRAIN: Final = 10
"""Timers are whole tens of seconds, so that their durations are few (`TimerQueue`)."""


class Agreement(NamedTuple):
    """An interval in seconds, and whether we are the refresher."""

    interval: int
    we_refresh: bool


def interval_of(message: Message, name: str) -> tuple[int, str]:
    """The seconds and the refresher of a Session-Expires or Min-SE; (0, "") if there is none.

    Raises `RemoteProtocolError` 400 for one that is no number.
    """
    value = message.value(name)
    if value is None:
        return 0, ""
    number, _, rest = value.partition(";")
    number = number.strip()
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise RemoteProtocolError(400, f"Bad Request: broken {name} header")
    refresher = dict(parse_parameters(f";{rest}")).get("refresher", "").lower()
    return int(number), refresher


def answered(request: Message, wanted: int) -> tuple[Agreement, Headers]:
    """What a UAS agrees to (RFC 4028 §9), and the headers of its 2xx that say so.

    Raises `RemoteProtocolError` 422 if the interval asked for is too small and the peer knows what that is.
    """
    asked, refresher = interval_of(request, "Session-Expires")
    least, _ = interval_of(request, "Min-SE")
    knows = "timer" in options(request, "Supported") or "timer" in options(request, "Require")
    if asked and asked < MIN_SE and knows:
        raise RemoteProtocolError(422, "Session Interval Too Small")
    interval = max(MIN_SE, least, min(asked or wanted, wanted))
    we_refresh = not knows or refresher != "uac"
    headers = [("Session-Expires", f"{interval};refresher={'uas' if we_refresh else 'uac'}")]
    if not we_refresh:
        headers.append(("Require", "timer"))
    return Agreement(interval, we_refresh), headers


def asked_for(interval: int, least: int = 0, refresher: str = "") -> Headers:
    """The headers by which a UAC asks for an interval (RFC 4028 §7.1); `least` is the most that any 422
    of the dialog wanted (RFC 4028 §7.4)."""
    role = f";refresher={refresher}" if refresher else ""
    return [
        ("Session-Expires", f"{max(interval, least)}{role}"),
        ("Min-SE", str(max(MIN_SE, least))),
    ]


def accepted(response: Message, asked: int) -> Agreement:
    """What a 2xx agrees to (RFC 4028 §7.2). Without the header the peer knows no timers: we refresh."""
    try:
        interval, refresher = interval_of(response, "Session-Expires")
    except RemoteProtocolError:
        interval, refresher = 0, ""
    if not interval:
        return Agreement(asked, True)
    return Agreement(max(MIN_SE, interval), refresher != "uas")


class SessionTimer:
    """Refreshes one session, or ends it when its peer does not."""

    __slots__ = ("_alarm", "_session", "_until", "agreement", "least")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._alarm = Alarm(session.agent.layer.timers, self._over)
        self._until = 0.0  # when the session has expired
        self.agreement: Agreement | None = None
        self.least = 0  # what the peer accepts, if it has told that

    def start(self, agreement: Agreement, now: float) -> None:
        """A 2xx to an INVITE or UPDATE was sent or received (RFC 4028 §10)."""
        self.agreement = agreement
        interval = min(agreement.interval, LONGEST)
        self._until = now + interval
        wait = interval / 2 if agreement.we_refresh else interval - min(32.0, interval / 3)
        self._alarm.start(float(wait // GRAIN * GRAIN), now)

    def stop(self) -> None:
        self._alarm.stop()

    def _over(self, now: float) -> None:
        assert self.agreement is not None
        if self.agreement.we_refresh:
            self._refresh(self.agreement, now)
        else:
            self._session.end(now, "its phone did not renew the session")

    def _refresh(self, agreement: Agreement, now: float) -> None:
        """Show that we are there and see whether the peer is (RFC 4028 §7.4, §8.1)."""
        session = self._session
        local = session.negotiation.local
        if not session.free:  # an offer under way refreshes by itself, or is over soon
            if now >= self._until:
                session.end(now, "its phone did not renew the session")
            else:
                self._alarm.start(float(GRAIN), now)
        elif "UPDATE" in session.allowed:
            headers = [("Contact", session.contact), *CAPABILITIES]
            headers += asked_for(agreement.interval, self.least, "uac")
            Exchange(session, "UPDATE", self._refreshed, headers).send(now)
        elif local is not None:
            session.negotiation.send_offer(local)
            session.reinvite(local, now, is_refresh=True)

    def _refreshed(self, status: int, response: Message | None, now: float) -> None:
        session = self._session
        if session.ended:
            return
        if response is not None and status < 300:
            if session.dialog is not None:
                session.dialog.refresh(response)  # RFC 3311 §5.1
            self.start(accepted(response, session.agent.interval), now)
        elif is_gone(status, response):
            session.lost(status, now)
        elif status in (405, 501) and "UPDATE" in session.allowed and self.agreement is not None:
            session.allowed -= {"UPDATE"}  # it says so and does not mean it: by re-INVITE then
            self._refresh(self.agreement, now)
        elif status == 422 and self.agreement is not None and self._raised(response):
            self._refresh(self.agreement, now)
        else:
            self.refused(now)

    def _raised(self, response: Message | None) -> bool:
        """Whether a 422 wants a longer interval than it was asked for (RFC 4028 §7.4)."""
        try:
            least = interval_of(response, "Min-SE")[0] if response is not None else 0
        except RemoteProtocolError:
            return False
        if self.agreement is None or not self.agreement.interval < least <= LONGEST:
            return False
        self.least = least
        self.agreement = Agreement(least, self.agreement.we_refresh)
        return True

    def refused(self, now: float) -> None:
        """The peer is there but did not take the refresh. It is asked again before the session expires, as
        the peer may count; after that as if it had taken it."""
        if self.agreement is None:
            return
        wait = (self._until - now) / 2 // GRAIN * GRAIN
        if wait >= GRAIN:
            self._alarm.start(wait, now)
        else:
            self.start(self.agreement, now)
