#!/usr/bin/env python3
"""How much work the engine does for each operation, counted: bytecode instructions and calls into C.

    .venv/bin/python bench/engine_cost.py            print what it costs now, beside what is recorded
    .venv/bin/python bench/engine_cost.py --record   make this the recorded cost

Messages are replayed through `Core.receive` in pure Python as `bench/replay.py` does, without sockets.
Counts are the same on every machine, however busy, and with every run of one Python version;
microseconds are not. They say nothing of what a single call into C takes: for that is
`bench/replay.py`. `tests/contract/test_engine_cost.py` fails when a count leaves the recorded one by
more than a tenth.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
RECORDED: Final = ROOT / "bench" / "engine_cost.json"
ROUNDS: Final = 10
"""The first ones fill memos and tables; what is told is the cheapest."""
SETTLED: Final = {"PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}


def version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def count(play: Callable[[], Any]) -> int:
    """Instructions of the engine's own code, and its calls into C, while `play` runs."""
    counted = 0
    engine = str(ROOT / "sipengine")

    def instruction(frame: FrameType, event: str, _: object) -> Any:
        nonlocal counted
        if event == "opcode":
            counted += 1
        return instruction

    def entered(frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(engine):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return instruction

    def called(frame: FrameType, event: str, _: object) -> None:
        nonlocal counted
        if event == "c_call" and frame.f_code.co_filename.startswith(engine):
            counted += 1

    sys.setprofile(called)
    sys.settrace(entered)
    try:
        play()
    finally:
        sys.settrace(None)
        sys.setprofile(None)
    return counted


def measure() -> dict[str, int]:
    """Operation -> count."""
    from bench.replay import Replay

    replay = Replay()
    replay.prepare()
    operations: dict[str, Callable[[], Any]] = {
        "registration": lambda: replay.register("100002", "refresh"),
        "options": replay.options,
        "redirected call": replay.redirect,
        "call": replay.call,
        "fork to 4": replay.fork,
    }
    rounds = [{name: count(play) for name, play in operations.items()} for _ in range(ROUNDS)]
    return {name: min(one[name] for one in rounds) for name in operations}


def measured() -> dict[str, int]:
    """The same in a process of its own, where nothing else is traced and hashing is not random."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__)), "--here"],
        env={**os.environ, **SETTLED}, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    counts: dict[str, int] = json.loads(done.stdout)
    return counts


def recorded() -> tuple[str, dict[str, int]]:
    """(version of Python, counts): of this version, else of the latest that is recorded."""
    known: dict[str, dict[str, int]] = json.loads(RECORDED.read_text())
    name = version() if version() in known else max(known, key=lambda one: int(one[2:]))
    return name, known[name]


def record(counts: dict[str, int]) -> None:
    known = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    RECORDED.write_text(json.dumps({**known, version(): counts}, indent=2) + "\n")


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--record", action="store_true")
    arguments.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.here:
        print(json.dumps(measure()))
        return
    counts = measured()
    before = recorded()[1] if RECORDED.exists() else {}
    for name, now in counts.items():
        was = before.get(name)
        print(f"{name:16} {now:7}" + (f"  recorded {was:7}  {now / was - 1:+.1%}" if was else ""))
    if options.record:
        record(counts)


if __name__ == "__main__":
    main()
