"""JsSIP and SIP.js in Chromium, as pages that are not ours use them: registered over WS and WSS, they call
each other and desk phones by way of the proxy (RFC 7118)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.interop.conftest import Phones
from tests.support.cast import PASSWORD, extension
from tests.support.pbx_process import DOMAIN, PbxProcess
from tests.support.sip_library import LIBRARIES, LibraryPhone, built
from tests.support.wait import until

CONFIGURATION = {"extensions": [extension(f"470{digit}") for digit in range(1, 4)]}

Open = Callable[..., LibraryPhone]
OTHERS_NAME = "Somebody's softphone 1.0"


@pytest.fixture(scope="module")
def scripts(front_end_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    directory = tmp_path_factory.mktemp("pages")
    return {library: built(library, front_end_tools, directory) for library in LIBRARIES}


@pytest.fixture
def opened(pbx: PbxProcess, scripts: dict[str, str], browser: Browser) -> Iterator[Open]:
    """Opens a page with a telephone of that library, registered by that kind of WebSocket."""
    with ExitStack() as stack:

        def make(library: str, number: str, door: str = "ws", **more: str | float) -> LibraryPhone:
            assert pbx.ready is not None
            context = stack.enter_context(browser.new_context(ignore_https_errors=True))
            window = context.new_page()
            window.set_default_timeout(15_000)
            origin = pbx.ready.https if door == "wss" else pbx.ready.http
            phone = LibraryPhone(window, scripts[library], origin, number, DOMAIN)
            address = origin.replace("http", "ws", 1) + "/sip"
            phone.register(address, PASSWORD.format(number), **more)  # type: ignore[arg-type]
            stack.callback(phone.do, "stop")
            return phone

        yield make


def transports_of(pbx: PbxProcess, number: str) -> list[str]:
    rows = pbx.query(
        "SELECT transport FROM registrations_binding WHERE aor = %s", f"{number}@{DOMAIN}"
    )
    return [row["transport"] for row in rows]


@pytest.mark.parametrize(
    ("caller", "callee", "doors"),
    [
        (caller, callee, doors)
        for (caller, callee), doors in zip(
            product(LIBRARIES, LIBRARIES),
            [("ws", "wss"), ("wss", "ws"), ("ws", "ws"), ("wss", "wss")],
            strict=True,
        )
    ],
)
def test_rfc7118_5_two_pages_of_these_libraries_call_each_other(
    pbx: PbxProcess, opened: Open, caller: str, callee: str, doors: tuple[str, str]
) -> None:
    alice = opened(caller, "4701", doors[0], frequency=520)
    bob = opened(callee, "4702", doors[1], frequency=740)
    for number, door in (("4701", doors[0]), ("4702", doors[1])):
        until(
            lambda number=number, door=door: door.upper() in transports_of(pbx, number),  # type: ignore[misc]
            f"a binding of {number} over {door}",
        )
    bob.begin("answer")
    assert alice.do("dial", "4702") == 200
    assert bob.outcome() == "4701"
    alice.hears(740)
    bob.hears(520)
    call_id = alice.do("callId")
    assert alice.do("hold", True)
    until(lambda: bob.do("heldThere"), "the callee to be held")
    assert alice.do("hold", False)
    until(lambda: not bob.do("heldThere"), "the callee to be back")
    alice.hears(740)
    bob.hears(520)
    bob.do("hangUp")
    alice.is_over()
    row = pbx.row_of(call_id)
    assert (row["result"], row["hangup_by"], row["answered_by"]) == (
        "answered", "callee", f"4702@{DOMAIN}",
    )  # fmt: skip
    assert alice.trouble == bob.trouble == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_refusal_reaches_the_page(pbx: PbxProcess, opened: Open, library: str) -> None:
    alice, bob = opened(library, "4701"), opened(library, "4702")
    bob.begin("refuse", 486)
    assert alice.do("dial", "4702") == 486
    assert bob.outcome() == "4701"
    assert alice.do("dial", "4709") == 404, "there is no such number"


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_page_under_a_name_of_its_own_registers_as_well(
    pbx: PbxProcess, opened: Open, library: str
) -> None:
    """Interop: both libraries look at the last challenge only, whatever User-Agent they are given."""
    opened(library, "4701", user_agent=OTHERS_NAME)
    assert any(row["user_agent"] == OTHERS_NAME for row in pbx.bindings())


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_page_and_a_desk_phone_call_each_other_and_hear_each_other(
    phones: Phones, opened: Open, library: str
) -> None:
    """By way of the gateway, which another maker's offer and answer must please as well."""
    page, desk = opened(library, "4701", frequency=520), phones.baresip("4703", tone=660)
    page.begin("dial", "4703")
    desk.wait_for("CALL_INCOMING")
    desk.accept()
    assert page.outcome() == 200
    desk.wait_for("CALL_ESTABLISHED")
    page.hears(660)
    desk.hears(520, deadline=15)
    assert page.do("hold", True)
    page.hears(0, within=1)
    assert page.do("hold", False)
    page.hears(660)
    page.do("hangUp")
    desk.wait_for("CALL_CLOSED")

    page.begin("answer")
    desk.dial("4701")
    desk.wait_for("CALL_ESTABLISHED")
    assert page.outcome() == "4703"
    page.hears(660)
    desk.hears(520, deadline=15)
    desk.hang_up()
    page.is_over()
    assert page.trouble == []
