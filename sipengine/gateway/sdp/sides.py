"""What one side of a call says of its audio, and what we say to it: read and written as SDP.

Attributes: ICE (RFC 8839 §5), DTLS-SRTP (RFC 5763 §5, RFC 8122 §5), SDES (RFC 4568 §4), rtcp-mux (RFC 5761 §5.1.1).
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from dataclasses import dataclass, field
from typing import Final

from sipengine.gateway.sdp.description import BadSdp, Description, Media
from sipengine.gateway.sdp.formats import Format, formats_of

SENDRECV: Final = "sendrecv"
DIRECTIONS: Final = (SENDRECV, "sendonly", "recvonly", "inactive")
SUITES: Final = {
    "AEAD_AES_256_GCM": 44,
    "AEAD_AES_128_GCM": 28,
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
}
"""Name of an SRTP crypto suite -> octets of master key and salt (RFC 4568 §6.2, RFC 7714 §14.2)."""


@dataclass(frozen=True, slots=True)
class Crypto:
    """One a=crypto line with one inline key."""

    tag: int
    suite: str
    key: bytes = field(repr=False)

    def line(self) -> str:
        return f"a=crypto:{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"


@dataclass(frozen=True, slots=True)
class Remote:
    """What a peer's description says. `host` is "" where it names none or is on hold by 0.0.0.0, and
    where its address is a name (`named`), which nobody looks up here."""

    protocol: str
    host: str
    port: int
    rtcp_port: int
    formats: tuple[Format, ...]
    direction: str
    mux: bool
    mid: str
    ufrag: str
    password: str = field(repr=False)
    fingerprints: tuple[tuple[str, str], ...]
    setup: str
    cryptos: tuple[Crypto, ...] = field(repr=False)
    packet_time: str
    named: bool = False

    @property
    def is_web(self) -> bool:
        """Whether it wants DTLS-SRTP (RFC 5764 §8)."""
        return "TLS" in self.protocol or ("SAVP" in self.protocol and bool(self.fingerprints))

    @property
    def wants_nothing(self) -> bool:
        """Held by the address 0.0.0.0: neither RTP nor RTCP goes there (RFC 3264 §8.4)."""
        return not self.host and self.direction == "inactive"

    @property
    def is_srtp(self) -> bool:
        return "SAVP" in self.protocol


@dataclass(slots=True)
class Local:
    """What we tell a peer of our own end."""

    protocol: str
    host: str
    port: int
    rtcp_port: int  # 0: the same
    formats: tuple[Format, ...]
    direction: str
    mux: bool = False
    mid: str = ""
    packet_time: str = ""
    ssrc: int = 0
    cname: str = ""
    cryptos: tuple[Crypto, ...] = ()
    ufrag: str = ""
    password: str = field(default="", repr=False)
    candidates: tuple[tuple[str, int], ...] = ()
    fingerprint: str = ""
    setup: str = ""

    def lines(self) -> list[str]:
        """Everything below the m= line."""
        lines = [_connection(self.host)]
        for item in self.formats:
            lines += item.lines()
        if self.packet_time:
            lines.append(f"a=ptime:{self.packet_time}")
        lines.append(f"a={self.direction}")
        if self.mid:
            lines.append(f"a=mid:{self.mid}")
        if self.mux:
            lines.append("a=rtcp-mux")
        if self.rtcp_port and self.rtcp_port != self.port + 1 and not self.mux:
            lines.append(f"a=rtcp:{self.rtcp_port}")
        lines += [crypto.line() for crypto in self.cryptos]
        if self.fingerprint:
            lines += self._web_lines()
        return lines

    def _web_lines(self) -> list[str]:
        lines = [
            f"a=ice-ufrag:{self.ufrag}",
            f"a=ice-pwd:{self.password}",
            f"a=fingerprint:{self.fingerprint}",
            f"a=setup:{self.setup}",
        ]
        for rank, (host, port) in enumerate(self.candidates):
            # RFC 8445 §5.1.2.1: type preference of a host, the local preference by our order.
            priority = (126 << 24) + ((65535 - rank) << 8) + 255
            lines.append(f"a=candidate:{rank + 1} 1 udp {priority} {host} {port} typ host")
        lines.append("a=end-of-candidates")
        if self.ssrc:
            lines.append(f"a=ssrc:{self.ssrc} cname:{self.cname}")
        return lines


def audio_index(description: Description) -> int:
    """Which medium is the one we carry: the first audio that is wanted. Raises `BadSdp`."""
    fallback = -1
    for index, media in enumerate(description.media):
        if media.kind == "audio":
            if media.port:
                return index
            fallback = index if fallback < 0 else fallback
    if fallback < 0:
        raise BadSdp("the session description has no audio")
    return fallback


def read_remote(description: Description, media: Media) -> Remote:
    """Raises `BadSdp`."""
    formats = formats_of(media)
    direction = _direction(description, media)
    host = description.connection(media)
    named = False
    if _is_zero(host):  # the hold of RFC 2543
        host = ""
        if (
            description.attribute(media, "ice-ufrag") is None
        ):  # with ICE: no candidate yet (RFC 8840 §4.1.1)
            direction = "inactive" if direction != "recvonly" else direction
    elif host:
        host = _usable(host)
        named = not host
    mux = bool(media.attributes("rtcp-mux"))
    rtcp = description.attribute(media, "rtcp") or ""
    number = rtcp.split()[0] if rtcp.split() else ""
    rtcp_port = int(number) if number.isascii() and number.isdigit() and len(number) < 6 else 0
    if mux:
        rtcp_port = media.port
    elif not 0 < rtcp_port < 65536:
        rtcp_port = min(media.port + 1, 65535)
    prints = media.attributes("fingerprint") or [
        value for value in [description.attribute(media, "fingerprint")] if value
    ]
    return Remote(
        protocol=media.protocol.upper(),
        host=host,
        port=media.port,
        rtcp_port=rtcp_port,
        formats=formats,
        direction=direction,
        mux=mux,
        mid=(description.attribute(media, "mid") or "")[:64],
        ufrag=description.attribute(media, "ice-ufrag") or "",
        password=description.attribute(media, "ice-pwd") or "",
        fingerprints=tuple(_fingerprint(text) for text in prints[:8]),
        setup=description.attribute(media, "setup") or "",
        cryptos=tuple(
            crypto for text in media.attributes("crypto")[:16] if (crypto := read_crypto(text))
        ),
        packet_time=_packet_time(description, media),
        named=named,
    )


def _direction(description: Description, media: Media) -> str:
    for lines in (media.lines, description.session):
        for line in lines:
            if line[2:] in DIRECTIONS and line.startswith("a="):
                return line[2:]
    return SENDRECV


def _is_zero(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _usable(host: str) -> str:
    """A numeric unicast address; "" for a name: a browser's is an mDNS one, and a look-up of a phone's
    would take time, and believe whoever answers for it. Its signalling tells as much."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    if address.is_multicast or host == "255.255.255.255" or "%" in host:
        raise BadSdp("the session description names an address that nobody can have")
    return str(address)


def _packet_time(description: Description, media: Media) -> str:
    text = description.attribute(media, "ptime") or ""
    return text if text.isascii() and text.isdigit() and len(text) < 4 else ""


def _fingerprint(text: str) -> tuple[str, str]:
    algorithm, _, value = text.partition(" ")
    value = value.strip().upper()
    if not value or any(len(pair) != 2 for pair in value.split(":")):
        raise BadSdp("a fingerprint is broken")
    return algorithm.lower(), value


def read_crypto(text: str) -> Crypto | None:
    """One a=crypto value; None for what we cannot use: an unknown suite, several keys, a short key,
    session parameters (RFC 4568 §6.3: what is not understood must not be accepted).
    """
    words = text.split()
    if len(words) != 3 or not words[0].isascii() or not words[0].isdigit() or len(words[0]) > 9:
        return None
    size = SUITES.get(words[1])
    method, _, rest = words[2].partition(":")
    if size is None or method != "inline" or ";" in rest:
        return None
    key, _, ahead = rest.partition("|")
    if ":" in ahead:  # an MKI would stand in every packet
        return None
    try:
        octets = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return None
    return Crypto(int(words[0]), words[1], octets) if len(octets) == size else None


def _connection(host: str) -> str:
    return f"c=IN {'IP6' if ':' in host else 'IP4'} {host}"
