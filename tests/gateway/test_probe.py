"""Pages that ask whether UDP gets through: who is answered, and that nobody else is."""

from __future__ import annotations

from time import time

import pytest
from aioice.stun import Class, parse_message

from sipengine.gateway.probe import Probe
from sipengine.path_probe import LIFE_S, ProbeCredentials, make, password_of, probe_key
from tests.gateway.test_ice import PEER, check

KEY = probe_key("the secret of this installation, long enough")
NOW = 1_800_000_000.5


@pytest.fixture
def given() -> ProbeCredentials:
    return make(KEY, NOW)


def test_rfc8445_7_3_a_check_with_the_right_password_is_answered(given: ProbeCredentials) -> None:
    answer = Probe(KEY).answer(check(given.ufrag, given.password), PEER, NOW + 10)
    assert answer is not None
    told = parse_message(answer)
    assert told.message_class == Class.RESPONSE
    assert told.attributes["XOR-MAPPED-ADDRESS"] == PEER
    assert told.check_message_integrity(given.password.encode())


def test_rfc8445_7_3_1_1_who_wants_to_be_controlled_is_told_of_the_conflict(
    given: ProbeCredentials,
) -> None:
    data = check(given.ufrag, given.password, controlled=True)
    answer = Probe(KEY).answer(data, PEER, NOW)
    assert answer is not None
    assert parse_message(answer).attributes["ERROR-CODE"][0] == 487


def test_nobody_else_is_answered(given: ProbeCredentials) -> None:
    right = check(given.ufrag, given.password)
    other = make(probe_key("the secret of another installation"), NOW)
    longer = f"probe{int(NOW) + 3600:010x}" + given.ufrag[-8:]
    for data, key, wall in (
        (check(given.ufrag, "guessed"), KEY, NOW),
        (check(given.ufrag, given.password, fingerprint=False), KEY, NOW),
        (check(other.ufrag, other.password), KEY, NOW),
        (check(longer, given.password), KEY, NOW),
        (check("probe", given.password), KEY, NOW),
        (check("probe" + "x" * 18, given.password), KEY, NOW),
        (right, KEY, NOW + LIFE_S),
        (right, b"", NOW),
        (right[:40], KEY, NOW),
    ):
        assert Probe(key).answer(data, PEER, wall) is None


def test_credentials_are_fit_for_ice_and_each_time_others() -> None:
    """RFC 8445 §5.3: at least 4 and 22 characters, letters and digits."""
    first, second = make(KEY, time()), make(KEY, time())
    assert first.ufrag != second.ufrag
    assert first.ufrag.isalnum()
    assert len(first.password) >= 22
    assert password_of(first.ufrag, KEY, time()) == first.password
    assert first.password not in repr(first)
