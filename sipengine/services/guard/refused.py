"""Phones that give a wrong password or a number that is not there, for people who set them up.

A phone tries again for ever and shows little more than "not registered"; its owner asks the
administrator, who must see which phone it is and what is wrong. Kept in memory, newest last.
"""

from __future__ import annotations

from typing import Final

from sipengine.api import RefusedPhone
from sipengine.services.this_process import ThisProcess

MAX_REFUSED: Final = 64
"""Phones remembered: more than one administrator mends at once. A scanner that tries thousands of
numbers pushes them out; it is banned before long, and the phones try again."""

MAX_OF_SOURCE: Final = 16
"""Of one address, so that one guesser does not push everybody else out."""

KEPT: Final = 3600.0
"""Seconds after its last try: telephones try again within minutes."""

MAX_TEXT: Final = 100


class Refused:
    def __init__(self, process: ThisProcess) -> None:
        """`process` makes wall-clock time of `now`."""
        self._process = process
        self._phones: dict[tuple[str, str], RefusedPhone] = {}

    def note(self, source: str, account: str, device: str, now: float) -> None:
        """A wrong password or an unknown account, from `source` by a phone that calls itself `device`."""
        key = (source, _text(account))
        at = now + self._process.offset
        known = self._phones.pop(key, None)
        if known is None:
            self._make_room(source)
            known = RefusedPhone(key[1], source, "", 0, at, at)
        known.count += 1
        known.last = at
        known.device = _text(device) or known.device
        self._phones[key] = known

    def again(self, source: str, account: str, now: float) -> None:
        """It tried once more while it had to wait."""
        if (source, _text(account)) in self._phones:
            self.note(source, account, "", now)

    def passed(self, source: str, account: str) -> None:
        """Its password is right now."""
        if self._phones:
            self._phones.pop((source, _text(account)), None)

    def phones(self, now: float) -> list[RefusedPhone]:
        """Those that tried within the last hour, the latest first."""
        since = now + self._process.offset - KEPT
        for key in [key for key, phone in self._phones.items() if phone.last < since]:
            del self._phones[key]
        return list(self._phones.values())[::-1]

    def _make_room(self, source: str) -> None:
        own = [key for key in self._phones if key[0] == source]
        if len(own) >= MAX_OF_SOURCE:
            del self._phones[own[0]]
        elif len(self._phones) >= MAX_REFUSED:
            del self._phones[next(iter(self._phones))]


def _text(sent: str) -> str:
    """What a stranger sent, fit for a page and for the database."""
    return "".join(char for char in sent[:MAX_TEXT] if char.isprintable())
