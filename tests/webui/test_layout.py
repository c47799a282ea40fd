"""Nothing is squeezed, cut off or pushed aside where there is little room."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from pbx.directory.models import Extension, Person
from tests.webui import office

LAPTOP = 1280
PHONE = 390
BEYOND = """() => [...document.querySelectorAll('#content :is(input, select, a, .select2-container)')]
    .filter((each) => !each.closest('.tabular') && each.getBoundingClientRect().right > innerWidth)
    .map((each) => each.outerHTML.slice(0, 80))"""
"""Fields and links of an admin's form that stand beyond the window's edge."""


def lines(words: Locator) -> int:
    """How many lines the words take."""
    return int(
        words.evaluate(
            """(words) => {
                const range = document.createRange();
                range.selectNodeContents(words);
                return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size;
            }"""
        )
    )


@pytest.mark.parametrize("width", [LAPTOP, 1440, 1680])
def test_numbers_in_the_log_are_whole_on_a_laptop(
    visit: Callable[..., Page], bob: Person, width: int
) -> None:
    office.people()
    office.call("+4940555077180@carrier.example", "214", started=300.0, ended=200.0)
    office.call("214", "+4940555077180", started=9.0, ended=8.0)
    window = visit(bob, width=width)
    window.goto("/calls/")
    expect(window.locator("#call-pane article")).to_be_visible()
    for number in window.get_by_title("+4940555077180").all():
        assert number.evaluate("(cell) => cell.scrollWidth <= cell.clientWidth")
    assert window.get_by_title("+4940555077180").count() == 2


def test_names_of_phones_beside_the_calls_take_one_line(
    visit: Callable[..., Page], bob: Person
) -> None:
    office.people()
    office.heartbeat()
    office.register("218", "Linphone-Desktop/5.2.4")
    window = visit(bob, width=LAPTOP)
    window.goto("/")
    phone = window.locator("#live-phones tbody tr")
    assert lines(phone.get_by_text("Lena Hartmann")) == 1
    expect(phone.get_by_text("10.20.4.218")).to_be_hidden()  # the page Phones has the room


def test_a_persons_name_is_not_broken_amid_a_word(
    visit: Callable[..., Page], bob: Person, charlie: Person
) -> None:
    office.people()
    name = "Maximiliane-Theodora von und zu Hohenlohe-Langenburg (Assistant of the Board)"
    Extension.objects.filter(number="214").update(person=charlie, name=name)
    window = visit(bob, width=LAPTOP)
    window.goto("/extensions/?q=214")
    for words in ("charlie", office.DOMAIN):
        assert lines(window.get_by_role("cell", name=words, exact=True)) == 1


def test_on_a_phone_what_is_not_there_takes_no_line(
    visit: Callable[..., Page], bob: Person
) -> None:
    office.people()
    office.register("214", "Yealink SIP-T54W")
    window = visit(bob, width=PHONE, height=844)
    window.goto("/phones/?q=21")
    row = window.locator("tbody tr", has_text="Reception")
    expect(row).to_be_visible()
    expect(row.get_by_text("–").first).to_be_hidden()
    expect(window.get_by_text("Yealink SIP-T54W")).to_be_visible()


def test_on_a_phone_colours_are_chosen_behind_the_last_tab(
    visit: Callable[..., Page], bob: Person
) -> None:
    office.heartbeat()
    window = visit(bob, width=PHONE, height=844)
    window.goto("/phones/")
    colours = window.get_by_role("group", name="Colours")
    expect(colours).to_have_count(0)
    window.get_by_role("link", name="More").click()
    colours.get_by_role("button", name="Dark").click()
    expect(window.locator("html")).to_have_attribute("data-theme", "dark")
    window.set_viewport_size({"width": LAPTOP, "height": 800})
    expect(colours).to_have_count(1)


def test_on_a_phone_a_banners_sign_stands_beside_its_words(visit: Callable[..., Page]) -> None:
    window = visit(width=PHONE, height=844)
    window.goto("/login/")
    window.get_by_label("User name").fill("alice")
    window.get_by_label("Password").fill("guessed")
    window.get_by_role("button", name="Log in").click()
    alert = window.get_by_role("alert")
    sign, words = alert.locator(".i").bounding_box(), alert.locator("p").bounding_box()
    assert sign
    assert words
    assert sign["y"] + sign["height"] / 2 == pytest.approx(words["y"] + words["height"] / 2, abs=2)


@pytest.mark.parametrize("path", ["directory/extension/add/", "routing/rule/add/"])
def test_on_a_phone_the_administrations_fields_stay_in_the_window(
    visit: Callable[..., Page], alice: Person, path: str
) -> None:
    office.domain()
    window = visit(alice, width=PHONE, height=844)
    window.goto(f"/admin/{path}")
    expect(window.get_by_label("Name:", exact=True)).to_be_visible()
    assert window.evaluate(BEYOND) == []
