"""The whole product as a user starts it: `./run` in a process of its own, with its own data."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg.rows import dict_row

from pbx.environment import Environment
from tests.support import child
from tests.support.free_ports import free_block, free_port
from tests.support.processes import Process, descendants
from tests.support.wait import until
from tests.support.wire import Wire

PROJECT = Path(__file__).resolve().parents[2]
DOMAIN = "pbx.test"
ADMIN_PASSWORD = "tests-only-1"

START_S = 90.0
"""A first start makes a database and its tables; on a busy two-core machine that takes a while."""

STOP_S = 12.0
"""The contract says 10 s; the rest is the time to look."""

SHIPPED_S = 10.0
"""From the end of a call to its row: a journal commit and a shipped batch, on a busy machine."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Ready:
    """What the READY line says; "" for parts that `only` left out."""

    http: str
    https: str
    sip: str
    domain: str

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.sip.rpartition(":")
        return host.strip("[]"), int(port)


class PbxProcess:
    """One Branchline on 127.0.0.1 with free ports and an empty data directory.

    `only` starts just these parts (`engine`), for tests that need no pages. The directory is not
    below pytest's own, which is closed to other users: Postgres never runs as root.
    """

    def __init__(self, *, only: str = "", environment: dict[str, str] | None = None) -> None:
        self.only = only
        self.root = Path(tempfile.mkdtemp(prefix="branchline-"))
        self.root.chmod(0o711)
        self.log = self.root / "run.log"
        rtp = free_block(20)
        self.environment = {
            "PBX_DATA_DIR": str(self.root / "data"),
            "PBX_BIND": "127.0.0.1",
            "PBX_DOMAIN": DOMAIN,
            "PBX_ADMIN_PASSWORD": ADMIN_PASSWORD,
            "PBX_HTTP_PORT": str(free_port()),
            "PBX_HTTPS_PORT": str(free_port()),
            "PBX_SIP_PORT": str(free_port()),
            "PBX_SIPS_PORT": str(free_port()),
            "PBX_WS_PORT": str(free_port()),
            "PBX_RTP_PORTS": f"{rtp}-{rtp + 19}",
            **(environment or {}),
        }
        self.ready: Ready | None = None
        self.started_in = 0.0

    def __enter__(self) -> PbxProcess:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    # ------------------------------------------------------------------ running

    def start(self) -> PbxProcess:
        """Start and wait for READY; may be called again after `stop` or `kill_everything`."""
        command = [str(PROJECT / "run")]
        if self.only:
            command += ["up", "--only", self.only]
        begun = time.monotonic()
        offset = self.log.stat().st_size if self.log.exists() else 0
        self.process = child.start(
            command, self.log, environment=self.environment, directory=PROJECT
        )
        self.ready = until(
            lambda: self._ready_line(offset),
            "READY",
            deadline=START_S,
            pause=0.05,
            explain=self.tail,
        )
        self.started_in = time.monotonic() - begun
        return self

    def stop(self) -> int:
        """Stop as Ctrl-C does and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill_everything()
                raise AssertionError(f"did not stop in {STOP_S:g} s\n{self.tail()}") from None
        return self.process.wait()

    def kill_everything(self) -> None:
        """kill -9 of the supervisor and all its children at once, as a power cut does."""
        family = descendants(self.process.pid)
        for process in [self.process.pid, *(member.pid for member in family)]:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()
        until(
            lambda: not any(member.is_running() for member in family),
            "every process to be gone",
            deadline=15,
            explain=lambda: str([member for member in family if member.is_running()]),
        )

    def parts(self, word: str) -> list[Process]:
        """The running processes whose command line holds that word, as a whole module name if it is one."""
        return [
            member
            for member in descendants(self.process.pid)
            if word in member.command and f"{word}." not in member.command
        ]

    def engine(self) -> Process:
        """The engine's process, or the first of several."""

        def first() -> list[Process]:
            return [one for one in self.parts("-m sipengine") if "--worker" not in one.command]

        return until(first, "the engine's process", deadline=15)[0]

    def answers_options(self) -> bool:
        """Whether the engine answers OPTIONS over UDP, the question the health check asks."""
        with Wire(self.sip) as wire:
            wire.send(
                f"OPTIONS sip:{self.server} SIP/2.0\n"
                f"Via: SIP/2.0/UDP {wire.local};rport;branch=z9hG4bK{wire.address[1]}\n"
                "Max-Forwards: 70\nFrom: <sip:health@test>;tag=1\n"
                f"To: <sip:{self.server}>\nCall-ID: {wire.local}\nCSeq: 1 OPTIONS\n"
                "Content-Length: 0\n\n"
            )
            return wire.answered_within(0.5)

    def postgres(self) -> Process:
        """The postmaster: the one Postgres process whose parent is none. Waits for it to be there."""
        return until(self._postmasters, "Postgres' process", deadline=30, explain=self.tail)[0]

    def another_postgres(self, old: Process) -> None:
        """Wait until the supervisor has put a new one in the place of the old, and it answers."""
        until(
            lambda: self.postgres().pid != old.pid and self.query("SELECT 1"),
            "a new Postgres",
            deadline=30,
            explain=self.tail,
        )

    def _postmasters(self) -> list[Process]:
        members = self.parts("postgres")
        pids = {member.pid for member in members}
        return [member for member in members if member.parent not in pids]

    def tail(self, lines: int = 60) -> str:
        """The ends of the product's output and of the engine's log."""
        engine = self.root / "data" / "log" / "engine.log"
        return f"{child.tail(self.log, lines)}\n{child.tail(engine, lines)}"

    @property
    def sip(self) -> tuple[str, int]:
        assert self.ready is not None, "not started"
        return self.ready.address

    @property
    def server(self) -> str:
        return "{}:{}".format(*self.sip)

    @property
    def sips(self) -> str:
        """host:port of SIP over TLS."""
        return f"{self.sip[0]}:{self.environment['PBX_SIPS_PORT']}"

    @property
    def authority(self) -> Path:
        """The certificate of the authority that the product made, which signed its own."""
        return self.root / "data" / "tls" / "authority.pem"

    # ------------------------------------------------------------------ the command line

    def run(self, *words: str, check: bool = True, timeout: float = 60) -> str:
        """`./run WORDS` beside the running product; returns what it printed."""
        done = subprocess.run(
            [str(PROJECT / "run"), *words],
            env={**os.environ, **self.environment},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"./run {' '.join(words)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def apply(self, configuration: Row | str, *, prune: bool = False) -> str:
        """`./run apply` of a configuration file's text, or of its content."""
        if not isinstance(configuration, str):
            header = {"version": 1, "domain": DOMAIN}
            configuration = yaml.safe_dump({**header, **configuration}, sort_keys=False)
        file = self.root / "configuration.yaml"
        file.write_text(configuration)
        return self.run("apply", str(file), *(["--prune"] if prune else []))

    def calls(self) -> list[Row]:
        """`./run calls --json`: what the contract promises to users."""
        rows: list[Row] = json.loads(self.run("calls", "--json"))
        return rows

    def bindings(self) -> list[Row]:
        rows: list[Row] = json.loads(self.run("bindings", "--json"))
        return rows

    # ------------------------------------------------------------------ the tables, without the wait for a program

    def query(self, sql: str, *values: object) -> list[Row]:
        """Ask the database itself; [] while it is away."""
        url = Environment.load(self.environment).database_url
        try:
            with psycopg.connect(url, row_factory=dict_row, connect_timeout=3) as connection:
                return connection.execute(sql, values or None).fetchall()
        except psycopg.OperationalError:
            return []

    def rows_of(self, *call_ids: str) -> list[Row]:
        """The rows of the call log that hold any of these SIP Call-IDs."""
        return self.query(
            "SELECT * FROM calls_call WHERE call_ids ?| %s ORDER BY started", list(call_ids)
        )

    def legs_of(self, call: Row) -> list[Row]:
        return self.query(
            "SELECT * FROM calls_leg WHERE call_id = %s ORDER BY position", call["id"]
        )

    def row_of(self, call_id: str, *, state: str = "ended", deadline: float = SHIPPED_S) -> Row:
        """Wait until that call is in that state; exactly one row must hold its Call-ID."""
        rows = until(
            lambda: [row for row in self.rows_of(call_id) if row["state"] == state],
            f"a row of call {call_id} in state {state}",
            deadline=deadline,
            pause=0.05,
            explain=lambda: f"rows: {self.rows_of(call_id)}\n{self.tail()}",
        )
        every = self.rows_of(call_id)
        assert len(every) == 1, f"expected one row of call {call_id}, found {every}"
        return rows[0]

    def _ready_line(self, offset: int) -> Ready | None:
        text = self.log.read_bytes()[offset:].decode(errors="replace")
        lines = [line for line in text.splitlines(keepends=True) if line.startswith("READY ")]
        if not lines or not lines[0].endswith("\n"):
            assert self.process.poll() is None, f"ended before READY\n{self.tail()}"
            return None
        fields = dict(re.findall(r"(\w+)=(\S+)", lines[0]))
        # `--only` leaves out what does not run
        return Ready(*(fields.get(name, "") for name in ("http", "https", "sip", "domain")))
