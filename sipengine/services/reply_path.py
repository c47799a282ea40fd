"""Where the answers to a request go (RFC 3261 §18.2, RFC 3581)."""

from __future__ import annotations

import re
from typing import Final

from sipengine.services.ports import Flows
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.via import parse_via

_USUAL_VIA: Final = re.compile(
    r"Via: SIP/2\.0/(UDP|TCP|TLS|WSS?) ([A-Za-z0-9._-]+:[0-9]{1,5});branch=([^;,\s\"]+)(;rport(?=[;,]|$))?"
)
"""A top Via as nearly every phone writes it; others go the long way."""
_RPORT: Final = re.compile(r"\s*;\s*rport\s*=?\s*(?=[;,]|$)", re.IGNORECASE)


def reply_path(message: Message, flow: Flow, flows: Flows) -> tuple[Flow, str, str]:
    """Note in the top Via where the request came from (§18.2.1, RFC 3581 §4).

    Returns the flow that answers take (§18.2.2), and the branch and sent-by of that Via.
    Raises `RemoteProtocolError` 400 if the Via is none.
    """
    line = message.via_line
    host, port = flow.remote
    usual = _USUAL_VIA.match(line)
    if usual is not None and (usual[4] is not None or "rport" not in line.lower()):
        sent_by, branch, wants_rport = usual[2], usual[3], usual[4] is not None
        same_host = sent_by.rpartition(":")[0] == host
        end = usual.end(3)
        rest = usual.end(4) if wants_rport else end
    else:
        value = line.partition(":")[2].strip()
        first = value.partition(",")[0]
        via = parse_via(first)
        sent_by, branch = via.sent_by, via.branch
        wants_rport = via.parameters.get("rport") == ""
        same_host = via.host == host
        bare = _RPORT.sub("", first, count=1) if wants_rport else first
        message.via_line = line = f"Via: {bare}{value[len(first) :]}"
        end = rest = len("Via: ") + len(bare)
    if wants_rport:
        message.via_line = f"{line[:end]};received={host};rport={port}{line[rest:]}"
        return flow, branch, sent_by
    if not same_host:
        message.via_line = f"{line[:end]};received={host}{line[end:]}"
    if flow.reliable:
        return flow, branch, sent_by
    _, colon, given = sent_by.rpartition(":")
    wanted = int(given) if colon and given.isdigit() else 5060
    if wanted > 65535:
        raise RemoteProtocolError(400, "Bad Request: broken Via header")
    if wanted != port:
        return flows.flow_to("UDP", host, wanted), branch, sent_by
    return flow, branch, sent_by
