"""Every variable is read, checked, and told in words; see docs/operations.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbx.environment import BadEnvironment, Environment, unknown_variables


def wrong(**variables: str) -> tuple[str, ...]:
    with pytest.raises(BadEnvironment) as caught:
        Environment.load(variables)
    return caught.value.lines


def test_nothing_set_gives_the_documented_defaults() -> None:
    environment = Environment.load({})
    assert environment.data_dir.name == "var"
    assert (environment.http_port, environment.https_port) == (8080, 8443)
    assert (environment.sip_port, environment.sips_port, environment.ws_port) == (5060, 5061, 8088)
    assert environment.rtp_ports == (20000, 29999)
    assert environment.engine_workers == 1
    assert environment.guard
    assert environment.database_is_embedded
    assert environment.redis_is_embedded


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PBX_SIP_PORT", "abc", "PBX_SIP_PORT=abc: not a port number; give 1-65535"),
        ("PBX_HTTP_PORT", "0", "PBX_HTTP_PORT=0: not a port number; give 1-65535"),
        ("PBX_HTTP_PORT", "70000", "PBX_HTTP_PORT=70000: not a port number; give 1-65535"),
        ("PBX_HTTP_PORT", "٨٠", "PBX_HTTP_PORT=٨٠: not a port number; give 1-65535"),
        ("PBX_BIND", "eth0", "not an IP address"),
        ("PBX_DOMAIN", "pbx example", "not a host name"),
        ("PBX_DOMAIN", "1.2.3", "not a host name"),
        ("PBX_RTP_PORTS", "30000-20000", "not a range of ports"),
        ("PBX_RTP_PORTS", "20000", "not a range of ports"),
        ("DATABASE_URL", "mysql://x", "postgresql://USER:PASSWORD@HOST:5432/NAME"),
        ("DATABASE_URL", "postgresql://h:99999/x", "DATABASE_URL: not a URL"),
        ("REDIS_URL", "localhost:6379", "redis://HOST:6379/0"),
        ("PBX_MEDIA", "10.0.0.5:2223", "ng://10.0.0.5:2223"),
        ("PBX_DNS", "127.0.0.1:0", "127.0.0.1:5353"),
        ("PBX_DNS", "ns.example", "not a list of name servers"),
        ("PBX_DNS", "127.0.0.1:5353 10.0.0.300", "not a list of name servers"),
        ("PBX_ADMIN_NETWORKS", "10.0.0.0/99", "not private, any or a list of networks"),
        ("PBX_GUARD", "no", "PBX_GUARD=no: give on or off"),
        ("PBX_ENGINE_WORKERS", "17", "17: not a number of processes; give 1-16"),
        ("PBX_ENGINE_WORKERS", "0", "0: not a number of processes; give 1-16"),
        ("PBX_ENGINE_WORKERS", "two", "two: not a number of processes; give 1-16"),
        ("PBX_ADMIN_PASSWORD", "short", "at least 8 characters"),
        ("PBX_SECRET_KEY", "short", "at least 32 characters"),
        ("PBX_TLS_CERT", "/nonexistent/cert.pem", "no such file"),
        ("PBX_SECRET_KEY_FILE", "/nonexistent/key", "cannot be read"),
    ],
)
def test_a_wrong_value_is_named_with_what_to_give(name: str, value: str, says: str) -> None:
    assert any(line.startswith(name) and says in line for line in wrong(**{name: value}))


def test_name_servers_are_addresses_with_or_without_a_port() -> None:
    text = "127.0.0.1:5353, 10.0.0.53 ::1 [2001:db8::53]:54"
    assert Environment.load({"PBX_DNS": text}).name_servers == (
        ("127.0.0.1", 5353),
        ("10.0.0.53", 53),
        ("::1", 53),
        ("2001:db8::53", 54),
    )
    assert Environment.load({}).name_servers == ()


def test_all_mistakes_are_told_at_once() -> None:
    lines = wrong(PBX_SIP_PORT="abc", PBX_BIND="everywhere", PBX_GUARD="perhaps")
    assert len(lines) == 3


def test_a_password_in_a_wrong_url_is_not_repeated() -> None:
    assert "s3cret" not in " ".join(wrong(DATABASE_URL="mysql://u:s3cret@h/x"))


def test_two_ports_may_not_be_the_same() -> None:
    assert wrong(PBX_HTTPS_PORT="8080") == (
        "PBX_HTTPS_PORT=8080: the same port as PBX_HTTP_PORT; give another one",
    )


def test_any_variable_may_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a-long-enough-password\n")
    loaded = Environment.load({"PBX_ADMIN_PASSWORD_FILE": str(secret)})
    assert loaded.admin_password == "a-long-enough-password"


def test_a_variable_and_its_file_exclude_each_other(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("5070")
    lines = wrong(PBX_SIP_PORT="5060", PBX_SIP_PORT_FILE=str(tmp_path / "port"))
    assert lines == ("PBX_SIP_PORT and PBX_SIP_PORT_FILE are both set; give only one of them",)


def test_a_certificate_needs_its_key(tmp_path: Path) -> None:
    certificate = tmp_path / "cert.pem"
    certificate.write_text("")
    assert wrong(PBX_TLS_CERT=str(certificate)) == (
        "PBX_TLS_CERT is set but PBX_TLS_KEY is not; give both or none",
    )


def test_a_mistyped_name_is_found() -> None:
    names = {"PBX_SIPPORT": "1", "PBX_SIP_PORT": "1", "PBX_SECRET_KEY_FILE": "x", "HOME": "/"}
    assert unknown_variables(names) == ["PBX_SIPPORT"]


def test_ipv6_addresses_are_taken_with_and_without_brackets() -> None:
    assert Environment.load({"PBX_BIND": "[::1]"}).bind == "::1"
    assert Environment.load({"PBX_PUBLIC_ADDRESS": "2001:DB8::1"}).public_address == "2001:db8::1"


def test_the_domain_given_is_the_default_domain() -> None:
    assert Environment.load({"PBX_DOMAIN": "PBX.Example."}).default_domain == "pbx.example"


@pytest.mark.parametrize(
    ("text", "binds"),
    [("10.0.0.5", ("10.0.0.5",)), ("10.0.0.5, [fd00::5],10.0.0.5", ("10.0.0.5", "fd00::5")), ("0.0.0.0,::1", ("0.0.0.0", "::1"))],
)  # fmt: skip
def test_several_addresses_may_be_listened_at(text: str, binds: tuple[str, ...]) -> None:
    environment = Environment.load({"PBX_BIND": text})
    assert environment.binds == binds
    assert environment.bind == binds[0]


@pytest.mark.parametrize("text", ["::,10.0.0.5", "0.0.0.0,10.0.0.5", "10.0.0.5,eth0", "10.0.0.5,"])
def test_a_wildcard_stands_alone_and_every_address_is_checked(text: str) -> None:
    assert len(wrong(PBX_BIND=text)) == 1


def test_web_socket_settings() -> None:
    environment = Environment.load(
        {"PBX_WS_ORIGINS": "https://CRM.example, http://[fd00::1]:81/ any", "PBX_WS_ENGINE": "engine:8088"}
    )  # fmt: skip
    assert environment.ws_origins == ("https://crm.example", "http://[fd00::1]:81/", "any")
    assert environment.ws_engine == ("engine", 8088)
    assert Environment.load({"PBX_BIND": "::", "PBX_WS_PORT": "9"}).ws_engine == ("::1", 9)
    for name, value in (("PBX_WS_ORIGINS", "crm.example"), ("PBX_WS_ENGINE", "engine")):
        assert len(wrong(**{name: value})) == 1
