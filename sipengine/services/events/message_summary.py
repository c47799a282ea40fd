"""The event package `message-summary`: the message-waiting lamp (RFC 3842)."""

from __future__ import annotations

from typing import Final

from sipengine.services.events.package import Package
from sipengine.services.events.subscription import Subscription


class Mailbox:
    """How many voice messages wait: new and old, and how many of each are urgent."""

    __slots__ = ("new", "old", "urgent_new", "urgent_old")

    def __init__(
        self, new: int = 0, old: int = 0, urgent_new: int = 0, urgent_old: int = 0
    ) -> None:
        self.new = new
        self.old = old
        self.urgent_new = urgent_new
        self.urgent_old = urgent_old


_EMPTY: Final = Mailbox()


class MessageSummaryPackage(Package):
    """State is what `set_mailbox` was last told; an AOR that nothing was told of has no messages."""

    __slots__ = ("_mailboxes",)

    def __init__(self) -> None:
        super().__init__("message-summary", "application/simple-message-summary")
        self._mailboxes: dict[str, Mailbox] = {}

    def may_subscribe(self, subscriber: str, resource: str) -> bool:
        """Only the owner of a mailbox learns what is in it (RFC 3842 §4.1)."""
        return subscriber == resource

    def set_mailbox(self, aor: str, mailbox: Mailbox) -> None:
        if mailbox.new or mailbox.old:
            self._mailboxes[aor] = mailbox
        else:
            self._mailboxes.pop(aor, None)

    def document(self, subscription: Subscription, version: int, now: float) -> str | None:
        """RFC 3842 §5.2: whether any wait, the account, and new/old (urgent new/urgent old)."""
        aor = subscription.resource
        box = self._mailboxes.get(aor, _EMPTY)
        text = (
            f"Messages-Waiting: {'yes' if box.new else 'no'}\r\n"
            f"Message-Account: sip:{aor}\r\n"
            f"Voice-Message: {box.new}/{box.old} ({box.urgent_new}/{box.urgent_old})\r\n"
        )
        if not subscription.whole and subscription.told.get("") == text:
            return None
        subscription.told = {"": text}
        return text
