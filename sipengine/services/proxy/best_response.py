"""Which of several final responses goes back (RFC 3261 §16.7 steps 6 and 7)."""

from __future__ import annotations

from sipengine.sip.parser import parse

_PREFERRED = frozenset({401, 407, 415, 420, 484})


def rank(status: int) -> int:
    """Lower is better: 6xx, then the lowest class; within 4xx those that tell the caller what to do."""
    if status >= 600:
        return 0
    if status < 400:
        return 1
    if status < 500:
        if status in _PREFERRED:
            return 2
        return 4 if status in (408, 487) else 3
    return 6 if status == 503 else 5


class BestResponse:
    """The best final response so far. `data` is the message without our Via, b"" for one of our own."""

    __slots__ = ("_challenges", "data", "status")

    def __init__(self) -> None:
        self.status = 0
        self.data = b""
        self._challenges: list[str] = []

    @property
    def unreached(self) -> bool:
        """Whether no way there was found at all (§16.9), not even to a 503."""
        return self.status == 503 and not self.data

    def offer(self, status: int, data: bytes) -> None:
        if status in (401, 407) and data:
            message = parse(data)
            self._challenges += [
                f"{name}: {value}"
                for name in ("WWW-Authenticate", "Proxy-Authenticate")
                for value in message.whole_lines(name)
            ]
        if not self.status or rank(status) < rank(self.status):
            self.status = status
            self.data = data

    def final(self) -> tuple[int, bytes]:
        """(status, message); a 503 is not passed on (step 6), all challenges are (step 7)."""
        if self.status == 503:
            return 500, b""
        if self.status in (401, 407) and self._challenges and self.data:
            message = parse(self.data)
            message.replace("WWW-Authenticate", [])
            message.replace("Proxy-Authenticate", [])
            message.append(dict.fromkeys(self._challenges))
            return self.status, message.encode()
        return self.status, self.data
