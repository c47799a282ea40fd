"""Whose a message is among several processes: what decides, and the filter that guesses it for the kernel."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipengine.services.share import MOST_REPLACING, OWNER, Share, call_id_of
from sipengine.services.this_process import ThisProcess
from sipengine.services.ua.names import Names
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.parser import parse
from sipengine.steering import (
    CALL_METHODS,
    MOST_INSTRUCTIONS,
    MOST_PROCESSES,
    REACHES,
    Instruction,
    program,
    share_of,
)
from tests.fuzz.grammar import REQUESTS
from tests.services.classic_filter import run

TORTURE = Path(__file__).parents[1] / "sip" / "data"
SECRET = b"a secret of at least sixteen bytes"
FILTERS: dict[int, list[Instruction]] = {count: program(count) for count in (2, 3, 4, 11, 16)}
COUNTS = st.sampled_from(sorted(FILTERS))

CALL_ID = st.one_of(
    st.from_regex(r"[0-9]{1,5}-[0-9]{3,5}@127\.0\.0\.1", fullmatch=True),  # SIPp
    st.from_regex(r"[0-9a-f]{32}", fullmatch=True),  # pjsua, baresip
    st.from_regex(r"[A-Za-z0-9~-]{10}", fullmatch=True),  # Linphone
    st.from_regex(r"[!-~]{1,17}", fullmatch=True),
    st.from_regex(r"[0-9a-f]{12}-[0-9a-z]{12}@snom370", fullmatch=True),
    st.from_regex(r"[a-f0-9]{8}-[a-f0-9]{8}-[a-f0-9]{8}@10\.0\.0\.7", fullmatch=True),
)
CALL_ID_NAME = st.sampled_from(["Call-ID: ", "Call-Id: ", "call-id: ", "CALL-ID:", "Call-ID:"])
BEFORE = st.lists(
    st.sampled_from(
        [
            "Via: SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bK-524287-1---2ab;rport\r\n",
            "Max-Forwards: 70\r\n",
            'From: "Call Center" <sip:callcenter@calls.example.com>;tag=all-in\r\n',
            "To: <sip:1002@pbx.test>\r\n",
            "Call-Info: <https://calls.example.com/call-id>\r\n",
            "Session-ID: 0123456789abcdef0123456789abcdef;remote=0\r\n",
            "Contact: <sip:call-id@10.0.0.7:5060;ob>\r\n",
        ]
    ),
    max_size=7,
).map("".join)
METHODS = st.sampled_from(CALL_METHODS)


def request(method: str, call_id: str, before: str = "", name: str = "Call-ID: ") -> bytes:
    via = "" if "Via" in before else "Via: SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bKx\r\n"
    return (
        f"{method} sip:1002@pbx.test SIP/2.0\r\n{via}{before}{name}{call_id}\r\nCSeq: 1 {method}\r\n"
        "User-Agent: a phone\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def response(via: str, status: str = "200 OK") -> bytes:
    return (
        f"SIP/2.0 {status}\r\n{via}\r\nFrom: <sip:a@pbx.test>;tag=1\r\nTo: <sip:b@pbx.test>;tag=2\r\n"
        "Call-ID: one\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    ).encode()


# ---------------------------------------------------------------------- the hash


@pytest.mark.parametrize("count", range(2, MOST_PROCESSES + 1))
@pytest.mark.parametrize(
    "of",
    [
        lambda n: b"%d-1234@127.0.0.1" % n,
        lambda n: b"abc%d@host.example.com" % n,
        lambda n: bytes(f"{n * 0x9E3779B97F4A7C15 % 2**128:032x}", "ascii"),
        lambda n: b"1a2b3c-%08x-4d5e@10.0.0.7" % n,
    ],
    ids=["SIPp", "counted", "hex", "desk phone"],
)
def test_call_ids_are_spread_evenly(of: object, count: int) -> None:
    assert callable(of)
    shares = Counter(share_of(of(n), count) for n in range(4000))
    assert set(shares) == set(range(count))
    assert max(shares.values()) < 1.35 * 4000 / count


def test_a_filter_fits_into_the_kernel() -> None:
    for count in FILTERS:
        for reach in REACHES:
            made = program(count, *reach)
            assert len(made) <= MOST_INSTRUCTIONS
            assert all(len(instruction.packed()) == 8 for instruction in made)


# ---------------------------------------------------------------------- requests


@given(COUNTS, METHODS, CALL_ID, BEFORE, CALL_ID_NAME)
def test_the_filter_and_the_engine_agree_about_requests_of_calls(
    count: int, method: str, call_id: str, before: str, name: str
) -> None:
    data = request(method, call_id, before, name)
    whose = Share(0, count).of(data)
    assert whose == share_of(call_id.encode(), count)
    assert run(FILTERS[count], data) == whose


@given(COUNTS, CALL_ID, BEFORE)
def test_all_requests_of_a_call_are_one_process_s(count: int, call_id: str, before: str) -> None:
    share = Share(0, count)
    spellings = ["Call-ID: ", "i:", "i : ", "CALL-ID:\r\n ", "Call-ID:   "]
    spelt = [request(method, call_id, before, s) for method in CALL_METHODS for s in spellings]
    assert {share.of(data) for data in [*spelt, b"\r\n\r\n" + spelt[0]]} == {share.of_call(call_id)}


@given(COUNTS, REQUESTS)
def test_a_call_id_is_read_as_the_parser_reads_it(count: int, data: bytes) -> None:
    try:
        message = parse(data)
    except RemoteProtocolError:
        return
    assert call_id_of(data).decode("latin-1") == message.call_id
    if message.method in CALL_METHODS:
        assert Share(0, count).of(data) == share_of(message.call_id.encode("latin-1"), count)


@pytest.mark.parametrize("file", sorted(TORTURE.rglob("*.dat")), ids=lambda file: file.name)
def test_rfc4475_torture_messages_are_read_as_the_parser_reads_them(file: Path) -> None:
    data = file.read_bytes()
    try:
        message = parse(data)
    except RemoteProtocolError:
        return
    if message.method:
        assert call_id_of(data).decode("latin-1") == message.call_id


@pytest.mark.parametrize(
    "method", ["REGISTER", "SUBSCRIBE", "NOTIFY", "PUBLISH", "MESSAGE", "OPTIONS", "invite"]
)
def test_what_is_no_request_of_a_call_is_the_owner_s(method: str) -> None:
    for n in range(50):
        data = request(method, f"{n}-1234@127.0.0.1")
        assert Share(1, 4).of(data) == OWNER
        assert run(FILTERS[4], data) == OWNER


@pytest.mark.parametrize("method", ["NOTIFY", "OPTIONS", "MESSAGE", "BYE"])
def test_a_request_to_a_tag_of_our_own_agent_is_its_process_s(method: str) -> None:
    share = Share(1, 4)
    process = ThisProcess(SECRET, "one", 0.0, 1e9, share)
    tag = Names(b"k" * 32, process.agent_mark, Share(3, 4)).tag()
    to = f"To: <sip:*43@pbx.test>;tag={tag}\r\nFrom: <sip:a@pbx.test>;tag=1\r\n"
    for n in range(20):
        data = request(method, f"{n}-1234@127.0.0.1", to)
        assert share.of(data) == 3
        by_us = data.replace(b"To:", b"X:").replace(b"From:", b"To:").replace(b"X:", b"From:")
        if method != "BYE":
            assert share.of(by_us) == OWNER  # the mark is in From: that is our own request


def replacing(call_id: str, tag: str, method: str = "INVITE", more: str = "") -> bytes:
    return request(
        method,
        call_id,
        f"Via: SIP/2.0/UDP 10.0.0.7;rport;branch=z9hG4bK-{call_id}\r\n{more}"
        f"Replaces: other;from-tag=1;to-tag={tag}\r\n"
        "To: <sip:1002@pbx.test>\r\nFrom: <sip:a@pbx.test>;tag=1\r\n",
    )


def test_3891_3_an_invite_that_replaces_a_dialog_of_our_agent_is_its_process_s() -> None:
    """With all that belongs to its transaction: the CANCEL (RFC 3261 §9.1), the ACK (§17.1.1.3)."""
    share = Share(1, 4)
    process = ThisProcess(SECRET, "one", 0.0, 1e9, share)
    tag = Names(b"k" * 32, process.agent_mark, Share(3, 4)).tag()
    for n in range(20):
        call_id = f"{n}-1234@127.0.0.1"
        hop_by_hop = [
            replacing(call_id, tag, method).replace(b"Replaces: other;", b"X-Nothing: ", 1)
            for method in ("ACK", "CANCEL")
        ]
        hop_by_hop = [data.replace(tag.encode(), b"") for data in hop_by_hop]
        assert {share.of(data) for data in hop_by_hop} == {share.of_call(call_id)}
        assert share.of(replacing(call_id, tag)) == 3
        assert {share.of(data) for data in hop_by_hop} == {3}
        other = hop_by_hop[0].replace(b"branch=z9hG4bK-", b"branch=z9hG4bK-another-")
        assert share.of(other) == share.of_call(call_id)  # the same Call-ID is no reason


def test_3891_6_1_what_replaces_nothing_of_our_agent_goes_by_its_call_id() -> None:
    share = Share(1, 4)
    mark = ThisProcess(SECRET, "one", 0.0, 1e9, share).agent_mark
    call_id = "8-1234@127.0.0.1"
    assert share.of_call(call_id) != 3
    for data in (
        replacing(call_id, "a-phone-s"),
        replacing(call_id, f"x{mark}3ab"),
        replacing(call_id, f"{mark}zab"),
        replacing(call_id, f"{mark}fab"),  # there is no process 15 of 4
        replacing(call_id, mark),
        replacing(call_id, f"{mark}3ab", more="Replaces: two;from-tag=1;to-tag=2\r\n"),
        replacing(call_id, f"{mark}3ab", "BYE"),
        request("INVITE", call_id, f"Subject: {mark}3ab\r\n"),
    ):
        assert share.of(data) == share.of_call(call_id), data


def test_the_invites_that_are_remembered_are_bounded() -> None:
    share = Share(1, 4)
    mark = ThisProcess(SECRET, "one", 0.0, 1e9, share).agent_mark
    for n in range(2 * MOST_REPLACING):
        share.of(replacing(f"{n}-1234@127.0.0.1", f"{mark}3ab"))
    assert len(share._replacing) == MOST_REPLACING


# ---------------------------------------------------------------------- responses


@given(COUNTS, st.data())
def test_the_filter_and_the_engine_agree_about_responses(count: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, count - 1))
    process = ThisProcess(SECRET, data.draw(st.text()), 0.0, 1e9, Share(number, count))
    via = data.draw(
        st.sampled_from(
            [
                "Via: SIP/2.0/UDP 192.0.2.1:5060;branch={};rport",
                "Via: SIP/2.0/UDP [2001:db8::1]:5060;branch={};rport=5060;received=2001:db8::1",
                "Via: SIP/2.0/UDP 192.0.2.1:5060;received=192.0.2.1;rport=5060;branch={}",
                "v: SIP/2.0/UDP 192.0.2.1;branch={}",
                "VIA:SIP / 2.0 / UDP pbx.example.com:5060 ; Branch = {}, SIP/2.0/UDP a;branch=z9hG4bKf1",
                "Via: SIP/2.0/UDP 192.0.2.1:5060;branch={}\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKf1",
                "Max-Forwards: 70\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch={}",
            ]
        )
    )
    status = data.draw(
        st.sampled_from(["100 Trying", "180 Ringing", "200 OK", "486 Busy Here", "600 " + "x" * 80])
    )
    branch = data.draw(
        st.sampled_from(
            [
                f"z9hG4bK{process.unique[:6]}17.4711",
                Names(b"k" * 32, process.agent_mark, process.share).branch(),
            ]
        )
    )
    received = response(via.format(branch), status)
    for reader in range(count):
        assert Share(reader, count).of(received) == number
    assert run(FILTERS[count], received) == number


@pytest.mark.parametrize(
    "via",
    ["Via: SIP/2.0/UDP a;branch=z9hG4bKx1", "Via: SIP/2.0/UDP a;branch=z9hG4bK", "Via: SIP/2.0/UDP a;branch=1z9hG4bK1",
     "Via: SIP/2.0/UDP a", "Via: SIP/2.0/UDP a;branch=z9hG4bKf", "Via: SIP/2.0/UDP a;branch=z9hG4bKA", "Via: ", "X: y",
     "Via: SIP/2.0/UDP a;branch=old, SIP/2.0/UDP b;branch=z9hG4bK1"],
)  # fmt: skip
def test_a_response_to_nothing_of_ours_is_the_owner_s(via: str) -> None:
    assert Share(1, 4).of(response(via)) == OWNER


# ---------------------------------------------------------------------- anything


@given(COUNTS, st.binary(max_size=1200) | REQUESTS)
def test_any_bytes_have_a_process(count: int, data: bytes) -> None:
    for received in (data, b"INVITE sip:x SIP/2.0\r\n" + data, b"SIP/2.0 200 OK\r\n" + data):
        assert 0 <= Share(0, count).of(received) < count
        assert 0 <= run(FILTERS[count], received) < count


def test_a_short_filter_takes_what_it_does_not_see_for_the_owner_s() -> None:
    data = request("INVITE", "12345-1234@127.0.0.1")
    assert share_of(b"12345-1234@127.0.0.1", 7) != OWNER
    assert run(program(7, 0, 0), data) == OWNER
    assert run(program(7, 416, 200), data) == share_of(b"12345-1234@127.0.0.1", 7)


# ---------------------------------------------------------------------- our own


@pytest.mark.parametrize("count", [2, 3, 16])
def test_what_a_process_makes_is_its_own(count: int) -> None:
    for number in range(count):
        share = Share(number, count)
        process = ThisProcess(SECRET, os.urandom(8).hex(), 0.0, 1e9, share)
        names = Names(process.passing_key("names"), process.agent_mark, process.share)
        assert all(share.is_mine(names.call_id()) for _ in range(50))
        assert process.unique[0] == process.tag_prefix[0] == f"{number:x}"
        assert len(process.unique) == 64
        assert names.branch().startswith(f"z9hG4bK{number:x}")
        assert names.tag().startswith(f"{process.agent_mark}{number:x}")


def test_a_process_alone_makes_what_it_made_before() -> None:
    alone = ThisProcess(SECRET, "one", 0.0, 1e9)
    of_one = ThisProcess(SECRET, "one", 0.0, 1e9, Share(0, 1))
    assert alone.unique == of_one.unique
    assert of_one.share is None
    names = [Names(b"k" * 32, "ua-", each.share) for each in (alone, of_one)]
    assert names[0].branch() == names[1].branch()
    assert names[0].branch().startswith("z9hG4bKua-")
    tags = {Names(b"k" * 32, "ua-", each.share).tag() for each in (alone, of_one)}
    assert [len(tag) for tag in tags] == [len("ua-") + 16]


@pytest.mark.parametrize(("number", "count"), [(-1, 2), (2, 2), (0, 0), (0, 17)])
def test_there_is_no_such_process(number: int, count: int) -> None:
    with pytest.raises(ValueError, match="no process"):
        Share(number, count)


def test_a_search_for_a_call_id_ends() -> None:
    one, other = Share(0, 2), Share(1, 2)
    fixed = "12345-1234@127.0.0.1"
    assert one.chosen(lambda: fixed) == other.chosen(lambda: fixed) == fixed
