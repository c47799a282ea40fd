"""The torture messages of RFC 4475: `data/torture/*.dat`, and what is expected in `expected.toml`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from sipengine.api import Domain
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import parse
from tests.services.wire import Wire, snapshot
from tests.support.wire import parse as read

DATA = Path(__file__).parent / "data" / "torture"
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((DATA / "expected.toml").read_text())
LENGTH = re.compile(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*([0-9]+)")
LENGTH_IS_WRONG = {"clerr", "dblreq", "mcl01"}


def message(name: str) -> bytes:
    return (DATA / f"{name}.dat").read_bytes()


def test_every_file_is_expected_and_every_expectation_has_its_file() -> None:
    assert {path.stem for path in DATA.glob("*.dat")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_file_is_as_the_rfc_has_it(name: str) -> None:
    """The RFC's own Content-Length tells whether a body was copied byte by byte."""
    data = message(name)
    assert b"\n" not in data.replace(b"\r\n", b"")
    head, _, body = data.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    if length is not None and name not in LENGTH_IS_WRONG:
        assert int(length[1]) == len(body)


@pytest.mark.parametrize("name", EXPECTED)
def test_4475_the_answer(name: str) -> None:
    wire = Wire(snapshot([], domains=(Domain("example.com"),)))
    wire.receive(message(name), wire.flow_to("UDP", "198.51.100.1", 5060))
    answers = [read(data).status for _, data in wire.sent]
    expected = EXPECTED[name]["answer"]
    assert answers == ([expected] if expected else []), EXPECTED[name]["why"]
    wire.advance(100)
    assert wire.transactions == 0


@pytest.mark.parametrize("name", EXPECTED)
def test_4475_cut_or_spoilt_anywhere_nothing_breaks(name: str) -> None:
    data = message(name)
    for at in range(0, len(data), 3):
        for spoilt in (data[:at], data[:at] + b"\x00" + data[at + 1 :], data[:at] + data[at + 1 :]):
            try:
                parse(spoilt)
            except RemoteProtocolError:
                continue


class TestValidOnes:
    """What §3.1.1 says of single parts."""

    def test_wsinv(self) -> None:
        whole = parse(message("wsinv"))
        assert whole.to_tag == "1918181833n"
        assert whole.from_tag == "98asjd8"
        assert whole.cseq == 9
        assert len(whole.all("Via")) == 3
        assert whole.value("NewFangledHeader") or "Newfangledheader" in whole.names
        assert whole.value("Subject") == ""

    def test_intmeth(self) -> None:
        whole = parse(message("intmeth"))
        assert whole.method == "!interesting-Method0123456789_*+`.%indeed'~"
        assert whole.from_tag == "_token~1'+`*%!-."
        assert whole.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"

    def test_esc02(self) -> None:
        whole = parse(message("esc02"))
        assert whole.method == "RE%47IST%45R"
        assert whole.all("Contact") == [
            "<sip:alias1@host1.example.com>",
            "<sip:alias3@host3.example.com>",
        ]

    def test_longreq(self) -> None:
        whole = parse(message("longreq"))
        assert len(whole.all("Via")) == 34
        assert whole.from_tag == "12" + "982" * 50 + "424"

    def test_dblreq(self) -> None:
        assert parse(message("dblreq")).body == ""

    def test_unreason(self) -> None:
        line = parse(message("unreason")).lines[0].encode("latin-1").decode()
        assert line.startswith("SIP/2.0 200 = 2**3 * 5**2 но")
