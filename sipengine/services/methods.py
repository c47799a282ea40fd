"""The words that SIP has for what is asked (RFC 3261 §8.2.1)."""

from __future__ import annotations

from typing import Final

METHODS: Final = frozenset(
    {
        "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "PRACK", "SUBSCRIBE", "NOTIFY",
        "PUBLISH", "INFO", "REFER", "MESSAGE", "UPDATE",
    }
)  # fmt: skip
"""Every method of SIP. Those that are not allowed somewhere are 405 (§8.2.1), any other word is 501 (§21.5.2)."""

OF_USERS: Final = frozenset({"SUBSCRIBE", "PUBLISH", "MESSAGE"})
"""Allowed here, but only towards one of our users."""

OF_DIALOGS: Final = frozenset({"BYE", "PRACK", "UPDATE", "INFO", "NOTIFY"})
"""They mean something within a dialog only: outside of any they are 481 (§15.1.2, RFC 3262 §3,
RFC 3311 §5.2, RFC 6086 §4.2.2, RFC 6665 §4.1.3)."""
