"""DNS records that tell of SIP servers, and the order in which they are to be used (RFC 2782, RFC 3403)."""

from __future__ import annotations

from _blake2 import blake2s
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SERVICES: Final = {"SIP+D2U": "UDP", "SIP+D2T": "TCP", "SIPS+D2T": "TLS"}
"""NAPTR services (RFC 3263 §4.1) and the transport each one stands for."""

LABELS: Final = {"UDP": "_sip._udp", "TCP": "_sip._tcp", "TLS": "_sips._tcp"}
"""Where the SRV records of a transport are, below the domain (RFC 3263 §4.1)."""


@dataclass(frozen=True, slots=True)
class Naptr:
    """One NAPTR record (RFC 3403 §4.1), names without the last dot."""

    order: int
    preference: int
    flags: str
    service: str
    regexp: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Srv:
    """One SRV record (RFC 2782). `target` is "" for one that says: no such service here."""

    priority: int
    weight: int
    port: int
    target: str


class Dice:
    """Numbers that look random and are the same for the same seed.

    With a call's Call-ID as the seed, all requests of a call choose the same server (RFC 3263
    §4.4 asks that of whoever keeps no state), also after a restart.
    """

    __slots__ = ("_count", "_seed")

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode("utf-8", "surrogatepass")
        self._count = 0

    def roll(self, most: int) -> int:
        """A number from 0 to `most`, both included."""
        self._count += 1
        digest = blake2s(self._seed, salt=self._count.to_bytes(4, "big"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % (most + 1)


def chosen_services(
    records: Sequence[Naptr], supported: Sequence[str], secure: bool
) -> list[tuple[str, str]]:
    """(transport, name of its SRV records) by NAPTR, the most preferred first (RFC 3263 §4.1).

    What this server does not speak is left out, and everything but SIPS for a SIPS URI. Of what
    is left, only the lowest order counts (RFC 3403 §4.1); the others of it serve if the first fails.
    """
    usable = []
    for record in records:
        service = record.service.upper()
        transport = SERVICES.get(service)
        if transport is None or transport not in supported or (secure and service[:4] != "SIPS"):
            continue
        if record.flags.upper() == "S" and not record.regexp and record.replacement:
            usable.append((record.order, record.preference, transport, record.replacement))
    usable.sort(key=lambda item: item[:2])
    return [(item[2], item[3]) for item in usable if item[0] == usable[0][0]]


def by_priority(records: Sequence[Srv], dice: Dice) -> list[Srv]:
    """SRV records in the order to try them: by priority, within one by lot as weights say (RFC 2782)."""
    ordered: list[Srv] = []
    for priority in sorted({record.priority for record in records}):
        # Weight 0 stands first, so that it is drawn when the lot is 0: rarely, but not never.
        left = sorted(
            (record for record in records if record.priority == priority),
            key=lambda record: (record.weight != 0, record.target, record.port),
        )
        while left:
            lot = dice.roll(sum(record.weight for record in left))
            total = 0
            for at, record in enumerate(left):
                total += record.weight
                if total >= lot:
                    ordered.append(left.pop(at))
                    break
    return ordered


def interleaved(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Addresses of two families by turns, so that a family that leads nowhere costs one attempt
    before the other is tried (RFC 7984 §4)."""
    mixed: list[str] = []
    for at in range(max(len(first), len(second))):
        mixed += first[at : at + 1]
        mixed += second[at : at + 1]
    return mixed
