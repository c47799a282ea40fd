"""The sentence that tells what became of a call, for people who never heard of SIP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipengine.sip.status import reason_phrase

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


def explain(call: Call, why: str = "") -> str:
    """One or two plain sentences about an ended call. `why` is a clause that the result lacks."""
    caller = person(call, call.caller) or "Someone"
    called = call.called
    if call.rule:
        called = f"{called} (rule “{call.rule}”)"
    if call.result == "answered":
        who = person(call, call.answered_by)
        after = duration(call.answered - call.started)
        until = call.parts[0].started if call.parts else call.ended
        talked = duration(until - call.answered)
        text = (
            f"{caller} called {called}. {who} answered after {after} and they talked for {talked}."
            f"{''.join(_transfer(part) for part in call.parts)}"
        )
        if call.hangup_by == "caller":
            return f"{text} The caller hung up."
        if call.hangup_by == "callee":
            return f"{text} The called party hung up."
        return f"{text} The call was closed because {why}." if why else text
    text = f"{caller} called {called}"
    if call.result == "cancelled":
        waited = duration(call.ended - call.started)
        return f"{text} and hung up after {waited}, before anyone answered."
    if call.result == "busy":
        return f"{text}. {_who(call, 'busy') or 'The called party'} was busy."
    if call.result == "declined":
        return f"{text}. {_who(call, 'declined') or 'The called party'} declined the call."
    if call.result == "no_answer":
        rang = duration(call.ended - call.started)
        return f"{text}. {_everyone(call) or 'Nobody'} did not answer within {rang}."
    if call.result == "redirected":
        return f"{text} and was told to call {why} instead."
    return f"{text}. The call failed: {why or f'{call.status} {reason_phrase(call.status)}'}."


def _transfer(part: Call) -> str:
    """What became of one transfer of a call, a sentence with a blank before it."""
    by = person(part, part.transferred_by) or "Someone"
    aor = f"{part.called}@{part.domain}"
    text = f" {by} transferred {person(part, part.caller)} to {person(part, aor)}"
    if part.answered:
        whom = ", who answered"
        if part.answered_by != aor:
            whom = f", where {person(part, part.answered_by)} answered"
        return f"{text}{whom} and talked for {duration(part.ended - part.answered)}."
    words = {"busy": "who was busy", "declined": "who declined", "no_answer": "who did not answer"}
    return f"{text}, {words.get(part.result, 'which failed')}."


def number(address: str) -> str:
    """The part of an AOR or URI that people know: what stands before the @."""
    return address.removeprefix("sip:").removeprefix("sips:").partition("@")[0] or address


def person(call: Call, address: str) -> str:
    """`Alice Adams (1001)`, or just the number of somebody without a name."""
    name = call.owner.name_of(address)
    known = number(address)
    return f"{name} ({known})" if name and name != known else known


def _who(call: Call, result: str) -> str:
    people = (person(call, leg.target) for leg in call.legs if leg.result == result)
    return " and ".join(dict.fromkeys(people))


def _everyone(call: Call) -> str:
    names = list(dict.fromkeys(person(call, leg.target) for leg in call.legs))
    if len(names) > 3:
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
