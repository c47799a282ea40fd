from __future__ import annotations

import logging

import pytest

from pbx.configfile.document import Device, Extension, Rule
from pbx.configfile.reading import SIZE_LIMIT, BadFile, read
from pbx.directory.passwords import hash_password

# The example of the contract, word for word.
CONTRACT = r"""
version: 1
domain: pbx.example
extensions:
  - number: "1001"
    name: Alice Adams
    password: s3cret-alice          # SIP digest password; only HA1 (MD5, SHA-256) is stored
    max_contacts: 10                # phones at once
    ring_timeout: 60                # seconds until "no answer"
    forward: {always: null, busy: null, no_answer: null, no_answer_after: 20}
rules:                              # tried in order; the first that matches decides
  - name: moved
    called: "1999"                  # exact "1999", prefix "19*", or regex "/^19(\\d\\d)$/"
    action: redirect                # redirect (302 with targets) | forward | reject
    targets: ["sip:1001@pbx.example"]
  - name: team
    called: "1500"
    action: forward
    strategy: simultaneous          # or sequential
    timeout: 20                     # seconds per stage
    targets: ["1001", "1002", "sip:gate@10.0.0.9"]
  - name: closed
    called: "1600"
    action: reject
    status: 480
    reason: "Closed today"
"""
HEAD = "version: 1\ndomain: pbx.example\n"


def errors(text: str | bytes) -> list[str]:
    with pytest.raises(BadFile) as caught:
        read(text if isinstance(text, bytes) else text.encode())
    return [str(error) for error in caught.value.errors]


def test_the_contracts_example() -> None:
    document = read(CONTRACT.encode())
    assert document.domain == "pbx.example"
    assert document.mode is None
    assert document.extensions == {"1001": Extension("1001", "Alice Adams")}
    assert document.secrets == {"1001": hash_password("1001", "pbx.example", "s3cret-alice")}
    assert document.rules == {
        "moved": Rule("moved", "1999", "redirect", targets=("sip:1001@pbx.example",)),
        "team": Rule("team", "1500", "forward", targets=("1001", "1002", "sip:gate@10.0.0.9")),
        "closed": Rule("closed", "1600", "reject", reason="Closed today"),
    }


def test_everything_else_a_file_may_say() -> None:
    document = read(
        (
            HEAD.upper().replace("VERSION", "version").replace("DOMAIN", "domain")
            + "mode: redirect\n"
            + "extensions:\n"
            + " - {number: 0044, name: No, password: 1234, enabled: no, devices: [{name: desk,\n"
            + "    mac: '00:1a:2b:3c:4d:5e', user_agent: Phone 1, notes: \"two\\nlines\"}]}\n"
            + f" - {{number: '*72', ha1_md5: {'A' * 32}, ha1_sha256: {'b' * 64}}}\n"
            + " - {number: '3', name: ~, password: ~, forward: ~, devices: []}\n"
            + "rules:\n"
            + r" - {name: g, called: '/^19(\d\d)$/', action: forward, targets: ['10{1}'],"
            + "\n"
            + "    strategy: sequential, timeout: 7, follow_redirects: true, enabled: false}\n"
            + " - {name: c, called: '17*', action: redirect_contacts, targets: ~}\n"
        ).encode("utf-8-sig")
    )
    assert (document.domain, document.mode) == ("pbx.example", "redirect")
    assert document.extensions["0044"] == Extension("0044", "No", enabled=False)
    assert document.secrets["0044"] == hash_password("0044", "pbx.example", "1234")
    assert document.devices["0044"] == (
        Device("desk", "00:1a:2b:3c:4d:5e", "Phone 1", "two\nlines"),
    )
    assert document.secrets["*72"] == ("a" * 32, "b" * 64)
    assert "3" not in document.secrets
    assert document.devices["3"] == ()
    assert document.rules["g"] == Rule(
        "g", r"/^19(\d\d)$/", "forward", False, "sequential", 7, 480, "", True, ("10{1}",)
    )


@pytest.mark.parametrize(
    "text", [HEAD, HEAD + "extensions:\nrules: []\n", "{version: 1, domain: x}"]
)
def test_a_file_without_objects(text: str) -> None:
    document = read(text.encode())
    assert not document.extensions
    assert not document.rules


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file is empty; begin it with “version: 1”"),
        ("# only a comment\n", "the file is empty; begin it with “version: 1”"),
        ("[1]", "line 1: expected keys such as “version: …”, found a list"),
        ("domain: x\n", "line 1: “version” is missing"),
        ("version: 1\n", "line 1: “domain” is missing"),
        ("version: 2\ndomain: x\n", "line 1: version: “2” is not known here; give 1"),
        ("version: 1\ndomain: ~\n", "line 2: domain: “domain” is missing"),
        ("version: 1\ndomain: a b\n", "line 2: domain: “a b” is not a domain name"),
        (
            HEAD + "calls: {session_timer: 60}\n",
            "line 3: calls.session_timer: 60 is too small; give 90 or more, or 0 for none",
        ),
        (
            HEAD + "calls: {trusted: [gate.example]}\n",
            "line 3: calls.trusted[0]: “gate.example” is no IP address in its usual spelling, "
            "such as 192.0.2.9.",
        ),
        (HEAD + "mode: proxi\n", "line 3: mode: “proxi” is not known here; give proxy or redirect"),
        (HEAD + "rule: []\n", "line 3: rule: unknown key; did you mean “rules”?"),
        (HEAD + "domain: y\n", "line 3: domain: given twice; first in line 2. Keep one"),
        (
            HEAD + "rules: 5\n",
            "line 3: rules: expected a list (lines beginning with “-”), found “5”",
        ),
        (HEAD + "? [a]\n: b\n", "line 3: ?: unknown key"),
    ],
)
def test_wrong_top(text: str, expected: str) -> None:
    (error,) = errors(text)
    assert error.startswith(expected)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("5", "extensions[0]: expected keys such as “number: …”, found “5”"),
        ("{name: x}", "extensions[0]: “number” is missing"),
        ("{number: }", "extensions[0].number: “number” is missing"),
        ("{number: 1 2}", "extensions[0].number: “1 2” is not a number"),
        ("{number: [1]}", "extensions[0].number: expected a text, found a list"),
        (
            "{number: 1, max_contacts: 0}",
            "extensions[0].max_contacts: 0 is too small; give 1 to 100",
        ),
        (
            "{number: 1, max_contacts: 101}",
            "extensions[0].max_contacts: 101 is too large; give 1 to",
        ),
        ("{number: 1, max_contacts: '5'}", "extensions[0].max_contacts: “5” is not a whole number"),
        (
            "{number: 1, ring_timeout: 1.5}",
            "extensions[0].ring_timeout: “1.5” is not a whole number",
        ),
        ("{number: 1, ring_timeout: 1:30}", "extensions[0].ring_timeout: “1:30” is not a whole"),
        (
            "{number: 1, ring_timeout: 010}",
            "extensions[0].ring_timeout: “010” is not a whole number",
        ),
        ("{number: 1, ring_timeout: " + "9" * 30 + "}", "extensions[0].ring_timeout: “999"),
        ("{number: 1, enabled: maybe}", "extensions[0].enabled: “maybe” is neither true nor false"),
        ("{number: 1, enabled: 'yes'}", "extensions[0].enabled: “yes” is neither true nor false"),
        ('{number: 1, name: "a\\nb"}', "extensions[0].name: Line breaks"),
        ("{number: 1, name: " + "x" * 121 + "}", "extensions[0].name: 121 characters are too many"),
        ("{number: 1, forward: x}", "extensions[0].forward: expected keys such as “always: …”"),
        (
            "{number: 1, forward: {bussy: 2}}",
            "extensions[0].forward.bussy: unknown key; did you mean",
        ),
        ("{number: 1, forward: {busy: 1 2}}", "extensions[0].forward.busy: “1 2” is not a place"),
        (
            "{number: 1, forward: {busy: 1}}",
            "extensions[0].forward.busy: an extension cannot forward",
        ),
        ("{number: 1, forward: {busy: 'sip:1@pbx.example'}}", "extensions[0].forward.busy: an ext"),
        (
            "{number: 1, forward: {no_answer_after: 0}}",
            "extensions[0].forward.no_answer_after: 0 is",
        ),
        ("{number: 1, password: [a]}", "extensions[0].password: expected a text"),
        ("{number: 1, ha1_md5: " + "a" * 32 + "}", "extensions[0].ha1_md5: ha1_md5 and ha1_sha256"),
        (
            "{number: 1, ha1_md5: s3cret, ha1_sha256: " + "a" * 64 + "}",
            "extensions[0].ha1_md5: this is not a hash; expected 32 hexadecimal digits",
        ),
        (
            f"{{number: 1, password: s3cret, ha1_md5: {'a' * 32}, ha1_sha256: {'a' * 64}}}",
            "extensions[0].password: give either the password or",
        ),
        ("{number: 1, devices: [5]}", "extensions[0].devices[0]: expected keys such as “name: …”"),
        ("{number: 1, devices: [{notes: x}]}", "extensions[0].devices[0]: “name” is missing"),
        ("{number: 1, devices: [{name: ''}]}", "extensions[0].devices[0].name: empty; give a name"),
        (
            "{number: 1, devices: [{name: a, mac: x}]}",
            "extensions[0].devices[0].mac: “x” is not a MAC",
        ),
        (
            "{number: 1, devices: [{name: a}, {name: a}]}",
            "extensions[0].devices[1].name: device “a” is given twice; first in line 4",
        ),
    ],
)
def test_wrong_extension(item: str, expected: str) -> None:
    (error,) = errors(f"{HEAD}extensions:\n - {item}\n")
    assert error.startswith(f"line 4: {expected}")
    assert "s3cret" not in error


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("5", "rules[0]: expected keys such as “name: …”, found “5”"),
        ("{called: 1, action: reject}", "rules[0]: “name” is missing"),
        ("{name: '', called: 1, action: reject}", "rules[0].name: empty; give a name"),
        ("{name: a, action: reject}", "rules[0]: “called” is missing"),
        ("{name: a, called: 1}", "rules[0]: “action” is missing"),
        ("{name: a, called: 1, action: drop}", "rules[0].action: “drop” is not known here; give"),
        ("{name: a, called: '/(/', action: reject}", "rules[0].called: “/(/” is not a pattern"),
        ("{name: a, called: '/^(1+)+$/', action: reject}", "rules[0].called: A repeat inside"),
        ("{name: a, called: 1, action: reject, status: 200}", "rules[0].status: 200 is too small"),
        ("{name: a, called: 1, action: redirect, targets: [1]}", "rules[0].targets: This rule tel"),
        ("{name: a, called: 1, action: reject, targets: [2]}", "rules[0].targets: A rule that rej"),
        (
            "{name: a, called: 1, action: forward}",
            "rules[0]: This action needs at least one target",
        ),
        ("{name: a, called: 1, action: forward, targets: 2}", "rules[0].targets: expected a list"),
        ("{name: a, called: 1, action: forward, targets: [~]}", "rules[0].targets[0]: empty; give"),
        (
            "{name: a, called: 1, action: forward, targets: [a b]}",
            "rules[0].targets[0]: “a b” is not",
        ),
        (
            "{name: a, called: 1, action: forward, targets: [2, '{1}']}",
            "rules[0].targets[1]: “{1}” uses a group, but “1” has none",
        ),
        (
            "{name: a, called: 1, action: forward, targets: [2], strategy: all}",
            "rules[0].strategy: “all” is not known here; give simultaneous or sequential",
        ),
        (
            "{name: a, called: 1, action: forward, targets: [" + "2, " * 101 + "]}",
            "rules[0].targets: 101 entries are too many; at most 100 are taken",
        ),
        ("{name: a, called: 1, action: reject, timeout: 0}", "rules[0].timeout: 0 is too small"),
        ('{name: a, called: 1, action: reject, reason: "a\\rb"}', "rules[0].reason: Line breaks"),
        ("{<<: {name: a}, name: a, called: 1, action: reject}", "rules[0].<<: unknown key; merged"),
    ],
)
def test_wrong_rule(item: str, expected: str) -> None:
    found = errors(f"{HEAD}rules:\n - {item}\n")
    assert found[0].startswith(f"line 4: {expected}")


def test_repeated_numbers_and_rules_name_both_lines() -> None:
    text = f"""{HEAD}extensions:
  - number: 1001
    name: Alice
  - number: "1001"
rules:
  - {{name: a, called: 1, action: reject}}
  - {{name: a, called: 2, action: reject}}
"""
    assert errors(text) == [
        "line 6: extensions[1].number: number “1001” is given twice; first in line 4. Keep one",
        "line 9: rules[1].name: rule “a” is given twice; first in line 8. Keep one",
    ]


def test_every_error_is_told_in_the_order_of_lines() -> None:
    text = f"""{HEAD}rules:
  - {{name: a, called: 1, action: drop, timeout: 0}}
extensions:
  - number: 1 1
    max_contacts: 0
  - number: 1002
    pasword: s3cret
"""
    found = errors(text)
    assert [error.split(":")[0] for error in found] == [
        *("line 4", "line 4"),
        *("line 6", "line 7", "line 9"),
    ]
    assert "s3cret" not in "".join(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD + "rules: [\n", "line 4: this is not valid YAML"),
        (HEAD + "rules:\n\t- a\n", "line 4: this is not valid YAML"),
        (HEAD + 'rules: "\\d"\n', "in double quotes write each backslash twice"),
        (HEAD + "rules: *72\n", "line 3: this is not valid YAML: a text that begins with * must"),
        (
            HEAD + "rules: &a [*a]\n",
            "line 3: this is not valid YAML: this part of the file contains",
        ),
        (HEAD + "rules: !!python/name:os.system ''\n", "line 3: this is not valid YAML: tags"),
        (
            HEAD + "---\nversion: 1\n",
            "line 3: this is not valid YAML: a second document begins here",
        ),
        (HEAD + "rules: \x00\n", "line 3: this is not valid YAML: control characters"),
        (b"version: 1\ndomain: \xff\n", "line 2: this is not UTF-8 text"),
        ("[" * 200_000, "line 1: this is not valid YAML: nested too deeply"),
        ("- " * 200_000, "line 1: this is not valid YAML: nested too deeply"),
        ("{a: " * 200_000, "line 1: this is not valid YAML: nested too deeply"),
        (b" " * (SIZE_LIMIT + 1), "the file is too large; at most 32 MB are read"),
    ],
)
def test_unreadable_files(text: str | bytes, expected: str) -> None:
    (error,) = errors(text)
    assert expected in error


def test_a_bomb_of_aliases_costs_nothing() -> None:
    lines = ["version: 1", "domain: x", "rules:", " - &a [1, 2, 3, 4, 5, 6, 7, 8, 9]"]
    lines += [
        f" - &{name} [{', '.join(['*' + before] * 9)}]"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    assert len(errors("\n".join(lines))) == 9


def test_aliases_may_be_used() -> None:
    text = (
        HEAD + "extensions:\n - {number: 1, forward: &f {busy: 3}}\n - {number: 2, forward: *f}\n"
    )
    assert read(text.encode()).extensions["2"].forward_busy == "3"


def test_passwords_are_neither_logged_nor_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for password in ("s3cret\\nword", "s3cret" * 500, "s3cret"):
        text = f'{HEAD}extensions:\n - {{number: 1 1, password: "{password}"}}\n'
        assert "s3cret" not in "".join(errors(text))
    assert "s3cret" not in caplog.text
