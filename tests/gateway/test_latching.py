"""Which address is a phone's (RFC 7362): the rows of the table in `gateway/latching.py`, by real sockets."""

from __future__ import annotations

import asyncio

import pytest

from sipengine.gateway import latching, srtp
from sipengine.gateway.rtp_leg import RtpLeg
from sipengine.gateway.sdp.sides import Crypto, Remote
from sipengine.gateway.streams import Incoming
from tests.gateway.served import TO_PHONE, TO_SRTP_PHONE, Phone, Served, audio
from tests.support.wait import eventually

ELSEWHERE = "127.0.0.9"


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> float:
    """A tenth of a second of quiet is enough here."""
    monkeypatch.setattr(latching, "QUIET_S", 0.1)
    return 0.15


async def begin(served: Served, *, said: str = "", name: str = "") -> tuple[Phone, Phone, Remote, Remote]:  # fmt: skip
    """A call whose caller, signalled from `said`, has been heard; `name` is what its c= line says."""
    caller, callee = served.phone(), served.phone()
    sdp = caller.sdp("8")
    if name:
        sdp = sdp.replace(f"c=IN IP4 {caller.host}", f"c=IN IP4 {name}")
    more = {"received-from": ["IP4", said]} if said else {}
    to_callee = await served.controller.offer("call", "a", sdp, **TO_PHONE, **more)
    to_caller = await served.controller.answer("call", ("a", "b"), callee.sdp("8"), **TO_PHONE)
    return caller, callee, audio(to_caller), audio(to_callee)


async def heard(phone: Phone, other: Phone, where: Remote, count: int = 3) -> None:
    before = len(other.received)
    await phone.talk(where, count)
    await eventually(lambda: len(other.received) == before + count)


def continues(phone: Phone, other: Phone) -> None:
    """`phone` goes on with the stream of `other`, as behind another address of the same NAT."""
    phone.ssrc, phone.sequence, phone.stamp = other.ssrc, other.sequence, other.stamp


async def strangers(served: Served) -> int:
    told = await served.controller.ask(command="query", call_id="call")
    side = told["quality"]["a"]
    assert isinstance(side, dict)
    count = side["strangers"]
    assert isinstance(count, int)
    return count


@pytest.mark.parametrize("host", ["127.0.0.1", ELSEWHERE], ids=["another-port", "another-host"])
async def test_rfc7362_4_a_phone_whose_nat_gives_it_another_address_is_followed(
    served: Served, quiet: float, host: str
) -> None:
    caller, callee, for_caller, for_callee = await begin(served)
    await heard(caller, callee, for_caller)
    moved = served.phone(host)
    continues(moved, caller)
    await asyncio.sleep(quiet)
    await moved.talk(for_caller, 2)  # which prove nothing yet
    await heard(moved, callee, for_caller)
    await heard(callee, moved, for_callee)
    assert await strangers(served) == 2
    # Its reports come from a new address as well.
    leg = served.gateway._calls["call"].legs[0]
    assert isinstance(leg, RtpLeg)
    report = bytes([0x80, 201, 0, 1]) + moved.ssrc.to_bytes(4, "big")
    moved.rtcp.sendto(report, (for_caller.host, for_caller.rtcp_port))
    await eventually(lambda: leg._rtcp_target == (host, moved.rtcp_port))


async def test_rfc7362_5_nobody_takes_the_address_of_a_phone_that_speaks(
    served: Served, quiet: float
) -> None:
    """Not even who says what the phone would say next."""
    caller, callee, for_caller, for_callee = await begin(served)
    await heard(caller, callee, for_caller)
    thief = served.phone(ELSEWHERE)
    for _ in range(15):
        caller.send(for_caller)
        continues(thief, caller)
        for _ in range(4):
            thief.send(for_caller)
        await asyncio.sleep(quiet / 5)
    await eventually(lambda: len(callee.received) == 18)
    await heard(callee, caller, for_callee)
    assert not thief.received
    assert await strangers(served) == 60


@pytest.mark.parametrize(
    ("what", "step"),
    [("ssrc", 1), ("sequence", 4000), ("sequence", -5), ("stamp", 8000 * 60), ("stamp", -8000 * 60)],
)  # fmt: skip
async def test_rfc7362_5_who_does_not_go_on_with_the_stream_is_a_stranger(
    served: Served, quiet: float, what: str, step: int
) -> None:
    caller, callee, for_caller, for_callee = await begin(served)
    await heard(caller, callee, for_caller)
    thief = served.phone(ELSEWHERE)
    continues(thief, caller)
    setattr(thief, what, getattr(thief, what) + step)
    await asyncio.sleep(quiet)
    await thief.talk(for_caller, 4)
    await heard(callee, caller, for_callee)
    assert not thief.received
    assert await strangers(served) == 4


async def test_rfc7362_5_the_same_packet_again_proves_nothing(served: Served, quiet: float) -> None:
    caller, callee, for_caller, for_callee = await begin(served)
    await heard(caller, callee, for_caller)
    thief = served.phone(ELSEWHERE)
    continues(thief, caller)
    await asyncio.sleep(quiet)
    packet = thief.packet()
    for _ in range(6):
        thief.rtp.sendto(packet, (for_caller.host, for_caller.port))
        await asyncio.sleep(0.001)
    await heard(callee, caller, for_callee)
    assert not thief.received


async def test_rfc7362_5_two_candidates_in_turn_prove_nothing(served: Served, quiet: float) -> None:
    caller, callee, for_caller, _ = await begin(served)
    await heard(caller, callee, for_caller)
    one, other = served.phone(ELSEWHERE), served.phone("127.0.0.8")
    continues(one, caller)
    await asyncio.sleep(quiet)
    for _ in range(4):
        one.send(for_caller)
        await asyncio.sleep(0.001)
        continues(other, one)
        other.send(for_caller)
        await asyncio.sleep(0.001)
        continues(one, other)
    await heard(caller, callee, for_caller)
    assert await strangers(served) == 8


async def test_a_phone_that_was_held_long_is_heard_from_its_new_port(
    served: Served, quiet: float
) -> None:
    """NAT forgot it meanwhile, and it begins another stream: the agreement lets it."""
    caller, callee, for_caller, for_callee = await begin(served)
    await heard(caller, callee, for_caller)
    await asyncio.sleep(quiet)
    again, other = served.phone(), served.phone()
    again.ssrc, other.ssrc = 0x77, 0x88
    await again.talk(for_caller, 2)
    assert not again.received
    await served.controller.offer("call", "a", caller.sdp("8"), **TO_PHONE)
    await served.controller.answer("call", ("a", "b"), callee.sdp("8"), **TO_PHONE)
    await heard(again, callee, for_caller)
    await heard(callee, again, for_callee)
    await asyncio.sleep(quiet)
    await other.talk(for_caller, 3)  # for once
    await heard(again, callee, for_caller)
    assert not other.received


async def test_a_phone_that_signals_from_another_host_is_heard_from_there(
    served: Served, quiet: float
) -> None:
    """Its router dialled in anew; its description still says what the phone knows: nothing of that."""
    caller, callee, for_caller, for_callee = await begin(served)
    await heard(caller, callee, for_caller)
    moved = served.phone(ELSEWHERE)
    moved.ssrc = 0x77
    there = {"received-from": ["IP4", ELSEWHERE]}
    await served.controller.offer("call", "a", caller.sdp("8"), **TO_PHONE, **there)
    await served.controller.answer("call", ("a", "b"), callee.sdp("8"), **TO_PHONE)
    await heard(caller, callee, for_caller)  # its media may as well stay where it was
    await asyncio.sleep(quiet)
    await heard(moved, callee, for_caller)
    await heard(callee, moved, for_callee)


async def test_an_agreement_lets_nobody_in_who_comes_late(
    served: Served, quiet: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latching, "AGREED_S", 0.05)
    caller, callee, for_caller, _ = await begin(served)
    await heard(caller, callee, for_caller)
    await served.controller.offer("call", "a", caller.sdp("8"), **TO_PHONE)
    await served.controller.answer("call", ("a", "b"), callee.sdp("8"), **TO_PHONE)
    await asyncio.sleep(quiet)
    other = served.phone()
    other.ssrc = 0x77
    await other.talk(for_caller, 3)
    assert await strangers(served) == 3


async def test_rfc3711_3_3_a_key_is_followed_at_once_wherever_it_sends_from(served: Served) -> None:
    caller, callee = served.phone(), served.phone()
    key = Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(range(30)))
    offer = caller.sdp("8", key.line() + "\r\n", "RTP/SAVP")
    await served.controller.offer("call", "a", offer, **TO_PHONE)
    to_caller = await served.controller.answer("call", ("a", "b"), callee.sdp("8"), **TO_SRTP_PHONE)
    where, protect = audio(to_caller), srtp.sending(key).protect
    moved, thief = served.phone(ELSEWHERE), served.phone("127.0.0.8")
    for phone in (caller, moved, caller):
        packet = protect(caller.packet())
        phone.rtp.sendto(packet, (where.host, where.port))
        thief.rtp.sendto(packet, (where.host, where.port))  # heard on the way, and said again
    await eventually(lambda: len(callee.received) == 3)
    assert await strangers(served) == 3


@pytest.mark.parametrize("said", ["127.0.0.1", ""])
async def test_rfc8866_5_7_a_phone_that_gives_a_name_is_where_it_signals_from(
    served: Served, said: str
) -> None:
    """A name is looked up by nobody here; without a word of the controller there is nowhere to send to."""
    caller, callee, for_caller, for_callee = await begin(served, said=said, name="phone.example")
    other = served.phone(ELSEWHERE)
    await other.talk(for_caller, 2)
    if said:
        await heard(callee, caller, for_callee)  # who waits to be spoken to first
        await heard(caller, callee, for_caller)
        assert await strangers(served) == 2
    else:
        await callee.talk(for_callee, 2)
        await caller.talk(for_caller, 2)
        assert await strangers(served) == 4
        assert not caller.received
        assert not callee.received


async def test_rfc8866_5_7_the_named_phone_may_be_behind_nat(served: Served) -> None:
    _, callee, for_caller, for_callee = await begin(served, said=ELSEWHERE, name="phone.example")
    seen = served.phone(ELSEWHERE)
    await heard(seen, callee, for_caller)
    await heard(callee, seen, for_callee)


def test_a_stream_is_continued_over_the_ends_of_its_numbers() -> None:
    stream = Incoming()
    stream.update(65534, 0xFFFFFF00, 7, 160, 100.0)
    assert stream.continued_by(2, 0xE0, 7, 100.06)
    assert not stream.continued_by(65534, 0xFFFFFF00, 7, 100.06)
    assert not stream.continued_by(65535, 0xFFFFFFA0, 8, 100.06)
