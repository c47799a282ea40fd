"""Why somebody was shut out, in words for whoever looks after the telephones."""

from __future__ import annotations

from typing import Final

from sipengine.services.guard.sources import NAMED_ACCOUNTS, Source

PASSWORDS: Final = "passwords"
SCAN: Final = "scan"
BROKEN: Final = "broken"
FLOOD: Final = "flood"


def count_of(kind: str, source: Source) -> int:
    """How many messages of this kind led to the ban."""
    if kind == PASSWORDS:
        return source.wrong
    if kind == SCAN:
        return source.scans
    return source.broken if kind == BROKEN else source.floods


def reason_of(kind: str, source: Source, now: float) -> str:
    """One sentence without a full stop: "37 wrong passwords for 1001, 1002 in 5 minutes"."""
    within = _duration(now - source.since)
    count = count_of(kind, source)
    if kind == PASSWORDS:
        return f"{_many(count, 'wrong password')} for {_names(source)} in {within}"
    if kind == SCAN:
        return f"{_many(count, 'request')} as only scanners send them in {within}"
    if kind == BROKEN:
        return f"{_many(count, 'message')} that no telephone would send in {within}"
    return f"{_many(count, 'flood')} of requests that led to nothing in {within}"


def _names(source: Source) -> str:
    accounts = sorted(source.accounts)
    named = ", ".join(_printable(account) for account in accounts[:NAMED_ACCOUNTS])
    more = len(accounts) - NAMED_ACCOUNTS
    return f"{named} and {_many(more, 'other')}" if more > 0 else named


def _printable(account: str) -> str:
    text = account[:40]
    return text if text.isascii() and text.isprintable() else text.encode("unicode_escape").decode()


def _many(count: int, thing: str) -> str:
    return f"1 {thing}" if count == 1 else f"{count} {thing}s"


def _duration(seconds: float) -> str:
    whole = max(1, round(seconds))
    return _many(round(whole / 60), "minute") if whole >= 90 else _many(whole, "second")
