"""The call log: filters, pages by key, CSV; and one call's page."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import uuid
from collections.abc import Callable
from html import unescape
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django import DjangoAssertNumQueries

from pbx.calls.models import Call
from pbx.directory.models import Person
from tests.webui import office
from tests.webui.conftest import Trouble
from webui.dashboard.call_csv import safe_cell
from webui.dashboard.patience import TooSlow, limited_queries

BERLIN = "Europe/Berlin"


@pytest.fixture
def client(bob: Person, plain_static: None) -> Client:
    made = Client()
    made.force_login(bob)
    made.cookies["timezone"] = BERLIN
    return made


def listed(client: Client, **query: str) -> list[str]:
    """Callers in the order of the list that a query gives."""
    page = client.get(f"/calls/?{urlencode(query)}").content.decode()
    return [unescape(found) for found in re.findall(r'data-pane="[^"]*">([^<]*)</a>', page)]


# ------------------------------------------------------------------ filters


def test_a_feature_code_is_called_by_what_it_does(client: Client) -> None:
    office.people()
    office.call("214", "*43", started=30.0, answered=29.0, ended=20.0, result="answered")
    office.call("214", "*43@far.example", started=20.0, ended=10.0, result="busy")
    page = client.get("/calls/").content.decode()
    assert re.findall(r'title="([^"]*)">(?:Echo|\*43)', page) == ["*43", "Echo test"]


def test_text_finds_numbers_with_or_without_spaces_and_names_of_both_sides(client: Client) -> None:
    office.people()
    office.call("+493055501287@carrier.example", "214", started=30.0, ended=20.0, result="answered")
    office.call("207", "+442079460321", started=20.0, ended=10.0, result="busy")
    office.call("x@far.example", "207", caller_name="Zoë Ångström", started=10.0, ended=5.0)
    assert listed(client) == ["Zoë Ångström", "Jonas Weber", "+493055501287"]
    assert listed(client, q="+49 30 555") == ["+493055501287"]
    assert listed(client, q="mira") == ["+493055501287"]  # the callee's name, in the directory
    assert listed(client, q="Jonas") == ["Zoë Ångström", "Jonas Weber"]
    assert listed(client, q="ångström") == ["Zoë Ångström"]
    assert listed(client, q="%") == []  # a character, not a wildcard
    assert listed(client, q="nobody") == []


def test_days_are_the_readers_days(client: Client) -> None:
    # 23:30 UTC on the 9th is half past midnight on the 10th in Berlin.
    late = dt.datetime(2026, 3, 9, 23, 30, tzinfo=dt.UTC)
    office.call("214", "207", started=late, ended=late + office.seconds(9), result="answered")
    assert listed(client, first_day="2026-03-10", last_day="2026-03-10") == ["214"]
    assert listed(client, last_day="2026-03-09") == []
    client.cookies["timezone"] = "UTC"
    assert listed(client, first_day="2026-03-10") == []
    client.cookies["timezone"] = "../../etc/passwd"
    assert listed(client, last_day="2026-03-09") == ["214"]


@pytest.mark.parametrize("zone", ["No/Such", "%00", "/etc/passwd", "Europe", "x" * 4000])
def test_a_senseless_zone_cookie_is_ignored(client: Client, zone: str) -> None:
    client.cookies["timezone"] = zone
    assert client.get("/calls/").status_code == 200


def test_results_and_extension(client: Client) -> None:
    office.people()
    for at, result in enumerate(("answered", "busy", "no_answer", "failed", "redirected")):
        office.call("207", "214", started=10.0 + at, ended=9.0, result=result)
    office.call(
        "218", "1500", answered_by="225@pbx.example", started=5.0, ended=1.0, result="answered"
    )
    assert len(listed(client)) == 6
    assert listed(client, result="busy") == ["Jonas Weber"]
    assert len(listed(client, result="missed")) == 2
    assert len(listed(client, extension="214")) == 5
    assert listed(client, extension="225") == ["Lena Hartmann"]
    assert listed(client, extension="21") == []


def test_filters_in_force_are_chips_that_can_be_removed_one_by_one(client: Client) -> None:
    page = client.get("/calls/?q=mira&result=busy&first_day=2026-01-01").content.decode()
    assert 'aria-label="Remove filter “mira”"' in page
    without = re.findall(r'href="/calls/\?([^"]*)" aria-label="Remove filter Busy"', page)
    assert unescape(without[0]) == "q=mira&first_day=2026-01-01"


@pytest.mark.parametrize(
    "query",
    ["first_day=yesterday", "result=nonsense", "after=~", "after=2026-01-01~x", "before=x~y",
     "q=" + "9" * 500, "q=%00", "last_day=9999-12-31", "first_day=0001-01-01"],
)  # fmt: skip
def test_senseless_queries_are_answered_in_words_not_with_an_error(
    client: Client, query: str
) -> None:
    assert client.get(f"/calls/?{query}").status_code == 200


# ------------------------------------------------------------------ pages


def test_a_wrong_filter_is_not_taken_for_an_empty_log(client: Client) -> None:
    office.call("207", "214", started=10.0)
    page = client.get("/calls/?first_day=yesterday").content.decode()
    assert "Enter a valid date." in page
    assert "No calls yet" not in page
    assert "Show all calls" in page


def test_pages_by_key_show_every_call_once_there_and_back(client: Client) -> None:
    moment = timezone.now()
    same_instant = [
        Call(id=uuid.uuid4(), revision=1, domain="d", state="ended", caller=f"c{n}", called="x",
             started=moment - office.seconds(n // 7), result="busy")
        for n in range(120)
    ]  # fmt: skip
    Call.objects.bulk_create(same_instant)
    expected = list(Call.objects.order_by("-started", "-id").values_list("caller", flat=True))
    seen: list[list[str]] = []
    path = "/calls/?result=busy"
    while path:
        page = client.get(path).content.decode()
        seen.append(re.findall(r'data-pane="[^"]*">([^<]*)</a>', page))
        older = re.search(r'href="([^"]*)" aria-label="Older calls"', page)
        last, path = path, unescape(older[1]) if older else ""
    assert [len(rows) for rows in seen] == [50, 50, 20]
    assert [row for rows in seen for row in rows] == expected
    for rows in reversed(seen[:-1]):
        page = client.get(last).content.decode()
        newer = re.search(r'href="([^"]*)" aria-label="Newer calls"', page)
        assert newer
        last = unescape(newer[1])
        back = client.get(last).content.decode()
        assert re.findall(r'data-pane="[^"]*">([^<]*)</a>', back) == rows
    assert 'aria-label="Newer calls"' not in client.get(last).content.decode()


def test_a_page_costs_the_same_queries_with_many_calls_as_with_few(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    office.people()
    office.log(100)
    client.get("/calls/")
    with django_assert_max_num_queries(16):
        client.get("/calls/?q=mira")


@pytest.mark.django_db(transaction=True)
def test_a_search_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(TooSlow), limited_queries(50), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(20)")
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


# ------------------------------------------------------------------ CSV


def test_csv_has_every_call_that_the_filters_leave(visit: Callable[..., Page], bob: Person) -> None:
    office.log(620)  # more than one chunk
    office.call("207", "214", caller_name='=HYPERLINK("http://evil.example")', rule='@sum, "x"',
                started=2.0, answered=1.5, ended=1.0, result="answered", reason="A\nB")  # fmt: skip
    window = visit(bob)

    def rows(query: str = "") -> list[dict[str, str]]:
        answer = window.request.get(f"/calls/calls.csv{query}")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert "attachment" in answer.headers["content-disposition"]
        return list(csv.DictReader(io.StringIO(answer.text(), newline="")))

    every = rows()
    assert len(every) == 621
    assert every[0]["caller_name"] == '\'=HYPERLINK("http://evil.example")'
    assert every[0]["rule"] == '\'@sum, "x"'
    assert every[0]["duration_s"] == "0.5"
    assert every[0]["reason"] == "A\nB"
    assert re.search(r"\+0[12]:00$", every[0]["started"])  # Berlin's clock, and it says so
    assert len({row["id"] for row in every}) == 621
    busy = rows("?result=busy")
    assert busy
    assert {row["result"] for row in busy} == {"busy"}


@pytest.mark.parametrize(
    ("cell", "safe"),
    [("=1+1", "'=1+1"), ("+49301234", "+49301234"), ("+1+cmd", "'+1+cmd"), ("-2", "'-2"),
     ("@x", "'@x"), ("\t=1", "'\t=1"), (" =1", "' =1"), ("Mira", "Mira"), ("", "")],
)  # fmt: skip
def test_no_cell_is_a_formula(cell: str, safe: str) -> None:
    assert safe_cell(cell) == safe


# ------------------------------------------------------------------ one call


def test_a_calls_page_tells_it_in_a_sentence_and_moment_by_moment(client: Client) -> None:
    office.people()
    call = office.answered_in_team()
    page = client.get(f"/calls/{call.pk}/").content.decode()
    assert "they talked for 4 minutes 32 seconds. The caller hung up." in page
    told = re.findall(r"<h3>([^<]*)</h3>", page)
    assert told == [
        "Call arrives",
        "Rule “Team Sales” decides",
        "Jonas Weber (207) is tried",
        "Jonas Weber (207): busy",
        "Mira Okafor (214) rings",
        "Reception (219) rings",
        "Mira Okafor (214) answers",
        "Reception (219): answered elsewhere",
        "The caller hangs up",
    ]
    assert "It rings 207, 214 and 219 all at once" in page  # the decision's trace
    assert client.get(f"/calls/{uuid.uuid4()}/").status_code == 404


def test_filters_apply_while_one_types_and_stay_in_the_address(
    visit: Callable[..., Page], trouble: Trouble, bob: Person
) -> None:
    office.heartbeat()
    office.people()
    office.answered_in_team()
    office.call("207", "218", started=2000.0, ended=1990.0, result="busy")
    window = visit(bob)
    window.goto("/calls/")
    rows = window.locator("#call-list tbody tr")
    expect(rows).to_have_count(2)
    window.get_by_label("Number or name").press_sequentially("lena")
    expect(rows).to_have_count(1)
    assert "q=lena" in window.url
    expect(window.get_by_label("Number or name")).to_be_focused()
    window.go_back()
    expect(rows).to_have_count(2)
    expect(window.get_by_role("navigation", name="Main").first).to_be_visible()
    window.go_forward()
    expect(rows).to_have_count(1)
    expect(window.get_by_role("heading", name="Calls", level=1)).to_be_visible()
    window.get_by_label("Remove filter “lena”").click()
    expect(rows).to_have_count(2)
    window.get_by_label("Result").select_option("answered")
    expect(rows).to_have_count(1)
    window.get_by_role("link", name="+493055501287").click()
    expect(window.locator("#call-pane")).to_contain_text("Mira Okafor answered after 11 seconds")
    assert "/calls/?" in window.url
    assert trouble.seen == []


def test_on_a_phone_filters_are_folded_and_a_call_has_its_own_page(
    visit: Callable[..., Page], trouble: Trouble, bob: Person
) -> None:
    office.people()
    call = office.answered_in_team()
    window = visit(bob, width=390)
    window.goto("/calls/")
    expect(window.get_by_label("Result")).to_be_hidden()
    window.get_by_role("button", name="Filters").click()
    expect(window.get_by_label("Result")).to_be_visible()
    window.get_by_role("link", name="+493055501287").click()
    window.wait_for_url(f"**/calls/{call.pk}/")
    expect(window.get_by_text("they talked for 4 minutes 32 seconds")).to_be_visible()
    assert trouble.seen == []


def test_when_a_filter_gets_no_answer_the_list_stays_and_a_banner_says_so(
    visit: Callable[..., Page], bob: Person
) -> None:
    office.call("207", "218", started=20.0, ended=10.0, result="busy")
    window = visit(bob)
    window.goto("/calls/")
    window.route("**/calls/?*", lambda route: route.fulfill(status=500, body="broken"))
    window.get_by_label("Number or name").press_sequentially("2")
    expect(window.get_by_text("The server did not answer")).to_be_visible()
    expect(window.locator("#call-list tbody tr")).to_have_count(1)
