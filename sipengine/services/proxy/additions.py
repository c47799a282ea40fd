"""Header lines that this proxy adds to a forwarded INVITE, for each target its own.

A plain call has none. They are made where the request brings one of these headers, where the
domain's settings ask for one, or where a forward moved the call.
"""

from __future__ import annotations

from typing import Final

from sipengine.services.proxy.breadth import breadth_line, breadth_of, divide
from sipengine.services.proxy.history import History
from sipengine.services.proxy.identity import may_know
from sipengine.services.proxy.targets import Target
from sipengine.services.routing import Stage
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message

_HIDES_HISTORY: Final = frozenset({"history", "header", "session"})


class Additions:
    """Made before the request is copied: what is written anew for each target is taken out of it."""

    __slots__ = ("_asserted", "_breadth", "_history", "_privacy", "_stage", "_trusted")

    def __init__(
        self,
        message: Message,
        asserted: str = "",
        privacy: frozenset[str] = frozenset(),
        trusted: frozenset[str] = frozenset(),
    ) -> None:
        """`asserted` is the line that names the caller to those who may know, or ""."""
        self._asserted = asserted
        self._privacy = privacy
        self._trusted = trusted
        self._stage: Stage | None = None
        self._breadth = breadth_of(message)
        entries = message.all("History-Info")
        self._history = History(message.uri, entries) if entries else None
        if entries:
            message.replace("History-Info", [])
        if message.has("Max-Breadth"):
            message.replace("Max-Breadth", [])

    def begin(self, stage: Stage, uri: str, targets: list[Target]) -> bool:
        """Get ready for a stage; false if it would have more branches than the request may have."""
        self._stage = stage
        if stage.diverted and self._history is None:
            self._history = History(uri, [])
        return divide(targets, self._breadth)

    def lines(self, target: Target, flow: Flow) -> str:
        """All of them for one target that is reached by `flow`, each with its line end."""
        text = breadth_line(target)
        if self._asserted and may_know(flow, self._privacy, self._trusted):
            text += self._asserted
        stage = self._stage
        if self._history is not None and stage is not None:
            hidden = not self._privacy.isdisjoint(_HIDES_HISTORY)
            known = flow.remote[0] in self._trusted
            text += self._history.lines(
                stage.diverted, target.name, target.uri, hidden and not known
            )
        return text
