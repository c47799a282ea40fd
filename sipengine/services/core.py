"""The transaction user above everything: takes each message where it belongs.

The shell's side of the contract:
- `receive(data, flow, now)` for every datagram and every framed stream message; it never raises
  for anything a peer sends. Afterwards send what is in `out` (in order) and clear it.
- If `facts_waiting` is true, within about 10 ms: `facts, held = take_facts(wall)`, make the facts
  durable, then send `held`. If that fails, call `facts_lost(held, now)`, which answers 503 instead.
- One timer: after each call look at `next_timer()` (monotonic seconds or None) and call
  `handle_timers(now)` then; `out` may be full afterwards.
- `flow_failed(flow, now)` when a connection closed or could not be made, or a datagram bounced.
"""

from __future__ import annotations

from sipengine.api import BindingRecord, CallRecord, ConfigSnapshot, Fact
from sipengine.services.ports import Flows
from sipengine.sip.flow import Flow


class Core:
    """Registrar, location service, proxy and redirect server, without loop, socket or clock.

    `now` is monotonic seconds, `wall` seconds since 1970. `secret` (>= 16 bytes) signs nonces and
    Record-Routes and lasts over restarts. `listening` are the (transport, host, port) that this
    server answers at, `advertised` the address that phones are told.
    """

    def __init__(
        self,
        snapshot: ConfigSnapshot,
        flows: Flows,
        *,
        secret: bytes,
        instance: str,
        listening: list[tuple[str, str, int]],
        advertised: tuple[str, int],
        now: float,
        wall: float,
    ) -> None:
        self.out: list[tuple[Flow, bytes]] = []
        self.facts_waiting = False

    def receive(self, data: bytes, flow: Flow, now: float) -> None: ...

    def flow_failed(self, flow: Flow, now: float) -> None: ...

    def next_timer(self) -> float | None: ...

    def handle_timers(self, now: float) -> None: ...

    def take_facts(self, wall: float) -> tuple[list[Fact], list[tuple[Flow, bytes]]]: ...

    def facts_lost(self, held: list[tuple[Flow, bytes]], now: float) -> None: ...

    def set_config(self, snapshot: ConfigSnapshot, now: float) -> None: ...

    def restore(
        self, bindings: list[BindingRecord], calls: list[CallRecord], now: float, wall: float
    ) -> None: ...

    def counters(self) -> dict[str, int]: ...

    def take_drops(self) -> list[tuple[str, str, bytes]]:
        """(reason, peer, first bytes) of messages dropped since last asked; at most a few samples."""
        ...
