"""The configuration as the engine takes it: complete, and the same whichever way it came."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbx.enginelink.snapshot import MANY_KEYS, Changes, epoch, load, refresh
from sipengine.api import Domain, Extension, Rule
from tests.pbx.enginelink.directory import add_domain, add_extensions, add_rule

DOMAIN = "pbx.example"


@pytest.fixture
def configured(connection: psycopg.Connection) -> psycopg.Connection:
    """Two domains, extensions 1001-1003, two rules."""
    add_domain(connection, DOMAIN, default=True)
    add_domain(connection, "branch.example", mode="redirect")
    add_extensions(connection, DOMAIN, 1001, 3)
    add_rule(connection, DOMAIN, "second", 2, "1003")
    add_rule(connection, DOMAIN, "first", 1, "1001", "sip:gate@10.0.0.9")
    return connection


def test_what_holds_of_all_calls_is_loaded(configured: psycopg.Connection) -> None:
    configured.execute(
        "UPDATE directory_domain SET session_timer = 1800, assert_identity = true,"
        " trusted = E'192.0.2.9\\r\\n::1' WHERE name = %s",
        (DOMAIN,),
    )
    domain = load(configured).domains[DOMAIN]
    assert domain == Domain(DOMAIN, "proxy", 1800, True, ("192.0.2.9", "::1"))


def test_everything_is_loaded(configured: psycopg.Connection) -> None:
    snapshot = load(configured)
    assert snapshot.default_domain == DOMAIN
    assert snapshot.domains == {
        DOMAIN: Domain(DOMAIN),
        "branch.example": Domain("branch.example", "redirect"),
    }
    assert set(snapshot.extensions) == {f"{n}@{DOMAIN}" for n in (1001, 1002, 1003)}
    assert snapshot.extensions[f"1001@{DOMAIN}"] == Extension(
        "1001",
        DOMAIN,
        "Name 1001",
        "b8c37e33defde51cf91e1e03e51657da",
        "fe675fe7aaee830b6fed09b64e034f84dcbdaeb429d9cccd4ebb90e15af8dd71",
    )
    assert snapshot.rules == (
        Rule("first", DOMAIN, "15*", "forward", ("1001", "sip:gate@10.0.0.9")),
        Rule("second", DOMAIN, "15*", "forward", ("1003",)),
    )


def test_what_is_disabled_is_left_out(configured: psycopg.Connection) -> None:
    configured.execute("UPDATE directory_extension SET enabled = false WHERE number = '1002'")
    configured.execute("UPDATE routing_rule SET enabled = false WHERE name = 'first'")
    snapshot = load(configured)
    assert f"1002@{DOMAIN}" not in snapshot.extensions
    assert snapshot.switched_off == {f"1002@{DOMAIN}": "Name 1002"}
    assert [rule.name for rule in snapshot.rules] == ["second"]
    assert snapshot.rules_off == ((DOMAIN, "15*", "first"),)


def test_what_is_switched_off_and_on_again_is_told_each_time(
    configured: psycopg.Connection,
) -> None:
    snapshot = load(configured)
    aor = f"1002@{DOMAIN}"
    changes = Changes()
    changes.note(json.dumps({"kind": "extension", "keys": [aor]}))
    changes.note('{"kind": "rule"}')
    for enabled in (False, True):
        configured.execute(
            "UPDATE directory_extension SET enabled = %s WHERE number = '1002'", (enabled,)
        )
        configured.execute("UPDATE routing_rule SET enabled = %s WHERE name = 'first'", (enabled,))
        snapshot = refresh(snapshot, changes, configured)
        assert snapshot == load(configured)
        assert (aor in snapshot.switched_off, aor in snapshot.extensions) == (not enabled, enabled)


def test_a_credential_of_another_realm_authenticates_nobody(configured: psycopg.Connection) -> None:
    """RFC 7616 §3.4.2: the hash holds for one realm."""
    configured.execute(
        "UPDATE directory_domain SET name = 'new.example' WHERE name = %s", (DOMAIN,)
    )
    alice = load(configured).extensions["1001@new.example"]
    assert (alice.ha1_md5, alice.ha1_sha256) == ("", "")


def test_an_extension_without_a_credential_is_there(configured: psycopg.Connection) -> None:
    configured.execute("DELETE FROM directory_credential")
    assert load(configured).extensions[f"1001@{DOMAIN}"].ha1_md5 == ""


def test_new_passwords_are_told_for_as_long_as_a_registration_lasts(
    configured: psycopg.Connection,
) -> None:
    """RFC 3261 §10.3: a phone that registered before one changed used another."""
    before = load(configured)
    assert f"1001@{DOMAIN}" in before.new_passwords
    configured.execute(
        "UPDATE directory_credential SET changed_at = now() - interval '121 minutes' WHERE id = 1"
    )
    changes = Changes()
    changes.note(json.dumps({"kind": "extension", "keys": [f"1001@{DOMAIN}"]}))
    after = refresh(before, changes, configured)
    assert after == load(configured)
    assert before.new_passwords.keys() - after.new_passwords.keys() == {f"1001@{DOMAIN}"}


# ------------------------------------------------------------------ what the triggers tell


def told(connection: psycopg.Connection, *statements: str) -> list[dict[str, object]]:
    """What is notified when `statements` run in one transaction."""
    connection.execute("LISTEN branchline_config")
    list(connection.notifies(timeout=0))
    with connection.transaction():
        for statement in statements:
            connection.execute(statement)
    return [json.loads(notice.payload) for notice in connection.notifies(timeout=0.1)]


def test_each_statement_tells_kind_and_keys_and_no_secret(configured: psycopg.Connection) -> None:
    aors = [f"{n}@{DOMAIN}" for n in (1001, 1002, 1003)]
    assert told(configured, "UPDATE directory_extension SET ring_timeout = 9") == [
        {"kind": "extension", "keys": aors}
    ]
    (notice,) = told(configured, "UPDATE directory_credential SET ha1_md5 = md5('x') WHERE id = 1")
    assert notice == {"kind": "extension", "keys": aors[:1]}
    assert told(configured, "UPDATE routing_rule SET called = '16*'") == [{"kind": "rule"}]
    assert told(configured, "UPDATE routing_target SET position = 7") == [{"kind": "rule"}]
    assert told(configured, "UPDATE directory_domain SET mode = 'redirect'") == [{"kind": "domain"}]
    assert told(configured, "UPDATE directory_domain SET name = 'x' || name") == [{"kind": "all"}]


def test_a_renumbered_extension_is_told_under_both_numbers(configured: psycopg.Connection) -> None:
    (notice,) = told(
        configured, "UPDATE directory_extension SET number = '9' WHERE number = '1001'"
    )
    assert notice == {"kind": "extension", "keys": [f"1001@{DOMAIN}", f"9@{DOMAIN}"]}


def test_what_does_not_concern_the_engine_is_not_told(configured: psycopg.Connection) -> None:
    before = epoch(configured)
    assert (
        told(
            configured,
            "UPDATE directory_extension SET name = name, person_id = NULL",
            "UPDATE directory_credential SET changed_at = now()",
            "UPDATE routing_rule SET called = called",
            "DELETE FROM routing_rule WHERE name = 'nobody'",
            "UPDATE directory_domain SET name = name",
        )
        == []
    )
    assert epoch(configured) == before


def test_the_epoch_moves_with_every_change(configured: psycopg.Connection) -> None:
    before = epoch(configured)
    configured.execute("UPDATE routing_rule SET called = '16*'")
    assert epoch(configured) == before + 1
    assert load(configured).generation == before + 1


@pytest.mark.parametrize("count", [199, 200, 5_000])
def test_many_changes_in_one_statement_are_told_as_all(
    configured: psycopg.Connection, count: int
) -> None:
    add_extensions(configured, DOMAIN, 2000, count)
    (notice,) = told(
        configured, "UPDATE directory_extension SET ring_timeout = 9 WHERE number >= '2000'"
    )
    assert notice["kind"] == ("extension" if count < 200 else "all")


def test_a_page_that_ends_is_told_and_read_one_that_goes_on_is_not(
    configured: psycopg.Connection,
) -> None:
    configured.execute(
        "INSERT INTO pagephones_page (mark, session, person, extension, aor, holds_until)"
        " VALUES ('a', 's', 1, 1, '1001@pbx.example', now() + interval '10 minutes'),"
        " ('b', 't', 1, 1, '1001@pbx.example', now() + interval '10 minutes'),"
        " ('c', 't', 1, 1, '1001@pbx.example', now() - interval '1 second')"
    )
    before = load(configured)
    assert before.ended_pages == {}
    assert told(configured, "UPDATE pagephones_page SET holds_until = now() WHERE mark = 'b'") == []
    end = "UPDATE pagephones_page SET ended_at = now() WHERE mark IN ('a', 'c')"
    assert told(configured, end) == [{"kind": "page"}]
    changes = Changes()
    changes.note('{"kind": "page"}')
    assert refresh(before, changes, configured) == load(configured)
    assert load(configured).ended_pages == {"a": "1001@pbx.example"}


def test_long_keys_are_told_as_all(configured: psycopg.Connection) -> None:
    (notice,) = told(
        configured,
        "INSERT INTO directory_extension (domain_id, number, name, enabled, max_contacts, ring_timeout,"
        " forward_always, forward_busy, forward_no_answer, forward_no_answer_after)"
        " SELECT 1, repeat('1', 55) || n, '', true, 1, 9, '', '', '', 9 FROM generate_series(1, 150) n",
    )
    assert notice == {"kind": "all"}


def test_truncate_is_told(configured: psycopg.Connection) -> None:
    assert {"kind": "rule"} in told(configured, "TRUNCATE routing_rule, routing_target")
    assert told(configured, "TRUNCATE directory_credential") == [{"kind": "all"}]


def test_changes_that_cannot_be_understood_or_counted_mean_everything() -> None:
    for payloads in (["{"], ['{"kind":"new sort"}'], ['{"kind":"all"}']):
        changes = Changes()
        for payload in payloads:
            changes.note(payload)
        assert changes.everything
    changes = Changes()
    for number in range(2 * MANY_KEYS):
        changes.note(json.dumps({"kind": "extension", "keys": [str(number)]}))
    assert changes.everything
    assert not changes.aors


# ------------------------------------------------------------------ one by one == all at once

NUMBER = st.sampled_from(["1001", "1002", "1003", "1004"])
NAMES = st.sampled_from([DOMAIN, "branch.example", "third.example"])
STATEMENT = st.one_of(
    st.tuples(
        st.just("UPDATE directory_extension SET enabled = NOT enabled WHERE number = %s"),
        st.tuples(NUMBER),
    ),
    st.tuples(
        st.just("UPDATE directory_extension SET name = %s WHERE number = %s"),
        st.tuples(NUMBER, NUMBER),
    ),
    st.tuples(
        st.just(
            "UPDATE directory_extension SET number = %s WHERE number = %s AND NOT EXISTS"
            " (SELECT FROM directory_extension WHERE number = %s)"
        ),
        NUMBER.flatmap(lambda new: st.tuples(st.just(new), NUMBER, st.just(new))),
    ),
    st.tuples(
        st.just(
            "INSERT INTO directory_extension (domain_id, number, name, enabled, max_contacts,"
            " ring_timeout, forward_always, forward_busy, forward_no_answer, forward_no_answer_after)"
            " SELECT id, %s, '', true, 1, 9, '', '', '', 9 FROM directory_domain WHERE name = %s"
            " ON CONFLICT DO NOTHING"
        ),
        st.tuples(NUMBER, NAMES),
    ),
    st.tuples(
        st.just(
            "WITH gone AS (DELETE FROM directory_credential c USING directory_extension e"
            " WHERE e.id = c.extension_id AND e.number = %s)"
            " DELETE FROM directory_extension WHERE number = %s"
        ),
        NUMBER.map(lambda number: (number, number)),
    ),
    st.tuples(
        st.just("UPDATE directory_credential SET ha1_md5 = md5(%s) WHERE id = 1"), st.tuples(NUMBER)
    ),
    st.tuples(
        st.just(
            "UPDATE directory_domain SET mode = 'redirect', is_default = false WHERE name = %s"
        ),
        st.tuples(NAMES),
    ),
    st.tuples(
        st.just(
            "UPDATE directory_domain SET name = %s WHERE name = %s AND NOT EXISTS"
            " (SELECT FROM directory_domain WHERE name = %s)"
        ),
        NAMES.flatmap(lambda new: st.tuples(st.just(new), NAMES, st.just(new))),
    ),
    st.tuples(
        st.just("UPDATE routing_rule SET position = 5 - position WHERE name = %s"),
        st.tuples(st.just("first")),
    ),
    st.tuples(
        st.just("UPDATE routing_rule SET enabled = NOT enabled WHERE name = %s"),
        st.tuples(st.just("second")),
    ),
    st.tuples(st.just("DELETE FROM routing_target WHERE destination = %s"), st.tuples(NUMBER)),
    st.tuples(
        st.just(
            "INSERT INTO routing_target (rule_id, position, destination) SELECT id, 3, %s FROM routing_rule"
        ),
        st.tuples(NUMBER),
    ),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(transactions=st.lists(st.lists(STATEMENT, min_size=1, max_size=3), min_size=1, max_size=5))
def test_changes_applied_one_by_one_give_what_a_full_load_gives(
    transactions: list[list[tuple[str, tuple[str, ...]]]], configured: psycopg.Connection
) -> None:
    configured.execute("LISTEN branchline_config")
    list(configured.notifies(timeout=0))
    snapshot = load(configured)
    for statements in transactions:
        with configured.transaction():
            for statement, values in statements:
                configured.execute(statement, values)
        changes = Changes()
        for notice in configured.notifies(timeout=0):
            changes.note(notice.payload)
        fresh = load(configured)
        if changes:
            snapshot = refresh(snapshot, changes, configured)
            assert snapshot == fresh
        else:
            assert replace(snapshot, generation=fresh.generation) == fresh


def test_100_000_extensions_load_in_two_seconds(connection: psycopg.Connection) -> None:
    add_domain(connection, DOMAIN, default=True)
    add_extensions(connection, DOMAIN, 100_000, 100_000)
    connection.execute("ANALYZE")
    best = 99.0
    for _ in range(3):
        began = time.monotonic()
        snapshot = load(connection)
        best = min(best, time.monotonic() - began)
    assert len(snapshot.extensions) == 100_000
    began = time.monotonic()
    changes = Changes(aors={f"100007@{DOMAIN}"})
    assert refresh(snapshot, changes, connection) == snapshot
    print(f"load of 100,000: {best:.2f} s; one changed: {(time.monotonic() - began) * 1000:.0f} ms")
    assert best < 2
