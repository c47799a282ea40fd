"""What a `sips:` Request-URI asks for: TLS on every hop, the last one included (RFC 5630 §5.3).

Deviation: a phone that registered a `sip:` contact over TLS or a secure WebSocket is rung, too. Hardly
any phone registers `sips:`, and what is promised to the caller, TLS all the way, is kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sipengine.services.routing import Decision, Stage
from sipengine.sip.flow import SECURE

if TYPE_CHECKING:
    from sipengine.services.proxy.targets import Target

NOT_ALLOWED: Final = 'Warning: 380 branchline "SIPS Not Allowed"'
PREFIX: Final = "sips:"


def secured(decision: Decision) -> Decision:
    """The same, by TLS alone. What a 3xx says is left to the caller, who may not be led elsewhere."""
    if decision.stage is None:
        return decision
    stage = _secured_stage(decision.stage)
    told = "The caller wants TLS all the way (sips:), so only phones that are reached by it ring."
    steps = (*decision.steps, told)
    return replace(decision, stage=stage, follow_redirects=False, steps=steps)


def _secured_stage(stage: Stage) -> Stage:
    destinations = tuple(replace(one, secure=True) for one in stage.destinations)
    onward = tuple((condition, _secured_stage(after)) for condition, after in stage.onward)
    return replace(stage, destinations=destinations, onward=onward)


def is_secure(target: Target) -> bool:
    """Whether TLS leads there."""
    flow, hop = target.flow, target.hop
    if flow is not None:
        return flow.transport in SECURE
    return hop is not None and (hop.secure or hop.transport == "TLS")


def as_sips(uri: str) -> str:
    """A contact as a `sips:` request names it (RFC 5630 §5.3): `transport=tls` does not fit there."""
    rest = uri.partition(":")[2]
    kept = [part for part in rest.split(";") if part.lower() != "transport=tls"]
    return PREFIX + ";".join("transport=ws" if p.lower() == "transport=wss" else p for p in kept)


def as_sip(uri: str) -> str:
    """A `sips:` contact as a `sip:` request names it (RFC 5630 §5.3), which goes there by TLS, too."""
    return "sip:" + uri[len(PREFIX) :]
