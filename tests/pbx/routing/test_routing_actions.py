from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from pbx.directory import actions as directory
from pbx.directory.models import Domain
from pbx.routing import actions
from pbx.routing.models import Rule, Target


def order() -> list[str]:
    return [rule.name for rule in Rule.objects.all()]


def test_rules_are_added_at_the_end(domain: Domain) -> None:
    for name in ("first", "second", "third"):
        actions.add_rule(domain, name, ["1001"], called="1*", action="forward")
    assert order() == ["first", "second", "third"]


def test_moving_rules(domain: Domain) -> None:
    a, b, c = (actions.add_rule(domain, name, ["1001"], called="1*") for name in "abc")
    actions.move_rule(c, a)
    assert order() == ["c", "a", "b"]
    actions.move_rule(c, None)
    assert order() == ["a", "b", "c"]
    actions.move_rule(b, b)
    actions.move_rule(a, c)
    assert order() == ["b", "a", "c"]
    other = directory.add_domain("other.example")
    foreign = actions.add_rule(other, "d", ["1001"], called="1*")
    with pytest.raises(ValidationError, match="different domains"):
        actions.move_rule(a, foreign)


def test_targets_keep_their_order(domain: Domain) -> None:
    rule = actions.add_rule(domain, "team", ["3", "1", "2"], called="1500")
    assert [str(target) for target in rule.targets.all()] == ["3", "1", "2"]
    actions.change_rule(rule, ["2", "3"], timeout=5)
    assert [str(target) for target in rule.targets.all()] == ["2", "3"]
    actions.change_rule(rule, name="group")
    assert [str(target) for target in Rule.objects.get(name="group").targets.all()] == ["2", "3"]


@pytest.mark.parametrize(
    ("targets", "fields", "says"),
    [
        ([], {"called": "1", "action": "forward"}, "at least one target"),
        ([], {"called": "1", "action": "redirect"}, "at least one target"),
        (["1001"], {"called": "1", "action": "reject"}, "rejects has no targets"),
        (["10{1}"], {"called": "1", "action": "forward"}, "has none"),
        (["10 1"], {"called": "1", "action": "forward"}, "not a place"),
        (["1001"], {"called": "/(/", "action": "forward"}, "not a regular expression"),
        (["1001"], {"called": "1", "action": "elsewhere"}, "not a valid choice"),
        ([], {"called": "1", "action": "reject", "status": 200}, "greater than or equal to 400"),
        ([], {"called": "1", "action": "reject", "reason": "a\r\nb"}, "one line"),
    ],
)
def test_wrong_rule_changes_nothing(
    domain: Domain, targets: list[str], fields: dict[str, object], says: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        actions.add_rule(domain, "rule", targets, **fields)
    assert says in " ".join(caught.value.messages)
    assert not Rule.objects.exists()


def test_wrong_change_changes_nothing(domain: Domain) -> None:
    rule = actions.add_rule(domain, "rule", ["10{1}"], called=r"/^19(\d\d)$/")
    with pytest.raises(ValidationError, match="has none"):
        actions.change_rule(rule, called="1999")
    rule.refresh_from_db()
    assert rule.called == r"/^19(\d\d)$/"
    assert Target.objects.count() == 1


def test_redirect_to_contacts_needs_no_target(domain: Domain) -> None:
    actions.add_rule(domain, "contacts", called="17*", action="redirect_contacts")


def test_removing_and_disabling(domain: Domain) -> None:
    rule = actions.add_rule(domain, "rule", ["1001"], called="1")
    assert actions.enable_rules([rule], False) == 1
    assert actions.enable_rules([rule], False) == 0
    actions.remove_rule(rule)
    assert not Target.objects.exists()
