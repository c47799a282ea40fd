"""A call whose media gateway, or whose browser, is gone, or whose browser cannot be joined, is ended
towards both phones.

A proxy does not end calls (RFC 3261 §16). Deviation: here both phones would go on listening to
nothing, and neither can know why. A browser is gone when it has answered no check of consent for 30
seconds (RFC 7675 §5.1); a page that is loaded again comes back before. It cannot be joined if its
certificate is another than its description announced (RFC 5763 §5: media must not flow then), or
if no handshake was finished in time. Each phone gets a BYE in the other's name; its CSeq is far above any
that phones reach by counting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sipengine.services.media.in_dialog import send_in_dialog
from sipengine.services.ports import MediaAnswer
from sipengine.sip.transaction.layer import TransactionLayer

if TYPE_CHECKING:
    from sipengine.services.call import Call
    from sipengine.services.media.anchors import Anchor
    from sipengine.services.proxy.forwarding import Branches

GATEWAY_FAILED: Final = 'Reason: SIP;cause=503;text="The media gateway failed"\r\n'
BROWSER_GONE: Final = 'Reason: SIP;cause=408;text="The browser is gone"\r\n'
NOT_JOINED: Final = 'Reason: SIP;cause=488;text="No media connection with the browser"\r\n'
GONE: Final = {
    "caller": "the caller's browser was not heard from for half a minute",
    "callee": "the called browser was not heard from for half a minute",
    "both": "neither browser was heard from for half a minute",
}
_WHOSE: Final = {"caller": "the caller's browser", "callee": "the called browser"}
_FAULTS: Final = {
    "certificate": "{} showed another certificate than the one that the call was set up with, as an eavesdropper would",
    "protection": "{} would not encrypt its audio",
    "handshake": "{} and the media gateway could not agree on keys for the audio",
    "unreachable": "nothing from {} reached the media gateway, as when a firewall keeps UDP from it",
}
CSEQ: Final = 2_000_000_000
"""Below 2^31 (§8.1.1.5)."""


class Ending(NamedTuple):
    """Why a call cannot go on: a clause for the log, and the header of the BYEs."""

    why: str
    reason: str


def ending_of(answer: MediaAnswer) -> Ending | None:
    """What the gateway's figures mean for the call, None if it can go on."""
    if answer.gone:
        return Ending(GONE[answer.gone], BROWSER_GONE)
    if answer.fault in _FAULTS and answer.faulty in _WHOSE:
        return Ending(_FAULTS[answer.fault].format(_WHOSE[answer.faulty]), NOT_JOINED)
    return None


def end_call(
    anchor: Anchor, reason: str, layer: TransactionLayer, branches: Branches, now: float
) -> None:
    """Send the two BYEs, as far as the call's INVITE and its 2xx are known to this process."""
    for to_callee in (True, False):
        send_in_dialog(anchor, to_callee, "BYE", CSEQ, reason, "", layer, branches, now)


def is_cut_off(call: Call) -> bool:
    """Whether a connection that a side was last heard on has gone: it may be away for good."""
    return any(flow is not None and not flow.open for flow in (call.caller_flow, call.callee_flow))
