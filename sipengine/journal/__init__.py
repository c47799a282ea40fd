"""The engine's journal of facts: what `log` appends to, in the form that `lines` gives them."""

from sipengine.journal.lines import (
    KIND_BAN,
    KIND_BINDING,
    KIND_CALL,
    KIND_DAMAGED,
    KIND_GONE,
    KIND_MESSAGE,
    KIND_MESSAGE_GONE,
    KIND_SUBSCRIPTION,
    KIND_UNSUBSCRIBED,
    START,
    JournalError,
    JournalFull,
    Line,
    Position,
    decode,
    encode,
)
from sipengine.journal.log import Journal

__all__ = [
    "KIND_BAN",
    "KIND_BINDING",
    "KIND_CALL",
    "KIND_DAMAGED",
    "KIND_GONE",
    "KIND_MESSAGE",
    "KIND_MESSAGE_GONE",
    "KIND_SUBSCRIPTION",
    "KIND_UNSUBSCRIBED",
    "START",
    "Journal",
    "JournalError",
    "JournalFull",
    "Line",
    "Position",
    "decode",
    "encode",
]
