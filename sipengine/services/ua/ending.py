"""How a session came to its end."""

from __future__ import annotations

from typing import NamedTuple


class Ending(NamedTuple):
    """`status` is the final answer to the INVITE, 200 for a session that was established.

    `by_peer` tells whether the peer ended it. `why` is a clause for people, "" for a usual end.
    """

    status: int
    by_peer: bool
    why: str = ""
