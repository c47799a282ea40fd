from __future__ import annotations

from pbx.configfile.document import Device, Document, Extension, Rule
from pbx.configfile.plan import compare
from pbx.directory.passwords import Secrets

ONE = Secrets("a" * 32, "a" * 64)
TWO = Secrets("b" * 32, "b" * 64)


def rule(name: str, called: str = "1") -> Rule:
    return Rule(name, called, "reject")


def document(*rules: str) -> Document:
    return Document(
        "pbx.example",
        "proxy",
        {"1001": Extension("1001", "Alice"), "1002": Extension("1002")},
        {"1001": ONE},
        {"1001": (Device("desk"), Device("soft"))},
        {name: rule(name) for name in rules},
    )


def test_nothing_to_do() -> None:
    assert not compare(document("a", "b"), document("a", "b"), prune=True)


def test_what_is_not_in_the_file_stays() -> None:
    assert not compare(document("a"), Document("pbx.example"), prune=False)


def test_pruning_removes_it() -> None:
    wanted = Document("pbx.example", None, {"1001": Extension("1001", "Alice")})
    plan = compare(document("a"), wanted, prune=True)
    assert plan.removed_extensions == ["1002"]
    assert plan.removed_rules == ["a"]
    assert plan.removed_devices == {"1001": ["desk", "soft"]}
    assert not plan.secrets, "a password that is not in the file stays"


def test_added_and_changed() -> None:
    wanted = document("a")
    wanted.mode = "redirect"
    wanted.extensions["1001"] = Extension("1001", "Alice Adams")
    wanted.extensions["1003"] = Extension("1003")
    wanted.secrets = {"1001": TWO, "1003": ONE}
    wanted.devices["1001"] = (Device("desk", mac="001a2b3c4d5e"), Device("third"))
    wanted.rules["a"] = rule("a", "2")
    wanted.rules["b"] = rule("b")
    plan = compare(document("a"), wanted, prune=False)
    assert plan.mode == "redirect"
    assert list(plan.added_extensions) == ["1003"]
    assert list(plan.changed_extensions) == ["1001"]
    assert plan.secrets == wanted.secrets
    assert [device.name for device in plan.stored_devices["1001"]] == ["desk", "third"]
    assert plan.removed_devices == {"1001": ["soft"]}
    assert plan.touched_extensions == 1
    assert (list(plan.added_rules), list(plan.changed_rules)) == (["b"], ["a"])
    assert plan.rule_order == ["a", "b"]


def test_the_files_order_of_rules_comes_first() -> None:
    plan = compare(document("x", "a", "b"), document("b", "a"), prune=False)
    assert plan.rule_order == ["b", "a", "x"]
    assert compare(document("a", "b", "x"), document("a", "b"), prune=False).rule_order is None
    assert compare(document("x", "a"), document("a"), prune=True).rule_order is None
