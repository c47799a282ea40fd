"""The messages of a call on its page: asked of an engine that answers, or of one that is not there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from pbx.calls.models import Call
from pbx.directory.models import Person
from pbx.enginelink.taking import CommandTaker
from tests.pbx.calls.test_ladder import INVITE, ringing, told
from tests.webui import office
from tests.webui.conftest import Server, Trouble
from tests.webui.test_pages import BROAD, VIEWS, unfit

SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
REFUSED = told(
    "SIP/2.0 407 Proxy Authentication Required",
    received=False,
    at=100.002,
    headers="CSeq: 1 INVITE\n",
)


class Engine:
    """Answers each question for messages with `messages`, as the engine's link does."""

    def __init__(self, database_url: str) -> None:
        self.messages: list[dict[str, Any]] = []
        self.asked: list[dict[str, str]] = []
        self.taker = CommandTaker(database_url)
        self.taker.start(self._given)

    def _given(self, number: int, kind: str, arguments: dict[str, str]) -> None:
        assert kind == "trace"
        self.asked.append(arguments)
        answer = {"since": 1_790_000_000.0, "messages": self.messages}
        self.taker.say(number, json.dumps(answer), True)


@pytest.fixture
def engine(server: Server) -> Iterator[Engine]:
    engine = Engine(server.database_url)
    yield engine
    engine.taker.close(5)


@pytest.fixture
def call(server: Server) -> Call:
    office.whole_office()
    return Call.objects.get(rule="Team Sales", state="ended")


@pytest.mark.parametrize(("theme", "width"), VIEWS, ids=lambda value: str(value))
def test_ladder_is_whole_on_the_calls_page(
    visit: Callable[..., Page], trouble: Trouble, bob: Person, call: Call, engine: Engine,
    front_end_tools: Path, theme: str, width: int,
) -> None:  # fmt: skip
    axe = (front_end_tools / "axe-core" / "axe.min.js").read_text()
    phones = ringing("192.0.2.8:5060", "192.0.2.9:5060")
    engine.messages = [
        INVITE,
        REFUSED,
        {**REFUSED, "again": True},
        *phones[1:],
        {"at": 103.0, "missing": 4},
    ]
    window = visit(bob, width=width, theme=theme)
    window.goto(f"/calls/{call.pk}/")
    window.get_by_text("SIP messages", exact=True).click()
    rungs = window.locator(".ladder-rungs details")
    rungs.first.wait_for()
    assert rungs.count() == 7
    assert engine.asked == [{"call_ids": "\n".join(call.call_ids)}]
    assert window.evaluate(SIDEWAYS) <= 0
    assert window.evaluate(BROAD) == []
    message = rungs.first.locator("pre")
    assert not message.is_visible()
    rungs.first.locator("summary").click()
    assert "User-Agent: Yealink" in message.inner_text()
    assert window.get_by_text("4 messages in between are not kept any more.").is_visible()
    assert trouble.seen == []
    assert unfit(window, axe) == []


def test_page_of_its_own_works_without_scripts(
    visit: Callable[..., Page], trouble: Trouble, bob: Person, call: Call, engine: Engine
) -> None:
    engine.messages = [INVITE, {**INVITE, "text": "INVITE sip:<b>x</b>@y SIP/2.0\nFrom: <i>\n\n"}]
    window = visit(bob)
    window.goto(f"/calls/{call.pk}/messages/")
    assert window.locator(".ladder-rungs details").count() == 2
    assert window.locator(".ladder b, .ladder i").count() == 0, "a message is text, not markup"
    assert trouble.seen == []


def test_nothing_kept_is_told_with_since_when(
    visit: Callable[..., Page], bob: Person, call: Call, engine: Engine
) -> None:
    window = visit(bob)
    window.goto(f"/calls/{call.pk}/messages/")
    assert "No messages of this call are kept" in window.inner_text("main")
    assert "2026" in window.inner_text("main")


def test_without_an_engine_the_page_says_so(
    visit: Callable[..., Page], trouble: Trouble, bob: Person, call: Call
) -> None:
    window = visit(bob)
    answer = window.goto(f"/calls/{call.pk}/messages/")
    assert answer is not None
    assert answer.status == 200
    assert "does not answer" in window.inner_text("main")
    assert trouble.seen == []
