"""One end of a call at the gateway: what a phone's leg and a browser's have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

import pylibsrtp

from sipengine.gateway import rtcp
from sipengine.gateway.path import Path
from sipengine.gateway.sdp.formats import Codec, Format
from sipengine.gateway.sdp.sides import Local, Remote
from sipengine.gateway.srtp import Opener
from sipengine.gateway.streams import Incoming, Outgoing
from sipengine.gateway.surroundings import Surroundings

SENDING_FAILED: Final = (OSError, ValueError, pylibsrtp.Error)
"""The network, a packet that is too long to be protected, a number that libsrtp takes for a replay."""


WAITING: Final = "waiting"


class Leg(ABC):
    """`remote` is what was agreed on last; `told` the formats that the peer may send."""

    is_web = False
    is_secure = False

    def __init__(self, surroundings: Surroundings, family: str) -> None:
        self.surroundings = surroundings
        self.family = family
        self.tag = ""
        self.remote: Remote | None = None
        self.told: tuple[Format, ...] = ()
        self.numbers: dict[
            Codec, int
        ] = {}  # payload numbers, whoever chose them; they stay as long as the leg
        self.mid = ""
        self.incoming = Incoming()
        self.outgoing = Outgoing()
        self.feedback = rtcp.Feedback()
        self.path: Path | None = None
        self.partner: Leg | None = None  # whom the peer hears
        self.strangers = 0  # packets from addresses that are not the peer's
        self.undecipherable = 0
        self.unsent = (
            0  # packets to the peer before it could be reached, or that the kernel refused
        )
        self.heard_at = 0.0
        self.report_due = 0.0
        self.trouble = ""  # why nothing can be heard, for the log
        self._protect: Callable[[bytes], bytes] | None = None
        self._protect_rtcp: Callable[[bytes], bytes] | None = None
        self._unprotect: Callable[[bytes], bytes] | None = None
        self._unprotect_rtcp: Callable[[bytes], bytes] | None = None

    @property
    def is_gone(self) -> bool:
        """Whether the peer was there and is known to be away (RFC 7675); never so without ICE."""
        return False

    def link(self, now: float) -> str:
        """What keeps media from this peer: "" nothing, `WAITING` what may yet come, else why it never
        will. Never anything without DTLS."""
        return ""

    @property
    def codec(self) -> str:
        """The voice codec that the peer was told first, "" before there is an answer."""
        return next((item.codec.name for item in self.told if item.codec.is_voice), "")

    # -- signalling

    @abstractmethod
    def local_offer(self, protocol: str, formats: tuple[Format, ...], like: Remote) -> Local:
        """Our end for an offer to this peer; directions and packet time `like` the other side's."""

    @abstractmethod
    def local_answer(self, offered: Remote, formats: tuple[Format, ...], like: Remote) -> Local:
        """Our end for the answer to this peer's offer. Raises `BadSdp` if that cannot be accepted."""

    @abstractmethod
    def agree(self, remote: Remote) -> None:
        """Offer and answer have met: from now on `remote` holds."""

    # -- media

    @abstractmethod
    def send_rtp(self, packet: bytes) -> None:
        """Send one packet to the peer, protected if the leg is secure; counted if it cannot be sent."""

    @abstractmethod
    def send_rtcp(self, packet: bytes) -> None:
        """As `send_rtp`, for reports."""

    @abstractmethod
    def has_keys(self) -> bool:
        """Whether packets can be sent to this peer."""

    def use_keys(self, receiving: pylibsrtp.Session, sending: pylibsrtp.Session) -> None:
        self.use_receiving_key(receiving)
        self._protect, self._protect_rtcp = sending.protect, sending.protect_rtcp

    def use_receiving_key(self, receiving: pylibsrtp.Session) -> None:
        opener = Opener(receiving)
        self._unprotect, self._unprotect_rtcp = opener.rtp, opener.rtcp

    def drop_keys(self) -> None:
        """Neither media nor reports go on with the keys there were."""
        self._unprotect = self._unprotect_rtcp = self._protect = self._protect_rtcp = None

    def take_rtcp(self, data: bytes, now: float) -> bool:
        """One compound packet of the peer's; False if it is none, or proves no key."""
        if self._unprotect_rtcp is not None:
            try:
                data = self._unprotect_rtcp(data)
            except pylibsrtp.Error:
                self.undecipherable += 1
                return False
        if not rtcp.read(data, self.incoming, self.outgoing, self.feedback, now):
            return False
        self.heard_at = now
        return True

    def tick(self, now: float) -> None:
        """Once a second: send a report if it is due (RFC 3550 §6.2)."""
        if now < self.report_due or not self.has_keys():
            return
        self.report_due = now + rtcp.INTERVAL_S
        if self.incoming.packets or self.outgoing.packets:
            self.send_rtcp(rtcp.report(self.incoming, self.outgoing, self.surroundings.cname, now))

    def close(self, now: float) -> None:
        if self.has_keys() and self.outgoing.packets:
            self.send_rtcp(rtcp.bye(self.outgoing, self.incoming, self.surroundings.cname, now))
        self.drop_path()
        self.partner = None

    def drop_path(self) -> None:
        """The peer is heard by nobody any more."""
        if self.path is not None:
            self.path.end()
            self.path = None
