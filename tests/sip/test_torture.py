"""The torture messages of RFC 4475 (`data/torture`) and RFC 5118 (`data/torture6`), and what is expected of each."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from sipengine.api import Domain
from sipengine.net.framing import StreamFramer
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.parser import parse
from sipengine.sip.uri import parse_uri
from sipengine.sip.via import parse_via
from tests.services.wire import SERVER, Wire, snapshot
from tests.support.wire import parse as read

DATA = Path(__file__).parent / "data"
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads(
    (DATA / "torture" / "expected.toml").read_text()
)
EXPECTED_6: dict[str, dict[str, Any]] = tomllib.loads(
    (DATA / "torture6" / "expected.toml").read_text()
)
LENGTH = re.compile(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*([0-9]+)")
LENGTH_IS_WRONG = {"clerr", "dblreq", "mcl01"}
SERVER_6 = ("2001:db8::10", 5060)
PEER, PEER_6 = ("198.51.100.1", 5060), ("2001:db8::9:1", 5060)
ALL = [("torture", name) for name in EXPECTED] + [("torture6", name) for name in EXPECTED_6]


def message(name: str, folder: str = "torture") -> bytes:
    return (DATA / folder / f"{name}.dat").read_bytes()


def outcome(folder: str, data: bytes, transport: str) -> list[int]:
    """The answers to what `data` holds, in one datagram or byte by byte."""
    six = folder == "torture6"
    wire = Wire(snapshot([], domains=(Domain("example.com"),)), server=SERVER_6 if six else SERVER)
    flow = wire.flow_to(transport, *(PEER_6 if six else PEER))
    if transport == "UDP":
        wire.receive(data, flow)
    else:
        framer = StreamFramer()
        for at in range(len(data)):
            for whole in framer.feed(data[at : at + 1]):
                wire.receive(whole, flow)
    answers = [read(answer).status for _, answer in wire.sent]
    wire.advance(100)
    assert wire.transactions == 0
    return answers


def test_every_file_is_expected_and_every_expectation_has_its_file() -> None:
    assert {path.stem for path in (DATA / "torture").glob("*.dat")} == set(EXPECTED)
    assert {path.stem for path in (DATA / "torture6").glob("*.dat")} == set(EXPECTED_6)
    assert (len(EXPECTED), len(EXPECTED_6)) == (49, 12), "all that the RFCs have"


@pytest.mark.parametrize(("folder", "name"), ALL)
def test_the_file_is_as_the_rfc_has_it(folder: str, name: str) -> None:
    """The RFC's own Content-Length tells whether a body was copied byte by byte."""
    data = message(name, folder)
    if name != "mpart01":
        assert b"\n" not in data.replace(b"\r\n", b"")
    head, _, body = data.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    if length is not None and name not in LENGTH_IS_WRONG:
        assert int(length[1]) == len(body)


@pytest.mark.parametrize("name", EXPECTED)
def test_4475_the_answer(name: str) -> None:
    answer = EXPECTED[name]["answer"]
    expected = [answer] if answer else []
    assert outcome("torture", message(name), "UDP") == expected, EXPECTED[name]["why"]


@pytest.mark.parametrize("name", EXPECTED)
def test_4475_the_answer_to_a_stream_byte_by_byte(name: str) -> None:
    fate = EXPECTED[name]
    expected = fate.get("stream", [fate["answer"]] if fate["answer"] else [])
    assert outcome("torture", message(name), "TCP") == expected, fate.get("stream_why", fate["why"])


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("name", EXPECTED_6)
def test_5118_the_answer(name: str, transport: str) -> None:
    fate = EXPECTED_6[name]
    assert outcome("torture6", message(name, "torture6"), transport) == [fate["answer"]], fate[
        "why"
    ]


@pytest.mark.parametrize(("folder", "name"), ALL)
def test_4475_cut_or_spoilt_anywhere_nothing_breaks(folder: str, name: str) -> None:
    data = message(name, folder)
    for at in range(0, len(data), 3):
        for spoilt in (data[:at], data[:at] + b"\x00" + data[at + 1 :], data[:at] + data[at + 1 :]):
            try:
                parse(spoilt)
            except RemoteProtocolError:
                continue


class TestSixth:
    """What RFC 5118 says of single parts."""

    def test_5118_4_3_what_was_meant_as_a_port_belongs_to_the_address(self) -> None:
        uri = parse_uri(parse(message("port-ambiguous", "torture6")).uri)
        assert (uri.host, uri.port) == ("2001:db8::10:5070", 0)

    def test_5118_4_4_the_port_behind_the_bracket(self) -> None:
        uri = parse_uri(parse(message("port-unambiguous", "torture6")).uri)
        assert (uri.host, uri.port) == ("2001:db8::10", 5070)

    def test_5118_4_5_received_with_and_without_brackets(self) -> None:
        for name in ("via-received-param-with-delim", "via-received-param-no-delim"):
            via = parse_via(parse(message(name, "torture6")).all("Via")[0])
            assert (via.host, via.port) == ("2001:db8::9:1", 0)

    def test_5118_4_7_every_via_is_kept(self) -> None:
        vias = [parse_via(v) for v in parse(message("mult-ip-in-header", "torture6")).all("Via")]
        assert [(via.host, via.port) for via in vias] == [
            ("2001:db8::9:1", 6050), ("192.0.2.1", 0), ("2001:db8::9:255", 0),
        ]  # fmt: skip

    def test_5118_4_8_the_body_is_whole(self) -> None:
        assert "c=IN IP6 2001:db8::1\r\n" in parse(message("mult-ip-in-sdp", "torture6")).body

    def test_5118_4_9_a_mapped_address(self) -> None:
        via = parse_via(parse(message("ipv4-mapped-ipv6", "torture6")).all("Via")[0])
        assert (via.host, via.port) == ("::ffff:192.0.2.10", 19823)


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

    def test_mpart01(self) -> None:
        whole = parse(message("mpart01"))
        assert len(whole.body) == 553
        assert whole.body.count("\x00") == 2
        assert whole.body.endswith("\r\n--7a9cbec02ceef655--\r\n")
        assert whole.encode() == message("mpart01")

    def test_dblreq(self) -> None:
        assert parse(message("dblreq")).body == ""

    def test_unreason(self) -> None:
        line = parse(message("unreason")).lines[0].encode("latin-1").decode()
        assert line.startswith("SIP/2.0 200 = 2**3 * 5**2 но")
