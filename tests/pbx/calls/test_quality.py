"""The media gateway's figures, told to people."""

from __future__ import annotations

import json

import pytest

from pbx.calls.quality import quality_of, read

GOOD = {"packets": 990, "lost": 10, "jitter_us": 2340, "round_trip_us": 15_600, "mos_100": 421, "codec": "PCMA"}  # fmt: skip


def test_both_sides_are_told_in_words() -> None:
    poor = {**GOOD, "mos_100": 330}
    told = quality_of(json.dumps({"caller": GOOD, "callee": poor, "silent": ""}))
    assert told is not None
    caller, callee = told.sides
    assert (caller.who, caller.grade, caller.mos) == ("The caller", "good", 4.2)
    assert (caller.lost_percent, caller.jitter_ms, caller.round_trip_ms) == (1.0, 2.3, 15.6)
    assert (callee.who, callee.grade, callee.tone) == ("The called side", "poor", "warn")
    assert told.trouble == ""


def test_one_way_audio_is_a_sentence() -> None:
    told = quality_of(json.dumps({"caller": GOOD, "callee": {"packets": 0}, "silent": "callee"}))
    assert told is not None
    assert told.trouble.startswith("Nothing is heard from the called side")
    assert told.sides[1].grade == "nothing arrived"


def test_audio_that_came_and_stopped_is_another_sentence() -> None:
    told = quality_of(json.dumps({"caller": GOOD, "callee": GOOD, "silent": "caller"}))
    assert told is not None
    assert told.trouble.startswith("Nothing is heard from the caller any more")


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "7", '{"caller": 3}', "{}"])
def test_a_row_without_figures_tells_nothing(text: str) -> None:
    assert quality_of(text) is None
    assert read(text) is None or isinstance(read(text), dict)


def test_figures_of_a_wrong_kind_do_no_harm() -> None:
    told = quality_of('{"caller": {"packets": "many", "mos_100": null, "codec": 9}}')
    assert told is not None
    assert told.sides[0].packets == 0
