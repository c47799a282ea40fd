"""Names and numbers as long as may be stored, and of any script, break no page."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page

from pbx.directory.actions import add_extension
from pbx.directory.models import Person
from pbx.routing.models import Rule
from tests.webui import office

PHONE = 390
BEYOND_CARD = """[...document.querySelectorAll('.card, .card td')]
    .filter((box) => box.scrollWidth > box.clientWidth).map((box) => box.textContent.trim())"""
"""What is wider than the card or the table's cell that holds it."""


def test_long_and_foreign_names_stay_in_their_cells(
    visit: Callable[..., Page], alice: Person
) -> None:
    office.heartbeat()
    long = "7" * 40
    names = {
        long: "Extraordinarily" * 7,
        "301": "محمد بن عبد الله",
        "302": "Party 🎉 Line",
    }
    office.rules()
    Rule.objects.filter(name="Closed").update(called="/^" + "(19|20)" * 30 + "$/")
    for number, name in names.items():
        add_extension(office.domain(), number, f"secret-of-{number}", name=name)
        address = f"{number}@{office.DOMAIN}"
        office.register("207", "A phone with a very long name " * 4, aor=address)
        office.call(number, "+49" + "123456789" * 4, started=40, ringing=39, answered=30)
    told = office.call(
        long, "302", started=90, ringing=89, answered=80, ended=10, result="answered",
        reason=f"Rule “{'R' * 110}” rang it.", rule="R" * 110,
    )  # fmt: skip
    for width in (1440, 720, PHONE):
        window = visit(alice, width=width, height=844)
        for path in ("/", "/calls/", f"/calls/{told.pk}/", "/phones/", "/extensions/", "/routing/"):
            window.goto(path)
            window.wait_for_selector("table.rows, .saying")
            over = window.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert over <= 0, f"{path} scrolls {over} px sideways at {width} px"
            assert window.evaluate(BEYOND_CARD) == [], f"{path} at {width} px"
