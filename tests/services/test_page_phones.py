"""The short-lived credentials of pages: whom they stand for, how long, and what forgers get."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from sipengine.api import UNLIMITED, BindingGone, ConfigSnapshot, Extension
from sipengine.page_credentials import LIFE_S, ha1_of, issue, page_key, split
from sipengine.services.authentication import Authenticator, Refusal
from sipengine.services.location import REMOVED, Location
from sipengine.services.page_phones import PagePhones
from sipengine.services.registrar import MAX_EXPIRES, MIN_EXPIRES, Registrar
from sipengine.services.responsibility import Responsibility
from sipengine.services.this_process import ThisProcess
from tests.services.phones import (
    ALICE,
    DOMAIN,
    LOCAL,
    SNAPSHOT,
    WALL,
    FlowsWithoutSockets,
    Registrations,
    credentials,
    request,
)

NOW = 5000.0
KEY = page_key("the secret of this installation, long enough")
PAGE = "91c2a5d04be7f368"


def authenticator(key: bytes = KEY) -> Authenticator:
    pages = PagePhones(
        key, ThisProcess(b"s" * 16, "x", 0.0, WALL), Location(FlowsWithoutSockets(), [])
    )
    return Authenticator(b"k" * 32, pages=pages)


def answered(
    auth: Authenticator, username: str, ha1: str, *, algorithm: str = "MD5", now: float = NOW,
    snapshot: ConfigSnapshot = SNAPSHOT,
) -> Extension | Refusal:  # fmt: skip
    lines = auth.challenge(DOMAIN, False, False, now)
    line = next(line for line in lines if f"algorithm={algorithm}," in line)
    given = credentials(line, username=username, ha1=ha1)
    return auth.check(request(given), False, snapshot, DOMAIN, now)


def test_a_page_is_its_extension_for_the_minutes_that_are_left() -> None:
    given = issue("1001", DOMAIN, PAGE, KEY, WALL + NOW)
    who = answered(authenticator(), given.username, given.ha1, now=NOW + 100)
    assert isinstance(who, Extension)
    assert (who.aor, who.registered_for) == (ALICE.aor, LIFE_S - 100)


def test_the_hash_is_another_for_sha_256_rfc8760_2_3() -> None:
    given = issue("1001", DOMAIN, PAGE, KEY, WALL + NOW)
    long = ha1_of(given.username, DOMAIN, "SHA-256", KEY)
    assert len(long) == 64
    assert not long.startswith(given.ha1)
    who = answered(authenticator(), given.username, long, algorithm="SHA-256")
    assert isinstance(who, Extension)
    assert (
        answered(authenticator(), given.username, given.ha1, algorithm="SHA-256") is Refusal.WRONG
    )


def test_after_its_end_it_is_expired_which_is_no_wrong_password() -> None:
    given = issue("1001", DOMAIN, PAGE, KEY, WALL + NOW)
    late = answered(authenticator(), given.username, given.ha1, now=NOW + LIFE_S)
    assert late is Refusal.EXPIRED


def test_an_end_put_off_is_a_wrong_password() -> None:
    given = issue("1001", DOMAIN, PAGE, KEY, WALL + NOW)
    longer = f"1001~{given.ends + 3600}~{PAGE}"
    assert answered(authenticator(), longer, given.ha1) is Refusal.WRONG


def test_it_stands_for_no_other_extension() -> None:
    bob = Extension("1002", DOMAIN)
    both = ConfigSnapshot(1, DOMAIN, SNAPSHOT.domains, {**SNAPSHOT.extensions, bob.aor: bob})
    given = issue("1001", DOMAIN, PAGE, KEY, WALL + NOW)
    other = given.username.replace("1001", "1002")
    assert answered(authenticator(), other, given.ha1, snapshot=both) is Refusal.WRONG


def test_another_installations_credential_is_wrong() -> None:
    given = issue("1001", DOMAIN, PAGE, page_key("the secret of another installation"), WALL + NOW)
    assert answered(authenticator(), given.username, given.ha1) is Refusal.WRONG


def test_another_page_is_a_wrong_password() -> None:
    given = issue("1001", DOMAIN, PAGE, KEY, WALL + NOW)
    other = given.username.replace(PAGE, PAGE[::-1])
    assert answered(authenticator(), other, given.ha1) is Refusal.WRONG


def test_a_page_that_is_over_is_expired_at_once_and_others_go_on() -> None:
    auth = authenticator()
    assert auth.pages is not None
    given = issue("1001", DOMAIN, PAGE, KEY, WALL + NOW)
    other = issue("1001", DOMAIN, PAGE[::-1], KEY, WALL + NOW)
    assert isinstance(answered(auth, given.username, given.ha1), Extension)
    auth.pages.end({PAGE: ALICE.aor}, NOW)
    assert answered(auth, given.username, given.ha1) is Refusal.EXPIRED
    assert answered(auth, given.username, "0" * 32) is Refusal.WRONG
    assert isinstance(answered(auth, other.username, other.ha1), Extension)


def test_a_disabled_extension_has_no_page() -> None:
    given = issue("1001", DOMAIN, PAGE, KEY, WALL + NOW)
    empty = ConfigSnapshot(1, DOMAIN, SNAPSHOT.domains, {})
    assert answered(authenticator(), given.username, given.ha1, snapshot=empty) is Refusal.WRONG


def test_without_a_key_nobody_is_a_page() -> None:
    given = issue("1001", DOMAIN, PAGE, KEY, WALL + NOW)
    assert answered(Authenticator(b"k" * 32), given.username, given.ha1) is Refusal.WRONG


def test_a_phone_with_its_own_password_is_not_limited() -> None:
    who = answered(authenticator(), "1001", ALICE.ha1_md5)
    assert isinstance(who, Extension)
    assert who.registered_for == UNLIMITED


@pytest.mark.parametrize(
    "name",
    ["1001", "~5~" + PAGE, "1001~", "1001~5", "1001~5~", "1001~x~" + PAGE, "1001~-5~" + PAGE,
     "1001~٣~" + PAGE, "1001~" + "9" * 12 + "~" + PAGE, "1001~5~" + PAGE + "0"],
)  # fmt: skip
def test_what_is_no_name_of_ours(name: str) -> None:
    assert split(name) is None


@pytest.mark.parametrize(
    ("left", "granted"), [(500, 500), (5, MIN_EXPIRES), (100_000, MAX_EXPIRES)]
)
def test_a_registration_lasts_no_longer_than_the_credential_rfc3261_10_3(
    left: int, granted: int
) -> None:
    """But for the last minute of it: a shorter interval than the shortest is not asked for."""
    world = Registrations()
    responsibility = Responsibility([("UDP", *LOCAL)], LOCAL)
    responsibility.set_config(SNAPSHOT)
    registrar = Registrar(world.location, responsibility, b"s" * 32)
    who = Extension("1001", DOMAIN, max_contacts=3, registered_for=left)
    asking = request("Contact: <sip:1001@10.0.0.5:5060>", "Expires: 86400")
    done = registrar.register(asking, who, world.udp("10.0.0.5", 5060), 0.0, WALL)
    assert done.status == 200
    assert re.findall(r"expires=(\d+)", done.lines[0]) == [str(granted)]


def test_with_its_page_a_registration_ends_and_those_of_others_stay() -> None:
    world = Registrations()
    pages = PagePhones(KEY, ThisProcess(b"s" * 16, "x", 0.0, WALL), world.location)
    for at, page in enumerate((PAGE, PAGE[::-1], ""), 1):
        asking = request(f"Contact: <sip:{at}@10.0.0.5:5060>", call_id=f"call-{at}")
        who = replace(ALICE, page=page)
        world.registrar.register(asking, who, world.udp(), world.now, world.wall)
    assert len(world.location.contacts(ALICE.aor, world.now)) == 3
    world.facts.clear()
    pages.end({PAGE: ALICE.aor, "0" * 16: "nobody@pbx.test"}, world.now)
    left = [binding.contact for binding in world.location.contacts(ALICE.aor, world.now)]
    assert sorted(left) == ["sip:2@10.0.0.5:5060", "sip:3@10.0.0.5:5060"]
    (gone,) = world.facts
    assert isinstance(gone, BindingGone)
    assert (gone.contact, gone.why) == ("sip:1@10.0.0.5:5060", REMOVED)
