"""Which address is a phone's, judged by its packets where nothing but them tells (RFC 7362 §4, §5).

Of RTP without a key; with SRTP a packet that proves the key is the phone's, wherever it comes from.
Only packets of a payload number that was agreed on come here.

| its address so far           | a packet of another address                           | then it is       |
| ---------------------------- | ----------------------------------------------------- | ---------------- |
| not known                    | of the host that description or signalling names      | the phone's      |
| not known                    | of any other host                                     | a stranger's     |
| known                        | the very address that the description names           | the phone's      |
| known, heard within QUIET_S  | any other, whatever it says                           | a stranger's     |
| known, quiet                 | goes on with the same stream, PROVING times in a row  | the phone's      |
| known, quiet, agreed anew    | of a host that is named, or of its former one         | the phone's,     |
| for less than AGREED_S       |                                                       | for once         |
| known, quiet                 | anything else                                         | a stranger's     |

The first row that fits counts. The third mends that somebody else of the same host was quicker; the
fifth follows a NAT that gives the phone another address in mid-call without anybody's word, and the
sixth one that did so while the call was held. Nobody takes an address from a phone that speaks. From
afar one would have to guess its source (32 bits), its timestamp within two seconds and its number
within a minute; who can read the packets on their way, and drops the phone's own, could as well
change them: against that there is SRTP (RFC 7362 §5).
"""

from __future__ import annotations

from typing import Any, Final

from sipengine.gateway.streams import HEADER, Incoming

QUIET_S: Final = 0.5
"""25 packets: nobody who is still sending is silent for so long, and who is moved is deaf for no longer."""

PROVING: Final = 3
AGREED_S: Final = 30.0
"""A phone that takes a held call back speaks within a few seconds; nobody else has any longer."""


class Latching:
    """Of one phone. `hosts` may be its first address's; `named` is the one that its description names."""

    __slots__ = ("_agreed_at", "_candidate", "_proofs", "_sequence", "hosts", "named")

    def __init__(self) -> None:
        self.hosts: frozenset[str] = frozenset()
        self.named: tuple[str, int] = ("", 0)
        self._agreed_at = -AGREED_S
        self._candidate: Any = None  # who is proving that it goes on with the phone's stream
        self._proofs = 0
        self._sequence = 0

    def agreed(self, host: str, port: int, signalled_from: str, now: float) -> None:
        """`host` is where the description wants packets, `signalled_from` the host that it came from."""
        self.named = host, port
        self.hosts = frozenset(each for each in (host, signalled_from) if each)
        self._agreed_at = now

    def takes(self, source: Any, latched: Any, data: bytes, incoming: Incoming, now: float) -> bool:
        """Whether `source`, which is not `latched`, is the phone's from now on. Both are as `recvfrom`
        gives them; `incoming` is the stream of the phone so far."""
        if source[:2] == self.named:
            return self._once(now)
        if latched is None:
            return source[0] in self.hosts and self._once(now)
        if now - incoming.last_at < QUIET_S:
            self._candidate = None
            return False
        if now - self._agreed_at < AGREED_S and (
            source[0] == latched[0] or source[0] in self.hosts
        ):
            return self._once(now)
        return self._has_proved(source, data, incoming, now)

    def _once(self, now: float) -> bool:
        """What an agreement allows is used up."""
        self._agreed_at = now - AGREED_S
        return True

    def _has_proved(self, source: Any, data: bytes, incoming: Incoming, now: float) -> bool:
        _, _, sequence, stamp, ssrc = HEADER.unpack_from(data)
        if not incoming.continued_by(sequence, stamp, ssrc, now):
            return False
        if source != self._candidate:
            self._candidate, self._proofs = source, 0
        elif not 0 < (sequence - self._sequence) & 0xFFFF < 0x8000:
            return False  # the same one again proves nothing
        self._sequence = sequence
        self._proofs += 1
        if self._proofs < PROVING:
            return False
        self._candidate = None
        return True
