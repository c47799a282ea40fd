"""A phone's leg: RTP or SRTP with keys from the description (RFC 4568), on a pair of ports of its own.

A phone behind NAT is answered at the address its packets come from (`latching.py` says which may be
its own): RTP from strangers ends here.
"""

from __future__ import annotations

import asyncio
import ipaddress
from time import monotonic
from typing import Any, Final

import pylibsrtp

from sipengine.gateway import srtp
from sipengine.gateway.latching import Latching
from sipengine.gateway.leg import SENDING_FAILED, Leg
from sipengine.gateway.rtp_ports import LONGEST_PACKET
from sipengine.gateway.sdp.description import BadSdp
from sipengine.gateway.sdp.formats import Format
from sipengine.gateway.sdp.sides import Crypto, Local, Remote
from sipengine.gateway.surroundings import Surroundings

BURST: Final = 16
"""Packets of one phone taken in one go: a third of a second of speech."""

EAGER_S: Final = 0.005
"""So soon after the last one a packet is late, and more of them wait behind it; else one is read a
wake-up, for a second one that is not there costs a system call and an exception."""


class RtpLeg(Leg):
    def __init__(
        self,
        surroundings: Surroundings,
        family: str,
        loop: asyncio.AbstractEventLoop,
        *,
        secure: bool,
        signalled_from: str,
    ) -> None:
        """`signalled_from` is the host that the peer's signalling comes from, "" if unknown.

        Raises `NoPort`.
        """
        super().__init__(surroundings, family)
        self.is_secure = secure
        place = surroundings.place(family)
        self._advertised = place.advertised
        self._loop = loop
        self._pair = surroundings.ports.take(place.bind)
        self._rtp, self._rtcp = self._pair
        self.port: int = self._rtp.getsockname()[1]
        self.signalled_from = signalled_from
        self._latched: Any = None  # the address as recvfrom gives it: two or four items
        self._target: Any = None
        self._rtcp_latched: Any = None
        self._rtcp_target: Any = None
        self._latching = Latching()
        self._numbers: frozenset[int] = frozenset()
        self._offered: tuple[Crypto, ...] = ()
        self._answered: Crypto | None = None
        self._keys: tuple[Crypto, Crypto] | None = None
        self._send = self._rtp.sendto
        self._receive = self._rtp.recvfrom
        self._read_at = 0.0
        loop.add_reader(self._rtp.fileno(), self._on_rtp)
        loop.add_reader(self._rtcp.fileno(), self._on_rtcp)

    # -- signalling

    def local_offer(self, protocol: str, formats: tuple[Format, ...], like: Remote) -> Local:
        local = self._local(protocol, formats, like)
        if self.is_secure:
            if not self._offered:
                self._offered = srtp.make_cryptos()
            local.cryptos = self._offered
        return local

    def local_answer(self, offered: Remote, formats: tuple[Format, ...], like: Remote) -> Local:
        local = self._local(offered.protocol, formats, like)
        local.mux = offered.mux
        if self.is_secure:
            theirs = offered.cryptos[0] if offered.cryptos else None
            if theirs is None:
                raise BadSdp("no SRTP key of a suite that is known here was offered")
            mine = self._answered
            if mine is None or (mine.tag, mine.suite) != (theirs.tag, theirs.suite):
                self._answered = srtp.answer_crypto(offered.cryptos)
            assert self._answered is not None
            self._offered = (self._answered,)
            local.cryptos = self._offered
        return local

    def _local(self, protocol: str, formats: tuple[Format, ...], like: Remote) -> Local:
        return Local(
            protocol=protocol,
            host=self._advertised,
            port=self.port,
            rtcp_port=self.port + 1,
            formats=formats,
            direction=like.direction,
            mid=self.mid,
            packet_time=like.packet_time,
        )

    def agree(self, remote: Remote) -> None:
        held = self.remote is not None and not _host_of(self.remote, self.signalled_from)
        rekeyed = self._use_cryptos(remote) if self.is_secure else False
        self.remote = remote
        self._numbers = frozenset(item.number for item in self.told)
        host = _host_of(remote, self.signalled_from)
        if not host:
            self._target = self._rtcp_target = None
            self._latched = None
            return
        moved = held or self._latching.named != (host, remote.port)
        self._latching.agreed(host, remote.port, self.signalled_from, monotonic())
        if moved or rekeyed:
            self._latched = self._rtcp_latched = None
            if self._may_be_sent_to(host):
                self._target = (host, remote.port)
                self._rtcp_target = (host, remote.rtcp_port)
            else:
                self._target = self._rtcp_target = None

    def _may_be_sent_to(self, host: str) -> bool:
        """Not to this machine's own services because somebody far away says so."""
        address = ipaddress.ip_address(host)
        if (":" in host) != (self.family == "IP6"):
            return False
        if not self.signalled_from:
            return True
        signalled = ipaddress.ip_address(self.signalled_from)
        if address.is_loopback:
            return signalled.is_loopback
        return signalled.is_link_local if address.is_link_local else True

    def _use_cryptos(self, remote: Remote) -> bool:
        """Take the keys into use; True if they are others than before. Raises `BadSdp`."""
        for theirs in remote.cryptos:
            mine = next((each for each in self._offered if each.tag == theirs.tag), None)
            if mine is not None and mine.suite == theirs.suite:
                break
        else:
            raise BadSdp("the SRTP key fits none that was offered")
        if self._keys == (mine, theirs):
            return False
        if self._keys is None or self._keys[1] != theirs:
            self.use_receiving_key(srtp.receiving(theirs))
        if self._keys is None or self._keys[0] != mine:
            sending = srtp.sending(mine)
            self._protect, self._protect_rtcp = sending.protect, sending.protect_rtcp
        self._keys = mine, theirs
        return True

    def has_keys(self) -> bool:
        return self._target is not None and (not self.is_secure or self._protect is not None)

    # -- media

    def send_rtp(self, packet: bytes) -> None:
        target = self._target
        if target is None:
            self.unsent += 1
            return
        try:
            if self._protect is not None:
                packet = self._protect(packet)
            self._send(packet, target)
        except SENDING_FAILED:
            self.unsent += 1

    def send_rtcp(self, packet: bytes) -> None:
        muxed = self.remote is not None and self.remote.mux
        target = self._target if muxed else self._rtcp_target
        if target is None:
            return
        try:
            if self._protect_rtcp is not None:
                packet = self._protect_rtcp(packet)
            (self._rtp if muxed else self._rtcp).sendto(packet, target)
        except SENDING_FAILED:
            self.unsent += 1

    def _on_rtp(self) -> None:
        now = monotonic()
        receive = self._receive
        batch = BURST if now - self._read_at < EAGER_S else 1
        self._read_at = now
        for _ in range(batch):
            try:
                data, source = receive(LONGEST_PACKET)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of an earlier packet
                continue
            if len(data) < 12:
                continue
            if source == self._latched:
                if 192 <= data[1] <= 223 and data[1] & 0x7F not in self._numbers:
                    self.take_rtcp(data, now)  # agreed to be here or not (RFC 5761 §4)
                    continue
                if self._unprotect is not None:
                    try:
                        data = self._unprotect(data)
                    except pylibsrtp.Error:
                        self.undecipherable += 1
                        continue
            else:
                opened = self._latch(source, data, now)
                if opened is None:
                    self.strangers += 1
                    continue
                data = opened
            self.heard_at = now
            path = self.path
            if path is not None:
                path.forward(data, now)

    def _latch(self, source: Any, data: bytes, now: float) -> bytes | None:
        """The packet in clear if its source is the phone's from now on, else None."""
        if self.remote is None or data[0] >> 6 != 2 or data[1] & 0x7F not in self._numbers:
            return None
        if self._unprotect is not None:
            try:
                data = self._unprotect(data)
            except pylibsrtp.Error:
                return None
        elif not self._latching.takes(source, self._latched, data, self.incoming, now):
            return None
        if self._latched is not None:
            self._rtcp_latched = None  # reports come from elsewhere now, too
        self._latched = source
        if not self.remote.wants_nothing:
            self._target = source
        return data

    def _on_rtcp(self) -> None:
        now = monotonic()
        for _ in range(BURST):
            try:
                data, source = self._rtcp.recvfrom(LONGEST_PACKET)
            except BlockingIOError:
                return
            except OSError:
                continue
            latched = self._latched
            host = latched[0] if latched is not None else ""
            if len(data) < 8 or source[0] != host:
                self.strangers += 1
                continue
            if self._rtcp_latched not in (None, source) or not self.take_rtcp(data, now):
                self.strangers += 1
            elif self._rtcp_latched is None:
                self._rtcp_latched = source
                if self.remote is not None and not self.remote.wants_nothing:
                    self._rtcp_target = source

    def close(self, now: float) -> None:
        super().close(now)
        for each in self._pair:
            self._loop.remove_reader(each.fileno())
        self.surroundings.ports.give_back(self._pair)


def _host_of(remote: Remote, signalled_from: str) -> str:
    """Where a phone wants its packets, "" if nowhere: one that gives a name is where it signals from."""
    return signalled_from if remote.named else remote.host


def family_of(host: str) -> str:
    """IP4 or IP6, as c= lines write it."""
    return "IP6" if ":" in host else "IP4"
