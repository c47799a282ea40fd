"""What the peer of a session has said of itself and its dialog, as far as our messages must heed it."""

from __future__ import annotations

from sipengine.services.sips_contacts import secure_contact, wants_sips
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.session_id import own_uuid, session_uuid


class Peer:
    """`uuid` is its name for the session, "" if it gave none."""

    __slots__ = ("_secure", "uuid")

    def __init__(self) -> None:
        self.uuid = ""
        self._secure = False

    def calls(self, invite: Message, flow: Flow) -> None:
        """Its first INVITE, which came by `flow`."""
        self._secure = wants_sips(invite, flow)

    def note(self, message: Message) -> None:
        """Any message of its that may tell something new."""
        if message.has("Session-ID"):
            self.uuid = session_uuid(message)

    def contact(self, contact: str) -> str:
        """Our Contact as it must be in this dialog (RFC 3261 §12.1.1)."""
        return secure_contact(contact) if self._secure else contact

    def name(self, tag: str) -> list[tuple[str, str]]:
        """The Session-ID of a request in which our tag is `tag` (RFC 7989 §6)."""
        return [("Session-ID", f"{own_uuid(tag)};remote={self.uuid}")] if self.uuid else []
