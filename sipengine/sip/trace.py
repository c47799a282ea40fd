"""The messages of one call, as they came and went.

What was received is kept as the very object that the socket gave, what was sent as the one it took:
nothing is copied, parsed or written anew until somebody asks for the call.
"""

from __future__ import annotations

from typing import Final

from sipengine.sip.flow import Flow

NOTHING_RECEIVED: Final = b""
BESIDES: Final = 80
"""Bytes of memory that a kept message takes beside its text: the object's head, its places, its time."""


class Traced:
    """One message: `at` is monotonic seconds, `flow` where it came from or went to."""

    __slots__ = ("at", "data", "flow", "received")

    def __init__(self, at: float, received: bool, flow: Flow, data: bytes) -> None:
        self.at = at
        self.received = received
        self.flow = flow
        self.data = data

    @property
    def memory(self) -> int:
        """Bytes that it takes while it is kept."""
        return len(self.data) + BESIDES


class Trace:
    """The ring of one Call-ID. Beyond a limit the middle goes: how a call began and how it went on
    last are what people ask for.

    `entries` is flat, for an object a message would be four times as much work: a time, the flow and
    the bytes of what was received then, and flow and bytes of each message sent because of it.
    `size` is the memory of all messages, `kept` false once the trace was given up.
    """

    __slots__ = ("begun", "call_id", "entries", "gap", "kept", "missing", "open", "size")

    def __init__(self, call_id: str, now: float) -> None:
        self.call_id = call_id
        self.begun = now
        self.entries: list[float | Flow | bytes] = []
        self.size = 0
        self.kept = True
        self.open = 0  # calls of the log that go on with this Call-ID
        self.missing = 0  # messages that were let go of
        self.gap = 0  # how many are before those

    def messages(self) -> list[Traced]:
        """What there is, in the order it happened."""
        found: list[Traced] = []
        at, received = 0.0, False
        flow: Flow | None = None
        for entry in self.entries:
            if isinstance(entry, float):
                at, received = entry, True
            elif isinstance(entry, bytes):
                assert flow is not None
                if entry is not NOTHING_RECEIVED:
                    found.append(Traced(at, received, flow, entry))
                received = False
            else:
                flow = entry
        return found

    def cut(self, limit: int) -> None:
        """Let go of messages from the middle until there are no more than `limit` bytes: a half of
        that from the beginning, the rest from the end."""
        found = self.messages()
        first, size = 0, 0
        most = len(found) if not self.missing else self.gap
        while first < most and size + found[first].memory <= limit // 2:
            size += found[first].memory
            first += 1
        last = len(found)
        while last > first and size + found[last - 1].memory <= limit:
            last -= 1
            size += found[last].memory
        self.missing += last - first
        self.gap = first
        self.size = size
        self.entries = []
        self._write(found[:first])
        self._write(found[last:])

    def _write(self, messages: list[Traced]) -> None:
        entries = self.entries
        at = -1.0
        for one in messages:
            if one.received:
                entries.append(one.at)
            elif one.at != at:
                entries.append(one.at)
                entries.append(one.flow)
                entries.append(NOTHING_RECEIVED)
            at = one.at
            entries.append(one.flow)
            entries.append(one.data)
