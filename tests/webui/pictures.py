"""Takes the documents' pictures anew: `./test tests/webui/pictures.py`. No part of the suite."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from pbx.calls.models import Call
from pbx.directory.models import Person
from tests.webui import office
from tests.webui.conftest import PROJECT

IMAGES = PROJECT / "docs" / "images"
PICTURES = [
    ("live-light", "/", "light", 1440, 860),
    ("live-dark", "/", "dark", 1440, 860),
    ("calls-light", "/calls/?after={after}", "light", 1440, 780),
    ("call-dark", "/calls/{call}/", "dark", 1440, 900),
    ("phones-light", "/phones/", "light", 1440, 720),
    ("guard-light", "/guard/", "light", 1440, 820),
    ("guard-dark", "/guard/", "dark", 1440, 820),
    ("guard-phone", "/guard/", "light", 390, 844),
    ("live-phone", "/", "dark", 390, 844),
    ("calls-phone", "/calls/?after={after}", "light", 390, 844),
]


@pytest.mark.parametrize(("name", "path", "theme", "width", "height"), PICTURES)
def test_picture(
    visit: Callable[..., Page],
    alice: Person,
    name: str,
    path: str,
    theme: str,
    width: int,
    height: int,
) -> None:
    Person.objects.filter(pk=alice.pk).update(first_name="Mira", last_name="Okafor")
    office.whole_office()
    told = Call.objects.get(rule="Team Sales", state="ended")
    before = Call.objects.filter(started__gt=told.started).order_by("started", "id")[0]
    after = f"{before.started.isoformat()}~{before.pk}".replace("+", "%2B")
    window = visit(alice, width=width, height=height, theme=theme)
    window.goto(path.format(call=told.pk, after=after))
    window.wait_for_load_state("networkidle")
    IMAGES.mkdir(exist_ok=True)
    picture = window.screenshot(path=IMAGES / f"{name}.png")
    assert len(picture) < 200_000
