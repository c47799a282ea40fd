"""The lite agent and the port that all browsers share: what is answered, what is not."""

from __future__ import annotations

import asyncio
import random
import socket

import pytest
from aioice.stun import Class, Message, Method, parse_message

from sipengine.gateway.ice import CONSENT_S, MAX_PAIRS, IceLite
from tests.gateway.served import HERE, TO_BROWSER, Served, audio
from tests.support.wait import eventually

PEER = ("198.51.100.9", 40000)


def check(
    ufrag: str,
    password: str,
    *,
    nominate: bool = True,
    remote: str = "peer",
    controlled: bool = False,
    fingerprint: bool = True,
) -> bytes:
    attributes: dict[str, object] = {"USERNAME": f"{ufrag}:{remote}", "PRIORITY": 1}
    attributes["ICE-CONTROLLED" if controlled else "ICE-CONTROLLING"] = 5
    if nominate:
        attributes["USE-CANDIDATE"] = None
    message = Message(Method.BINDING, Class.REQUEST, attributes=attributes)
    message.add_message_integrity(password.encode())
    data = bytes(message)
    if not fingerprint:
        body = data[20:-8]
        data = data[:2] + len(body).to_bytes(2, "big") + data[4:20] + body
    return data


def agent() -> tuple[IceLite, str, str]:
    ice = IceLite()
    return ice, ice.credentials.ufrag, ice.credentials.password


def test_rfc8445_7_3_a_right_check_is_answered_and_nominates() -> None:
    ice, ufrag, password = agent()
    heard = ice.receive(check(ufrag, password), 0, PEER, 1.0)
    assert heard is not None
    assert heard.selected
    assert ice.selected == (0, PEER)
    answer = parse_message(heard.answer)
    assert answer.message_class == Class.RESPONSE
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == PEER
    assert answer.check_message_integrity(password.encode())
    assert "FINGERPRINT" in answer.attributes


def test_rfc8489_9_1_3_a_check_that_proves_nothing_is_not_answered() -> None:
    ice, ufrag, password = agent()
    ice.agree("peer")
    right = check(ufrag, password)
    for wrong in (
        check(ufrag, "another password"),
        check("nobody", password),
        check(ufrag, password, fingerprint=False),
        check(ufrag, password, remote="somebody else"),
        right[:-1] + bytes([right[-1] ^ 1]),  # FINGERPRINT
        right[:24] + bytes([right[24] ^ 1]) + right[25:],
        bytes(Message(Method.BINDING, Class.REQUEST, attributes={"USERNAME": f"{ufrag}:peer"})),
        right[:20],
        right[:-30],
        b"",
    ):
        assert ice.receive(wrong, 0, PEER, 1.0) is None
    assert ice.selected is None
    assert ice.receive(right, 0, PEER, 1.0) is not None


def test_rfc8445_7_3_1_1_two_controlled_sides_are_a_conflict() -> None:
    ice, ufrag, password = agent()
    heard = ice.receive(check(ufrag, password, controlled=True), 0, PEER, 1.0)
    assert heard is not None
    assert parse_message(heard.answer).attributes["ERROR-CODE"][0] == 487
    assert ice.selected is None


def test_rfc8445_8_1_1_a_later_nomination_moves_the_media() -> None:
    ice, ufrag, password = agent()
    ice.receive(check(ufrag, password), 0, PEER, 1.0)
    other = ("203.0.113.4", 1234)
    heard = ice.receive(check(ufrag, password, nominate=False), 0, other, 2.0)
    assert heard is not None
    assert heard.selected is False
    assert ice.selected == (0, PEER)
    heard = ice.receive(check(ufrag, password), 0, other, 3.0)
    assert heard is not None
    assert heard.selected is True
    assert ice.selected == (0, other)


def test_rfc8445_9_a_restart_keeps_the_old_pair_until_a_new_one_is_nominated() -> None:
    ice, ufrag, password = agent()
    ice.agree("peer")
    ice.receive(check(ufrag, password), 0, PEER, 1.0)
    assert not ice.agree("peer")
    assert ice.agree("fresh")
    ice.restart()
    assert ice.credentials.ufrag != ufrag
    assert ice.receive(check(ufrag, password), 0, PEER, 2.0) is not None
    moved = ("203.0.113.4", 1234)
    new = ice.credentials
    heard = ice.receive(check(new.ufrag, new.password, remote="fresh"), 0, moved, 3.0)
    assert heard is not None
    assert heard.selected
    assert ice.receive(check(ufrag, password), 0, PEER, 4.0) is None


def test_rfc7675_5_1_consent_is_renewed_by_checks_and_runs_out() -> None:
    ice, ufrag, password = agent()
    ice.receive(check(ufrag, password), 0, PEER, 100.0)
    assert ice.has_consent(100.0 + CONSENT_S - 1)
    assert not ice.has_consent(100.0 + CONSENT_S)
    ice.receive(check(ufrag, password), 0, PEER, 140.0)
    assert ice.has_consent(140.0 + CONSENT_S - 1)


def test_the_addresses_of_a_peer_are_bounded() -> None:
    ice, ufrag, password = agent()
    ice.receive(check(ufrag, password), 0, PEER, 1.0)
    dropped = []
    for port in range(MAX_PAIRS + 10):
        heard = ice.receive(check(ufrag, password, nominate=False), 0, (HERE, 1000 + port), 2.0)
        assert heard is not None
        dropped.append(heard.dropped)
    assert len([each for each in dropped if each]) == 11
    assert ice.knows(0, PEER)


async def offered_browser(served: Served) -> tuple[str, str, int]:
    sdp = await served.controller.offer("call", "a", served.phone().sdp("8"), **TO_BROWSER)
    remote = audio(sdp)
    assert "a=ice-lite" in sdp
    return remote.ufrag, remote.password, served.shared.port


async def test_trickle_and_unknown_candidates_are_tolerated(served: Served) -> None:
    """RFC 8838 §4.1: a lite agent needs none of the peer's candidates."""
    await offered_browser(served)
    answer = (
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 8\r\nc=IN IP4 0.0.0.0\r\na=ice-options:trickle\r\n"
        "a=ice-ufrag:peer\r\na=ice-pwd:0123456789012345678901\r\na=candidate:nonsense\r\n"
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "\r\na=setup:active\r\na=rtcp-mux\r\n"
    )
    assert await served.controller.answer("call", ("a", "b"), answer, ICE="remove")


@pytest.mark.parametrize("missing", ["a=rtcp-mux", "a=ice-pwd", "a=fingerprint"])
async def test_a_browser_without_what_webrtc_needs_is_refused(served: Served, missing: str) -> None:
    await offered_browser(served)
    lines = [
        "v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "m=audio 9 UDP/TLS/RTP/SAVPF 8",
        "a=ice-ufrag:peer", "a=ice-pwd:0123456789012345678901", "a=rtcp-mux",
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32), "a=setup:active", "",
    ]  # fmt: skip
    kept = "\r\n".join(line for line in lines if not line.startswith(missing))
    told = await served.controller.ask(
        command="answer", call_id="call", from_tag="a", to_tag="b", sdp=kept
    )
    assert b"WebRTC side" in told["error-reason"]


async def test_floods_on_the_shared_port_disturb_nothing(served: Served) -> None:
    """STUN without credentials, DTLS and RTP from strangers, noise: counted, unanswered."""
    ufrag, password, port = await offered_browser(served)
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        flood.setblocking(False)
        flood.connect((HERE, port))
        noise = random.Random(9)
        for count in range(2000):
            kind = count % 5
            if kind == 0:
                data = check(ufrag, "guessed")
            elif kind == 1:
                data = check("nobody", password)
            elif kind == 2:
                data = bytes([22, 254, 253]) + noise.randbytes(200)
            elif kind == 3:
                data = bytes([128, 8]) + noise.randbytes(170)
            else:
                data = noise.randbytes(noise.randint(0, 300))
            await loop.sock_sendall(flood, data)
            if count % 50 == 49:
                await asyncio.sleep(0)
        await eventually(lambda: served.counters["stun_refused"] >= 400)
        with pytest.raises(BlockingIOError):
            flood.recv(2000)
        assert served.counters["stun_for_nobody"] >= 400
        assert served.counters["dtls_from_strangers"] >= 400
        assert served.counters["packets_from_strangers"] >= 400
        # The right check among all that is answered.
        await loop.sock_sendall(flood, check(ufrag, password))
        async with asyncio.timeout(5):
            answer = parse_message(await loop.sock_recv(flood, 2000))
        assert answer.message_class == Class.RESPONSE
        # And DTLS noise of a peer that did prove itself is bounded.
        for _ in range(100):
            await loop.sock_sendall(flood, bytes([22, 254, 253]) + noise.randbytes(100))
        await eventually(lambda: served.counters["dtls_dropped"] >= 80)
