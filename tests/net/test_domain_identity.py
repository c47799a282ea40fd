"""Whom a certificate is for (RFC 5922 §7)."""

from __future__ import annotations

from typing import Any

import pytest

from sipengine.net.domain_identity import identities, is_for

SUBJECT = ((("organizationName", "x"),), (("commonName", "Common.example"),))


def certificate(*names: tuple[str, str]) -> dict[str, Any]:
    return {"subject": SUBJECT, **({"subjectAltName": names} if names else {})}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([("URI", "sip:a.example")], {"a.example"}),
        ([("URI", "SIP:A.Example;transport=tls")], {"a.example"}),
        ([("URI", "sip:a.example"), ("DNS", "b.example")], {"a.example"}),
        ([("URI", "sips:a.example"), ("DNS", "b.example")], {"b.example"}),
        ([("URI", "sip:bob@a.example"), ("DNS", "b.example")], {"b.example"}),
        ([("URI", "https://a.example"), ("DNS", "B.example")], {"b.example"}),
        ([("DNS", "*.a.example")], set()),
        ([("IP Address", "192.0.2.1")], set()),
        ([], {"common.example"}),
    ],
)
def test_rfc5922_7_1_identities(names: list[tuple[str, str]], found: set[str]) -> None:
    assert identities(certificate(*names)) == found


@pytest.mark.parametrize(
    ("host", "name", "same"),
    [
        ("a.example", "a.example", True),
        ("A.EXAMPLE", "a.example", True),
        ("a.example.", "a.example", True),
        ("sip.a.example", "a.example", False),
        ("a.example", "sip.a.example", False),
        ("x.a.example", "*.a.example", False),
        ("*.a.example", "*.a.example", False),
        ("", "a.example", False),
    ],
)
def test_rfc5922_7_2_names_are_compared_whole(host: str, name: str, same: bool) -> None:
    assert is_for(certificate(("DNS", name)), host) is same


def test_an_address_is_for_that_address_alone() -> None:
    six = certificate(("IP Address", "2001:DB8:0:0:0:0:0:1"), ("DNS", "192.0.2.1"))
    assert is_for(six, "2001:db8::1")
    assert not is_for(six, "192.0.2.1")


def test_no_certificate_is_for_nobody() -> None:
    assert not is_for(None, "a.example")
    assert not is_for({}, "a.example")
