"""Once a second: what was dropped to the log, a new certificate, the heartbeat, the garbage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic, time
from typing import Final

import structlog

from sipengine.interpreter import collect as collect_garbage
from sipengine.link_port import LinkPort
from sipengine.net.certificates import Certificates
from sipengine.net.endpoint import Endpoint
from sipengine.net.facts import FactsBeat
from sipengine.observe.logs import Scarce
from sipengine.observe.undurable import Undurable
from sipengine.services.core import Core

STATUS_S: Final = 5.0
"""Between two heartbeats in the status row; health calls an engine late after three."""

TICK_S: Final = 1.0

COLLECT_S: Final = 30.0
"""Between full garbage collections while there is leisure for them."""

COLLECT_LATEST_S: Final = 600.0
"""Without any leisure one comes all the same: who closes many connections leaves some kB of each."""

LEISURE: Final = 5_000
"""Transactions that linger, at most: a collection looks at each for some 4 µs, 20 ms in all."""


class Heartbeat:
    """`counters()` are all numbers of this process, `generation` that of the configuration in use."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        core: Core,
        endpoint: Endpoint,
        facts: FactsBeat,
        link: LinkPort,
        certificates: Certificates | None,
        counters: Callable[[], dict[str, int | float]],
        generation: int,
    ) -> None:
        self._loop = loop
        self._core = core
        self._endpoint = endpoint
        self._facts = facts
        self._link = link
        self._certificates = certificates
        self._counters = counters
        self.generation = generation
        self.undurable = Undurable()
        self._dropped = Scarce()
        self._log = structlog.get_logger()
        self.pause = 0.0
        """Seconds that the latest garbage collection took."""
        self._ticking: asyncio.TimerHandle | None = None
        self._status_due = 0.0
        self._collect_due = monotonic() + COLLECT_S

    def start(self) -> None:
        self._tick()

    def stop(self) -> None:
        """Nothing more, if it has started."""
        if self._ticking is not None:
            self._ticking.cancel()

    def _tick(self) -> None:
        self._ticking = self._loop.call_later(TICK_S, self._tick)
        core = self._core
        for reason, peer, beginning in core.take_drops():
            self._dropped.warning("message dropped", why=reason, peer=peer, beginning=beginning)
        self._refresh_certificates()
        now = monotonic()
        if step := core.process.see_clock(now, time()):
            self._log.warning("the clock was set", by_s=round(step, 1))
            self._endpoint.settle(now)
        self.undurable.look(self._facts.commits)
        if now >= self._status_due:
            self._status_due = now + STATUS_S
            core.traces.sweep(now)
            refused = core.refused.phones(now)
            self._link.publish_status(self._counters(), self.generation, refused)
        if now >= self._collect_due:
            self._collect(now)

    def _collect(self, now: float) -> None:
        lingering = self._core.counters()["transactions_now"]
        if lingering <= LEISURE or now >= self._collect_due + COLLECT_LATEST_S:
            self.pause = collect_garbage()
            self._collect_due = now + COLLECT_S

    def _refresh_certificates(self) -> None:
        if self._certificates is None:
            return
        told = self._certificates.refresh()
        if told == "changed":
            self._log.info("certificate changed")
        elif told:
            self._log.warning("certificate not changed", why=told)
