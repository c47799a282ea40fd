"""Calls that are refused before they begin: rows of the call log that nobody can fill it with
(docs/decisions/0022-refused-calls.md).

What is noted costs a list's append, and is looked at a second later: so the answer takes as long for
a number that is there as for one that is not, and what is refused a hundred times makes one row.
"""

from __future__ import annotations

from typing import Final

from sipengine.api import STATE_ENDED, CallRecord, Fact
from sipengine.services.calls import Calls
from sipengine.services.refused_words import WRONG_PASSWORD, Attempt, login_of, sentence, steps
from sipengine.services.responsibility import Responsibility
from sipengine.services.this_process import ThisProcess
from sipengine.sip.address import readable, sender_of
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.parser import salvage
from sipengine.sip.timers import TimerQueue
from sipengine.sip.uri import parse_uri

LOOKED_AT: Final = 1.0
"""Seconds until what was noted is looked at."""
MAX_NOTED: Final = 64
"""Between two looks: some 100 kB, and 5 ms of work; more are only counted."""
HOUR: Final = 3600.0
"""What is alike within it is one row; then all limits begin anew."""
MAX_OF_PHONE: Final = 6
"""Rows an hour of one address with one extension; what is beyond goes into one row for `SEVERAL`."""
MAX_OF_STRANGERS: Final = 60
"""Rows an hour of all addresses from which no password was right: anybody may claim to be 1001."""
MAX_ROWS: Final = 1_000
"""Rows an hour in all: some 2 MB of memory, 1 MB of the database."""
FIRST_PAUSE: Final = 2.0
LONGEST_PAUSE: Final = 512.0
"""Seconds between two stored states of one row, doubled each time: ten an hour at most."""
REMEMBERED: Final = 8
"""Call-IDs of a row that are no new attempt: a phone tries a password twice, UDP repeats itself."""
SEVERAL: Final = "several numbers"
NOT_TOLD: Final = frozenset([422, 482])
"""Refusals that are no end of a call: the phone asks again otherwise (RFC 4028), or it came twice."""


class _Row:
    """A row of the log, its `count` of attempts, and whether the log has that count."""

    __slots__ = ("count", "pause", "recent", "record", "told", "wait_until")

    def __init__(self, record: CallRecord) -> None:
        self.record = record
        self.count = 0
        self.told = 0
        self.wait_until = 0.0
        self.pause = FIRST_PAUSE
        self.recent: list[str] = []


class RefusedCalls:
    """Rows go into `facts`. `unlogged` counts attempts of known extensions for which there was no room."""

    def __init__(
        self,
        calls: Calls,
        responsibility: Responsibility,
        timers: TimerQueue,
        process: ThisProcess,
        facts: list[Fact],
    ) -> None:
        self._calls = calls
        self._responsibility = responsibility
        self._timers = timers
        self._process = process
        self._facts = facts
        self.due = 0.0
        self.total = 0
        self.unlogged = 0
        self._noted: list[Attempt] = []
        self._rows: dict[tuple[str, str, str, str], _Row] = {}
        self._untold: dict[_Row, None] = {}
        self._of_phone: dict[tuple[str, str], int] = {}
        self._strangers = 0
        self._hour_ends = 0.0

    # ------------------------------------------------------------------ what is refused

    def note(self, message: Message, flow: Flow, status: int, reason: str, now: float) -> None:
        """An INVITE out of a dialog was refused."""
        if len(self._noted) >= MAX_NOTED:
            self.unlogged += 1
            return
        attempt = Attempt(flow, status, reason, now)
        attempt.fill(message)
        self._keep(attempt, now)

    def unread(self, data: bytes, flow: Flow, status: int, reason: str, now: float) -> None:
        """As `note`, of a request that was not read or could not be."""
        if not data.startswith(b"INVITE "):
            return
        if len(self._noted) >= MAX_NOTED:
            self.unlogged += 1
            return
        attempt = Attempt(flow, status, reason, now)
        attempt.data = data[:4000]
        self._keep(attempt, now)

    def wrong_password(self, message: Message, flow: Flow, now: float) -> None:
        self.note(message, flow, 407, WRONG_PASSWORD, now)

    def _keep(self, attempt: Attempt, now: float) -> None:
        if attempt.status in NOT_TOLD and attempt.reason != "Loop Detected":
            return
        if not self._noted:
            self._timers.start(LOOKED_AT, now, self)
        self._noted.append(attempt)

    # ------------------------------------------------------------------ a second later

    def on_timer(self, now: float) -> None:
        self.due = 0.0
        noted = self._noted
        self._noted = []
        if now >= self._hour_ends:
            self._begin_hour(now)
        for attempt in noted:
            if attempt.data:
                message = salvage(attempt.data)
                if message is None or not message.has("Call-ID") or message.to_tag:
                    continue
                attempt.fill(message)
                attempt.uri = attempt.data.split(b" ", 2)[1][:200].decode("latin-1")
            self._enter(attempt, now)
        for row in [row for row in self._untold if now >= row.wait_until]:
            self._tell(row, now)
        if self._untold:
            self._timers.start(FIRST_PAUSE, now, self)

    def _begin_hour(self, now: float) -> None:
        for row in list(self._untold):
            self._tell(row, now)
        self._rows = {}
        self._of_phone = {}
        self._strangers = 0
        self._hour_ends = now + HOUR

    def _enter(self, attempt: Attempt, now: float) -> None:
        """Count the attempt in the row that it belongs to, if it belongs to an extension."""
        calls = self._calls
        claimed = self._aor_of(attempt.sender)
        caller = claimed if calls.knows(claimed) else attempt.flow.account
        if not calls.knows(caller):
            return  # of nobody here: the page Guard tells of those who knock
        called = self._dialled(attempt.uri)
        login = login_of(attempt.credentials)
        source = attempt.flow.remote[0]
        why = f"{attempt.status} {attempt.reason} {login}"
        row = self._rows.get((source, caller, called, why))
        if row is None:
            row = self._new_row(source, caller, called, why, attempt)
        if row is None:
            self.unlogged += 1
            return
        if attempt.call_id in row.recent:
            return
        row.recent = [*row.recent[1 - REMEMBERED :], attempt.call_id]
        row.count += 1
        record = row.record
        record.call_ids = [attempt.call_id]  # whose messages are most likely still there
        record.tags = [attempt.tag, ""]
        record.ended = attempt.at + self._process.offset
        record.caller_device = readable(attempt.device)
        record.decision = steps(attempt, claimed, login)
        record.reason = sentence(attempt, calls, record, claimed, login, row.count)
        self._untold[row] = None

    def _new_row(
        self, source: str, caller: str, called: str, why: str, attempt: Attempt
    ) -> _Row | None:
        """A row for what was not tried in this hour yet; None if there are too many."""
        of_phone = self._of_phone.get((source, caller), 0)
        if of_phone >= MAX_OF_PHONE:
            called = SEVERAL
            row = self._rows.get((source, caller, called, why))
            if row is not None:
                return row
            if of_phone >= 2 * MAX_OF_PHONE:
                return None
        stranger = not attempt.flow.account
        if len(self._rows) >= MAX_ROWS or (stranger and self._strangers >= MAX_OF_STRANGERS):
            return None
        self._strangers += stranger
        self._of_phone[source, caller] = of_phone + 1
        at = attempt.at + self._process.offset
        row = _Row(
            CallRecord(
                self._new_id(at), 0, caller.rpartition("@")[2], [], [], STATE_ENDED,
                caller, self._calls.name_of(caller), "", called, "", "", at, None, None, at, "failed",
                attempt.status, "system", "", "", [], [],
            )
        )  # fmt: skip
        self._rows[source, caller, called, why] = row
        return row

    def _new_id(self, wall: float) -> str:
        """A UUID of version 7 that no call has: theirs begin their second half with 8."""
        millis = int(wall * 1000)
        unique = self._process.unique
        self.total += 1
        return (
            f"{millis >> 16 & 0xFFFFFFFF:08x}-{millis & 0xFFFF:04x}-7{self.total & 0xFFF:03x}"
            f"-9{unique[:3]}-{unique[3:15]}"
        )

    def _tell(self, row: _Row, now: float) -> None:
        """Have the log say what the row is now."""
        del self._untold[row]
        row.wait_until = now + row.pause
        row.pause = min(2 * row.pause, LONGEST_PAUSE)
        record = row.record
        record.revision += 1
        self._facts.append(
            CallRecord(
                record.id, record.revision, record.domain, record.call_ids, record.tags,
                record.state, record.caller, record.caller_name, record.caller_device,
                record.called, "", "", record.started, None, None, record.ended, record.result,
                record.sip_status, "system", "", record.reason, record.decision, [],
            )
        )  # fmt: skip

    # ------------------------------------------------------------------ who and whom

    def _aor_of(self, sender: str) -> str:
        """Who a From says it is, as an AOR of ours, "" for anybody else."""
        try:
            return self._responsibility.aor_of(parse_uri(sender_of(sender).uri_text))
        except RemoteProtocolError:
            return ""

    def _dialled(self, uri: str) -> str:
        """The number that was dialled, or the whole address if it is none of ours."""
        try:
            aor = self._responsibility.aor_of(parse_uri(uri))
        except RemoteProtocolError:
            aor = ""
        return aor.rpartition("@")[0] or uri or "nobody"
