"""What `apply` did, in a few lines."""

from __future__ import annotations

from collections.abc import Iterator

from pbx.configfile.applying import Outcome


def tell(outcome: Outcome, *, dry_run: bool) -> Iterator[str]:
    """Yield the lines for the user; one line if there was nothing to do."""
    if not outcome.changed:
        yield "There is nothing to change."
        return
    if dry_run:
        yield "This would be done (nothing was changed):"
    plan = outcome.plan
    if outcome.domain_words:
        yield f"{outcome.domain_words}."
    if plan.mode is not None:
        words = "relays calls" if plan.mode == "proxy" else "tells callers where to go"
        yield f"Mode: {plan.mode}; the domain {words}."
    if plan.calls is not None:
        timer, asserted = plan.calls.session_timer, plan.calls.assert_identity
        timed = f"confirmed every {timer} s" if timer else "confirmed as the phones like"
        named = "named for certain" if asserted else "named by their phones"
        yield f"Calls: {timed}; callers are {named}; {len(plan.calls.trusted)} trusted servers."
    counts = [
        (len(plan.added_extensions), "added"),
        (plan.touched_extensions, "changed"),
        (len(plan.removed_extensions), "removed"),
    ]
    if any(count for count, _ in counts):
        yield f"Extensions: {_listed(counts)}."
    counts = [
        (len(plan.added_rules), "added"),
        (len(plan.changed_rules), "changed"),
        (len(plan.removed_rules), "removed"),
    ]
    if any(count for count, _ in counts):
        yield f"Rules: {_listed(counts)}."
    elif plan.rule_order is not None:
        yield "Rules: put in the file's order."


def _listed(counts: list[tuple[int, str]]) -> str:
    return ", ".join(f"{count} {word}" for count, word in counts if count)
