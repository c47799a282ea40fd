"""What became of a call, in the call log's words."""

from __future__ import annotations

from sipengine.services.calls import Call
from sipengine.services.explanation import number, person
from sipengine.sip.address import parse_address, readable
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.parser import parse


def why_not(call: Call, status: int, rang: bool, unanswered: str) -> str:
    """A clause for a failure that is our own answer; `rang`: a phone was found to ring.

    `unanswered` is one for servers that did not answer, or "".
    """
    names = " and ".join(dict.fromkeys(person(call, leg.target) for leg in call.legs))
    if status == 480 and not rang:
        return f"{names or 'the called party'} has no phone registered"
    if status in (408, 500) and unanswered:
        return unanswered
    if status == 500:
        return f"the phone of {names} could not be reached"
    if status == 408:
        return f"the phone of {names} gave no sign of life"
    return ""


def new_addresses(response: bytes) -> str:
    """The numbers that a 3xx tells the caller to call."""
    found = []
    for contact in parse(response).all("Contact")[:3]:
        try:
            found.append(number(readable(parse_address(contact).uri_text)))
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
    if status == 487:
        return "cancelled"
    return "redirected" if status < 400 else "failed"
