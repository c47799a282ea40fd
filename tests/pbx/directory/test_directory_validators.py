from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from pbx.directory.validators import (
    validate_destination,
    validate_domain,
    validate_mac,
    validate_number,
    validate_one_line,
    validate_paragraphs,
    validate_target,
)


def refusal(check: object, text: str) -> str:
    with pytest.raises(ValidationError) as caught:
        check(text)  # type: ignore[operator]
    return " ".join(caught.value.messages)


@pytest.mark.parametrize(
    "name", ["pbx.example", "localhost", "PBX-1.example", "192.0.2.10", "[2001:db8::10]", "1a.b"]
)
def test_domains(name: str) -> None:
    validate_domain(name)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "Give a domain name"),
        ("a b", "not a domain name"),
        ("a..b", "not a domain name"),
        (".a", "not a domain name"),
        ("-a.example", "not a domain name"),
        ("a_b.example", "not a domain name"),
        ("pbx.example\n", "not a domain name"),
        ("münchen.example", "not a domain name"),
        ("x" * 64, "not a domain name"),
        ("a." * 127 + "a", "at most 253"),
        ("1.2.3", "not an IPv4 address"),
        ("1.2.3.256", "not an IPv4 address"),
        ("pbx.example:5060", "Leave out any port"),
        ("2001:db8::10", "in brackets"),
        ("[2001:db8::10", "in brackets"),
    ],
)
def test_wrong_domains_rfc3261_25_1(name: str, says: str) -> None:
    assert says in refusal(validate_domain, name)


@pytest.mark.parametrize("number", ["1", "1001", "*72", "#31#", "+4312345", "alice.adams", "a_b-c"])
def test_numbers(number: str) -> None:
    validate_number(number)


@pytest.mark.parametrize(
    "number", ["10 01", "1001\n", "1001@pbx.example", "ä", "1;2", "<1>", "a/b", "1\r\nVia: x", "٣"]
)
def test_wrong_numbers(number: str) -> None:
    assert "without spaces" in refusal(validate_number, number)


def test_number_limits() -> None:
    validate_number("1" * 64)
    assert "at most 64 characters; this one has 65" in refusal(validate_number, "1" * 65)
    assert "Give a number" in refusal(validate_number, "")


@pytest.mark.parametrize(
    "destination",
    [
        "1001",
        "*72",
        "1001@pbx.example",
        "1001@[2001:db8::1]",
        "sip:gate@192.0.2.9",
        "sip:gate@192.0.2.9:5070;transport=tcp",
        "SIPS:bob@pbx.example",
        "sip:192.0.2.9",
        "sip:a%20b@pbx.example;lr",
        "sip:[2001:db8::1]:5070",
    ],
)
def test_destinations_rfc3261_19_1(destination: str) -> None:
    validate_destination(destination)
    validate_target(destination)


@pytest.mark.parametrize(
    ("destination", "says"),
    [
        ("", "Give a number"),
        ("10 01", "without spaces"),
        ("1001@", "Give a domain name"),
        ("@pbx.example", "Give a number"),
        ("http://pbx.example", "begins with sip:"),
        ("sip:", "Give a domain name"),
        ("sip:@pbx.example", "before the @"),
        ("sip:a b@pbx.example", "before the @"),
        ("sip:a%2@pbx.example", "before the @"),
        ("sip:a:secret@pbx.example", "password"),
        ("sip:a@pbx.example:0", "1 to 65535"),
        ("sip:a@pbx.example:70000", "1 to 65535"),
        ("sip:a@pbx.example:", "1 to 65535"),
        ("sip:a@pbx.example;transport=t p", "parameter"),
        ("sip:a@pbx.example;", "parameter"),
        ("sip:a@pbx.example?Subject=x", "question mark"),
        ("sip:a@pbx.example\r\nVia: x", "not a domain"),
        ("sip:a@b>", "not a domain"),
        ("1" * 256, "at most 255"),
    ],
)
def test_wrong_destinations_rfc3261_19_1(destination: str, says: str) -> None:
    assert says in refusal(validate_destination, destination)
    assert says in refusal(validate_target, destination)


def test_groups_are_for_targets_only() -> None:
    for target in ("10{1}", "{1}@pbx.example", "sip:{2}{1}@192.0.2.9"):
        validate_target(target)
        assert "only in the targets of a rule" in refusal(validate_destination, target)
    for target in ("{a}", "{", "1}", "{}", "{{1}}", "{123}"):
        assert "brace that is no group" in refusal(validate_target, target)


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "\t", "\x00", "\x7f", "\x85", "\u2028", "\ud800"])
def test_one_line_keeps_headers_whole(text: str) -> None:
    assert "one line" in refusal(validate_one_line, text)


def test_one_line_takes_any_script() -> None:
    validate_one_line("Zoë Ångström 王小明 😀")


def test_paragraphs() -> None:
    validate_paragraphs("one\r\n\ttwo")
    assert "control" in refusal(validate_paragraphs, "one\x00two")


def test_mac() -> None:
    for mac in ("", "00:1a:2B:3c:4d:5e", "001a2b3c4d5e", "00-1a-2b-3c-4d-5e"):
        validate_mac(mac)
    for mac in ("00:1a", "00:1a:2b:3c:4d:5g", "00:1a:2b:3c:4d:5e\n", "x"):
        assert "twelve hexadecimal digits" in refusal(validate_mac, mac)
