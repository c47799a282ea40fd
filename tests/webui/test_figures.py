"""Counts are kept in proportion to their cost; addresses become people."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.webui import office
from webui.dashboard.figures import Figure
from webui.dashboard.live import duration_words, read_live
from webui.dashboard.parties import Directory, Party, split_address


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_figure_is_kept_twenty_times_as_long_as_counting_took() -> None:
    clock = Clock()
    counted: list[float] = []

    def count() -> int:
        clock.now += 0.1
        counted.append(clock.now)
        return len(counted)

    figure = Figure(count, clock)
    assert figure.read() == 1
    clock.now += 1.99
    assert figure.read() == 1
    clock.now += 0.02
    assert figure.read() == 2


def test_a_figure_that_failed_is_counted_again() -> None:
    answers: Iterator[ValueError | int] = iter([ValueError("away"), 7])

    def count() -> int:
        answer = next(answers)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    figure = Figure(count, Clock())
    with pytest.raises(ValueError, match="away"):
        figure.read()
    assert figure.read() == 7


@pytest.mark.django_db
def test_the_phones_online_are_those_that_are_listed_also_when_counting_is_slow() -> None:
    office.people()
    assert read_live().online == 0
    for number in ("214", "207"):
        office.register(number, "Yealink T54W")
    live = read_live()  # well within 20 times of what the count above took
    assert (len(live.phones), live.online) == (2, 2)


@pytest.mark.parametrize(
    ("address", "split"),
    [
        ("1001", ("1001", "")),
        ("1001@PBX.example", ("1001", "pbx.example")),
        ("sip:1001@pbx.example:5060;transport=tcp", ("1001", "pbx.example")),
        ("sips:mira@[2001:db8::1]:5061", ("mira", "[2001:db8::1]")),
        ("sip:pbx.example", ("pbx.example", "")),
        ("", ("", "")),
    ],
)
def test_addresses_split_into_number_and_host(address: str, split: tuple[str, str]) -> None:
    assert split_address(address) == split


def test_a_party_is_named_by_the_directory_then_by_itself_then_by_its_number(db: None) -> None:
    office.people()
    directory = Directory.of(["214@pbx.example", "218"])
    assert directory.party("214@pbx.example", "pbx.example") == Party("Mira Okafor", "214")
    assert directory.party("218", "pbx.example") == Party("Lena Hartmann", "218")
    assert directory.party("sip:214@other.example", "pbx.example") == Party("214", "other.example")
    outside = directory.party("+4930@carrier.example", "pbx.example", "Ms Berg")
    assert outside == Party("Ms Berg", "+4930@carrier.example")
    assert directory.party("", "pbx.example") == Party("Unknown")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 seconds"), (1, "1 second"), (59.9, "59 seconds"), (61, "1 minute"), (7300, "2 hours"),
     (200000, "2 days")],
)  # fmt: skip
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words
