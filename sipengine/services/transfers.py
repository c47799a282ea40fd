"""Transfers (RFC 3515, RFC 5589) as the call log sees them: one call, although its second half is another dialog.

A phone that is told by REFER to call somebody else does so by an INVITE of its own. When that comes
soon, from whom and to where the REFER said, it is a part of the call that was transferred: its legs
go into the same row, and the row ends with the last of them.
"""

from __future__ import annotations

from typing import Final

from sipengine.services.call import Call
from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.uri import parse_uri, unescape

PATIENCE: Final = 60.0
"""Seconds from the REFER to its INVITE: phones call at once, people confirm within a minute."""
MAX_WAITING: Final = 1_000
"""Transfers waited for at once; beyond it the oldest becomes two rows."""
MAX_PARTS: Final = 20
"""Transfers of one call that its row tells of; what comes after has rows of its own."""


class Transfers:
    """The REFERs that have not become a call yet: `AOR>number` -> (call, who transferred, when)."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[Call, str, float]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def asked(self, refer_to: str, call: Call, from_caller: bool, now: float) -> None:
        """A REFER to this address passes within a dialog of `call`."""
        try:
            target = parse_uri(parse_address(refer_to).uri_text)
        except RemoteProtocolError:
            return  # the phone will refuse it
        by, other = call.answered_by, call.caller
        if from_caller:
            by, other = other, by
        if not call.answered or not other:
            return
        key = f"{other}>{unescape(target.user)}"
        self._waiting.pop(key, None)
        while len(self._waiting) >= MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[key] = call.whole or call, by, now

    def begun(self, call: Call, uri: str, now: float) -> None:
        """A new call begins: if somebody was told to make it, it continues the one he had."""
        key = f"{call.caller}>{unescape(parse_uri(uri).user)}"
        whole, by, at = self._waiting.pop(key, (None, "", 0.0))
        if whole is None or now - at > PATIENCE or len(whole.parts) >= MAX_PARTS:
            return
        call.transferred_by = by
        whole.continue_in(call)
