"""The name of a session that its ends have given it (RFC 7989 §5): what the log of each end calls it."""

from __future__ import annotations

from hashlib import blake2s
from typing import Final

from sipengine.sip.message import Message

NIL: Final = "0" * 32
"""Stands for an end that has not named the session (RFC 7989 §5)."""
_HEX: Final = frozenset("0123456789abcdefABCDEF")


def session_uuid(message: Message) -> str:
    """The name by the sender of a message, in lower case; "" if it gives none, or something else."""
    text = (message.value("Session-ID") or "").partition(";")[0].strip()
    return text.lower() if len(text) == 32 and _HEX.issuperset(text) else ""


def own_uuid(tag: str) -> str:
    """Our name for the session in which our tag is `tag`, which nobody can guess: a UUID (RFC 9562 §5.8)."""
    digits = blake2s(tag.encode(), digest_size=16).hexdigest()
    return f"{digits[:12]}8{digits[13:16]}{'89ab'[int(digits[16], 16) & 3]}{digits[17:]}"
