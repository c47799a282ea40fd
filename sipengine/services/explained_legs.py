"""What became of each person whom a call rang, in words for the call log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipengine.services.people import duration, person, several
from sipengine.services.refusals import meaning

if TYPE_CHECKING:
    from sipengine.services.call import Call
    from sipengine.services.leg import Leg

_ORDER: Final = ("busy", "declined", "no_answer", "failed")
"""Of several phones of one person the first of these tells most."""


def outcomes(call: Call) -> str:
    """What became of everybody it ended with, a clause; "" if nobody was asked. Who forwarded the
    call is left out: `forwards` tells of them."""
    forwarded = {one.aor for one in call.diverted}
    targets = dict.fromkeys(leg.target for leg in call.legs if leg.target not in forwarded)
    words: dict[tuple[str, str], list[str]] = {}
    for target in targets:
        said = _words(call, target)
        if said is not None:
            words.setdefault(said, []).append(person(call, target))
    clauses = [
        (one if len(people) == 1 else more).format(several(people))
        for (one, more), people in words.items()
    ]
    return several(clauses)


def forwards(call: Call) -> str:
    """The forwards that the call came by, sentences without the last full stop."""
    told = []
    for one in call.diverted:
        aor = one.to if "@" in one.to or ":" in one.to else f"{one.to}@{call.domain}"
        who, to = person(call, one.aor), person(call, aor)
        if one.cause == 302:
            told.append(f"{who} forwards every call to {to}")
            continue
        said = _words(call, one.aor)
        why = f"{who} was busy" if one.cause == 486 else f"{who} did not answer"
        told.append(
            f"{_capital(why if said is None else said[0].format(who))}, so it went on to {to}"
        )
    return ". ".join(told)


def who_rang(call: Call) -> str:
    """Who was ringing when the caller gave up, a clause; "" if nobody was to be rung."""
    ringing = [leg for leg in call.legs if leg.ringing and leg.result in ("cancelled", "ringing")]
    people = list(dict.fromkeys(person(call, leg.target) for leg in ringing))
    if people:
        return f"{several(people)} {'was' if len(people) == 1 else 'were'} ringing"
    return "no phone had begun to ring" if call.legs else ""


def sentence(clause: str) -> str:
    return f"{_capital(clause)}."


def _capital(clause: str) -> str:
    return clause[:1].upper() + clause[1:] if clause.startswith("the ") else clause


def _words(call: Call, target: str) -> tuple[str, str] | None:
    """What one person's phones did: a clause for one such person and one for several, {} in place of
    the names. None if there is nothing to say."""
    legs = [leg for leg in call.legs if leg.target == target and leg.result in _ORDER]
    if not legs:
        return None
    leg = min(legs, key=_rank)
    if leg.result == "busy":
        return "{} was busy", "{} were busy"
    if leg.result == "declined":
        return "{} declined the call", "{} declined the call"
    if not leg.contact:
        return "{} has no phone registered", "{} have no phone registered"
    time = duration(leg.ended - leg.started)
    if leg.ringing and leg.result == "no_answer":
        return _both("", f"did not answer within {time}")
    if leg.result == "no_answer" and leg.phrase:
        return (
            f"{{}} was not available ({_quoted(leg)})",
            f"{{}} were not available ({_quoted(leg)})",
        )
    whose = "" if ":" in target else "the phone{} of "
    if leg.result == "no_answer":
        return _both(whose, f"gave no sign of life within {time}")
    if not leg.phrase:
        return _both(whose, "could not be reached")
    because = meaning(leg.status)
    return _both(whose, f"refused the call ({_quoted(leg)})" + (f": {because}" if because else ""))


def _both(whose: str, did: str) -> tuple[str, str]:
    """The clause for one person and for several."""
    return f"{whose.format('')}{{}} {did}", f"{whose.format('s')}{{}} {did}"


def _rank(leg: Leg) -> tuple[int, bool, bool]:
    return _ORDER.index(leg.result), not leg.ringing, not leg.contact


def _quoted(leg: Leg) -> str:
    """What the phone said itself; braces would be taken for places of names."""
    return f"{leg.status} {leg.phrase}".replace("{", "(").replace("}", ")")
