"""What is seldom seen: a full disk, a certificate that ends, the log on paper."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client, override_settings
from playwright.sync_api import Page, expect

from pbx.certificates.ending import certificate_health
from pbx.certificates.keeping import keep
from pbx.certificates.names import Names
from pbx.directory.models import Person
from pbx.enginelink.models import EngineStatus
from tests.webui import office

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


@pytest.mark.usefixtures("plain_static")
def test_a_full_disk_is_said_where_calls_are_watched(alice: Person) -> None:
    office.heartbeat()
    client = Client()
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    assert "disk is full" not in client.get("/").content.decode()
    status = EngineStatus.objects.get()
    status.counters["journal_refuses_now"] = 1
    status.save()
    for path in ("/", "/guard/"):
        assert "disk is full" in client.get(path).content.decode()


@pytest.mark.parametrize(("days", "word"), [(300, ""), (390, "ends on"), (400, "ended on")])
def test_a_certificate_that_ends_soon_is_told_of(tmp_path: Path, days: int, word: str) -> None:
    (tmp_path / "tls").mkdir()
    keep(tmp_path / "tls", Names(["pbx.example"], []), NOW)
    environment = replace(settings.ENVIRONMENT, data_dir=tmp_path, tls_cert="", tls_key="")
    with override_settings(ENVIRONMENT=environment):
        told = certificate_health(NOW + dt.timedelta(days=days))
    assert told.ok is (word == "")
    assert word in told.trouble


def test_a_certificate_that_is_none_is_told_of(tmp_path: Path) -> None:
    file = tmp_path / "given.pem"
    file.write_text("not a certificate")
    environment = replace(settings.ENVIRONMENT, tls_cert=str(file), tls_key=str(file))
    with override_settings(ENVIRONMENT=environment):
        assert str(file) in certificate_health(NOW).trouble


def test_the_log_on_paper_is_the_log_alone(visit: Callable[..., Page], alice: Person) -> None:
    office.whole_office()
    window = visit(alice, theme="dark")
    window.goto("/calls/")
    expect(window.locator(".side")).to_be_visible()
    window.emulate_media(media="print")
    for what in (".side", ".filters", ".pager", ".theme-switch"):
        expect(window.locator(what).first).to_be_hidden()
    expect(window.locator("#call-list table")).to_be_visible()
    colour = window.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
    assert colour == "rgb(255, 255, 255)"
