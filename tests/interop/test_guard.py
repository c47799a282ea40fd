"""The guard over real sockets: attackers at 127.0.0.6x, phones at 127.0.0.5, one running product.

`ABUSE_SECONDS=600 ./test tests/interop/test_guard.py` is the long form of the mixed abuse.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.abuse import abuse_of, request
from tests.support.cast import PASSWORD, extension
from tests.support.pbx_process import DOMAIN, PbxProcess, Row
from tests.support.sipp import Sipp, credentials
from tests.support.wait import until
from tests.support.wire import Wire
from tests.support.wire_phone import WirePhone

ABUSE_S = float(os.environ.get("ABUSE_SECONDS", "12"))
RATE = 5  # calls a second beside the abuse
GROWTH = 64 * 1024 * 1024
SCENARIOS = Path(__file__).parent / "scenarios"
EVE = "127.0.0.66"
OFFICE = "127.0.0.5"


@pytest.fixture(scope="module")
def guarded() -> Iterator[PbxProcess]:
    """A product whose guard takes all but 127.0.0.1 for strangers."""
    with PbxProcess(only="engine", environment={"PBX_GUARD_ALLOW": "192.0.2.0/24"}) as running:
        running.apply({"extensions": [extension(number) for number in ("3701", "3702", "3703")]})
        yield running


def phone(pbx: PbxProcess, number: str, host: str, password: str = "") -> WirePhone:
    secret = password or PASSWORD.format(number)
    return WirePhone(number, secret, server=pbx.sip, domain=DOMAIN, host=host)


def guess(pbx: PbxProcess, host: str, *numbers: str) -> list[int]:
    """Statuses of REGISTERs with a wrong password; 0 for silence."""
    statuses = []
    for number in numbers:
        with phone(pbx, number, host, "wrong") as thief:
            try:
                statuses.append(thief.register(deadline=1).status)
            except AssertionError:
                statuses.append(0)
    return statuses


def is_heard(pbx: PbxProcess, host: str) -> bool:
    with Wire(pbx.sip, host=host) as wire:
        wire.send(request(wire, "OPTIONS", "sip:pbx.test"))
        return wire.answered_within(0.3)


def bans(pbx: PbxProcess, host: str) -> list[Row]:
    return pbx.query("SELECT * FROM guard_ban WHERE source = %s ORDER BY since", host)


def test_a_guesser_is_shut_out_and_let_in_by_the_command(guarded: PbxProcess) -> None:
    assert is_heard(guarded, EVE)
    answers = guess(guarded, EVE, *["3701", "3702", "3799"] * 4)
    assert answers[:9] == [401] * 9
    assert answers[10:] == [0, 0]
    assert not is_heard(guarded, EVE)
    assert is_heard(guarded, "127.0.0.67")
    (row,) = until(lambda: bans(guarded, EVE), "the ban's row")
    assert row["reason"].startswith("10 wrong passwords for 3701, 3702, 3799 in ")
    (listed,) = json.loads(guarded.run("bans", "--json"))
    assert (listed["address"], listed["level"], listed["lifted_at"]) == (EVE, 1, None)

    assert guarded.run("unban", EVE) == f"{EVE} is let in again.\n"
    begun = time.monotonic()
    until(lambda: is_heard(guarded, EVE), "to be heard again")
    assert time.monotonic() - begun < 1.0
    (row,) = until(lambda: [one for one in bans(guarded, EVE) if one["lifted_at"]], "the record")
    assert row["lifted_by"].endswith("(command line)")
    assert json.loads(guarded.run("bans", "--json")) == []


def test_a_ban_outlives_kill_9_of_the_engine(guarded: PbxProcess) -> None:
    thief = "127.0.0.68"
    guess(guarded, thief, *["3701", "3702", "3799"] * 4)
    assert not is_heard(guarded, thief)
    old = guarded.engine()
    old.kill()
    until(lambda: not old.is_running(), "the engine to be gone")
    until(guarded.answers_options, "a new engine", deadline=30, explain=guarded.tail)
    assert not is_heard(guarded, thief)
    assert is_heard(guarded, "127.0.0.69")
    (row,) = until(lambda: bans(guarded, thief), "the ban's row")
    assert row["lifted_at"] is None


def test_one_wrong_phone_in_an_office_disturbs_nobody(guarded: PbxProcess) -> None:
    with (
        phone(guarded, "3702", "127.0.0.70") as good,
        phone(guarded, "3703", "127.0.0.70") as other,
    ):
        assert good.register().status == 200
        answers = guess(guarded, "127.0.0.70", *["3701"] * 30)
        assert set(answers) == {401, 503}
        assert good.register().status == 200
        assert other.register().status == 200
    assert bans(guarded, "127.0.0.70") == []


@pytest.mark.timeout(ABUSE_S * 2 + 120)
def test_mixed_abuse_costs_no_call(guarded: PbxProcess, tmp_path: Path) -> None:
    """Scanner, floods, rubbish, half-open connections and guessers beside calls of registered phones."""
    count = int(RATE * ABUSE_S)
    limit = int(ABUSE_S) + 60
    answering = Sipp(SCENARIOS / "callee.xml", tmp_path, calls=count, limit_s=limit, host=OFFICE)
    calling = Sipp(
        SCENARIOS / "caller.xml", tmp_path, calls=count, rate=RATE, limit_s=limit, host=OFFICE,
        target=guarded.server, keys={"domain": DOMAIN}, hold_ms=300,
        rows=[["3701", credentials("3701", PASSWORD.format("3701")), "3702"]],
    )  # fmt: skip
    engine = guarded.engine()
    with phone(guarded, "3702", OFFICE) as registrar, phone(guarded, "3701", OFFICE) as caller:
        contact = f"<sip:3702@{OFFICE}:{answering.port}>"
        assert registrar.register(contact=contact, expires=int(ABUSE_S) + 120).status == 200
        assert caller.register().status == 200
        before = engine.memory()
        with abuse_of(guarded.sip, OFFICE, ["3701", "3702", "3799"]) as abuse:
            with answering, calling:
                result = calling.finish()
                assert result.status == 0, f"{result.log}\n{answering.explain()}\n{abuse.sent}"
                answering.finish().check(count)
            grown = engine.memory() - before
    result.check(count)
    print(f"{count} calls, none lost; grown by {grown >> 20} MB; sent meanwhile: {abuse.sent}")
    assert abuse.trouble == []
    assert engine.is_running()
    assert grown < GROWTH
    assert {row["source"] for row in guarded.query("SELECT source FROM guard_ban")} >= {
        "127.0.0.63",
        "127.0.0.65",
    }
    assert bans(guarded, OFFICE) == []
