"""The dialogs of a user, and their document: application/dialog-info+xml (RFC 4235 §4)."""

from __future__ import annotations

from typing import Final

from sipengine.api import STATE_ENDED, STATE_RINGING, STATE_TALKING
from sipengine.services.call import Call
from sipengine.services.events.xml_text import HEAD, escaped
from sipengine.sip.address import readable

TRYING: Final = "trying"
EARLY: Final = "early"
CONFIRMED: Final = "confirmed"
TERMINATED: Final = "terminated"

_ORDER: Final = {CONFIRMED: 0, EARLY: 1, TRYING: 2, TERMINATED: 3}

ANONYMOUS: Final = "sip:anonymous@anonymous.invalid"

MAX_DIALOGS: Final = 20
"""Of one user at once in a document, about 6 kB; a lamp needs one."""


class Dialog:
    """One call as one of its parties sees it.

    `event` is why it ended (RFC 4235 §4.1.2), "" if it has not or that is not known. The phones'
    own dialog identifiers are not told: whoever knows them could end another's call.
    """

    __slots__ = ("event", "id", "initiator", "name", "remote", "state")

    def __init__(
        self, identity: str, initiator: bool, state: str, event: str, remote: str, name: str
    ) -> None:
        self.id = identity
        self.initiator = initiator
        self.state = state
        self.event = event
        self.remote = remote
        self.name = name

    @property
    def word(self) -> str:
        """What tells one state of it from another."""
        return f"{self.state} {self.remote}"


def dialogs_of(aor: str, calls: list[Call]) -> list[Dialog]:
    """The dialogs of a user in these calls, the most telling first; a call to oneself makes two."""
    found: list[Dialog] = []
    for call in calls:
        if call.caller == aor:
            state = _state_of_caller(call)
            event = _event(call, True) if state == TERMINATED else ""
            remote = call.answered_by or readable(call.called)
            if ":" not in remote and "@" not in remote:
                remote = f"{remote}@{call.domain}"
            name = call.owner.name_of(remote)
            found.append(Dialog(f"{call.id}-o", True, state, event, _uri(remote), name))
        state = _state_of_callee(call, aor)
        if state:
            event = _event(call, False) if state == TERMINATED else ""
            caller, name = call.caller, call.caller_name
            if call.hidden:  # RFC 3323: as the called phone sees it
                caller, name = ANONYMOUS, "Anonymous"
            found.append(Dialog(f"{call.id}-t", False, state, event, _uri(caller), name))
    found.sort(key=lambda dialog: _ORDER[dialog.state])
    return found[:MAX_DIALOGS]


def _state_of_caller(call: Call) -> str:
    if call.state == STATE_ENDED:
        return TERMINATED
    if call.state == STATE_TALKING:
        return CONFIRMED
    return EARLY if call.state == STATE_RINGING else TRYING


def _state_of_callee(call: Call, aor: str) -> str:
    """Of all phones of a user that ring, one state: "" if none was called."""
    state = ""
    for leg in call.legs:
        if leg.target != aor or not leg.contact:
            continue
        if call.state == STATE_ENDED or leg.ended:
            mine = TERMINATED
        elif leg is call.answered_leg:
            mine = CONFIRMED
        elif leg.answered:
            mine = TERMINATED  # a second dialog of a fork, which its caller ends
        else:
            mine = EARLY if leg.ringing else TRYING
        if not state or _ORDER[mine] < _ORDER[state]:
            state = mine
    return state


def _event(call: Call, caller: bool) -> str:
    """Why the dialog of one side ended, as far as RFC 4235 §4.1.2 has a word for it."""
    if call.state == STATE_ENDED and call.answered and call.hangup_by in ("caller", "callee"):
        return "local-bye" if (call.hangup_by == "caller") == caller else "remote-bye"
    if call.result in ("cancelled", "no_answer") or (call.answered_leg is not None and not caller):
        return "cancelled"
    return "rejected" if call.result in ("busy", "declined") else ""


def _uri(aor: str) -> str:
    return aor if aor[:4] in ("sip:", "tel:") or aor[:5] == "sips:" else f"sip:{aor}"


def document(aor: str, version: int, whole: bool, dialogs: list[Dialog]) -> str:
    """The document that tells these dialogs of a user; `whole`: he has no others."""
    entity = escaped(_uri(aor))
    out = [
        f'{HEAD}<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="{version}"'
        f' state="{"full" if whole else "partial"}" entity="{entity}">\n'
    ]
    for dialog in dialogs:
        direction = "initiator" if dialog.initiator else "recipient"
        event = f' event="{dialog.event}"' if dialog.event else ""
        name = f' display="{escaped(dialog.name)}"' if dialog.name else ""
        remote = escaped(dialog.remote)
        out.append(
            f'<dialog id="{escaped(dialog.id)}" direction="{direction}">'
            f"<state{event}>{dialog.state}</state>"
            f'<local><identity>{entity}</identity><target uri="{entity}"/></local>'
        )
        if dialog.remote != "sip:":
            out.append(
                f'<remote><identity{name}>{remote}</identity><target uri="{remote}"/></remote>'
            )
        out.append("</dialog>\n")
    out.append("</dialog-info>\n")
    return "".join(out)
