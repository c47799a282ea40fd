"""What every leg of every call shares: addresses, ports, the certificate, counters."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from aiortc import RTCCertificate

from sipengine.gateway.dtls import fingerprint_of
from sipengine.gateway.rtp_ports import NoPort, RtpPorts
from sipengine.gateway.shared_port import SharedPort

IP4: Final = "IP4"
IP6: Final = "IP6"


@dataclass(frozen=True, slots=True)
class Place:
    """Of one address family: where RTP sockets are bound, and what peers are told."""

    bind: str
    advertised: str


@dataclass(slots=True)
class Surroundings:
    places: dict[str, Place]
    shared: SharedPort
    ports: RtpPorts
    certificate: RTCCertificate
    candidates: tuple[str, ...]
    """Hosts that browsers are told, the best first."""
    counters: Counter[str] = field(default_factory=Counter)
    web_offers: dict[tuple[str, ...], object] = field(default_factory=dict)
    """What names a browser's first offer -> the leg that it made (`call.py`)."""
    cname: str = field(default_factory=lambda: secrets.token_hex(8))
    fingerprint: str = ""

    def __post_init__(self) -> None:
        self.fingerprint = fingerprint_of(self.certificate)

    @property
    def usual_family(self) -> str:
        return IP4 if IP4 in self.places else IP6

    def place(self, family: str) -> Place:
        """Raises `NoPort` for a family that this gateway does not listen on."""
        if family not in self.places:
            raise NoPort(f"the gateway has no {family} address: see PBX_BIND")
        return self.places[family]
