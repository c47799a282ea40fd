"""A request of ours to one side of an anchored call, in the name of the other (RFC 3261 §12.2.1.1).

A proxy sends none (§16). Deviation: only what the media gateway has to say to a phone goes this way,
which has no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipengine.services.proxy.branch import NOBODY
from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message
from sipengine.sip.parser import parse
from sipengine.sip.timers import TIMER_B
from sipengine.sip.transaction.invite_client import ClientUser
from sipengine.sip.transaction.layer import TransactionLayer
from sipengine.sip.transaction.own_request import OwnRequest

if TYPE_CHECKING:
    from sipengine.services.media.anchors import Anchor
    from sipengine.services.proxy.forwarding import Branches


def send_in_dialog(
    anchor: Anchor, to_callee: bool, method: str, cseq: int, lines: str, body: str,
    layer: TransactionLayer, branches: Branches, now: float, user: ClientUser = NOBODY,
    patience: float = TIMER_B,
) -> bool:  # fmt: skip
    """`lines` are further headers with their ends. False as far as the call's INVITE and its 2xx are
    not known to this process, or name no way to that side. `user` hears what becomes of it."""
    invite = anchor.invite
    flow = anchor.callee_flow if to_callee else anchor.caller_flow
    if flow is not None and not flow.open and anchor.call is not None:  # it came back elsewhere
        flow = anchor.call.callee_flow if to_callee else anchor.call.caller_flow
    if invite is None or not anchor.success or flow is None or not flow.open:
        return False
    try:
        success = parse(anchor.success)
        target = _remote_target(success if to_callee else invite)
    except RemoteProtocolError:
        return False
    mine, theirs = success.value("From") or "", success.value("To") or ""
    if not to_callee:
        mine, theirs = theirs, mine
    routes = invite.all("Record-Route")
    if to_callee:
        routes = []
        for value in success.all("Record-Route"):
            if branches.addresses.wrote(value):
                break  # from here on it is the way back to the caller
            routes.insert(0, value)
    branch = branches.make(0)
    rport = "" if flow.reliable else ";rport"
    text = (
        f"{method} {target} SIP/2.0\r\n"
        f"Via: {flow.via or branches.addresses.via(flow)};branch={branch}{rport}\r\n"
        + "".join(f"Route: {value}\r\n" for value in routes)
        + f"Max-Forwards: 70\r\nFrom: {mine}\r\nTo: {theirs}\r\nCall-ID: {success.call_id}\r\n"
        f"CSeq: {cseq} {method}\r\n{lines}Content-Length: {len(body)}\r\n\r\n{body}"
    )
    data = text.encode("latin-1", "replace")
    OwnRequest(layer, user, branch.encode(), data, flow, now, patience)
    return True


def _remote_target(message: Message) -> str:
    return parse_address((message.all("Contact") or [""])[0]).uri_text
