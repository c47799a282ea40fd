"""A 2xx that comes when its INVITE has already been answered by another final response.

The caller was told that the call failed, so that RFC 3261 §16.7 step 5 and RFC 6026 §7.1 leave the
proxy nothing to forward it by. The telephone that answered would repeat its 200 for 32 s to nobody,
with its receiver off the hook: it gets an ACK and at once a BYE that says why.
"""

from __future__ import annotations

from typing import Final

from sipengine.services.proxy.branch import NOBODY
from sipengine.services.proxy.forwarding import Branches
from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.parser import parse
from sipengine.sip.transaction.layer import TransactionLayer
from sipengine.sip.transaction.non_invite_client import NonInviteClient

REASON: Final = 'Reason: SIP;cause=487;text="The caller has gone"\r\n'


def hang_up(
    success: bytes, layer: TransactionLayer, branches: Branches, flow: Flow, again: bool, now: float
) -> None:
    """Acknowledge `success` (our Via is off it) and end its dialog; `again`: the BYE is out already."""
    try:
        message = parse(success)
        contact = parse_address((message.all("Contact") or [""])[0]).uri_text
    except RemoteProtocolError:
        return  # its dialog has no remote target: there is nobody to tell
    _, ack = _request("ACK", message.cseq, contact, message, branches, flow, "")
    layer.out.append((flow, ack))
    if not again:
        name, bye = _request("BYE", message.cseq + 1, contact, message, branches, flow, REASON)
        NonInviteClient(layer, NOBODY, name, bye, flow, now)


def _request(
    method: str,
    cseq: int,
    target: str,
    message: Message,
    branches: Branches,
    flow: Flow,
    extra: str,
) -> tuple[bytes, bytes]:
    """(branch, request) in the dialog of a 2xx, as its caller would send it (RFC 3261 §12.2.1.1)."""
    routes = []
    for value in message.all("Record-Route"):
        if branches.addresses.wrote(value):
            break  # from here on it is the way back to the caller
        routes.append(value)
    branch = branches.make(0)
    lines = "".join(f"Route: {route}\r\n" for route in reversed(routes))
    rport = "" if flow.reliable else ";rport"
    text = (
        f"{method} {target} SIP/2.0\r\n"
        f"Via: {flow.via or branches.addresses.via(flow)};branch={branch}{rport}\r\n"
        f"{lines}Max-Forwards: 70\r\nFrom: {message.value('From')}\r\nTo: {message.value('To')}\r\n"
        f"Call-ID: {message.call_id}\r\nCSeq: {cseq} {method}\r\n{extra}Content-Length: 0\r\n\r\n"
    )
    return branch.encode(), text.encode("latin-1", "replace")
