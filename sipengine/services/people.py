"""Numbers, names and times as people say them, for the sentences of the call log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipengine.services.call import Call


def duration(seconds: float) -> str:
    """`4 s`, `1 min 3 s`, `2 h 5 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def number(address: str) -> str:
    """What stands before the @ of an AOR; of a SIP URI the host too, which people must dial there."""
    if address[:4].lower() in ("sip:", "sips"):
        rest = address.partition(":")[2]
        return rest.partition(";")[0].partition("?")[0] or address
    return address.partition("@")[0] or address


def to_dial(address: str, domain: str) -> str:
    """A number, an address or a URI as people of `domain` dial it: the number alone if it is theirs."""
    return number(address).removesuffix(f"@{domain}")


def person(call: Call, address: str) -> str:
    """`Alice Adams (1001)`, or just the number of somebody without a name."""
    name = call.owner.name_of(address)
    known = number(address)
    return f"{name} ({known})" if name and name != known else known


def several(things: list[str], most: int = 3) -> str:
    """`Alice, Bob and Carol`; of more than `most` the first ones and how many more."""
    if len(things) > most:
        return f"{', '.join(things[:most])} and {len(things) - most} more"
    if len(things) < 2:
        return "".join(things)
    return f"{', '.join(things[:-1])} and {things[-1]}"
