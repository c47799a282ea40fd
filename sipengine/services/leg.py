"""A branch of a call, as the call log knows it."""

from __future__ import annotations


class Leg:
    """One branch of a call, as it goes on."""

    __slots__ = (
        "answered",
        "contact",
        "device",
        "ended",
        "phrase",
        "result",
        "ringing",
        "started",
        "status",
        "target",
    )

    def __init__(self, target: str, contact: str, device: str, now: float) -> None:
        self.target = target
        self.contact = contact
        self.device = device
        self.started = now
        self.ringing = 0.0
        self.answered = 0.0
        self.ended = 0.0
        self.status = 0
        self.phrase = ""  # in which words its phone refused; "" if it said nothing
        self.result = "trying"
