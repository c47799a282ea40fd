"""One running Branchline for every interop test, and telephones for each.

Every test file names what it needs in `CONFIGURATION` (extensions and rules of the configuration
file); all of it is applied at once, so numbers and names are of one file alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.baresip import Baresip
from tests.support.cast import PASSWORD, merged
from tests.support.chromium import headless_shell, whole_chromium
from tests.support.my_phone import make_people
from tests.support.pbx_process import DOMAIN, PbxProcess
from tests.support.wait import until
from tests.support.web_people import WebPeople
from tests.support.wire import Address
from tests.support.wire_phone import WirePhone


@pytest.fixture(scope="session")
def pbx(request: pytest.FixtureRequest) -> Iterator[PbxProcess]:
    """The product, all parts, with the configuration of every collected file beside this one."""
    here = Path(__file__).parent
    modules = {
        item.module
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path.parent == here
    }
    with PbxProcess() as running:
        applied = merged(getattr(module, "CONFIGURATION", {}) for module in modules)
        running.apply(applied)
        if applied.get("extensions"):
            _wait_for(running, applied["extensions"][-1]["number"])
        yield running


def _wait_for(pbx: PbxProcess, number: str) -> None:
    """Until the engine knows that extension: on a busy machine it may take a moment."""
    with WirePhone(number, PASSWORD.format(number), server=pbx.sip, domain=DOMAIN) as phone:
        until(
            lambda: phone.register(expires=0, deadline=20).status == 200,
            f"{number} to be known",
            deadline=20,
            pause=0.1,
        )


class Phones:
    """Makes telephones that are registered at the PBX and taken away after the test."""

    def __init__(self, pbx: PbxProcess, directory: Path, stack: ExitStack) -> None:
        self.pbx, self.directory, self.stack = pbx, directory, stack

    def baresip(self, number: str, **more: Any) -> Baresip:
        """A real phone, registered with digest."""
        phone = self.unregistered(number, **more)
        phone.wait_for("REGISTER_OK")
        return phone

    def unregistered(self, number: str, **more: Any) -> Baresip:
        """A real phone that tries to register; the test says what must come of it."""
        server = self.pbx.sips if more.get("transport") == "tls" else self.pbx.server
        more = {"password": PASSWORD.format(number), "server": server, **more}
        phone = Baresip(number, self.directory, domain=DOMAIN, **more)
        return self.stack.enter_context(phone)

    def wire(
        self,
        number: str,
        *,
        transport: str = "udp",
        register: bool = True,
        domain: str = DOMAIN,
        hidden_as: str = "",
        server: Address | None = None,
    ) -> WirePhone:
        """A phone by hand; `register=False` for one that only calls, `hidden_as` behind NAT."""
        phone = self.stack.enter_context(
            WirePhone(
                number,
                PASSWORD.format(number),
                server=server or self.pbx.sip,
                domain=domain,
                transport=transport,
                device=f"wire-{number}",
                hidden_as=hidden_as,
            )
        )
        if register:
            response = phone.register()
            assert response.status == 200, f"not registered:\n{response}"
        return phone


@pytest.fixture
def phones(pbx: PbxProcess, tmp_path: Path) -> Iterator[Phones]:
    with ExitStack() as stack:
        yield Phones(pbx, tmp_path, stack)


@pytest.fixture(scope="module")
def people(request: pytest.FixtureRequest, pbx: PbxProcess) -> dict[str, float]:
    """The people whom the test file names in `TONE`: extension -> tone in Hz."""
    tones: dict[str, float] = request.module.TONE
    make_people(pbx, *tones)
    return tones


@pytest.fixture
def chromium_program(request: pytest.FixtureRequest) -> str:
    """What the people's pages are open in."""
    whole = request.node.get_closest_marker("whole_chromium")
    return whole_chromium() if whole else headless_shell()


@pytest.fixture
def web(
    pbx: PbxProcess,
    people: dict[str, float],
    browser: Browser,
    chromium_program: str,
    tmp_path: Path,
) -> Iterator[WebPeople]:
    """Their pages My phone."""
    with ExitStack() as stack:
        yield WebPeople(pbx, browser, tmp_path, stack, people, chromium_program)
