"""Session timers as a proxy sees them (RFC 4028 §8): it asks for them, and ends dead calls in the log.

The phones confirm by re-INVITE or UPDATE that they still talk. A proxy sends nothing when they do
not: it only knows that the call is over, and since when.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sipengine.api import ConfigSnapshot
from sipengine.services.call import Call
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.header_line import header_line
from sipengine.sip.message import Message
from sipengine.sip.status import reason_phrase
from sipengine.sip.timers import TimerQueue

SHORTEST: Final = 90
"""Seconds: no session may have to be confirmed more often (RFC 4028 §5)."""
LONGEST: Final = 86_400 * 7
"""Seconds that are believed of a phone; a longer session is as good as one without a timer."""
SWEEP_INTERVAL: Final = 15.0
"""How often dead calls are looked for; one timer for all, as one a call would keep the ended ones."""
WHY: Final = "its phones no longer confirmed that they were connected"


class SessionTimers:
    """Which calls are confirmed by their phones, and until when."""

    __slots__ = ("_timers", "_until", "_wanted", "due")

    def __init__(self, timers: TimerQueue) -> None:
        self._timers = timers
        self._wanted: dict[str, int] = {}  # domain -> seconds
        self._until: dict[Call, float] = {}
        self.due = 0.0

    def set_config(self, snapshot: ConfigSnapshot) -> None:
        self._wanted = {
            name: max(domain.session_expires, SHORTEST)
            for name, domain in snapshot.domains.items()
            if domain.session_expires
        }

    def __len__(self) -> int:
        return len(self._until)

    def concerns(self, message: Message) -> bool:
        """Whether there is anything to do for this INVITE or UPDATE: a plain one costs a look or two."""
        return bool(
            message.has("Session-Expires")
            or self._wanted
            or (message.has("Supported") and "timer" in message.all("Supported"))
        )

    def ask(self, message: Message, domain: str) -> SessionAsk:
        """Make the request ask for what `domain` wants (RFC 4028 §8.1).

        Raises `RemoteProtocolError`: 422 for a session that is too short, 400 for a broken header.
        """
        wanted = self._wanted.get(domain, 0)
        knows = "timer" in message.all("Supported")
        least = max(_seconds(message, "Min-SE"), SHORTEST)
        asked = _seconds(message, "Session-Expires")
        interval = asked
        if asked:
            if asked < SHORTEST:
                if knows:
                    raise RemoteProtocolError(422, reason_phrase(422))
                interval = least
                message.replace("Min-SE", [str(least)])
            elif wanted and asked > max(wanted, least):
                interval = max(wanted, least)
            if interval != asked:
                tail = (message.value("Session-Expires") or "").partition(";")[2]
                value = f"{interval};{tail}" if tail else f"{interval}"
                message.replace("Session-Expires", [value])
        elif wanted:
            interval = max(wanted, least)
            message.replace("Session-Expires", [str(interval)])
        return SessionAsk(self, interval, knows)

    def confirmed(self, call: Call, seconds: int, now: float) -> None:
        """The session lives for so long again; 0: nobody confirms it from now on."""
        if call.session_interval != seconds:
            call.session_interval = seconds
            call.owner.row_changed(call)
        if not seconds:
            self._until.pop(call, None)
            return
        self._until[call] = now + seconds
        if not self.due:
            self._timers.start(SWEEP_INTERVAL, now, self)

    def restore(self, calls: Iterable[Call], now: float) -> None:
        """Give calls of an earlier process one whole interval: it is not known when they were confirmed."""
        for call in calls:
            self.confirmed(call, call.session_interval, now)

    def on_timer(self, now: float) -> None:
        self.due = 0.0
        for call, until in list(self._until.items()):
            if not call.going_on:
                del self._until[call]
            elif now >= until:
                del self._until[call]
                call.finish("answered", 200, "system", now, WHY)
        if self._until:
            self._timers.start(SWEEP_INTERVAL, now, self)


class SessionAsk:
    """What one INVITE or UPDATE asked for, until its 2xx comes (RFC 4028 §8.2) and sets `call`'s timer."""

    __slots__ = ("_interval", "_knows", "_timers", "call")

    def __init__(self, timers: SessionTimers, interval: int, knows: bool) -> None:
        self._timers = timers
        self._interval = interval
        self._knows = knows
        self.call: Call | None = None

    def answered(self, data: bytes, now: float) -> bytes:
        """Note what a 2xx says, and let the caller confirm the session if the called one cannot."""
        call = self.call
        if call is None or not call.going_on:
            return data
        line = header_line(data, b"Session-Expires", b"x")
        if line is not None:
            text = line.partition(b":")[2].partition(b";")[0].strip()
            seconds = int(text) if text.isdigit() and len(text) <= 9 else 0
            self._timers.confirmed(call, min(seconds, LONGEST), now)
            return data
        if not self._interval or not self._knows:
            self._timers.confirmed(call, 0, now)
            return data
        self._timers.confirmed(call, min(self._interval, LONGEST), now)
        lines = f"\r\nRequire: timer\r\nSession-Expires: {self._interval};refresher=uac\r\n\r\n"
        return data.replace(b"\r\n\r\n", lines.encode(), 1)


def _seconds(message: Message, name: str) -> int:
    """The delta-seconds of Session-Expires or Min-SE, 0 if the header is not there."""
    value = message.value(name)
    if value is None:
        return 0
    text = value.partition(";")[0].strip()
    if not (text.isdigit() and text.isascii() and len(text) <= 9):
        raise RemoteProtocolError(400, f"Bad Request: broken {name} header")
    return int(text)
