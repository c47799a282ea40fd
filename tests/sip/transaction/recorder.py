"""A transaction user that writes down what it is told, and the clock that drives a machine."""

from __future__ import annotations

from sipengine.sip.flow import Flow
from sipengine.sip.transaction.layer import TransactionLayer

INVITE = (
    b"INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx\r\n"
    b"Max-Forwards: 70\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\n"
    b"Route: <sip:r1;lr>\r\nRoute: <sip:r2;lr>\r\nContact: <sip:a@h>\r\nContent-Length: 4\r\n\r\nbody"
)
OPTIONS = INVITE.replace(b"INVITE", b"OPTIONS")


def response(status: int, tag: str = "t", method: str = "INVITE") -> bytes:
    return (
        f"SIP/2.0 {status} X\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag={tag}\r\nCall-ID: c\r\n"
        f"CSeq: 7 {method}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


class Recorder:
    """`heard` holds the status of each response passed up, "timeout", "error" or "cancel"."""

    def __init__(self) -> None:
        self.heard: list[int | str] = []

    def on_response(self, status: int, data: bytes, now: float) -> None:
        self.heard.append(status)

    def on_timeout(self, now: float) -> None:
        self.heard.append("timeout")

    def on_transport_error(self, now: float) -> None:
        self.heard.append("error")

    def on_cancel(self, reason: str, now: float) -> None:
        self.heard.append("cancel")


class Bench:
    """One layer, one flow, one clock. `sent` are (time since the start, bytes)."""

    def __init__(self, reliable: bool = False, start: float = 1000.0) -> None:
        self.start = self.now = start
        self.layer = TransactionLayer()
        self.flow = Flow("TCP" if reliable else "UDP", ("192.0.2.1", 5060), ("192.0.2.2", 5060))
        self.user = Recorder()
        self.sent: list[tuple[float, bytes]] = []

    def collect(self) -> None:
        self.sent += [(round(self.now - self.start, 3), data) for _, data in self.layer.out]
        self.layer.out.clear()

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        for _ in range(10_000):
            due = self.layer.timers.next_due()
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.layer.timers.expire(self.now)
            self.collect()
        else:
            raise AssertionError("the timers never end")
        self.now = end

    @property
    def times(self) -> list[float]:
        """When something was sent, in seconds since the start."""
        self.collect()
        return [at for at, _ in self.sent]

    def take(self) -> list[bytes]:
        self.collect()
        taken = [data for _, data in self.sent]
        self.sent.clear()
        return taken
