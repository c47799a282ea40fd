"""The two ways a protocol can be broken, after who broke it."""

from __future__ import annotations


class RemoteProtocolError(Exception):
    """The peer broke the protocol. `status` and `reason` are what an answer would say."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class LocalProtocolError(Exception):
    """Our own code asked for something the protocol forbids: a defect, never a peer's doing."""
