"""Postgres cannot come back for a while, as with a disk that is gone: calls, pages, health, recovery."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.bursts import calls_by_sipp, calls_to, ended_calls_to
from tests.interop.conftest import Phones
from tests.support.cast import extension, merged
from tests.support.pbx_process import PbxProcess
from tests.support.wait import until

EXTENSIONS = {"extensions": [extension(number) for number in ("3231", "3232")]}
CALLS = 80
RATE = 10


@pytest.fixture(scope="module")
def pbx() -> Iterator[PbxProcess]:
    with PbxProcess(only="engine,web") as running:
        running.apply(merged([EXTENSIONS]))
        yield running


def got(pbx: PbxProcess, path: str) -> tuple[int, str]:
    """Status and body, as somebody who is logged in: her session is looked up."""
    assert pbx.ready is not None
    asked = urllib.request.Request(
        pbx.ready.http + path, headers={"Cookie": "sessionid=" + "x" * 32}
    )
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def trouble(pbx: PbxProcess, part: str) -> str:
    state = json.loads(got(pbx, "/healthz")[1])["parts"][part]
    return str(state.get("trouble", ""))


def test_calls_go_on_pages_say_it_and_it_comes_back_by_itself(
    pbx: PbxProcess, phones: Phones, tmp_path: Path
) -> None:
    data = pbx.root / "data"
    before = calls_to(pbx, "3232")

    def away() -> None:
        until(lambda: calls_to(pbx, "3232") > before, "the first rows", deadline=10)
        os.rename(data / "postgres", data / "elsewhere")
        pbx.postgres().kill()
        until(
            lambda: "postgres cannot be started" in pbx.log.read_text(),
            "a start that fails",
            deadline=15,
        )
        assert trouble(pbx, "database").startswith("Postgres does not answer:")
        assert (
            trouble(pbx, "engine")
            == "not known while Postgres does not answer; calls do not need it"
        )
        begun = time.monotonic()
        status, page = got(pbx, "/calls/")
        assert time.monotonic() - begun < 15
        assert status == 503
        assert "The database does not answer" in page
        os.rename(data / "elsewhere", data / "postgres")

    calls_by_sipp(
        phones, tmp_path, "3231", "3232", count=CALLS, rate=RATE, hold_ms=3000, meanwhile=away
    )
    rows = until(
        lambda: ended_calls_to(pbx, "3232", before + CALLS),
        f"{CALLS} rows",
        deadline=40,
        pause=0.2,
        explain=pbx.tail,
    )
    assert len(rows) == before + CALLS
    assert {row["result"] for row in rows} == {"answered"}
    until(lambda: not trouble(pbx, "database"), "the database to be well", deadline=20)
    assert got(pbx, "/calls/")[0] == 200
    web = (data / "log" / "web.log").read_text()
    assert web.count("the database does not answer") == 1
    assert "Traceback" not in web
