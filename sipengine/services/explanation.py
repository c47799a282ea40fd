"""The sentence that tells what became of a call, for people who never heard of SIP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipengine.services.explained_legs import forwards, outcomes, sentence, who_rang
from sipengine.services.people import duration, person
from sipengine.sip.status import reason_phrase

if TYPE_CHECKING:
    from sipengine.services.call import Call


def explain(call: Call, why: str = "") -> str:
    """A few plain sentences about an ended call. `why` is a clause that the result lacks."""
    caller = person(call, call.caller) or "Someone"
    called = call.called
    if call.rule:
        called = f"{called} (rule “{call.rule}”)"
    text = f"{caller} called {called}"
    if call.diverted:
        text = f"{text}. {forwards(call)}"
    if call.result == "answered":
        who = person(call, call.answered_by)
        after = duration(call.answered - call.started)
        until = call.parts[0].started if call.parts else call.ended
        talked = duration(until - call.answered)
        text = (
            f"{text}. {who} answered after {after} and they talked for {talked}."
            f"{''.join(_transfer(part) for part in call.parts)}"
        )
        if call.mended:
            text = f"{text} Its media gateway failed meanwhile, and the call went on by another."
        if call.hangup_by == "caller":
            return f"{text} The caller hung up."
        if call.hangup_by == "callee":
            return f"{text} The called party hung up."
        return f"{text} The call was closed because {why}." if why else text
    told = f"{text}. The caller" if call.diverted else f"{text} and"
    if call.result == "redirected":
        return f"{told} was told to call {why} instead."
    waited = duration(call.ended - call.started)
    if call.result == "cancelled":
        ringing = who_rang(call)
        told = f"{told} hung up after {waited}, before anyone answered"
        return f"{told}; {ringing}." if ringing else f"{told}."
    plainly = {
        "busy": "The called party was busy",
        "declined": "The called party declined the call",
        "no_answer": f"Nobody answered within {waited}",
    }
    why = why or outcomes(call)
    if call.result in plainly:
        return f"{text}. {sentence(why or plainly[call.result])}"
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
