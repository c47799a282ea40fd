"""The page /certificate/: for everybody, and never a key."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from django.test import Client, override_settings

from pbx.certificates.keeping import keep
from pbx.certificates.names import Names
from pbx.environment import Environment

pytestmark = pytest.mark.usefixtures("plain_static")


@pytest.fixture
def tls(tmp_path: Path) -> Path:
    directory = tmp_path / "tls"
    directory.mkdir()
    keep(directory, Names(["10.0.0.9", "pbx.example"], []), dt.datetime.now(dt.UTC))
    return directory


def in_directory(data: Path, **given: str) -> override_settings:
    variables = {"PBX_DATA_DIR": str(data), **given}
    return override_settings(ENVIRONMENT=Environment.load(variables))


def test_strangers_get_the_authority_and_no_key(db: None, tls: Path) -> None:
    with in_directory(tls.parent):
        answer = Client().get("/certificate/branchline.crt")
        page = Client().get("/certificate/", headers={"host": "10.0.0.9:8080"}).content.decode()
    assert answer["Content-Type"] == "application/x-x509-ca-cert"
    assert "branchline.crt" in answer["Content-Disposition"]
    assert answer.content == (tls / "authority.pem").read_bytes()
    assert b"PRIVATE" not in answer.content
    assert 'href="https://10.0.0.9:8443/phone/"' in page
    shown = x509.load_pem_x509_certificate(answer.content).fingerprint(hashes.SHA256())
    assert shown[:4].hex(":").upper() in page


def test_other_hosts_are_named_as_the_reader_named_them(db: None, tls: Path) -> None:
    with in_directory(tls.parent):
        for host, origin in (
            ("[2001:db8::9]:8080", "https://[2001:db8::9]:8443/phone/"),
            ("pbx", "https://pbx:8443/phone/"),
        ):
            page = Client().get("/certificate/", headers={"host": host}).content.decode()
            assert f'href="{origin}"' in page


def test_with_an_operators_certificate_there_is_nothing_to_install(db: None, tls: Path) -> None:
    given = {"PBX_TLS_CERT": str(tls / "certificate.pem"), "PBX_TLS_KEY": str(tls / "key.pem")}
    with in_directory(tls.parent, **given):
        assert Client().get("/certificate/branchline.crt").status_code == 404
        page = Client().get("/certificate/").content.decode()
    assert "nothing to install" in page
    assert "branchline.crt" not in page


def test_before_the_first_start_there_is_none(db: None, tmp_path: Path) -> None:
    with in_directory(tmp_path):
        assert Client().get("/certificate/branchline.crt").status_code == 404


def test_nothing_is_taken_by_post(db: None, tls: Path) -> None:
    assert Client().post("/certificate/").status_code == 405
