"""Who may come in by which address, and the cookies of the two doors."""

from __future__ import annotations

from typing import Any

import pytest

from pbx.admission import Admission
from pbx.cookies import HostCookies
from pbx.environment import Environment

Headers = list[tuple[bytes, bytes]]


def scope(kind: str = "http", **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "scheme": "http" if kind == "http" else "ws",
        "path": "/",
        "client": ("192.168.1.7", 50000),
        "headers": [],
        **more,
    }


async def answered(application: Any, asked: dict[str, Any]) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(event: dict[str, Any]) -> None:
        events.append(event)

    await application(asked, receive, send)
    return events


async def greet(scope: Any, receive: Any, send: Any) -> None:
    """Stands for the whole site: accepts everything and sets two cookies."""
    cookies: Headers = [
        (b"set-cookie", b"sessionid=abc; HttpOnly; Path=/; SameSite=Lax"),
        (b"set-cookie", b"csrftoken=def; Path=/; Secure"),
        (b"x-read", dict(scope["headers"]).get(b"cookie", b"")),
    ]
    kind = "http.response.start" if scope["type"] == "http" else "websocket.accept"
    await send({"type": kind, "status": 200, "headers": cookies})


def site(networks: str = "private") -> Admission:
    return Admission(greet, Environment.load({"PBX_ADMIN_NETWORKS": networks}).admin_networks)


@pytest.mark.parametrize(
    ("networks", "address", "status"),
    [
        ("private", "192.168.1.7", 200),
        ("private", "127.0.0.1", 200),
        ("private", "::ffff:10.1.2.3", 200),
        ("private", "fd00::7", 200),
        ("private", "203.0.113.9", 403),
        ("private", "2001:db8::1", 403),
        ("any", "203.0.113.9", 200),
        ("203.0.113.0/24", "203.0.113.9", 200),
        ("203.0.113.0/24", "192.168.1.7", 403),
    ],
)
async def test_pages_answer_the_networks_that_administer(
    networks: str, address: str, status: int
) -> None:
    events = await answered(site(networks), scope(client=(address, 1)))
    assert events[0]["status"] == status


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/static/app.css"])
async def test_health_and_style_answer_everybody(path: str) -> None:
    events = await answered(site(), scope(path=path, client=("203.0.113.9", 1)))
    assert events[0]["status"] == 200


@pytest.mark.parametrize(
    ("origin", "accepted"),
    [
        (b"http://pbx.example:8080", True),
        (b"http://evil.example", False),
        (b"http://pbx.example:9999", False),
        (b"null", False),
        (b"", True),  # not a browser: it has no cookies to misuse
    ],
)
async def test_a_live_page_is_opened_only_by_our_own_pages(origin: bytes, accepted: bool) -> None:
    headers = [(b"host", b"pbx.example:8080"), *([(b"origin", origin)] if origin else [])]
    events = await answered(site(), scope("websocket", headers=headers))
    assert (events[0]["type"] == "websocket.accept") is accepted


async def test_a_live_page_from_a_stranger_is_closed() -> None:
    events = await answered(site(), scope("websocket", client=("203.0.113.9", 1)))
    assert events[0]["type"] == "websocket.close"


def cookies(events: list[dict[str, Any]]) -> list[bytes]:
    return [value for name, value in events[0]["headers"] if name == b"set-cookie"]


async def test_https_cookies_are_host_bound_and_secure() -> None:
    events = await answered(HostCookies(greet), scope(scheme="https"))
    assert cookies(events) == [
        b"__Host-sessionid=abc; HttpOnly; Path=/; SameSite=Lax; Secure",
        b"__Host-csrftoken=def; Path=/; Secure",
    ]


async def test_http_cookies_stay_as_they_are() -> None:
    events = await answered(HostCookies(greet), scope())
    assert cookies(events)[0] == b"sessionid=abc; HttpOnly; Path=/; SameSite=Lax"


@pytest.mark.parametrize(("kind", "scheme"), [("http", "https"), ("websocket", "wss")])
async def test_by_https_only_the_https_cookies_are_read(kind: str, scheme: str) -> None:
    """A plain page on the way could have planted the others."""
    headers = [(b"cookie", b"sessionid=planted; __Host-sessionid=abc; x=1; __Host-csrftoken=def")]
    events = await answered(HostCookies(greet), scope(kind, scheme=scheme, headers=headers))
    assert (b"x-read", b"sessionid=abc; csrftoken=def") in events[0]["headers"]
