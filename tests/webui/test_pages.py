"""Every page in light, dark and on a phone: nothing blocked, nothing broken, nothing sideways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from pbx.calls.models import Call
from pbx.directory.models import Extension, Person
from tests.webui import office
from tests.webui.conftest import Trouble

PAGES = {
    "live": "/",
    "calls": "/calls/",
    "filtered": "/calls/?q=mira&result=answered",
    "call": "/calls/{call}/",
    "phones": "/phones/",
    "extensions": "/extensions/",
    "routing": "/routing/",
    "guard": "/guard/",
    "system": "/system/",
    "password": "/password/",
    "admin": "/admin/",
    "admin-extensions": "/admin/directory/extension/",
    "admin-extension": "/admin/directory/extension/{extension}/change/",
    "admin-rule": "/admin/routing/rule/add/",
    "admin-bans": "/admin/guard/ban/",
    "admin-calls": "/admin/calls/call/",
    "admin-person": "/admin/directory/person/{person}/change/",
    "admin-registrations": "/admin/registrations/binding/",
    "admin-log-ins": "/admin/axes/accessattempt/",
    "nothing": "/no/such/page/",
}
BROAD = """[...document.querySelectorAll('.card, .card td')]
    .filter((box) => box.scrollWidth > box.clientWidth).map((box) => box.textContent.trim())"""
"""What is wider than the card or the table's cell that holds it."""
LATER = {
    "live": ["#connection[data-state=live]"],
    "guard": ["#connection[data-state=live]"],
    "system": ["#parts table"],
}
"""What comes after a page is loaded."""
VIEWS = [("light", 1440), ("dark", 1280), ("light", 1024), ("light", 390), ("dark", 390)]


@pytest.mark.parametrize(("theme", "width"), VIEWS, ids=lambda value: str(value))
def test_pages_are_whole(
    visit: Callable[..., Page],
    trouble: Trouble,
    alice: Person,
    front_end_tools: Path,
    theme: str,
    width: int,
) -> None:
    axe = (front_end_tools / "axe-core" / "axe.min.js").read_text()
    office.whole_office()
    told = Call.objects.get(rule="Team Sales", state="ended")
    extension = Extension.objects.get(number="214")
    window = visit(alice, width=width, height=844 if width < 500 else 900, theme=theme)
    for name, path in PAGES.items():
        answer = window.goto(path.format(call=told.pk, extension=extension.pk, person=alice.pk))
        assert answer is not None
        assert answer.status == (404 if name == "nothing" else 200), path
        for what in LATER.get(name, []):
            window.wait_for_selector(what)
        sideways = window.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert sideways <= 0, f"{path} scrolls {sideways} px sideways"
        expected = [line for line in trouble.seen if "404" in line] if name == "nothing" else []
        assert trouble.seen == expected, path
        assert window.evaluate(BROAD) == [], f"{path} at {width} px"
        # After the count of violations: axe's own work on a page may add some.
        assert unfit(window, axe) == [], path
        trouble.seen.clear()


def unfit(window: Page, axe: str) -> list[str]:
    """What axe finds against WCAG 2.2 AA on the page, one line each."""
    window.evaluate(axe)
    found = window.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})")
    return [
        f"{rule['id']}: {node['html'][:120]} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
