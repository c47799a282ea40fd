"""Who is behind an address: what pages show for a caller, a callee, a phone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from pbx.directory.models import Extension
from sipengine.services.feature_codes import FEATURE_CODES

_ADDRESS: Final = re.compile(
    r"(?:sips?:)?(?P<user>[^@;?]*?)(?:@(?P<host>\[[^\]]*\]|[^:;?>]*))?(?:[:;?].*)?"
)


@dataclass(frozen=True, slots=True)
class Party:
    """`title` is what people say (a name, else the number), `detail` what tells apart."""

    title: str
    detail: str = ""


def split_address(address: str) -> tuple[str, str]:
    """The number (or user) and host of "1001", "1001@pbx.example" or "sip:1001@pbx.example:5060"."""
    match = _ADDRESS.fullmatch(address.strip())
    if match is None:
        return address, ""
    return match["user"], (match["host"] or "").lower()


class Directory:
    """Names of the extensions that a page speaks of, read in one query."""

    def __init__(self, names: Mapping[tuple[str, str], str]) -> None:
        self._names = names

    @classmethod
    def of(cls, addresses: Iterable[str]) -> Self:
        numbers = {split_address(address)[0] for address in addresses if address}
        rows = Extension.objects.filter(number__in=numbers).values_list(
            "number", "domain__name", "name"
        )
        return cls({(number, domain): name for number, domain, name in rows})

    def party(self, address: str, domain: str, caller_name: str = "") -> Party:
        """The party at `address` as seen from `domain`; a name from the directory goes first."""
        number, host = split_address(address)
        if not number:
            return Party(caller_name or host or "Unknown")
        elsewhere = host if host and host != domain else ""
        name = self._names.get((number, host or domain), "")
        if name:
            return Party(name, f"{number}@{elsewhere}" if elsewhere else number)
        if caller_name and caller_name != number:
            return Party(caller_name, f"{number}@{elsewhere}" if elsewhere else number)
        if number in FEATURE_CODES and not elsewhere:
            return Party(FEATURE_CODES[number].name, number)
        return Party(number, elsewhere)


def numbers_named(text: str) -> list[str]:
    """Numbers of at most 200 extensions whose name contains `text`: more is no search."""
    found = Extension.objects.filter(name__icontains=text).values_list("number", flat=True)
    return list(found[:200])
