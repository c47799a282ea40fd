"""A call whose media gateway is gone is ended towards both phones.

A proxy does not end calls (RFC 3261 §16). Deviation: here both phones would go on listening to
nothing, and neither can know why. Each gets a BYE in the other's name; its CSeq is far above any
that phones reach by counting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipengine.services.proxy.branch import NOBODY
from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.parser import parse
from sipengine.sip.transaction.layer import TransactionLayer
from sipengine.sip.transaction.non_invite_client import NonInviteClient

if TYPE_CHECKING:
    from sipengine.services.media.anchors import Anchor
    from sipengine.services.proxy.forwarding import Branches

REASON: Final = 'Reason: SIP;cause=503;text="The media gateway failed"'
CSEQ: Final = 2_000_000_000
"""Below 2^31 (§8.1.1.5)."""


def end_call(anchor: Anchor, layer: TransactionLayer, branches: Branches, now: float) -> None:
    """Send the two BYEs, as far as the call's INVITE and its 2xx are known to this process."""
    invite = anchor.invite
    if invite is None or not anchor.success:
        return
    try:
        success = parse(anchor.success)
        callee, caller = _remote_target(success), _remote_target(invite)
    except RemoteProtocolError:
        return  # one of them named no remote target
    mine, theirs = success.value("From") or "", success.value("To") or ""
    if anchor.callee_flow is not None:
        routes: list[str] = []
        for value in success.all("Record-Route"):
            if branches.addresses.wrote(value):
                break  # from here on it is the way back to the caller
            routes.insert(0, value)
        _bye(anchor.callee_flow, callee, routes, mine, theirs, success, layer, branches, now)
    if anchor.caller_flow is not None:
        routes = invite.all("Record-Route")
        _bye(anchor.caller_flow, caller, routes, theirs, mine, success, layer, branches, now)


def _remote_target(message: Message) -> str:
    return parse_address((message.all("Contact") or [""])[0]).uri_text


def _bye(
    flow: Flow, target: str, routes: list[str], mine: str, theirs: str, success: Message,
    layer: TransactionLayer, branches: Branches, now: float,
) -> None:  # fmt: skip
    branch = branches.make(0)
    rport = "" if flow.reliable else ";rport"
    lines = "".join(f"Route: {value}\r\n" for value in routes)
    text = (
        f"BYE {target} SIP/2.0\r\n"
        f"Via: {flow.via or branches.addresses.via(flow)};branch={branch}{rport}\r\n"
        f"{lines}Max-Forwards: 70\r\nFrom: {mine}\r\nTo: {theirs}\r\nCall-ID: {success.call_id}\r\n"
        f"CSeq: {CSEQ} BYE\r\n{REASON}\r\nContent-Length: 0\r\n\r\n"
    )
    NonInviteClient(layer, NOBODY, branch.encode(), text.encode("latin-1", "replace"), flow, now)
