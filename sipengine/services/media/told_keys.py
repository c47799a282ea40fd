"""Keys that one side of an anchored call pressed, told to the other by INFO one after the other (RFC 6086 §4).

Some phones answer 491 while an INFO of their own is under way. RFC 3261 §14.1 by analogy: the same key
is told again after a random time, and later keys wait for it, as their order is what they mean.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final
from zlib import crc32

from sipengine.services.media.in_dialog import send_in_dialog
from sipengine.services.media.pressed_keys import info_of
from sipengine.sip.transaction.layer import TransactionLayer

if TYPE_CHECKING:
    from sipengine.services.media.anchors import Anchor
    from sipengine.services.proxy.forwarding import Branches

MOST_WAITING: Final = 32
"""Keys, a card number and what follows it. More than that nobody types within seconds."""
MAX_TRIES: Final = 5
"""Of one key; an INFO of a phone's own takes milliseconds."""
LONGEST_S: Final = 1.0
PATIENCE_S: Final = 4.0
"""For one answer: four transmissions over UDP. Then the next key has its turn."""


class ToldKeys:
    """What waits to be told in the name of one side: the user of one INFO at a time."""

    __slots__ = ("_anchor", "_branches", "_layer", "_to_callee", "_tries", "_under_way", "_waiting", "due")  # fmt: skip

    def __init__(
        self, anchor: Anchor, to_callee: bool, layer: TransactionLayer, branches: Branches
    ) -> None:
        self._anchor = anchor
        self._to_callee = to_callee
        self._layer = layer
        self._branches = branches
        self._waiting: deque[tuple[int, int]] = deque()
        self._under_way = False
        self._tries = 0
        self.due = 0.0

    def press(self, code: int, milliseconds: int, now: float) -> bool:
        """Tell this key after those that wait; False if too many do, or there is no way to the phone."""
        if len(self._waiting) >= MOST_WAITING:
            return False
        self._waiting.append((code, milliseconds))
        return self._under_way or bool(self.due) or self._tell(now)

    def _tell(self, now: float) -> bool:
        """The first that waits; without a way to the phone none of them goes."""
        anchor = self._anchor
        lines, body = info_of(*self._waiting[0])
        speaker = anchor.by_caller if self._to_callee else anchor.by_callee
        self._tries += 1
        self._under_way = send_in_dialog(
            anchor, self._to_callee, "INFO", speaker.next(), lines, body, self._layer,
            self._branches, now, self, PATIENCE_S,
        )  # fmt: skip
        if not self._under_way:
            self._give_up()
        return self._under_way

    def _give_up(self) -> None:
        self._waiting.clear()
        self._under_way = False
        self._tries = 0

    def _done(self, now: float) -> None:
        self._waiting.popleft()
        self._under_way = False
        self._tries = 0
        if self._waiting:
            self._tell(now)

    # -- what becomes of the INFO

    def on_response(self, status: int, data: bytes, now: float) -> None:
        if status < 200:
            return
        if status == 481:  # RFC 3261 §12.2.1.2: there is no such call
            self._give_up()
        elif status == 491 and self._tries < MAX_TRIES:
            self._under_way = False
            spread = crc32(f"{self._anchor.name}{self._to_callee}{self._tries}".encode()) % 10
            self._layer.timers.start((spread + 1) * LONGEST_S / 10, now, self)
        else:
            self._done(now)

    def on_timer(self, now: float) -> None:
        self.due = 0.0
        self._tell(now)

    def on_timeout(self, now: float) -> None:
        self._done(now)

    def on_transport_error(self, now: float) -> None:
        self._give_up()
