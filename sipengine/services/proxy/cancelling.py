"""CANCEL of a call that rings (RFC 3261 §9.2, §16.10)."""

from __future__ import annotations

from typing import Final

from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message
from sipengine.sip.transaction.invite_server import InviteServer
from sipengine.sip.transaction.layer import TransactionLayer, server_key

MAX_REASONS: Final = 8
MAX_REASON: Final = 512
"""Octets: what a telephone shows fits in a quarter of it."""


def receive_cancel(
    layer: TransactionLayer, message: Message, branch: str, sent_by: str, now: float
) -> None:
    """Cancel the branches of its INVITE. The CANCEL itself is then to be answered with 200.

    Raises `RemoteProtocolError` 481 if there is no such INVITE.
    """
    invite = layer.servers.get(server_key(branch, sent_by, "INVITE"))
    if not isinstance(invite, InviteServer):
        raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
    if invite.user is not None:
        # RFC 3326 §2: one for each protocol; every branch gets a copy of them
        reasons = [text for text in message.whole_lines("Reason") if len(text) <= MAX_REASON]
        told = "\r\n".join(f"Reason: {text}" for text in reasons[:MAX_REASONS])
        invite.user.on_cancel(told, now)
