"""SIPp: many calls at once, by scenario files. Every run has a count of calls and a time limit."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import child
from tests.support.free_ports import free_port
from tests.support.programs import program
from tests.support.wait import until


@dataclass(frozen=True)
class Result:
    """What SIPp counted."""

    successful: int
    failed: int
    retransmissions: int
    status: int
    log: str

    def check(self, calls: int) -> None:
        """Assert that exactly that many calls went through and none failed."""
        assert (self.successful, self.failed, self.status) == (calls, 0, 0), self.log


class Sipp:
    """One SIPp process with a scenario.

    `target` is host:port (a caller) or "" (a callee). `keys` fill [name] in the scenario, `rows`
    its [field0], [field1].. one row a call. `transport` is u1 (UDP) or t1 (one TCP connection).
    """

    def __init__(
        self,
        scenario: Path,
        directory: Path,
        *,
        target: str = "",
        calls: int = 1,
        rate: int = 10,
        limit_s: int = 30,
        transport: str = "u1",
        keys: Mapping[str, str] | None = None,
        rows: Sequence[Sequence[str]] = (),
        hold_ms: int = 0,
        host: str = "127.0.0.1",
        call_id: str = "",
    ) -> None:
        self.scenario, self.calls, self.limit_s = scenario, calls, limit_s
        self.port = free_port()
        self.home = directory / f"sipp-{scenario.stem}-{self.port}"
        self.home.mkdir(parents=True)
        self.log = self.home / "sipp.log"
        self.command = [program("sipp", "sip-tester"), "-sf", str(scenario)]
        self.command += ["-i", host, "-p", str(self.port)]
        self.command += ["-t", transport, "-m", str(calls), "-nostdin", "-d", str(hold_ms)]
        self.command += ["-timeout", f"{limit_s}s", "-timeout_error", "-trace_stat", "-fd", "1"]
        self.command += ["-trace_err", "-error_file", str(self.home / "errors.log")]
        self.command += ["-stf", str(self.home / "counts.csv"), "-max_retrans", "5"]
        for key, value in (keys or {}).items():
            self.command += ["-key", key, value]
        if rows:
            table = self.home / "rows.csv"
            table.write_text("SEQUENTIAL\n" + "".join(";".join(row) + "\n" for row in rows))
            self.command += ["-inf", str(table)]
        if call_id:  # of its only call
            self.command += ["-cid_str", call_id]
        if target:
            self.command += ["-r", str(rate), "-l", str(max(calls, 1)), target]

    def __enter__(self) -> Sipp:
        return self.start()

    def __exit__(self, *_: object) -> None:
        child.stop(self.process, grace=2)

    def start(self) -> Sipp:
        self.process = child.start(self.command, self.log, directory=self.home)
        until(
            lambda: (self.home / "counts.csv").exists() or self.process.poll() is not None,
            f"sipp {self.scenario.stem} to start",
            explain=self.explain,
        )
        return self

    def finish(self) -> Result:
        """Wait for the end, at most the time limit and a little more."""
        try:
            status = self.process.wait(self.limit_s + 10)
        except subprocess.TimeoutExpired:
            child.stop(self.process)
            raise AssertionError(f"sipp did not end\n{self.explain()}") from None
        return self.result(status)

    def explain(self) -> str:
        errors = child.tail(self.home / "errors.log", 60)
        return f"{child.tail(self.log, 40)}\n{errors}"

    def result(self, status: int) -> Result:
        """What was counted until the last second of its run, or until now."""
        with (self.home / "counts.csv").open() as file:
            last = list(csv.DictReader(file, delimiter=";"))[-1]
        return Result(
            int(last["SuccessfulCall(C)"]),
            int(last["FailedCall(C)"]),
            int(last["Retransmissions(C)"]),
            status,
            self.explain(),
        )


def credentials(user: str, password: str) -> str:
    """The field of a row that SIPp turns into an Authorization header."""
    return f"[authentication username={user} password={password}]"
