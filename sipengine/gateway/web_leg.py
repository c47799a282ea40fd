"""A browser's leg: ICE-lite, DTLS-SRTP and rtcp-mux on the shared port (RFC 8834, RFC 8835)."""

from __future__ import annotations

from time import monotonic
from typing import Final

import pylibsrtp

from sipengine.gateway.dtls import CLOSED, HANDSHAKE, WHY, Dtls
from sipengine.gateway.ice import Address, IceLite
from sipengine.gateway.leg import SENDING_FAILED, WAITING, Leg
from sipengine.gateway.sdp.description import BadSdp
from sipengine.gateway.sdp.formats import Format
from sipengine.gateway.sdp.sides import Local, Remote
from sipengine.gateway.surroundings import Surroundings

ACTIVE: Final = "active"
PASSIVE: Final = "passive"
UNREACHABLE: Final = "unreachable"

CONNECT_S: Final = 35.0
"""From the agreement, or the end of an association, to the keys: a browser gives up ICE sooner, and who
is away is known to be after 30 s (`ice.CONSENT_S`)."""


RETURNING_S: Final = 10.0
"""From an agreement on another ICE session to its first check: who comes back at the last moment is there."""


class WebLeg(Leg):
    is_web = True
    is_secure = True

    def __init__(self, surroundings: Surroundings, family: str) -> None:
        super().__init__(surroundings, family)
        self._ice = IceLite()
        self._dtls = self._new_dtls()
        self._as_client = False
        self._way = -1
        self._source: Address | None = None
        self._send = surroundings.shared.sender(0).sendto
        self._consented = False
        self._calls = 1
        self._fault = ""
        self._keyless_since = 0.0
        self._restarted_at = -RETURNING_S
        surroundings.shared.expect(self._ice.credentials.ufrag, self)

    def _new_dtls(self) -> Dtls:
        """An association of its own: what an earlier one still says does not count any more."""
        made: Dtls

        def on_keys(receiving: pylibsrtp.Session, sending: pylibsrtp.Session) -> None:
            if self._dtls is made:
                self.use_keys(receiving, sending)
                self.trouble = self._fault = ""
                self.surroundings.counters["dtls_handshakes"] += 1

        made = Dtls(
            self.surroundings.certificate,
            self._send_record,
            on_keys,
            lambda why: self._on_dtls_end(made, why),
        )
        return made

    @property
    def is_gone(self) -> bool:
        return (
            self._source is not None
            and not self._consented
            and monotonic() - self._restarted_at > RETURNING_S
        )

    def link(self, now: float) -> str:
        """As every leg:

        | what there is                                        | then it is        |
        | ---------------------------------------------------- | ----------------- |
        | keys, or no agreement yet                            | ""                |
        | a handshake that has failed                          | why, at once      |
        | no keys, for less than CONNECT_S                     | WAITING           |
        | no keys for longer, and no check has proved a way    | UNREACHABLE       |
        | no keys for longer, though one has                   | HANDSHAKE         |
        """
        if self.remote is None or self._protect is not None:
            return ""
        if self._fault:
            return self._fault
        if now - self._keyless_since < CONNECT_S:
            return WAITING
        return HANDSHAKE if self._source is not None else UNREACHABLE

    # -- signalling

    def shared_with_another(self) -> WebLeg:
        """The same leg for another call, of the same offer that was forked (RFC 3261 §16.7): a browser has
        one ICE and one DTLS association, whichever phone answers it. Each call closes it."""
        self._calls += 1
        return self

    def local_offer(self, protocol: str, formats: tuple[Format, ...], like: Remote) -> Local:
        self.mid = self.mid or "0"
        local = self._local(protocol, formats, like)
        local.setup = "actpass" if not self._dtls.started else self._setup()
        return local

    def local_answer(self, offered: Remote, formats: tuple[Format, ...], like: Remote) -> Local:
        self._check(offered)
        self.mid = offered.mid
        if self._ice.agree(offered.ufrag):
            self._ice.restart()
            self.surroundings.shared.expect(self._ice.credentials.ufrag, self)
        if not self._dtls.started or offered.fingerprints != self._dtls.fingerprints:
            self._as_client = offered.setup == PASSIVE
        local = self._local(offered.protocol, formats, like)
        local.setup = self._setup()
        return local

    def _setup(self) -> str:
        return ACTIVE if self._as_client else PASSIVE

    def _local(self, protocol: str, formats: tuple[Format, ...], like: Remote) -> Local:
        shared = self.surroundings.shared
        place = self.surroundings.place(self.family)
        credentials = self._ice.credentials
        return Local(
            protocol=protocol,
            host=place.advertised,
            port=shared.port,
            rtcp_port=0,
            formats=formats,
            direction=like.direction,
            mux=True,
            mid=self.mid,
            packet_time=like.packet_time,
            ssrc=self.outgoing.ssrc,
            cname=self.surroundings.cname,
            ufrag=credentials.ufrag,
            password=credentials.password,
            candidates=tuple((host, shared.port) for host in self.surroundings.candidates),
            fingerprint=self.surroundings.fingerprint,
        )

    def _check(self, remote: Remote) -> None:
        if not remote.mux:
            raise BadSdp("the WebRTC side does not multiplex RTCP (a=rtcp-mux)")
        if not remote.ufrag or not remote.password:
            raise BadSdp("the WebRTC side speaks no ICE")
        if not remote.fingerprints:
            raise BadSdp("the WebRTC side names no certificate (a=fingerprint)")

    def agree(self, remote: Remote) -> None:
        """Raises `BadSdp`."""
        self._check(remote)
        self._ice.agree(remote.ufrag)
        if self.remote is not None and remote.ufrag != self.remote.ufrag:
            self._restarted_at = monotonic()
        if self._dtls.over or (
            self._dtls.started and remote.fingerprints != self._dtls.fingerprints
        ):
            # Another certificate means another association (RFC 8842 §5.1).
            self._dtls.close()
            self._dtls = self._new_dtls()
            self.drop_keys()
        if self._protect is None:
            self._keyless_since = monotonic()
            self._fault = ""
        if self.remote is None or not self._dtls.started:
            self._as_client = remote.setup == PASSIVE
        self.remote = remote
        self._start_dtls()

    def _start_dtls(self) -> None:
        """When a check has proved where the peer is: nothing of it can come before, nor anything go to it,
        and a browser that was told of a ringing phone may begin when that answers."""
        remote = self.remote
        if remote is not None and self._source is not None and not self._dtls.started:
            self._dtls.start(remote.fingerprints, as_client=self._as_client)

    # -- what the shared port hands on

    def on_stun(self, data: bytes, way: int, source: Address, now: float) -> None:
        heard = self._ice.receive(data, way, source, now)
        shared = self.surroundings.shared
        if heard is None:
            self.surroundings.counters["stun_refused"] += 1
            return
        try:
            shared.sender(way).sendto(heard.answer, source)
        except OSError:
            return
        if not heard.valid:
            return
        self.heard_at = now
        self._consented = True
        shared.know(way, source, self)
        if heard.dropped is not None:
            shared.forget_source(*heard.dropped)
        if heard.selected or self._source is None:
            self._way, self._source = way, source
            self._send = shared.sender(way).sendto
            self._start_dtls()

    def on_dtls(self, data: bytes) -> None:
        if not self._dtls.receive(data):
            self.surroundings.counters["dtls_dropped"] += 1

    def on_media(self, data: bytes, now: float) -> None:
        if len(data) < 12:
            return
        if 192 <= data[1] <= 223:
            if self._unprotect_rtcp is not None:
                self.take_rtcp(data, now)
            return
        unprotect = self._unprotect
        if unprotect is None:
            self.undecipherable += 1
            return
        try:
            data = unprotect(data)
        except pylibsrtp.Error:
            self.undecipherable += 1
            return
        path = self.path
        if path is not None:
            path.forward(data, now)

    # -- media to the browser

    def has_keys(self) -> bool:
        return self._protect is not None and self._consented

    def send_rtp(self, packet: bytes) -> None:
        protect = self._protect
        if protect is None or not self._consented:
            self.unsent += 1
            return
        try:
            self._send(protect(packet), self._source)  # type: ignore[arg-type]  # consent needs a source
        except SENDING_FAILED:
            self.unsent += 1

    def send_rtcp(self, packet: bytes) -> None:
        if self._protect_rtcp is None or self._source is None:
            return
        try:
            self._send(self._protect_rtcp(packet), self._source)
        except SENDING_FAILED:
            self.unsent += 1

    def _send_record(self, data: bytes) -> None:
        if self._source is None:
            return
        try:
            self._send(data, self._source)
        except OSError:
            self.unsent += 1

    def _on_dtls_end(self, which: Dtls, why: str) -> None:
        if which is self._dtls:
            self.trouble = WHY[why]
            self._fault = "" if why == CLOSED else why
            self._keyless_since = monotonic()
            self.surroundings.counters["dtls_ended"] += 1
            self.drop_keys()

    def tick(self, now: float) -> None:
        if self._consented and not self._ice.has_consent(now):
            self._consented = False
            self.trouble = "the browser is not heard from any more"
            self.surroundings.counters["consent_lost"] += 1
        super().tick(now)

    def close(self, now: float) -> None:
        self._calls -= 1
        if self._calls:
            return
        super().close(now)
        offers = self.surroundings.web_offers
        for offer in [offer for offer, leg in offers.items() if leg is self]:
            del offers[offer]
        self.surroundings.shared.forget(self)
        self._dtls.close()
