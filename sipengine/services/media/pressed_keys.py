"""Keys that a phone tells by SIP INFO instead of telephone events (RFC 4733, RFC 6086 §1).

On an anchored call the media gateway plays them to a side that takes events; and what a side presses
as events becomes an INFO for one that knows no others (`Anchors.on_key`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sipengine.services.ports import MediaAnswer
from sipengine.services.replies import reply
from sipengine.sip.message import Message
from sipengine.sip.transaction.non_invite_server import NonInviteServer

KEYS: Final = "0123456789*#ABCD"
"""By event code (RFC 4733 §3.2)."""
USUAL_MS: Final = 160
LONGEST_MS: Final = 5000
RELAY: Final = "application/dtmf-relay"
PLAIN: Final = "application/dtmf"

Onward = Callable[[float], None]


def key_in(message: Message) -> tuple[int, int] | None:
    """(event code, milliseconds) of an INFO; None if it is about something else, or broken."""
    kind = (message.value("Content-Type") or "").partition(";")[0].strip().lower()
    if kind not in (RELAY, PLAIN):
        return None
    signal, duration = message.body.strip(), ""
    if kind == RELAY:
        signal = ""
        for line in message.body[:200].splitlines():
            name, _, value = line.partition("=")
            if name.strip().lower() == "signal":
                signal = value.strip()
            elif name.strip().lower() == "duration":
                duration = value.strip()
    code = KEYS.find(signal.upper()) if len(signal) == 1 else -1
    if signal in ("10", "11"):  # Interop: some phones write the event codes of * and #
        code = int(signal)
    if code < 0:
        return None
    usable = duration.isascii() and duration.isdigit()
    return code, min(int(duration[:6]), LONGEST_MS) if usable else USUAL_MS


def info_of(code: int, milliseconds: int) -> tuple[str, str]:
    """(header lines, body) of the INFO that tells a key."""
    lasting = min(milliseconds, LONGEST_MS) or USUAL_MS
    return f"Content-Type: {RELAY}\r\n", f"Signal={KEYS[code]}\r\nDuration={lasting}\r\n"


class PlayedKey:
    """An INFO that waits for the gateway to play its key. If that fails it goes on as it came."""

    def __init__(self, server: NonInviteServer, message: Message, onward: Onward) -> None:
        self._server = server
        self._message = message
        self._onward = onward

    def on_media(self, answer: MediaAnswer, now: float) -> None:
        if answer.ok:
            self._server.respond(200, reply(self._message, 200), now)
        else:
            self._onward(now)
