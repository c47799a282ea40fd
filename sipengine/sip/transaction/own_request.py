"""A request that this server itself sends, as a user agent client (RFC 3261 §8.1, §17.1.2)."""

from __future__ import annotations

from sipengine.sip.transaction.invite_client import InviteClient
from sipengine.sip.transaction.non_invite_client import NonInviteClient


class OwnRequest(NonInviteClient):
    """Its answers go no further: they have one Via, ours, and none is left once that is taken off."""

    __slots__ = ()


class OwnInvite(InviteClient):
    """The same for an INVITE."""

    __slots__ = ()
