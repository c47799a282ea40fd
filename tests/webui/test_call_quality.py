"""How a call sounded, on its page: figures of both sides, and what only one of them hears."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from pbx.calls.models import Call
from pbx.directory.models import Person
from tests.webui import office

GOOD = {
    "packets": 2150, "lost": 4, "jitter_us": 1900, "round_trip_us": 21000, "mos_100": 438, "codec": "OPUS",
}  # fmt: skip
NOTHING = {"packets": 0, "lost": 0, "mos_100": 0, "codec": "PCMU"}


def one_way(**fields: object) -> Call:
    """The called side is not heard."""
    office.people()
    told = json.dumps({"caller": GOOD, "callee": NOTHING, "silent": "callee"})
    return office.call("207", "214", quality=told, started=50.0, answered=45.0, **fields)


@pytest.mark.parametrize(
    ("theme", "width"),
    [("light", 1440), ("dark", 1440), ("light", 390)],
    ids=["light", "dark", "phone"],
)
def test_audio_that_goes_one_way_is_told_while_the_call_is_on(
    visit: Callable[..., Page], bob: Person, theme: str, width: int
) -> None:
    call = one_way(state="talking")
    window = visit(bob, width=width, height=900, theme=theme)
    window.goto(f"/calls/{call.pk}/")
    expect(window.get_by_text("Nothing is heard from the called side")).to_be_visible()
    expect(window.get_by_text("2150")).to_be_visible()
    expect(window.get_by_text("nothing arrived")).to_be_visible()
    sideways = window.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not sideways
