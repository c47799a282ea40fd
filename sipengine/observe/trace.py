"""A call's messages as they are told to who asks: JSON, without secrets.

    {"since": 1800000000.0, "messages": [
        {"at": 1800000001.5, "received": true, "transport": "UDP", "peer": "192.0.2.7:5060",
         "local": "192.0.2.1:5060", "again": false, "text": "INVITE sip:1002@... \n..."},
        {"at": 1800000009.0, "missing": 12}, ...]}

Times are seconds since 1970; `since` is when the engine began to keep messages. `again` marks what
was sent or came before, byte for byte. `missing` stands for messages that were not kept.
"""

from __future__ import annotations

import json
from typing import Final

from sipengine.observe.messages import readable
from sipengine.services.traces import call_id_of
from sipengine.sip.trace import Traced

MOST_BYTES: Final = 512 * 1024
"""Of messages told at once: four calls of the largest that is kept."""

Gathered = list[tuple[list[Traced], int, int]]
"""For each Call-ID its messages, how many are missing, and after how many of them."""


def told(gathered: Gathered, since: float, offset: float) -> str:
    """The answer; `offset` makes wall-clock time of the messages'."""
    rows: list[tuple[float, dict[str, object]]] = []
    seen: set[tuple[bool, int, bytes]] = set()
    size = left_out = 0
    for messages, missing, gap in gathered:
        for place, one in enumerate(messages):
            if missing and place == gap:
                rows.append((one.at, {"at": one.at + offset, "missing": missing}))
            if size + len(one.data) > MOST_BYTES:
                left_out += 1
                continue
            size += len(one.data)
            key = one.received, id(one.flow), one.data
            rows.append((one.at, _row(one, key in seen, offset)))
            seen.add(key)
    rows.sort(key=lambda row: row[0])  # stable: what was sent stays behind what made us send it
    if left_out:
        rows.append((0.0, {"at": rows[-1][1]["at"], "missing": left_out}))
    return json.dumps({"since": since, "messages": [row for _, row in rows]}, ensure_ascii=False)


def _row(one: Traced, again: bool, offset: float) -> dict[str, object]:
    flow = one.flow
    return {
        "at": one.at + offset,
        "received": one.received,
        "transport": flow.transport,
        "peer": _address(flow.remote),
        "local": _address(flow.local),
        "again": again,
        "text": readable(one.data),
    }


def _address(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def of_call(messages: list[Traced], call_id: str) -> list[Traced]:
    """Without what another Call-ID has: it was sent because of this call, but is not of it."""
    return [one for one in messages if call_id_of(one.data) == call_id]
