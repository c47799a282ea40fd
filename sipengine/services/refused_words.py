"""Why a call was refused before it began, in words for the call log."""

from __future__ import annotations

from typing import Final

from sipengine.api import CallRecord
from sipengine.page_credentials import split
from sipengine.services.calls import Calls
from sipengine.sip import digest
from sipengine.sip.address import readable
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message

WRONG_PASSWORD: Final = "wrong password"  # noqa: S105 - no password
OVERLOADED: Final = "Service Unavailable: overloaded"
WAITS: Final = "Service Unavailable: too many wrong passwords"
NOT_THE_SENDER: Final = "Forbidden: From is not the authenticated user"
NO_USER: Final = "Not Found: no user in the Request-URI"

_CIRCLE: Final = "the call came back to this telephone system in a circle"
_PASSED_ON: Final = (
    "it had been passed on too often, as happens when two telephone systems forward to each other"
)
_TOO_LARGE: Final = "the phone’s request was too large"
_BY_REASON: Final = {
    OVERLOADED: "the telephone system had too much to do at that moment",
    WAITS: "after several wrong passwords this phone has to wait before it may try again",
    NO_USER: "no number was dialled",
}
_BY_STATUS: Final = {
    404: "the phone that it was meant for is not registered any more",
    413: _TOO_LARGE,
    414: "the number or address that was dialled is too long",
    420: "the phone demands a feature that this telephone system does not have",
    440: _PASSED_ON,
    482: _CIRCLE,
    483: _PASSED_ON,
    503: "the telephone system had as many calls as it can carry",
    513: _TOO_LARGE,
}


class Attempt:
    """A refused INVITE: as much of it as a row needs, cut to lengths that nobody's names have.

    `data` is what is to be read yet, b"" if it was.
    """

    __slots__ = (
        "at", "call_id", "credentials", "data", "device", "flow", "reason", "sender", "status", "tag", "uri",
    )  # fmt: skip

    def __init__(self, flow: Flow, status: int, reason: str, now: float) -> None:
        self.flow = flow
        self.status = status
        self.reason = reason[:120]
        self.at = now
        self.data = b""
        self.call_id = self.tag = self.sender = self.uri = self.device = self.credentials = ""

    def fill(self, message: Message) -> None:
        self.call_id = (message.value("Call-ID") or "")[:200]
        self.sender = (message.value("From") or "")[:300]
        self.tag = message.from_tag[:100] if self.sender else ""
        self.uri = message.uri[:200]
        self.device = (message.value("User-Agent") or "")[:200]
        lines = message.whole_lines("Proxy-Authorization")
        self.credentials = lines[-1][:1000] if lines else ""


def login_of(credentials: str) -> str:
    """The AOR that credentials are for, be they a phone's or a page's; "" without any."""
    try:
        fields = digest.parse_credentials(credentials) if credentials else None
    except RemoteProtocolError:
        fields = None
    if not fields or not fields.get("username"):
        return ""
    username = fields["username"][:120]
    page = split(username)
    return f"{username if page is None else page[0]}@{fields.get('realm', '')[:253]}"


def sentence(
    attempt: Attempt, calls: Calls, row: CallRecord, claimed: str, login: str, count: int
) -> str:
    """What became of `count` attempts that are one `row`.

    `claimed` is the AOR that the phone said it was, `login` the one it gave a password for.
    """
    caller = row.caller
    number = caller.rpartition("@")[0]
    name = calls.name_of(caller)
    who = f"{name} ({number})" if name and name != number else number
    why = f"{number} is switched off" if caller in calls.switched_off else ""
    why = why or _why(attempt, calls, claimed, login)
    told = f"{who} called {_shown(row.called)}, but the call was refused before it began: {why}."
    return f"{told} This was tried {count} times." if count > 1 else told


def _why(attempt: Attempt, calls: Calls, claimed: str, login: str) -> str:
    status, reason = attempt.status, attempt.reason
    if reason == WRONG_PASSWORD:
        number = _shown(login.rpartition("@")[0])
        if login in calls.switched_off:
            return f"the phone logged in as {number}, which is switched off"
        if calls.knows(login):
            return (
                f"the phone gave a wrong password for {number}. Enter the password of {number}"
                " in the phone anew, or give the extension a new one"
            )
        return f"the phone logged in as “{number}”, and there is no such extension"
    if reason == NOT_THE_SENDER:
        return (
            f"the phone logged in as {_shown(login.rpartition('@')[0])}, but says that it is"
            f" {_shown(claimed.rpartition('@')[0]) or 'somebody else'}. User name and"
            " authentication name in the phone must be the same extension"
        )
    if reason in _BY_REASON:
        return _BY_REASON[reason]
    if status == 416:
        return f"“{_shown(attempt.uri)}” is no address that this telephone system can call"
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status == 400:
        return f"the phone’s request was faulty ({_shown(reason)})"
    return f"the answer was {status} {_shown(reason)}"


def steps(attempt: Attempt, claimed: str, login: str) -> list[str]:
    """What the phone said and got, for whoever sets it up."""
    flow = attempt.flow
    told = [f"It came from {flow.remote[0]}:{flow.remote[1]} by {flow.transport}."]
    if login:
        told.append(f"The phone logged in as {_shown(login)}.")
    if not claimed:
        told.append(f"The phone called itself {_shown(attempt.sender.partition(';tag=')[0])}.")
    phrase = "Proxy Authentication Required" if attempt.status == 407 else attempt.reason
    told.append(f"The answer was {attempt.status} {_shown(phrase)}.")
    return told


def _shown(text: str) -> str:
    """What a phone sent, fit for a sentence."""
    return "".join(char for char in readable(text)[:100] if char.isprintable())
