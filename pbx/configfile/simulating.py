"""What would happen to a call, told from the same decision that the engine takes (D11)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection

from pbx.enginelink import snapshot
from sipengine.api import ConfigSnapshot
from sipengine.services.routing import (
    ANSWER,
    REPLY_CONTACTS,
    REPLY_REGISTERED,
    REPLY_STATUS,
    Decision,
    Destination,
    RoutingTable,
    Stage,
)


def load_snapshot() -> ConfigSnapshot:
    """Return the configuration as the engine has it or will have it within a second."""
    connection.ensure_connection()
    return snapshot.load(connection.connection)


def split_address(text: str, snapshot: ConfigSnapshot) -> tuple[str, str]:
    """Return number and domain of `1001`, `1001@domain` or `sip:1001@domain`.

    Raises ValueError if the domain is not one of ours.
    """
    bare = text.removeprefix("sips:").removeprefix("sip:")
    number, at, domain = bare.rpartition("@")
    if not at:
        return bare, snapshot.default_domain
    if domain.lower() not in snapshot.domains:
        raise ValueError(f"{domain} is not a domain of this server, so no rule is asked.")
    return number, domain.lower()


def as_json(caller: str, called: str, at: datetime, decision: Decision) -> dict[str, Any]:
    return {
        "from": caller,
        "to": called,
        "at": at.isoformat(),
        "decision": decision.kind,
        "rule": decision.rule,
        "status": decision.status,
        "reason": decision.reason,
        "contacts": list(decision.contacts),
        "feature": decision.feature.name if decision.feature is not None else "",
        "follow_redirects": decision.follow_redirects,
        "stages": _stages(decision.stage),
        "trace": list(decision.steps),
    }


def tell(decision: Decision) -> Iterator[str]:
    """Yield every rule that was tried, then what happens."""
    yield from decision.steps
    if decision.kind == REPLY_STATUS:
        yield f"The caller gets {decision.status} {decision.reason}."
    elif decision.kind == REPLY_CONTACTS:
        yield f"The caller is told to call {', '.join(decision.contacts)} (302)."
    elif decision.kind == REPLY_REGISTERED and decision.stage is not None:
        names = ", ".join(_shown(one) for one in decision.stage.destinations)
        yield f"The caller is told where the phones of {names} are registered (302)."
    elif decision.kind == ANSWER:
        yield "The telephone system answers the call itself."
    elif decision.stage is not None:
        yield from _told(decision.stage, "Then")


def decide(snapshot: ConfigSnapshot, called: str, domain: str) -> Decision:
    return RoutingTable(snapshot).decide(called, domain)


def _told(stage: Stage, when: str) -> Iterator[str]:
    names = ", ".join(_shown(one) for one in stage.destinations)
    yield f"{when}: ring {names} for at most {stage.timeout} s."
    for condition, onward in stage.onward:
        words = {"any": "If nobody answers", "busy": "If busy", "no_answer": "If no answer"}
        yield from _told(onward, words.get(condition, condition))


def _shown(destination: Destination) -> str:
    where = destination.aor or destination.uri
    return f"{where} ({destination.name})" if destination.name else where


def _stages(stage: Stage | None) -> list[dict[str, Any]]:
    """List a stage and those that it may lead to, each with the condition that leads there."""
    return [] if stage is None else list(_walk(stage, ""))


def _walk(stage: Stage, condition: str) -> Iterator[dict[str, Any]]:
    yield {
        "when": condition,
        "ring": [one.aor or one.uri for one in stage.destinations],
        "timeout": stage.timeout,
    }
    for word, onward in stage.onward:
        yield from _walk(onward, word)
