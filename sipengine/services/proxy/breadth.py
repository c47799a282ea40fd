"""How many branches of a request there may be at once (Max-Breadth, RFC 5393 §5.3.3).

What a request came with, or 60, is divided among its branches, so that their sum is never more.
A branch that failed gives its part to those that are tried in its place.

Deviation: a request without Max-Breadth that goes to a single place gets none here; whoever forks it
later supposes the same 60. Where the breadth is not enough for the phones of a stage the answer is
440, they are not rung one after the other. A stage's phones that were cancelled as its time was over
count no more, although their last answers may still be on their way.
"""

from __future__ import annotations

from sipengine.services.proxy.targets import MAX_BREADTH, Target
from sipengine.sip.message import Message


def breadth_of(message: Message) -> int:
    """How many branches a request may have at once, 0 if it does not say (RFC 5393 §5.3)."""
    return int(message.value("Max-Breadth") or 0)


def divide(targets: list[Target], breadth: int) -> bool:
    """Give each target its part of `breadth` (0: the request did not say); false if it is too little."""
    branches = len(targets)
    if branches > (breadth or MAX_BREADTH):
        return False
    if breadth or branches > 1:
        share = (breadth or MAX_BREADTH) // branches
        for target in targets:
            target.breadth = share
    return True


def divide_again(targets: list[Target], failed: Target) -> list[Target]:
    """Those of `targets` that may take the place of one that failed, with its part divided among them."""
    breadth = failed.breadth
    kept = targets[: breadth or MAX_BREADTH]
    divide(kept, breadth)
    return kept


def breadth_line(target: Target) -> str:
    """The header line with its end, "" where none is needed."""
    return f"Max-Breadth: {target.breadth}\r\n" if target.breadth else ""
