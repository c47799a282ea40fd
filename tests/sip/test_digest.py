"""Digest arithmetic and header fields against the examples of the RFCs, and hostile ones."""

from __future__ import annotations

import hashlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipengine.sip.digest import (
    MAX_CREDENTIALS,
    MD5,
    SHA_256,
    challenge,
    expected_response,
    parse_credentials,
    same_response,
)
from sipengine.sip.errors import RemoteProtocolError

RFC_7616_NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
RFC_7616_CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def hex_md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("algorithm", "ha1", "response"),
    [
        (
            MD5,
            hex_md5("Mufasa:http-auth@example.org:Circle of Life"),
            "8ca523f5e9506fed4657c9700eebdbec",
        ),
        (
            SHA_256,
            hashlib.sha256(b"Mufasa:http-auth@example.org:Circle of Life").hexdigest(),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ],
)
def test_response_of_rfc7616_3_9_1(algorithm: str, ha1: str, response: str) -> None:
    fields = {
        "username": "Mufasa",
        "realm": "http-auth@example.org",
        "uri": "/dir/index.html",
        "nonce": RFC_7616_NONCE,
        "nc": "00000001",
        "cnonce": RFC_7616_CNONCE,
        "qop": "auth",
    }
    assert expected_response(algorithm, ha1, "GET", fields) == response


def test_response_of_rfc2617_3_5() -> None:
    ha1 = hex_md5("Mufasa:testrealm@host.com:Circle Of Life")
    fields = parse_credentials(
        'Digest username="Mufasa", realm="testrealm@host.com", '
        'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", qop=auth, '
        'nc=00000001, cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    assert fields is not None
    assert expected_response(MD5, ha1, "GET", fields) == fields["response"]


def test_response_without_qop_rfc3261_22_4() -> None:
    """RFC 2069 §2.4 with the response that its erratum 749 corrects."""
    ha1 = hex_md5("Mufasa:testrealm@host.com:CircleOfLife")
    fields = {"nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093", "uri": "/dir/index.html"}
    assert expected_response(MD5, ha1, "GET", fields) == "1949323746fe6a43ef61f9606e7febea"


PLAIN = {
    "username": "1001",
    "realm": "pbx.test",
    "nonce": "abc",
    "uri": "sip:pbx.test",
    "response": "0" * 32,
}


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (
            'Digest username="1001",realm="pbx.test",nonce="abc",uri="sip:pbx.test",response="'
            + "0" * 32
            + '"',
            PLAIN,
        ),
        (
            '  username = "1001" ,\trealm="pbx.test" , nonce="abc",uri="sip:pbx.test"  ,response="'
            + "0" * 32
            + '" ',
            PLAIN,
        ),
        ('username="10\\"01", realm="a, b=c"', {"username": '10"01', "realm": "a, b=c"}),
        (
            'uri="sip:a;x,nonce=evil@b",nonce="good"',
            {"uri": "sip:a;x,nonce=evil@b", "nonce": "good"},
        ),
        ('realm="my office", nc=00000001', {"realm": "my office", "nc": "00000001"}),
        ("USERNAME=1001, Algorithm=md5", {"username": "1001", "algorithm": "md5"}),
        ('realm="", nonce="x"', {"realm": "", "nonce": "x"}),
        (',, realm="a",, nonce="b",', {"realm": "a", "nonce": "b"}),
        ('realm="a", x-new="1", userhash=false', {"realm": "a", "x-new": "1", "userhash": "false"}),
    ],
)
def test_fields_whatever_the_spacing_and_quoting(text: str, fields: dict[str, str]) -> None:
    assert parse_credentials(text if text.startswith("Digest") else "Digest " + text) == fields


def test_scheme_is_case_insensitive_and_others_are_not_ours() -> None:
    assert parse_credentials('dIGEST realm="a"') == {"realm": "a"}
    assert parse_credentials('Digest\trealm="a"') == {"realm": "a"}
    assert parse_credentials("Basic YWJj") is None
    assert parse_credentials("Bearer x") is None
    assert parse_credentials("") is None


@pytest.mark.parametrize(
    "text",
    [
        'Digest realm="unclosed',
        "Digest nothing but words",
        'Digest realm="a" nonce="b"',
        'Digest "="',
        "Digest realm=" + "a" * MAX_CREDENTIALS,
    ],
)
def test_broken_credentials_are_400(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        parse_credentials(text)
    assert error.value.status == 400


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=300))
def test_any_text_is_fields_none_or_400(text: str) -> None:
    for value in (text, "Digest " + text):
        try:
            fields = parse_credentials(value)
        except RemoteProtocolError as error:
            assert error.status == 400  # noqa: PT017 - most texts raise nothing
        else:
            assert fields is None or all(isinstance(v, str) for v in fields.values())


@pytest.mark.parametrize("piece", ["a", " ", '"', '\\"', "a=", 'a="', ", ", "=\t"])
def test_hostile_repetition_costs_little(piece: str) -> None:
    text = "Digest \t" + piece * (MAX_CREDENTIALS // len(piece) - 8)
    began = time.perf_counter()
    with pytest.raises(RemoteProtocolError):
        parse_credentials(text + '"')
    assert time.perf_counter() - began < 0.05


def test_responses_are_compared_without_case_and_without_raising() -> None:
    assert same_response("ABCDEF", "abcdef")
    assert not same_response("abcde", "abcdef")
    assert not same_response("", "abcdef")
    assert not same_response("\xe9" * 6, "abcdef")


def test_challenge_rfc8760_2_4() -> None:
    assert (
        challenge("pbx.test", "n1", SHA_256, stale=True)
        == 'Digest realm="pbx.test", nonce="n1", algorithm=SHA-256, qop="auth", stale=true'
    )
    assert "stale" not in challenge("pbx.test", "n1", MD5, stale=False)
