"""How our user agent refuses a request (RFC 3261 §8.2, §21.4)."""

from __future__ import annotations

from sipengine.services.ua.composing import EXTENSIONS, METHODS, SDP, Headers, answer
from sipengine.services.ua.session_timer import MIN_SE
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message


def refusal(message: Message, error: RemoteProtocolError, to_tag: str = "") -> bytes:
    """The answer that says what is wrong with a request."""
    headers = refusal_headers(message, error.status)
    return answer(message, error.status, headers, to_tag=to_tag, reason=error.reason)


def refusal_headers(message: Message, status: int) -> Headers:
    """The header that an answer with this status wants."""
    if status in (405, 501):
        return [("Allow", METHODS)]
    if status == 415:
        return [("Accept", SDP), ("Accept-Encoding", "identity")]
    if status == 420:
        unknown = [one for one in message.all("Require") if one.lower() not in EXTENSIONS]
        return [("Unsupported", ", ".join(unknown))]
    if status == 422:
        return [("Min-SE", str(MIN_SE))]
    if status == 489:
        return [("Allow-Events", "refer")]  # RFC 6665 §4.2.1.1
    if status == 488:
        return [("Warning", '305 branchline "Incompatible media format"')]
    return [("Retry-After", "5")] if status in (500, 503) else []
