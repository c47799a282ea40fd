"""Who gets the page My phone, its credential, its history and its directory, and who does not."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client, override_settings
from django.utils import timezone

from pbx.calls.models import Call
from pbx.directory.models import Extension, Person
from pbx.environment import Environment
from pbx.pagephones.models import Page
from sipengine.page_credentials import LIFE_S, ha1_of, page_key, split
from sipengine.path_probe import password_of, probe_key
from tests.webui import office
from webui.webphone.owner import CHOSEN

ADDRESSES = [
    "/phone/credential/", "/phone/history/", "/phone/people/?q=2", "/phone/neighbours/", "/phone/path/",
]  # fmt: skip
POSTS = ("/phone/credential/", "/phone/path/")
pytestmark = pytest.mark.usefixtures("plain_static")


def ask(client: Client, address: str) -> tuple[int, str]:
    answer = client.post(address) if address in POSTS else client.get(address)
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
    for page in ("/phone/", "/phone/check/"):
        answer = Client().get(page)
        assert (answer.status_code, answer["Location"]) == (302, f"/login/?next={page}")
    for address in ADDRESSES:
        status, text = ask(Client(), address)
        assert status == 401
        assert "ha1" not in text
        assert "password" not in text


def test_without_an_extension_the_page_says_what_to_do(client: Client) -> None:
    answer = client.get("/phone/")
    assert answer.status_code == 403
    assert "You have no extension yet" in answer.content.decode()
    assert [ask(client, address)[0] for address in ADDRESSES] == [403] * 5


def test_who_administers_is_led_to_the_extensions_and_is_the_person_of_a_new_one(
    alice: Person, bob: Person
) -> None:
    for person in (alice, bob):
        logged_in = Client()
        logged_in.force_login(person)
        page = logged_in.get("/phone/").content.decode()
        assert 'href="/extensions/"' in page
        new = f"/admin/directory/extension/add/?person={person.pk}"
        assert new in page
        office.domain()
        form = logged_in.get(new).content.decode()
        assert f'<option value="{person.pk}" selected>{person.username}</option>' in form


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
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    for address in POSTS:
        assert client.get(address).status_code == 405
        assert strict.post(address).status_code == 403


def test_after_the_log_out_there_is_no_further_credential(client: Client, mira: Extension) -> None:
    assert ask(client, "/phone/credential/")[0] == 200
    assert ended() == {}
    page = Page.objects.get()
    client.post("/logout/")
    assert ask(client, "/phone/credential/")[0] == 401
    assert ended() == {page.mark: mira.aor}


def test_a_page_keeps_its_mark_and_its_end_is_put_off(client: Client, mira: Extension) -> None:
    assert client.post("/phone/credential/").status_code == 200
    Page.objects.update(holds_until=timezone.now())
    client.post("/phone/credential/")
    assert Page.objects.get().holds_until > timezone.now() + dt.timedelta(seconds=LIFE_S - 10)


@pytest.mark.parametrize("what", ["password", "shut out", "moved", "taken away", "session"])
def test_whoever_loses_the_right_loses_the_credential(
    client: Client, charlie: Person, mira: Extension, what: str
) -> None:
    client.post("/phone/credential/")
    Person.objects.filter(pk=charlie.pk).update(first_name="Charles")
    Extension.objects.filter(pk=mira.pk).update(ring_timeout=30)
    assert ended() == {}
    match what:
        case "password":
            charlie.set_password("another one")
            charlie.save()
        case "shut out":
            Person.objects.filter(pk=charlie.pk).update(is_active=False)
        case "moved":
            Extension.objects.filter(pk=mira.pk).update(person=None)
        case "taken away":
            charlie.delete()
        case "session":
            Session.objects.all().delete()
    assert list(ended().values()) == [mira.aor]


def test_after_it_was_given_back_the_page_is_another_one(
    client: Client, charlie: Person, mira: Extension
) -> None:
    first = client.post("/phone/credential/").json()["username"]
    Extension.objects.filter(pk=mira.pk).update(person=None)
    Extension.objects.filter(pk=mira.pk).update(person=charlie)
    second = client.post("/phone/credential/").json()["username"]
    assert split(first)[2] in ended()  # type: ignore[index]
    assert split(second)[2] not in ended()  # type: ignore[index]


def ended() -> dict[str, str]:
    """The pages that the engine is told are over."""
    return dict(Page.objects.exclude(ended_at=None).values_list("mark", "aor"))


def test_history_has_ones_own_calls_only(client: Client, mira: Extension) -> None:
    office.call("214", "218", started=60, answered=50, ended=40, result="answered")
    office.call("219", "214", started=30, ended=20, result="no_answer")
    office.call("219", "240", started=30, ended=20, result="answered")
    # As the engine writes a call within one domain; one of another domain's 214 is somebody else's.
    for caller, domain in (("221", office.DOMAIN), ("236@elsewhere.test", "elsewhere.test")):
        missed = office.call(caller, "214", started=20, ended=10, result="cancelled")
        Call.objects.filter(pk=missed.pk).update(called="214", domain=domain)
    text = client.get("/phone/history/").content.decode()
    for number in ("218", "219", "221"):
        assert f'data-dial="{number}"' in text
    assert "240" not in text
    assert "236" not in text


def test_a_page_may_ask_the_gateway_with_what_it_is_given_for_a_minute(
    client: Client, mira: Extension
) -> None:
    answer = client.post("/phone/path/", headers={"host": "[::1]:8080"})
    assert "no-store" in answer["Cache-Control"]
    given = answer.json()
    key = probe_key(settings.SECRET_KEY)
    now = time.time()
    assert password_of(given["ufrag"], key, now) == given["password"]
    assert password_of(given["ufrag"], key, now + 61) is None
    environment = settings.ENVIRONMENT
    assert given["hosts"] == [environment.advertised_address, "::1"]
    assert given["port"] == environment.rtp_ports[0]
    elsewhere = Environment.load({"PBX_MEDIA": "ng://192.0.2.1:2223"})
    with override_settings(ENVIRONMENT=elsewhere):
        assert client.post("/phone/path/").json() == {"own": False}


def test_of_several_extensions_one_is_chosen_and_nobody_elses(
    client: Client, charlie: Person, mira: Extension
) -> None:
    def shown() -> str:
        return str(client.post("/phone/credential/").json()["uri"])

    assert 'id="which-extension"' not in client.get("/phone/").content.decode()
    Extension.objects.filter(number="231").update(person=charlie)
    assert 'id="which-extension"' in client.get("/phone/").content.decode()
    assert shown() == f"sip:214@{office.DOMAIN}"
    for number, becomes in (("231", "231"), ("218", "214"), ("214", "214")):
        client.cookies[CHOSEN] = str(Extension.objects.get(number=number).pk)
        assert shown() == f"sip:{becomes}@{office.DOMAIN}"
    client.cookies[CHOSEN] = "'; drop"
    assert shown() == f"sip:214@{office.DOMAIN}"
    Extension.objects.filter(number="214").update(enabled=False)
    assert shown() == f"sip:231@{office.DOMAIN}"


def test_people_are_shown_with_whether_they_can_be_reached(client: Client, mira: Extension) -> None:
    for number in ("207", "218", "219", "221", "225"):
        office.register(number, "a phone")
    office.register("231", "gone", expires_at=timezone.now() - dt.timedelta(seconds=1))
    office.register("236", "silent", unreachable_since=timezone.now())
    office.call("218", "+442079460321", answered=50)
    ringing = office.call("+442079460321", "219", ringing=3)
    office.leg(ringing, 0, "219", "", "ringing")
    office.call("+442079460321", "225", started=60, answered=50, ended=40)
    office.call("225", "+442079460321", started=50, answered=50, ended=40)

    found = client.get("/phone/people/", {"q": "2"}).json()["people"]
    assert {row["number"]: row["state"] for row in found} == {
        "207": "Free", "218": "On a call", "219": "Ringing", "221": "Free", "225": "Free",
        "231": "Away", "236": "Away", "240": "Away",
    }  # fmt: skip
    text = client.get("/phone/neighbours/").content.decode()
    assert "On a call" in text


def test_whom_one_calls_stand_first(client: Client, mira: Extension) -> None:
    office.call("214", "240", started=60, ended=50)
    office.call("236", "214", started=30, ended=20)
    office.call("214", "+442079460321", started=10, ended=5)
    text = client.get("/phone/neighbours/").content.decode()
    order = [part.partition('"')[0] for part in text.split('data-dial="')[1:]]
    assert order == ["236", "240", "207", "218", "219", "221", "225", "231"]


def test_people_are_found_by_number_and_name_but_not_oneself(
    client: Client, mira: Extension
) -> None:
    def found(text: str) -> list[str]:
        return [row["number"] for row in client.get("/phone/people/", {"q": text}).json()["people"]]

    assert found("21") == ["218", "219"]
    assert found("hartmann") == ["218"]
    assert found("ECHO") == ["*43"]
    assert found("*4") == ["*43", "*44"]
    assert found("mira") == []
    assert found(" ") == []
    assert len(found("2")) == 8


def test_who_has_no_rights_sees_the_phone_and_no_link_to_the_rest(
    client: Client, mira: Extension
) -> None:
    page = client.get("/phone/").content.decode()
    assert "My phone" in page
    assert 'href="/calls/"' not in page
    first = client.get("/")
    assert (first.status_code, first["Location"]) == (302, "/phone/")
