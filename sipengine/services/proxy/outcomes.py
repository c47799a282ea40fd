"""What a final response means: for the stages of a call, and in the words of the call log."""

from __future__ import annotations

from sipengine.services.call import Call
from sipengine.services.people import to_dial
from sipengine.services.proxy.best_response import BestResponse
from sipengine.services.proxy.branch import Branch
from sipengine.services.proxy.targets import Target
from sipengine.services.routing import ANY, BUSY, NO_ANSWER, Stage
from sipengine.sip.address import parse_address, readable
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.parser import parse


def new_addresses(call: Call, response: bytes) -> str:
    """The numbers that a 3xx tells the caller to call."""
    found = []
    for contact in parse(response).all("Contact")[:3]:
        try:
            found.append(to_dial(readable(parse_address(contact).uri_text), call.domain))
        except RemoteProtocolError:
            continue  # it went back as it was: whether it is any use is for the caller to see
    return ", ".join(found) or "another address"


def result_of(status: int) -> str:
    """The call log's word for a final status."""
    if status in (486, 600):
        return "busy"
    if status in (603, 607, 608):
        return "declined"
    if status in (408, 480):
        return "no_answer"
    return "redirected" if status < 400 else "failed"


def leg_result(branch: Branch, status: int, done: bool) -> str:
    """The call log's word for a branch that ended; `done`: the call was answered before."""
    if not branch.cancel_wanted:
        return result_of(status)
    return "elsewhere" if done else "no_answer" if branch.given_up else "cancelled"


def leg_failed(
    call: Call, branch: Branch, status: int, data: bytes, done: bool, now: float
) -> None:
    """A branch of `call` ended with `data`, the phone's own answer, or b"" without any."""
    leg = branch.leg
    if leg is not None:
        leg.phrase = _phrase(data)
        result = leg_result(branch, status, done or bool(call.answered))
        if status == 487 and call.left:  # RFC 5407 §3.1.3: its caller ended it by BYE
            result = "cancelled"
        call.leg_ended(leg, status, result, now)


def _phrase(response: bytes) -> str:
    """The reason phrase of a response, short enough for a sentence; "" of no response."""
    if not response:
        return ""
    line = response[: response.index(b"\r\n")][12:92].decode("utf-8", "replace")
    if not line.isprintable():
        line = "".join(char for char in line if char.isprintable())
    return line.strip() or "without a reason"


def condition_of(status: int) -> str:
    """Which onward way a failed stage takes: BUSY, NO_ANSWER, or "" for one that is neither."""
    if status in (486, 600, 603):
        return BUSY
    return NO_ANSWER if status in (408, 480, 404, 410, 503) else ""


def stage_after(stage: Stage, status: int, timed_out: bool) -> Stage | None:
    """The stage to ring after one that failed with `status`; None if the caller is to be answered.

    After a 6xx nobody else is asked (RFC 3261 §16.7 step 5), but the busy forward is ours.
    """
    outcome = NO_ANSWER if timed_out else condition_of(status)
    if status >= 600 and (outcome != BUSY or (stage.onward and stage.onward[0][0] == ANY)):
        return None
    return stage.after(outcome)


def note_unreachable(call: Call, stage: Stage, now: float) -> None:
    """Have the log say that nobody of a stage could be called."""
    for destination in stage.destinations:
        leg = call.leg_started(destination.aor or destination.uri, "", "", now)
        call.leg_ended(leg, 480, "failed", now)


def note_absent(call: Call, stage: Stage, targets: list[Target], now: float) -> None:
    """Have the log say who of a group that rings has no phone registered."""
    called = {target.name for target in targets}
    for destination in stage.destinations:
        name = destination.aor or destination.uri
        if name not in called:
            call.leg_ended(call.leg_started(name, "", "", now), 480, "failed", now)


def rang(call: Call) -> bool:
    """Whether the call went to any phone at all."""
    return any(leg.contact for leg in call.legs)


def finish(call: Call, result: str, status: int, data: bytes, why: str, now: float) -> None:
    """Close the call's row after the final answer `data`, b"" for one of our own.

    Not if somebody else has answered in place of who rang (RFC 3891): the call goes on.
    """
    if call.answered:
        return
    if status == 480 and not rang(call):
        result = "failed"
    if status == 487 and call.left:
        result = "cancelled"
    if result == "redirected":
        why = new_addresses(call, data)
    by = "caller" if result == "cancelled" else "callee" if data else "system"
    call.finish(result, status, by, now, why)


def own_status(status: int, best: BestResponse, unanswered: str, media: str) -> int:
    """The status of an answer that is our own, where §16.7 step 6 leads to `status`, 0 for none.

    A registered phone that cannot be reached is away: 480 says that on the caller's display, where
    the 500 of §16.9 would say that this server is broken. Servers outside (`unanswered`) keep it.
    """
    if status == 500 and media:
        return 503
    if status == 500 and best.unreached and not unanswered:
        return 480
    return status or 480


def why_failed(status: int, unanswered: str, media: str) -> str:
    """A clause for an answer that is our own, "" where what its phones did tells it.

    `unanswered` is one for servers that were not reached, `media` for media that were not carried.
    """
    if media and status in (488, 503):
        return f"its media could not be carried: {media}"
    return unanswered if status in (408, 500) else ""
