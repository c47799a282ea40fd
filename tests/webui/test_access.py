"""Alice (superuser) and Bob (Operator) come in; Charlie and strangers see no page and no socket."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer
from django.test import Client, RequestFactory
from django.urls import reverse
from django.views.defaults import bad_request, permission_denied, server_error

from pbx.directory.models import Extension, Person
from tests.webui import office
from tests.webui.conftest import session_of

PAGES = [
    "/",
    "/live/now/",
    "/calls/",
    "/calls/calls.csv",
    f"/calls/{uuid.UUID(int=1)}/",
    f"/calls/{uuid.UUID(int=1)}/pane/",
    f"/calls/{uuid.UUID(int=1)}/messages/",
    "/phones/",
    "/extensions/",
    "/routing/",
    "/guard/",
    "/guard/now/",
    "/system/",
    "/system/parts/",
]
pytestmark = pytest.mark.usefixtures("plain_static")


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_is_sent_to_the_log_in(db: None, path: str) -> None:
    answer = Client().get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/?next=")


@pytest.mark.parametrize("path", PAGES)
def test_charlie_without_rights_is_told_so(charlie: Person, path: str) -> None:
    client = Client()
    client.force_login(charlie)
    answer = client.get(path)
    assert answer.status_code == 403
    assert "Your account has no dashboard rights yet" in answer.content.decode()


def test_the_first_page_of_who_has_only_an_extension_is_my_phone(charlie: Person) -> None:
    client = Client()
    client.force_login(charlie)
    office.people()
    charlie.extensions.add(*Extension.objects.filter(number="214"))
    answer = client.get("/")
    assert (answer.status_code, answer.headers.get("Location")) == (302, "/phone/")
    assert client.get("/calls/").status_code == 403
    charlie.extensions.update(enabled=False)
    assert client.get("/").status_code == 403


@pytest.mark.parametrize("path", PAGES)
def test_a_script_gets_a_bare_refusal_not_a_page(charlie: Person, path: str) -> None:
    client = Client(headers={"HX-Request": "true"})
    assert client.get(path).status_code == 401
    client.force_login(charlie)
    answer = client.get(path)
    assert (answer.status_code, answer.content) == (403, b"")


@pytest.mark.parametrize("path", ["/", "/live/now/", "/calls/", "/phones/", "/extensions/", "/routing/", "/system/"])  # fmt: skip
def test_bob_the_operator_sees_every_page(bob: Person, path: str) -> None:
    office.domain()
    client = Client()
    client.force_login(bob)
    assert client.get(path).status_code == 200


def test_an_operator_who_is_no_longer_active_is_a_stranger(bob: Person) -> None:
    client = Client()
    client.force_login(bob)
    Person.objects.filter(pk=bob.pk).update(is_active=False)
    assert client.get("/").status_code == 302


@pytest.mark.parametrize("path", [*PAGES, "/admin/", "/no/such/page/"])
def test_a_one_time_password_opens_only_its_own_replacement(alice: Person, path: str) -> None:
    Person.objects.filter(pk=alice.pk).update(must_change_password=True)
    client = Client()
    client.force_login(alice)
    answer = client.get(path)
    assert (answer.status_code, answer["Location"]) == (302, "/password/")
    assert client.get("/password/").status_code == 200


def test_log_out_is_a_post(alice: Person) -> None:
    client = Client()
    client.force_login(alice)
    assert client.get("/logout/").status_code == 405
    assert client.get("/").status_code == 200
    assert client.post("/logout/").status_code == 302
    assert client.get("/").status_code == 302


def test_the_admin_has_no_door_of_its_own(db: None) -> None:
    answer = Client().get("/admin/login/?next=/admin/calls/call/")
    assert answer["Location"] == reverse("login") + "?next=/admin/calls/call/"


def test_no_page_allows_inline_or_foreign_scripts(alice: Person) -> None:
    office.domain()
    client = Client()
    client.force_login(alice)
    for path in ("/", "/calls/", "/admin/", "/no/such/page/"):
        policy = client.get(path)["Content-Security-Policy"]
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";") if rule.strip())
        assert rules["script-src"] == rules["style-src"] == "'self'", path


# ------------------------------------------------------------------ errors


def test_errors_are_told_in_words(db: None, rf: RequestFactory) -> None:
    failed = server_error(rf.get("/"))  # it has no request: the page must need none
    assert failed.status_code == 500
    assert "Calls go on" in failed.content.decode()
    assert "cannot read" in bad_request(rf.get("/"), ValueError("x")).content.decode()
    assert "may not do this" in permission_denied(rf.get("/"), ValueError("x")).content.decode()
    forged = Client(enforce_csrf_checks=True).post("/login/", {"username": "x", "password": "y"})
    assert forged.status_code == 403
    assert "open too long" in forged.content.decode()


# ------------------------------------------------------------------ the socket

HOST = "pbx.example:8080"


def socket_of(
    person: Person | None,
    origin: str = f"http://{HOST}",
    client: str = "10.1.2.3",
    scheme: str = "ws",
    path: str = "/ws/live/",
) -> ApplicationCommunicator:
    from pbx.asgi import application

    headers = [(b"host", HOST.encode()), (b"origin", origin.encode())]
    if person:
        cookie = "sessionid" if scheme == "ws" else "__Host-sessionid"
        headers.append((b"cookie", f"{cookie}={session_of(person)}".encode()))
    scope = {
        "type": "websocket", "path": path, "query_string": b"", "subprotocols": [],
        "scheme": scheme, "headers": headers, "client": (client, 40000),
    }  # fmt: skip
    return ApplicationCommunicator(application, scope)


async def connects(socket: ApplicationCommunicator) -> bool:
    await socket.send_input({"type": "websocket.connect"})
    answer = await socket.receive_output(timeout=5)
    if answer["type"] == "websocket.accept":
        await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(timeout=5)
    return bool(answer["type"] == "websocket.accept")


@pytest.mark.django_db(transaction=True)
def test_only_operators_get_a_live_socket(alice: Person, bob: Person, charlie: Person) -> None:
    admitted = {
        name: async_to_sync(connects)(socket_of(person))
        for name, person in {"alice": alice, "bob": bob, "charlie": charlie, "": None}.items()
    }
    assert admitted == {"alice": True, "bob": True, "charlie": False, "": False}


@pytest.mark.django_db(transaction=True)
def test_only_who_has_an_extension_gets_a_phones_socket(alice: Person, charlie: Person) -> None:
    office.people()
    Extension.objects.filter(number="214").update(person=charlie)
    admitted = {
        name: async_to_sync(connects)(socket_of(person, path="/ws/phone/"))
        for name, person in {"alice": alice, "charlie": charlie, "": None}.items()
    }
    assert admitted == {"alice": False, "charlie": True, "": False}
    evil = socket_of(charlie, origin="https://evil.example", path="/ws/phone/")
    assert not async_to_sync(connects)(evil)


@pytest.mark.django_db(transaction=True)
def test_the_https_door_has_a_live_socket_too(alice: Person) -> None:
    assert async_to_sync(connects)(socket_of(alice, f"https://{HOST}", scheme="wss"))
    assert not async_to_sync(connects)(socket_of(None, f"https://{HOST}", scheme="wss"))


@pytest.mark.django_db(transaction=True)
def test_another_sites_page_gets_no_socket_though_the_browser_sends_the_cookie(
    alice: Person,
) -> None:
    assert not async_to_sync(connects)(socket_of(alice, origin="https://evil.example"))


@pytest.mark.django_db(transaction=True)
def test_an_address_outside_the_admin_networks_gets_no_socket(alice: Person) -> None:
    assert not async_to_sync(connects)(socket_of(alice, client="203.0.113.7"))


@pytest.mark.django_db(transaction=True)
def test_the_socket_says_that_something_changed_once_for_a_burst_and_never_what(
    alice: Person,
) -> None:
    async def burst(socket: ApplicationCommunicator) -> list[Any]:
        await socket.send_input({"type": "websocket.connect"})
        await socket.receive_output(timeout=5)
        for number in range(20):
            message = {"type": "live.changed", "calls": [str(number)], "aors": []}
            await get_channel_layer().group_send("live", message)
        told = await socket.receive_output(timeout=5)
        quiet = await socket.receive_nothing(timeout=0.2)
        await socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await socket.wait(timeout=5)
        return [json.loads(told["text"]), quiet]

    assert async_to_sync(burst)(socket_of(alice)) == [{"type": "changed"}, True]
