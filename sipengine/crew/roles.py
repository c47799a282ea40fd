"""What one process is to the engine: all of it, its owner, or one of its workers
(docs/decisions/0017-worker-processes.md). The composition root makes one and hands it what it has made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from sipengine.commands import Commands
from sipengine.crew.bans import HeardBans, OwnBans
from sipengine.crew.bindings import HeardBindings, ToldBindings
from sipengine.crew.connections import OwnConnections, RemoteConnections
from sipengine.crew.door import OwnerDoor, WorkerDoor
from sipengine.crew.hub import Hub
from sipengine.crew.lamps import CallsForLamps, Lamps
from sipengine.crew.member import RETRY_S, Member
from sipengine.crew.traces import TraceQuestions, answer_trace_questions
from sipengine.net.addresses import both_families
from sipengine.net.endpoint import Door, Endpoint
from sipengine.net.flows import Ways
from sipengine.services.core import Core
from sipengine.services.replica import Replica
from sipengine.services.share import Share

JOIN_S: Final = 3 * RETRY_S
"""For workers that run while the owner starts again: they look for it so often. When all start they are
not there yet, and nobody waits longer for that."""


class Role(Protocol):
    """`share` is what the core is to know of it, `ways` the connections where they are another
    process's. Order: `attach`, `open`, `complete`, `close`."""

    @property
    def share(self) -> Share | None: ...
    @property
    def ways(self) -> Ways | None: ...

    def attach(self, core: Core, endpoint: Endpoint) -> Door | None:
        """Join it to what was made; returns where messages are to come in, None for the core itself."""
        ...

    def open(self) -> None:
        """Begin to speak with the other processes. Raises OSError."""
        ...

    async def complete(self) -> None:
        """Wait until all is known that messages need."""
        ...

    def command(self, commands: Commands) -> None:
        """Take commands from outside, if they are this process's to take."""
        ...

    def close(self) -> None: ...
    def counters(self) -> dict[str, int]: ...


class Alone:
    """The one process of an engine."""

    share: Share | None = None
    ways: Ways | None = None

    def attach(self, core: Core, endpoint: Endpoint) -> Door | None:
        return None

    def open(self) -> None:
        """There is nobody to speak with."""

    async def complete(self) -> None:
        """All was restored."""

    def command(self, commands: Commands) -> None:
        commands.start()

    def close(self) -> None:
        """There was nobody."""

    def counters(self) -> dict[str, int]:
        return {}


class Owner:
    """Process 0 of several: it has what belongs to no call, and its share of the calls."""

    ways: Ways | None = None

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        path: Path,
        share: Share,
        after: Callable[[float], None],
    ) -> None:
        self.share: Share | None = share
        self._share = share
        self._loop = loop
        self.hub = Hub(loop, path, share.count, after)
        self._all_joined = asyncio.Event()
        self.hub.on_join(self._joined)

    def attach(self, core: Core, endpoint: Endpoint) -> Door | None:
        connections = OwnConnections(self.hub, endpoint)
        ToldBindings(self.hub, core.location, connections, core.process)
        self._door = OwnerDoor(self.hub, self._share, core, endpoint, connections)
        self._lamps = Lamps(self.hub, core)
        if core.guard is not None:
            OwnBans(self.hub, core.guard)
        return self._door

    def _joined(self, _number: int) -> None:
        if len(self.hub.present) == self._share.count - 1:
            self._all_joined.set()

    def open(self) -> None:
        self.hub.open()

    async def complete(self) -> None:
        """Those workers that run already must hear of whoever registers from now on."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all_joined.wait(), JOIN_S)

    def command(self, commands: Commands) -> None:
        commands.elsewhere = TraceQuestions(self._loop, self.hub).ask
        commands.start()

    def close(self) -> None:
        self.hub.close()

    def counters(self) -> dict[str, int]:
        return self.hub.counters() | self._door.counters() | self._lamps.counters()


class Worker:
    """One of the others: its share of the calls."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        path: Path,
        share: Share,
        binds: tuple[str, ...],
        after: Callable[[float], None],
    ) -> None:
        self.share: Share | None = share
        self._share = share
        self.member = Member(loop, path, share.number, share.count, after)
        self._remote = RemoteConnections(self.member, both_families(binds))
        self.ways: Ways | None = self._remote
        self._complete = asyncio.Event()

    def attach(self, core: Core, endpoint: Endpoint) -> Door | None:
        self._remote.attach(endpoint)
        self._door = WorkerDoor(self.member, self._share, core, endpoint, self._remote)
        endpoint.before_reading = self.member.read
        assert isinstance(core.location, Replica)
        answer_trace_questions(self.member, core.traces)
        CallsForLamps(self.member, core)
        heard = HeardBans(self.member, core.guard, core.process) if core.guard is not None else None
        HeardBindings(
            self.member, core, core.location, self._door.flow_of, self._complete.set,
            heard.registered if heard is not None else None,
        )  # fmt: skip
        return self._door

    def open(self) -> None:
        self.member.open()

    async def complete(self) -> None:
        await self._complete.wait()

    def command(self, commands: Commands) -> None:
        """They are the owner's, which asks."""

    def close(self) -> None:
        self.member.close()

    def counters(self) -> dict[str, int]:
        return self.member.counters() | self._door.counters()
