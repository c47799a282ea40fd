"""Where the answers to a request go (RFC 3261 §18.2, RFC 3581)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from sipengine.services.ports import Flows
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.via import parse_via

_USUAL_HEAD: Final = re.compile(
    r"Via: SIP/2\.0/(?:UDP|TCP|TLS|WSS?) (?P<sent_by>[A-Za-z0-9._-]+:[0-9]{1,5})"
)
"""A top Via up to its parameters as nearly every phone writes it; others go the long way."""
_MOST_HEADS: Final = 16_384
"""Of them remembered, 3 MB at most; what is not among them is looked at each time."""
_RPORT: Final = re.compile(r"\s*;\s*rport\s*=?\s*(?=[;,]|$)", re.IGNORECASE)


class _Heads(dict[str, str]):
    """What stands before the branch in a top Via -> its sent-by, "" if it is not as usual.

    One phone writes the same in all that it sends.
    """

    def __missing__(self, head: str) -> str:
        usual = _USUAL_HEAD.fullmatch(head)
        sent_by = "" if usual is None else usual["sent_by"]
        if sent_by and len(self) < _MOST_HEADS:
            self[head] = sent_by
        return sent_by


_HEADS: Final[dict[str, str]] = _Heads()


scanned: Callable[[str], tuple[str, str] | None] | None
"""The compiled twin of `read_usual_via`, where there is one."""
try:
    from sipengine.sip.scanner import usual_via as scanned
except ImportError:
    scanned = None


def usual_via(line: str) -> tuple[str, str] | None:
    """(sent-by, branch) of a top Via with nothing else but perhaps an empty rport behind them."""
    if scanned is not None:
        parts = scanned(line)
        if parts is not None:
            return parts
    return read_usual_via(line)


def read_usual_via(line: str) -> tuple[str, str] | None:
    """The reference: `usual_via` without the compiled scanner."""
    head, _, parameters = line.partition(";branch=")
    branch, more, rport = parameters.partition(";")
    sent_by = _HEADS[head]
    odd = not branch.isprintable() or " " in branch or "," in branch or '"' in branch
    if odd or not sent_by or not branch or (more and rport != "rport"):
        return None
    return sent_by, branch


def reply_path(message: Message, flow: Flow, flows: Flows) -> tuple[Flow, str, str]:
    """Note in the top Via where the request came from (§18.2.1, RFC 3581 §4).

    Returns the flow that answers take (§18.2.2), and the branch and sent-by of that Via.
    Raises `RemoteProtocolError` 400 if the Via is none.
    """
    line = message.via_line
    host, port = flow.remote
    usual = usual_via(line)
    if usual is None:
        value = line.partition(":")[2].strip()
        first = value.partition(",")[0]
        via = parse_via(first)
        sent_by, branch = via.sent_by, via.branch
        wants_rport = via.parameters.get("rport") == ""
        same_host = via.host == host
        bare = _RPORT.sub("", first, count=1) if wants_rport else first
        head, rest = f"Via: {bare}", value[len(first) :]
        message.via_line = f"{head}{rest}"
    else:
        sent_by, branch = usual
        wants_rport = line.endswith(";rport")
        head, rest = (line[:-6] if wants_rport else line), ""
        same_host = wants_rport or sent_by.rpartition(":")[0] == host
    if wants_rport:
        message.via_line = f"{head};received={host};rport={port}{rest}"
        return flow, branch, sent_by
    if not same_host:
        message.via_line = f"{head};received={host}{rest}"
    if flow.reliable:
        return flow, branch, sent_by
    _, colon, given = sent_by.rpartition(":")
    wanted = int(given) if colon and given.isdigit() else 5060
    if wanted > 65535:
        raise RemoteProtocolError(400, "Bad Request: broken Via header")
    if wanted != port:
        return flows.flow_to("UDP", host, wanted), branch, sent_by
    return flow, branch, sent_by
