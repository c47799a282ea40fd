"""One embedded Postgres for the whole run, or for each worker; pytest-django makes its test database on it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

# Before anything reads the settings: tests have a data directory of their own, and the variables
# of whoever runs them decide nothing.
for _name in [name for name in os.environ if name.startswith("PBX_")]:
    del os.environ[_name]
for _name in ("DATABASE_URL", "DATABASE_URL_FILE", "REDIS_URL", "REDIS_URL_FILE"):
    os.environ.pop(_name, None)
_DATA = tempfile.TemporaryDirectory(prefix="branchline-test-")
os.environ["PBX_DATA_DIR"] = _DATA.name

import pytest  # noqa: E402 - after the environment is cleared

from pbx.supervisor import compiled  # noqa: E402
from pbx.supervisor.cluster import Cluster  # noqa: E402
from pbx.supervisor.identity import service_identity  # noqa: E402
from tests.support.assets import ASSETS, build_assets  # noqa: E402
from tests.support.chromium import headless_shell  # noqa: E402
from tests.support.lanes import Lanes  # noqa: E402
from tests.support.wait import until  # noqa: E402

# `./test` compiles the engine beforehand. Where pytest is started alone and the sources are newer,
# no start of a PBX shall wait for the compiler: some tests time it.
if not compiled.present():
    os.environ["PBX_COMPILE"] = "off"

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from xdist.remote import Producer


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """A running embedded Postgres that forgets everything at the end; `.url(name)` reaches it."""
    identity = service_identity()
    with tempfile.TemporaryDirectory(prefix="branchline-pg-") as name:
        home = Path(name)
        run = home / "run"
        run.mkdir()
        if identity:
            home.chmod(0o711)
            os.chown(run, identity.uid, identity.gid)
        # A crash of the machine during the tests may lose them: no flush of anything.
        settings = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        cluster = Cluster(home / "data", run, "test-password", identity, settings)
        cluster.initialise()
        with (home / "log").open("wb") as log:
            server = subprocess.Popen(
                cluster.command(), stdout=log, stderr=log, **cluster.popen_options
            )
        try:
            until(
                lambda: cluster.is_ready or server.poll() is not None,
                "Postgres",
                deadline=30,
                explain=(home / "log").read_text,
            )
            assert server.poll() is None, (home / "log").read_text()
            yield cluster
        finally:
            cluster.stop()
            server.wait(timeout=10)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres_cluster: Cluster) -> None:
    """Instead of pytest-django's, which names the databases of workers apart: each has a cluster."""
    from django.conf import settings

    settings.DATABASES["default"].update(
        NAME="branchline",
        USER="pbx",
        PASSWORD=postgres_cluster.password,
        HOST=str(postgres_cluster.run),
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One real Chromium for the whole run."""
    program = headless_shell()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        yield running
        running.close()


@pytest.fixture(scope="session")
def front_end_tools() -> Path:
    """The front end's packages, those for development too: the types' checker, axe, SIP.js."""
    build_assets()
    build_assets("packages")
    return ASSETS / "node_modules"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes:
    return Lanes(config, log)


def pytest_report_header() -> str:
    core = find_spec("sipengine.services.core")
    return f"engine: {core.origin if core else 'missing'}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: Playwright keeps an event loop running in this thread from its first
    use to its end, and no asynchronous test could have one of its own meanwhile."""
    items.sort(key=lambda item: "browser" in getattr(item, "fixturenames", ()))


def _skipped_in_ci(reporter: pytest.TerminalReporter) -> int:
    """Where everything is installed, a skipped test is a test that went missing."""
    return len(reporter.getreports("skipped")) if os.environ.get("CI") == "true" else 0


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and _skipped_in_ci(reporter) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if number := _skipped_in_ci(terminalreporter):
        terminalreporter.write_line(f"CI=true: {number} skipped, which counts as failed", red=True)
