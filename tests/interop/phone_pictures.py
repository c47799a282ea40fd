"""Takes the documents' pictures of the page My phone anew: `./test tests/interop/phone_pictures.py`.

No part of the suite. The office is made up, the calls are real.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.interop.conftest import Phones
from tests.support.baresip import Baresip
from tests.support.cast import extension
from tests.support.my_phone import PASSWORD, MyPhone, chromium_with_tone, make_people
from tests.support.pbx_process import DOMAIN, PROJECT, PbxProcess
from tests.webui import office

IMAGES = PROJECT / "docs" / "images"
CONFIGURATION = {"extensions": [extension(number, name=name) for number, name, _ in office.PEOPLE]}
ME, CALLER = "214", "218"
AT_A_DESK = ("219", "225", "231", "240")

_PAST_CALLS = """
from pbx.directory.models import Person
Person.objects.filter(username="person214").update(first_name="Mira", last_name="Okafor")
from tests.webui import office
office.DOMAIN = {domain!r}
for other, mine, age, result in (
    ("207", False, 240, "answered"), ("+4930555018", True, 1500, "answered"),
    ("221", True, 4100, "no_answer"), ("+442079460", False, 7300, "answered"),
    ("236", False, 9900, "cancelled"), ("225", True, 14800, "answered"),
    ("240", False, 21000, "answered"), ("+4685550114", True, 25200, "busy"),
):
    pair = ("214", other) if mine else (other, "214")
    office.call(*pair, started=age, answered=age - 6 if result == "answered" else None,
                ended=age - 95, result=result)
"""

PICTURES = [
    ("my-phone-light", "idle", "light", 1440, 860),
    ("my-phone-dark", "talking", "dark", 1440, 860),
    ("my-phone-ringing", "ringing", "light", 390, 844),
    ("my-phone-talking", "talking", "dark", 390, 844),
]


@pytest.fixture(scope="module")
def people(pbx: PbxProcess) -> None:
    make_people(pbx, ME)
    pbx.run("shell", "-c", _PAST_CALLS.format(domain=DOMAIN))


@pytest.fixture
def chromium(browser: Browser, tmp_path: Path) -> Iterator[Browser]:
    with chromium_with_tone(browser, 440, tmp_path) as running:
        yield running


@pytest.fixture
def caller(phones: Phones) -> Baresip:
    """Lena at her phone; some others at theirs, and Jonas and Sara talk to each other."""
    for number in AT_A_DESK:
        phones.wire(number)
    jonas, sara = phones.baresip("207"), phones.baresip("221")
    jonas.dial("221")
    sara.wait_for("CALL_INCOMING")
    sara.accept()
    jonas.wait_for("CALL_ESTABLISHED")
    return phones.baresip(CALLER)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("name", "state", "theme", "width", "height"), PICTURES)
def test_picture(
    pbx: PbxProcess, people: None, caller: Baresip, chromium: Browser,
    name: str, state: str, theme: str, width: int, height: int,
) -> None:  # fmt: skip
    assert pbx.ready is not None
    context = chromium.new_context(
        base_url=pbx.ready.http, permissions=["microphone", "notifications"], locale="en-GB",
        viewport={"width": width, "height": height}, timezone_id="Europe/Berlin",
    )  # fmt: skip
    url = pbx.ready.http
    context.add_cookies(
        [
            {"name": "theme", "value": theme, "url": url},
            {"name": "timezone", "value": "Europe/Berlin", "url": url},
        ]
    )
    page = MyPhone(context.new_page(), f"person{ME}", PASSWORD)
    sara = page.window.locator("#people li", has_text="Sara Lindqvist")
    expect(sara).to_contain_text("On a call", timeout=15_000)
    if state != "idle":
        caller.dial(ME)
        page.says("Incoming call")
        expect(page.window.locator("#call-who")).to_have_text("Lena Hartmann")
    if state == "talking":
        page.press("Answer")
        page.says("Talking")
        lena = page.window.locator("#people li", has_text="Lena Hartmann")
        expect(lena).to_contain_text("On a call", timeout=15_000)
        expect(page.window.locator("#call-time")).to_have_text("0:12", timeout=20_000)
    page.window.mouse.move(0, 0)
    IMAGES.mkdir(exist_ok=True)
    picture = page.window.screenshot(path=IMAGES / f"{name}.png")
    assert len(picture) < 200_000
