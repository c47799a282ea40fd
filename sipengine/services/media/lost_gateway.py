"""A call whose media gateway is gone is ended towards both phones.

A proxy does not end calls (RFC 3261 §16). Deviation: here both phones would go on listening to
nothing, and neither can know why. Each gets a BYE in the other's name; its CSeq is far above any
that phones reach by counting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipengine.services.media.in_dialog import send_in_dialog
from sipengine.sip.transaction.layer import TransactionLayer

if TYPE_CHECKING:
    from sipengine.services.media.anchors import Anchor
    from sipengine.services.proxy.forwarding import Branches

REASON: Final = 'Reason: SIP;cause=503;text="The media gateway failed"\r\n'
CSEQ: Final = 2_000_000_000
"""Below 2^31 (§8.1.1.5)."""


def end_call(anchor: Anchor, layer: TransactionLayer, branches: Branches, now: float) -> None:
    """Send the two BYEs, as far as the call's INVITE and its 2xx are known to this process."""
    for to_callee in (True, False):
        send_in_dialog(anchor, to_callee, "BYE", CSEQ, REASON, "", layer, branches, now)
