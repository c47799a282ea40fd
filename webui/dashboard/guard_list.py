"""What the page Guard shows: who is shut out, why, and what happened lately."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Exists, OuterRef
from django.utils import timezone

from pbx.directory.models import Extension
from pbx.enginelink.engines import Engines
from pbx.guard.listing import going_on, over
from pbx.guard.models import Ban, Pardon
from webui.dashboard import states
from webui.dashboard.live import engine_trouble
from webui.dashboard.parties import Directory, Party, split_address
from webui.dashboard.states import State

SHOWN: Final = 100
"""Bans at once on the page; under an attack from many addresses the newest tell enough."""

HISTORY_SHOWN: Final = 50

_WHY: Final = {
    True: "wrong password",
    False: "the extension is switched off",
    None: "there is no such extension",
}

_LENGTHS: Final = {1: "for 5 minutes", 2: "for an hour", 3: "for a day"}


@dataclass(frozen=True, slots=True)
class BanRow:
    ban: Ban
    state: State
    is_leaving: bool  # somebody lifted it, and the engine has not said yet that it followed
    length: str


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A phone that cannot log in; `why` says what is wrong with what it gives."""

    party: Party
    why: str
    source: str
    device: str
    count: int
    last: dt.datetime


@dataclass(frozen=True, slots=True)
class GuardPage:
    """One moment. `total` counts all bans that hold, `bans` are the newest of them."""

    now: dt.datetime
    trouble: str
    is_off: bool
    bans: list[BanRow]
    total: int
    history: list[BanRow]
    refused: list[RefusedRow]
    dropped: int
    unanswered: int
    wrong_passwords: int
    scanners: int


def read_guard() -> GuardPage:
    now = timezone.now()
    leaving = Exists(Pardon.objects.filter(ban=OuterRef("pk")))
    current = going_on(now).annotate(leaving=leaving)
    engines = Engines()
    engine = engines.first
    return GuardPage(
        now=now,
        trouble=engine_trouble(now),
        is_off=engine is not None and "guard_bans_now" not in engine.counters,
        bans=[_row(ban, now) for ban in current[:SHOWN]],
        total=current.count(),
        refused=_refused(engines.refused()),
        history=[_row(ban, now) for ban in over(now)[:HISTORY_SHOWN]],
        dropped=engines.count("guard_dropped"),
        unanswered=engines.count("guard_unanswered"),
        wrong_passwords=engines.count("credentials_wrong"),
        scanners=engines.count("guard_scanners"),
    )


def _refused(phones: list[dict[str, Any]]) -> list[RefusedRow]:
    """The phones that the engine names, with what is wrong about each."""
    if not phones:
        return []
    accounts = [split_address(phone["account"]) for phone in phones]
    found = Extension.objects.filter(number__in={number for number, _ in accounts})
    enabled = {
        (number, domain): is_enabled
        for number, domain, is_enabled in found.values_list("number", "domain__name", "enabled")
    }
    directory = Directory.of(phone["account"] for phone in phones)
    return [
        RefusedRow(
            directory.party(phone["account"], account[1]),
            _WHY[enabled.get(account)],
            phone["source"],
            phone["device"],
            phone["count"],
            dt.datetime.fromtimestamp(phone["last"], dt.UTC),
        )
        for phone, account in zip(phones, accounts, strict=True)
    ]


def _row(ban: Ban, now: dt.datetime) -> BanRow:
    is_leaving = bool(getattr(ban, "leaving", False))
    if ban.goes_on(now):
        state = states.LETTING_IN if is_leaving else states.SHUT_OUT
    else:
        state = states.BAN_LIFTED if ban.lifted_at is not None else states.BAN_OVER
    return BanRow(ban, state, is_leaving, _LENGTHS.get(ban.level, ""))
