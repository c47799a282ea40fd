"""The calls that are going on, and what the log will say of them (D8).

The proxy tells what happened to a call and its legs; `take_records` gives the rows that changed
since it was last asked, so that a call that rings and is answered in a moment costs one row, not four.
Times inside are monotonic; `process` makes wall-clock time of them.
"""

from __future__ import annotations

from typing import Final, Protocol

from sipengine.api import (
    STATE_TALKING,
    CallRecord,
    ConfigSnapshot,
    Extension,
)
from sipengine.services.call import Call
from sipengine.services.call_row import row_of, take_up
from sipengine.services.leg import Leg
from sipengine.services.this_process import ThisProcess
from sipengine.services.traces import Traces
from sipengine.sip.timers import TimerQueue

MAX_CALLS: Final = 50_000
"""Calls at once; more are refused with 503. About 4 kB each."""
FORGOTTEN_AFTER: Final = 12 * 3600.0
"""An answered call of which nothing is heard for so long is closed: its BYE must have been missed."""
SWEEP_INTERVAL: Final = 60.0
"""How often such calls are looked for, and those never acknowledged: one timer, as one a call would keep
the ended ones in memory. 10,000 calls take 2 ms."""


class CallWatcher(Protocol):
    """Whoever must hear of each step of a call, as it is taken."""

    def call_changed(self, call: Call, leg: Leg | None, now: float) -> None:
        """`leg` is the one that took the step; None: the call has ended, with all its legs."""
        ...


class Calls:
    """All calls going on, by dialog: `Call-ID|tag` of either side."""

    __slots__ = (
        "_dirty",
        "_open",
        "_own_mark",
        "_pressing",
        "_process",
        "_restored",
        "_timers",
        "_traces",
        "_unique",
        "by_dialog",
        "due",
        "extensions",
        "switched_off",
        "total",
        "watcher",
    )

    def __init__(
        self,
        timers: TimerQueue,
        process: ThisProcess,
        unique: str,
        own_mark: str = "",
        traces: Traces | None = None,
    ) -> None:
        """`unique` is 15 hex digits that no other process has. `own_mark` begins the tags of our own
        user agent, `traces` is told which Call-IDs are calls of the log.
        """
        self._unique = f"-8{unique[:3]}-{unique[3:]}"
        self.extensions: dict[str, Extension] = {}  # of the present configuration, for names
        self.switched_off: dict[str, str] = {}
        self._timers = timers
        self._dirty: dict[Call, None] = {}  # their rows changed and may wait for a moment
        self._pressing: dict[Call, None] = {}  # they were answered or ended since last taken
        self._open: set[Call] = set()
        self._restored: dict[Call, list[str]] = {}  # further dialogs of calls of an earlier process
        self.by_dialog: dict[str, Call] = {}  # of two with the same Call-ID and tag the later
        self.due = 0.0
        self._process = process
        self._own_mark = own_mark
        self.total = 0
        self.watcher: CallWatcher | None = None  # set while somebody watches a party
        self._traces = traces

    def set_config(self, snapshot: ConfigSnapshot) -> None:
        """Name the people of calls by this from now on."""
        self.extensions = snapshot.extensions
        self.switched_off = snapshot.switched_off

    def begin(self, call_id: str, caller_tag: str, now: float) -> Call:
        """A new call, with a UUID of version 7 (RFC 9562 §5.7): time, a count, and this process."""
        stamp = format(int((now + self._process.offset) * 1000), "012x")
        uuid = f"{stamp[:8]}-{stamp[8:]}-7{format(self.total & 0xFFF, '03x')}{self._unique}"
        if not self.due:
            self._timers.start(SWEEP_INTERVAL, now, self)
        if self._traces is not None:
            self._traces.admitted(call_id, now)
        return self._add(uuid, call_id, caller_tag, now)

    def _add(self, uuid: str, call_id: str, caller_tag: str, now: float) -> Call:
        call = Call(self, uuid, call_id, caller_tag, now)
        self.by_dialog[f"{call_id}|{caller_tag}"] = call
        self._open.add(call)
        self.total += 1
        self._dirty[call] = None
        return call

    def find(self, call_id: str, from_tag: str, to_tag: str) -> tuple[Call, bool] | None:
        """The call of an in-dialog request, and whether its caller is the one who speaks."""
        call = self.by_dialog.get(f"{call_id}|{from_tag}")
        if call is not None:
            return call, True
        call = self.by_dialog.get(f"{call_id}|{to_tag}")
        return None if call is None else (call, False)

    def name_of(self, aor: str) -> str:
        """The name of the extension with this AOR, "" if there is none."""
        extension = self.extensions.get(aor)
        return self.switched_off.get(aor, "") if extension is None else extension.name

    def knows(self, aor: str) -> bool:
        """Whether there is such an extension, be it switched off."""
        return aor in self.extensions or aor in self.switched_off

    def changed(self, call: Call, leg: Leg, now: float, pressing: bool = False) -> None:
        self.row_changed(call, pressing)
        if self.watcher is not None:
            self.watcher.call_changed(call, leg, now)

    def row_changed(self, call: Call, pressing: bool = False) -> None:
        """What only the log tells changed; also of a call that has ended."""
        rows = self._pressing if pressing else self._dirty
        rows[call if call.whole is None else call.whole] = None

    def ended(self, call: Call, now: float) -> None:
        self.row_changed(call, pressing=True)
        if self.watcher is not None:
            self.watcher.call_changed(call, None, now)
        self._open.discard(call)
        if self._traces is not None:
            self._traces.ended(call.call_id)
        key = f"{call.call_id}|{call.caller_tag}"
        if self.by_dialog.get(key) is call:
            del self.by_dialog[key]
        if self._restored and call in self._restored:
            for key in self._restored.pop(call):
                self.by_dialog.pop(key, None)
        call.caller_flow = call.callee_flow = None

    def continued(self, whole: Call, part: Call) -> None:
        """`part` has no row of its own; that of `whole` goes on even if it had ended."""
        self._dirty.pop(part, None)
        self._pressing.pop(part, None)
        self._dirty[whole] = None

    @property
    def count(self) -> int:
        """How many calls are going on."""
        return len(self._open)

    def going_on(self) -> list[Call]:
        return list(self._open)

    def with_party(self, aor: str) -> list[Call]:
        """The calls going on that this AOR makes or is called by."""
        return [
            call
            for call in self._open
            if call.caller == aor or any(leg.target == aor for leg in call.legs)
        ]

    def on_timer(self, now: float) -> None:
        for call in list(self._open):
            if call.state != STATE_TALKING:
                continue
            if not self._is_own(call) and call.end_unless_begun(now):
                continue  # of a session of our own we know ourselves
            if now - call.heard >= FORGOTTEN_AFTER:
                call.finish("answered", 200, "", now, "its end was not seen")
        self.due = 0.0
        if self._open:
            self._timers.start(SWEEP_INTERVAL, now, self)

    @property
    def waiting(self) -> bool:
        return bool(self._dirty or self._pressing)

    @property
    def pressing(self) -> bool:
        """Whether a call was answered or ended since its row was last taken."""
        return bool(self._pressing)

    def take_records(self, only_pressing: bool = False) -> list[CallRecord]:
        """The rows that changed since last asked, or only those of calls answered or ended since."""
        taken = self._pressing
        self._pressing = {}
        if only_pressing:
            for call in taken:
                self._dirty.pop(call, None)
        elif self._dirty:
            taken.update(self._dirty)
            self._dirty.clear()
        return [row_of(call, self._process.offset) for call in taken]

    def restore(self, records: list[CallRecord], now: float) -> list[Call]:
        """Take up the calls that an earlier process left: talking ones go on and are returned, others
        died with it."""
        going_on = []
        for record in records:
            tags = [*record.tags, "", ""]
            call = self._add(
                record.id,
                record.call_ids[0] if record.call_ids else "",
                tags[0],
                record.started - self._process.offset,
            )
            call.callee_tag = tags[1]
            call.hidden = True  # that is not kept: rather name nobody to those who watch
            for at, call_id in enumerate(record.call_ids[1:], 1):  # parts: any BYE may end it now
                key = f"{call_id}|{tags[min(2 * at, len(tags) - 1)]}"
                self.by_dialog[key] = call
                self._restored.setdefault(call, []).append(key)
                call.callee_tag = ""
            take_up(call, record, self._process.offset)
            if call.state == STATE_TALKING and self._is_own(call):
                call.finish("answered", 200, "system", now, "the telephone system restarted")
            elif call.state == STATE_TALKING:
                self._dirty.pop(call, None)
                going_on.append(call)
                call.heard = now
                if not self.due:
                    self._timers.start(SWEEP_INTERVAL, now, self)
            else:
                for leg in call.legs:
                    if not leg.ended:
                        leg.ended, leg.result = now, "failed"
                why = "the telephone system restarted while it was ringing"
                call.finish("failed", 0, "system", now, why)
        return going_on

    def _is_own(self, call: Call) -> bool:
        """Whether we were a side of the call ourselves: then it ended with the process."""
        mark = self._own_mark
        return bool(mark) and (call.caller_tag.startswith(mark) or call.callee_tag.startswith(mark))
