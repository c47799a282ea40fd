"""The installation's own authority: what it signs is trusted, and nothing else is."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pbx.certificates.authority import CERTIFICATE_LASTS, issue, make_authority
from pbx.certificates.keeping import RENEWED_BEFORE, Kept, keep
from pbx.certificates.names import Names, names_of
from pbx.environment import Environment
from pbx.https_door import BadCertificate, HttpsDoor

NOW = dt.datetime.now(dt.UTC)
NAMES = Names(["203.0.113.7", "pbx.example"], ["localhost", "192.168.1.20", "desk.local"])


def shake_hands(server: ssl.SSLContext, authority: bytes, name: str) -> x509.Certificate:
    """A TLS handshake over a real socket with who trusts `authority` alone and wants `name`."""
    client = ssl.create_default_context(cadata=authority.decode())
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                try:
                    server.wrap_socket(connection, server_side=True).close()
                except OSError:
                    return  # the client refused, which it says itself

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with (
                socket.create_connection(listening.getsockname(), timeout=5) as raw,
                client.wrap_socket(raw, server_hostname=name) as secure,
            ):
                shown = secure.getpeercert(binary_form=True)
        finally:
            thread.join(5)
    assert shown is not None
    return x509.load_der_x509_certificate(shown)


def server_of(directory: Path) -> HttpsDoor:
    return HttpsDoor(str(directory / "certificate.pem"), str(directory / "key.pem"))


@pytest.mark.parametrize("name", [*NAMES.needed, *NAMES.further])
def test_who_trusts_the_authority_trusts_the_server_by_each_name(tmp_path: Path, name: str) -> None:
    assert keep(tmp_path, NAMES, NOW) is Kept.AUTHORITY
    authority = (tmp_path / "authority.pem").read_bytes()
    shake_hands(server_of(tmp_path).context, authority, name)


def test_another_name_is_not_trusted(tmp_path: Path) -> None:
    keep(tmp_path, NAMES, NOW)
    authority = (tmp_path / "authority.pem").read_bytes()
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake_hands(server_of(tmp_path).context, authority, "192.168.1.21")


@pytest.mark.parametrize("foreign", ["bank.example", "198.51.100.1"])
def test_rfc5280_4_2_1_10_a_stolen_key_certifies_no_foreign_site(
    tmp_path: Path, foreign: str
) -> None:
    authority = make_authority(NAMES.needed, NOW)
    assert not authority.permits(foreign)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = issue(authority, key, [foreign, "localhost"], NOW)
    (tmp_path / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        shake_hands(server_of(tmp_path).context, authority.pem, foreign)


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    keep(tmp_path, NAMES, NOW)
    for name in ("key.pem", "authority-key.pem"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    assert b"PRIVATE" not in (tmp_path / "certificate.pem").read_bytes()
    shown = x509.load_pem_x509_certificates((tmp_path / "certificate.pem").read_bytes())
    assert len(shown) == 1, "Mbed TLS refuses a chain with name constraints in it"
    assert b"PRIVATE" not in (tmp_path / "authority.pem").read_bytes()


def test_it_is_renewed_in_time_with_the_same_authority_and_key(tmp_path: Path) -> None:
    keep(tmp_path, NAMES, NOW)
    door = server_of(tmp_path)
    authority = (tmp_path / "authority.pem").read_bytes()
    key = (tmp_path / "key.pem").read_bytes()
    first = shake_hands(door.context, authority, "pbx.example")
    assert keep(tmp_path, NAMES, NOW) is Kept.NOTHING
    assert not door.refresh()

    later = NOW + CERTIFICATE_LASTS - RENEWED_BEFORE - dt.timedelta(days=1)
    assert keep(tmp_path, NAMES, later) is Kept.NOTHING
    later = NOW + CERTIFICATE_LASTS - RENEWED_BEFORE + dt.timedelta(hours=1)
    assert keep(tmp_path, NAMES, later) is Kept.CERTIFICATE
    assert (tmp_path / "authority.pem").read_bytes() == authority
    assert (tmp_path / "key.pem").read_bytes() == key
    made = x509.load_pem_x509_certificate((tmp_path / "certificate.pem").read_bytes())
    assert made.not_valid_after_utc > first.not_valid_after_utc

    keep(tmp_path, Names(NAMES.needed, [*NAMES.further, "10.9.8.7"]), NOW)
    assert door.refresh()
    assert shake_hands(door.context, authority, "10.9.8.7") != first


def test_a_needed_name_from_elsewhere_means_another_authority(tmp_path: Path) -> None:
    keep(tmp_path, NAMES, NOW)
    before = (tmp_path / "authority.pem").read_bytes()
    assert keep(tmp_path, Names(["10.0.0.9", "pbx.example"], []), NOW) is Kept.CERTIFICATE
    further = Names(["10.0.0.9", "pbx.example"], ["2001:db8::9", "elsewhere.example"])
    assert keep(tmp_path, further, NOW) is Kept.NOTHING
    assert keep(tmp_path, Names(["sip.other.example"], []), NOW) is Kept.AUTHORITY
    after = (tmp_path / "authority.pem").read_bytes()
    assert after != before
    shake_hands(server_of(tmp_path).context, after, "sip.other.example")


def test_an_authority_that_nears_its_end_is_replaced(tmp_path: Path) -> None:
    keep(tmp_path, NAMES, NOW)
    assert keep(tmp_path, NAMES, NOW + dt.timedelta(days=3650 - 399)) is Kept.AUTHORITY


@pytest.mark.parametrize(
    "broken", ["authority.pem", "authority-key.pem", "key.pem", "certificate.pem"]
)
def test_a_broken_file_is_made_anew(tmp_path: Path, broken: str) -> None:
    keep(tmp_path, NAMES, NOW)
    (tmp_path / broken).write_text("half a fi")
    assert keep(tmp_path, NAMES, NOW) is not Kept.NOTHING
    shake_hands(
        server_of(tmp_path).context, (tmp_path / "authority.pem").read_bytes(), "pbx.example"
    )


def test_bad_files_leave_the_door_as_it_was(tmp_path: Path) -> None:
    keep(tmp_path, NAMES, NOW)
    door = server_of(tmp_path)
    (tmp_path / "certificate.pem").write_text("half a fi")
    assert not door.refresh()
    shake_hands(door.context, (tmp_path / "authority.pem").read_bytes(), "pbx.example")
    with pytest.raises(BadCertificate, match="cannot be used"):
        server_of(tmp_path)


def test_names_are_those_told_and_those_of_this_machine(tmp_path: Path) -> None:
    variables = {"PBX_DATA_DIR": str(tmp_path), "PBX_PUBLIC_ADDRESS": "203.0.113.7"}
    names = names_of(Environment.load(variables), "pbx.example")
    assert names.needed == ["203.0.113.7", "pbx.example"]
    assert {"localhost", "127.0.0.1"} <= set(names.further)
    one = names_of(Environment.load({**variables, "PBX_BIND": "127.0.0.1"}), "pbx.example")
    assert [name for name in one.further if name[0].isdigit()] == ["127.0.0.1"]
