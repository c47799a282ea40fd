"""A call whose media gateway, or whose browser, is gone is ended towards both phones.

A proxy does not end calls (RFC 3261 §16). Deviation: here both phones would go on listening to
nothing, and neither can know why. A browser is gone when it has answered no check of consent for 30
seconds (RFC 7675 §5.1); a page that is loaded again comes back before. Each phone gets a BYE in the other's name; its CSeq is far above any
that phones reach by counting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipengine.services.media.in_dialog import send_in_dialog
from sipengine.sip.transaction.layer import TransactionLayer

if TYPE_CHECKING:
    from sipengine.services.call import Call
    from sipengine.services.media.anchors import Anchor
    from sipengine.services.proxy.forwarding import Branches

GATEWAY_FAILED: Final = 'Reason: SIP;cause=503;text="The media gateway failed"\r\n'
BROWSER_GONE: Final = 'Reason: SIP;cause=408;text="The browser is gone"\r\n'
GONE: Final = {
    "caller": "the caller's browser was not heard from for half a minute",
    "callee": "the called browser was not heard from for half a minute",
    "both": "neither browser was heard from for half a minute",
}
CSEQ: Final = 2_000_000_000
"""Below 2^31 (§8.1.1.5)."""


def end_call(
    anchor: Anchor, reason: str, layer: TransactionLayer, branches: Branches, now: float
) -> None:
    """Send the two BYEs, as far as the call's INVITE and its 2xx are known to this process."""
    for to_callee in (True, False):
        send_in_dialog(anchor, to_callee, "BYE", CSEQ, reason, "", layer, branches, now)


def is_cut_off(call: Call) -> bool:
    """Whether a connection that a side was last heard on has gone: it may be away for good."""
    return any(flow is not None and not flow.open for flow in (call.caller_flow, call.callee_flow))
