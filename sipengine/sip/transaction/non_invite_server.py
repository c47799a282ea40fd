"""Non-INVITE server transaction (RFC 3261 §17.2.2, with RFC 4320: no answer at all beats a late 408)."""

from __future__ import annotations

from typing import Final

from sipengine.sip.flow import Flow
from sipengine.sip.timers import TIMER_B
from sipengine.sip.transaction.layer import TransactionLayer

TRYING: Final = 0
PROCEEDING: Final = 1
COMPLETED: Final = 2
TERMINATED: Final = 3

REQUEST: Final = 0
SEND_PROVISIONAL: Final = 1
SEND_FINAL: Final = 2
TIMER: Final = 3

NOTHING: Final = 0
SEND: Final = 1
SEND_AGAIN: Final = 2
END: Final = 3
REFUSE: Final = 4

TRANSITIONS: Final[tuple[tuple[tuple[int, int], ...], ...]] = (
    # REQUEST                  SEND_PROVISIONAL      SEND_FINAL           TIMER
    ((NOTHING, TRYING), (SEND, PROCEEDING), (SEND, COMPLETED), (END, TERMINATED)),
    ((SEND_AGAIN, PROCEEDING), (SEND, PROCEEDING), (SEND, COMPLETED), (END, TERMINATED)),
    ((SEND_AGAIN, COMPLETED), (REFUSE, COMPLETED), (REFUSE, COMPLETED), (END, TERMINATED)),
    ((NOTHING, TERMINATED), (REFUSE, TERMINATED), (REFUSE, TERMINATED), (NOTHING, TERMINATED)),
)


class NonInviteServer:
    """One request other than INVITE that came to us; answers go to `flow`.

    It ends by Timer J, and also when nothing was answered for so long: the client has given up
    then, and a 408 would only harm (RFC 4320 §4.2).
    """

    __slots__ = ("_last", "_layer", "due", "flow", "key", "state")

    def __init__(self, layer: TransactionLayer, key: str, flow: Flow, now: float) -> None:
        self._layer = layer
        self.key = key
        self.flow = flow
        self.state = TRYING
        self.due = 0.0
        self._last = b""
        layer.servers[key] = self
        layer.timers.start(TIMER_B, now, self)

    def receive(self, method: str, now: float) -> None:
        """The request again."""
        action, self.state = TRANSITIONS[self.state][REQUEST]
        if action == SEND_AGAIN:
            self._layer.out.append((self.flow, self._last))

    def respond(self, status: int, data: bytes, now: float) -> bool:
        """Send an answer. False if the transaction has had its final answer already."""
        action, self.state = TRANSITIONS[self.state][
            SEND_PROVISIONAL if status < 200 else SEND_FINAL
        ]
        if action != SEND:
            return False
        if not self.flow.open and self._layer.way_back is not None:
            self.flow = self._layer.way_back.again(self._layer, self.flow, data, now)
        self._layer.out.append((self.flow, data))
        self._last = data
        if status >= 200:
            if self.flow.reliable:
                self._end()  # Timer J is 0
            else:
                self._layer.timers.start(TIMER_B, now, self)  # Timer J
        return True

    def on_timer(self, now: float) -> None:
        action, self.state = TRANSITIONS[self.state][TIMER]
        if action == END:
            self._end()

    def _end(self) -> None:
        self.state = TERMINATED
        self.due = 0.0
        self._layer.servers.pop(self.key, None)
