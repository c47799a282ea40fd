"""Who gets the page My phone, its credential, its history and its directory, and who does not."""

from __future__ import annotations

import time

import pytest
from django.conf import settings
from django.test import Client

from pbx.directory.models import Extension, Person
from sipengine.page_credentials import LIFE_S, ha1_of, page_key, split
from tests.webui import office

ADDRESSES = ["/phone/credential/", "/phone/history/", "/phone/people/?q=2"]
pytestmark = pytest.mark.usefixtures("plain_static")


def ask(client: Client, address: str) -> tuple[int, str]:
    answer = client.post(address) if "credential" in address else client.get(address)
    return answer.status_code, answer.content.decode()


@pytest.fixture
def mira(charlie: Person) -> Extension:
    """Charlie's extension; he has no rights in the dashboard."""
    office.people()
    Extension.objects.filter(number="214").update(person=charlie)
    return Extension.objects.get(number="214")


@pytest.fixture
def client(charlie: Person) -> Client:
    logged_in = Client()
    logged_in.force_login(charlie)
    return logged_in


def test_strangers_log_in_first(db: None) -> None:
    answer = Client().get("/phone/")
    assert (answer.status_code, answer["Location"]) == (302, "/login/?next=/phone/")
    for address in ADDRESSES:
        status, text = ask(Client(), address)
        assert status == 401
        assert "ha1" not in text


def test_without_an_extension_the_page_says_what_to_do(client: Client) -> None:
    answer = client.get("/phone/")
    assert answer.status_code == 403
    assert "You have no extension yet" in answer.content.decode()
    assert [ask(client, address)[0] for address in ADDRESSES] == [403, 403, 403]


def test_a_disabled_extension_is_none(client: Client, mira: Extension) -> None:
    Extension.objects.filter(pk=mira.pk).update(enabled=False)
    assert ask(client, "/phone/credential/")[0] == 403


def test_the_credential_is_for_ones_own_extension_and_some_minutes(
    client: Client, mira: Extension
) -> None:
    answer = client.post("/phone/credential/")
    given = answer.json()
    assert "no-store" in answer["Cache-Control"]
    assert (given["uri"], given["seconds"]) == (f"sip:214@{office.DOMAIN}", LIFE_S)
    named = split(given["username"])
    assert named is not None
    assert named[0] == "214"
    assert 0 <= time.time() + LIFE_S - named[1] < 10
    key = page_key(settings.SECRET_KEY)
    assert given["ha1"] == ha1_of(given["username"], office.DOMAIN, "MD5", key)
    credential = mira.credential
    assert credential.ha1_md5 not in answer.content.decode()


def test_the_credential_takes_a_post_with_the_pages_token(client: Client, mira: Extension) -> None:
    assert client.get("/phone/credential/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert strict.post("/phone/credential/").status_code == 403


def test_after_the_log_out_there_is_no_further_credential(client: Client, mira: Extension) -> None:
    assert ask(client, "/phone/credential/")[0] == 200
    client.post("/logout/")
    assert ask(client, "/phone/credential/")[0] == 401


def test_history_has_ones_own_calls_only(client: Client, mira: Extension) -> None:
    office.call("214", "218", started=60, answered=50, ended=40, result="answered")
    office.call("219", "214", started=30, ended=20, result="no_answer")
    office.call("219", "240", started=30, ended=20, result="answered")
    text = client.get("/phone/history/").content.decode()
    assert 'data-dial="218"' in text
    assert 'data-dial="219"' in text
    assert "240" not in text


def test_people_are_found_by_number_and_name_but_not_oneself(
    client: Client, mira: Extension
) -> None:
    def found(text: str) -> list[str]:
        return [row["number"] for row in client.get("/phone/people/", {"q": text}).json()["people"]]

    assert found("21") == ["218", "219"]
    assert found("hartmann") == ["218"]
    assert found("mira") == []
    assert found(" ") == []
    assert len(found("2")) == 8


def test_who_has_no_rights_sees_the_phone_and_no_link_to_the_rest(
    client: Client, mira: Extension
) -> None:
    page = client.get("/phone/").content.decode()
    assert "My phone" in page
    assert 'href="/calls/"' not in page
    assert "Open my phone" in client.get("/").content.decode()
