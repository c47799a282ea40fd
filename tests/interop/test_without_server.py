"""The phones against each other, with no server between: what they send and hear is sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.baresip import Baresip
from tests.support.tone import Sound
from tests.support.wire import digest
from tests.support.wire_phone import WirePhone


def test_two_phones_hear_each_others_tone(tmp_path: Path) -> None:
    with Baresip("1", tmp_path, tone=440) as alice, Baresip("2", tmp_path, tone=660) as bob:
        alice.dial(f"sip:2@127.0.0.1:{bob.sip_port}")
        bob.wait_for("CALL_INCOMING")
        bob.accept()
        alice.wait_for("CALL_ESTABLISHED")
        alice.hears(660)
        bob.hears(440)
        alice.hang_up()
        bob.wait_for("CALL_CLOSED")
        assert not bob.heard().holds(660), "a phone hears the other, not itself"


def test_silence_and_noise_hold_no_tone() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 8000)
    assert Sound(np.zeros(8000), 8000).frequency() is None
    assert not Sound(noise, 8000).holds(440, within=2)


def test_digest_is_that_of_rfc_7616_3_9_1() -> None:
    challenge = (
        'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
        'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    answer = digest(
        challenge,
        "Mufasa",
        "Circle of Life",
        "GET",
        "/dir/index.html",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1" in answer


def test_flow_by_hand_without_a_server_rfc3665_3_1() -> None:
    alice = WirePhone("1", "", server=("127.0.0.1", 9), domain="d.test")
    bob = WirePhone("2", "", server=alice.wire.address, domain="d.test")
    alice.wire.server = bob.wire.address
    with alice, bob:
        call = alice.start_call("2")
        incoming = bob.incoming()
        incoming.ring()
        call.rings()
        incoming.send_ok()
        dialog = call.answered()
        bob.wire.receive_request("ACK")
        dialog.request("BYE")
        bob.reply(bob.wire.receive_request("BYE"), 200, "OK")
        assert alice.wire.receive_final("BYE").status == 200
