"""The states of calls, legs, phones and parts as pages show them: a word, an icon, a tone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sipengine import api


@dataclass(frozen=True, slots=True)
class State:
    """`quiet` is for what is normal: grey words and a coloured icon. `breathing` moves the icon."""

    label: str
    icon: str
    tone: str
    quiet: bool = False
    breathing: bool = False


UNKNOWN: Final = State("Unknown", "info-circle", "mute", quiet=True)

CALL_STATES: Final = {
    api.STATE_TRYING: State("Calling", "phone-outgoing", "info"),
    api.STATE_RINGING: State("Ringing", "bell-ringing", "ring", breathing=True),
    api.STATE_TALKING: State("Talking", "phone-call", "ok"),
}
RESULTS: Final = {
    "answered": State("Answered", "phone-check", "ok", quiet=True),
    "busy": State("Busy", "phone-off", "ring"),
    "no_answer": State("No answer", "phone-x", "bad"),
    "declined": State("Declined", "ban", "ring"),
    "cancelled": State("Caller gave up", "phone-x", "bad"),
    "failed": State("Failed", "alert-circle", "bad"),
    "redirected": State("Redirected", "arrow-forward-up", "info", quiet=True),
}
MISSED: Final = {
    "no_answer": "not answered",
    "cancelled": "given up",
    "busy": "busy",
    "declined": "declined",
}
"""Results of a call that reached somebody's number and was not taken, as one counts them."""

LEG_RESULTS: Final = {
    **CALL_STATES,
    **RESULTS,
    "cancelled": State("Stopped ringing", "phone-x", "mute", quiet=True),
    "elsewhere": State("Answered elsewhere", "phone-check", "mute", quiet=True),
}

PHONE_ONLINE: Final = State("Online", "circle-check", "ok", quiet=True)
PHONE_OFFLINE: Final = State("Offline", "plug-connected-x", "mute")
PHONE_SILENT: Final = State("Does not answer", "plug-connected-x", "bad")
PHONE_REFUSED: Final = State("Wrong password", "alert-circle", "bad")
PHONE_TALKING: Final = State("In a call", "phone-call", "info")
PHONE_RINGING: Final = State("Ringing", "bell-ringing", "ring", breathing=True)

PART_WORKS: Final = State("Works", "circle-check", "ok", quiet=True)
PART_FAILS: Final = State("Trouble", "alert-triangle", "bad")

SHUT_OUT: Final = State("Shut out", "ban", "bad")
LETTING_IN: Final = State("Being let in", "clock-pause", "info")
BAN_OVER: Final = State("Over", "circle-check", "mute", quiet=True)
BAN_LIFTED: Final = State("Let in", "circle-check", "ok", quiet=True)

ENABLED: Final = State("In use", "circle-check", "ok", quiet=True)
DISABLED: Final = State("Switched off", "ban", "mute")
NO_PASSWORD: Final = State("No password yet", "alert-triangle", "ring")


def state_of_call(state: str, result: str) -> State:
    """The state of a call that goes on, else its result."""
    table = RESULTS if state == api.STATE_ENDED else CALL_STATES
    return table.get(result if state == api.STATE_ENDED else state, UNKNOWN)
