"""A request whose session descriptions go by way of a media gateway (RFC 3264, RFC 6337 §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipengine.services.ports import MediaWaiter
from sipengine.sip.header_line import header_line
from sipengine.sip.message import tag_of

if TYPE_CHECKING:
    from sipengine.services.call import Call
    from sipengine.services.media.anchors import Anchor, Anchors
    from sipengine.services.media.numbering import Numbering


class Crossing:
    """One request of a dialog: its anchor and who sent it. `host` is where its sender signals from.

    `anchor` is None for a new call that no gateway can take. `why` is a clause for people: what keeps
    sides apart that speak the same, "" where they do not.
    """

    __slots__ = ("anchor", "anchors", "from_caller", "host", "why")

    def __init__(
        self, anchors: Anchors, anchor: Anchor | None, from_caller: bool, host: str, why: str = ""
    ) -> None:
        self.why = why
        self.anchors = anchors
        self.anchor = anchor
        self.from_caller = from_caller
        self.host = host

    @property
    def speaker(self) -> Numbering:
        """The numbers of the side that sent the request."""
        assert self.anchor is not None
        return self.anchor.by_caller if self.from_caller else self.anchor.by_callee

    @property
    def hearer(self) -> Numbering:
        assert self.anchor is not None
        return self.anchor.by_callee if self.from_caller else self.anchor.by_caller

    def offer(self, onward: bool, tag: str, sdp: bytes, host: str, waiter: MediaWaiter) -> None:
        """An offer of the side `tag`; `onward`: it goes the way of the request, not of its answer."""
        assert self.anchor is not None
        self.anchors.offer(self.anchor, onward == self.from_caller, tag, sdp, host, waiter)

    def answer(
        self, onward: bool, tags: tuple[str, str], sdp: bytes, host: str, waiter: MediaWaiter
    ) -> None:
        """An answer; `tags` are the offerer's and the answerer's."""
        assert self.anchor is not None
        self.anchors.answer(self.anchor, onward == self.from_caller, tags, sdp, host, waiter)

    def end(self, call: Call | None) -> None:
        if self.anchor is not None:
            self.anchors.end(self.anchor, call)


def to_tag_of(data: bytes) -> str:
    """The tag in the To of a message as it came."""
    return tag_of((header_line(data, b"To", b"t") or b"").decode("latin-1"))
