"""Digest: right, wrong, unknown, replayed (RFC 7616, RFC 3261 §22)."""

from __future__ import annotations

import statistics
import time

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import PbxProcess
from tests.support.wire import Message, challenge_fields, choose, digest

CONFIGURATION = {"extensions": [extension("1901"), extension("1902")]}


def shape(response: Message) -> tuple[str, list[str], list[dict[str, str]]]:
    """What an answer shows, without what is new in each: nonces, tags, the echoed headers."""
    names = [name for name, _ in response.headers]
    offers = [challenge_fields(value) for value in response.all("WWW-Authenticate")]
    return response.start, names, [{**offer, "nonce": "", "opaque": ""} for offer in offers]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_right_password_registers(phones: Phones, algorithm: str, transport: str) -> None:
    phone = phones.wire("1901", transport=transport, register=False)
    assert phone.register(algorithm=algorithm).status == 200
    assert phone.register(expires=0, algorithm=algorithm).status == 200


def test_wrong_password_is_never_accepted_by_a_real_phone(pbx: PbxProcess, phones: Phones) -> None:
    phone = phones.unregistered("1902", password="wrong")
    phone.wait_for("REGISTER_FAIL")
    assert not phone.saw("REGISTER_OK")
    assert "SIP/2.0 200" not in phone.trace()
    assert not pbx.query("SELECT * FROM registrations_binding WHERE aor = '1902@pbx.test'")


def test_unknown_user_and_wrong_password_get_the_same_answer(phones: Phones) -> None:
    known = phones.wire("1901", register=False)
    unknown = phones.wire("1999", register=False)
    wrong = known.register(password="wrong")
    stranger = unknown.register(password="wrong")
    assert wrong.status in (401, 403, 407)
    assert shape(wrong) == shape(stranger)


def test_unknown_user_and_wrong_password_get_it_in_the_same_time(phones: Phones) -> None:
    known = phones.wire("1901", register=False)
    unknown = phones.wire("1999", register=False)
    taken: dict[str, list[float]] = {"1901": [], "1999": []}
    for _ in range(60):
        for phone in (known, unknown):
            begun = time.perf_counter()
            phone.register(password="wrong")
            taken[phone.number].append(time.perf_counter() - begun)
    known_s, unknown_s = (statistics.median(times) for times in taken.values())
    # Two round trips on a busy machine: what an attacker could measure would be far larger.
    assert abs(known_s - unknown_s) < 0.5 * max(known_s, unknown_s), (known_s, unknown_s)


def test_call_with_a_wrong_password_is_challenged_again(pbx: PbxProcess, phones: Phones) -> None:
    bob = phones.wire("1902")
    alice = phones.wire("1901", register=False)
    call = alice.start_call("1902")
    call.authenticate(password="wrong")
    assert alice.wire.receive_final("INVITE").status in (401, 403, 407)
    bob.wire.nothing("INVITE", 0.3)
    assert not pbx.rows_of(call.call_id), "an unauthorised attempt is no call"


def test_a_caller_may_not_speak_for_another(phones: Phones) -> None:
    """Credentials of 1901 with From 1902: the identity must be the authenticated one."""
    alice = phones.wire("1901", register=False)
    phones.wire("1902")
    call = alice.start_call("1902")
    call.local = call.local.replace("1901", "1902")
    call.authenticate()
    assert alice.wire.receive_final("INVITE").status in (401, 403, 407)


def test_replayed_credentials_are_refused_rfc7616_5_5(phones: Phones) -> None:
    phone = phones.wire("1901", register=False)
    challenged = phone.send_register(phone.contact, 300)
    offer = choose(challenged.all("WWW-Authenticate"), "SHA-256")
    value = digest(offer, "1901", phone.password, "REGISTER", "sip:pbx.test")
    credentials = f"Authorization: {value}\n"
    assert phone.send_register(phone.contact, 300, credentials).status == 200
    replayed = phone.send_register(phone.contact, 300, credentials)
    assert replayed.status == 401
    later = digest(offer, "1901", phone.password, "REGISTER", "sip:pbx.test", count=2)
    assert phone.send_register(phone.contact, 300, f"Authorization: {later}\n").status == 200
