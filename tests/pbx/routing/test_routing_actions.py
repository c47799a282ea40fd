from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from pbx.directory.models import Domain
from pbx.routing import actions
from pbx.routing.models import Rule
from tests.pbx.routing.rules import add_rule


def test_targets_keep_their_order(domain: Domain) -> None:
    rule = add_rule(domain, "team", ["3", "1", "2"], called="1500")
    assert [str(target) for target in rule.targets.all()] == ["3", "1", "2"]


@pytest.mark.parametrize(
    ("targets", "fields", "says"),
    [
        ([], {"called": "1", "action": "forward"}, "at least one target"),
        ([], {"called": "1", "action": "redirect"}, "at least one target"),
        (["1001"], {"called": "1", "action": "reject"}, "rejects has no targets"),
        (["2", "1"], {"called": "1", "action": "redirect"}, "which leads here again"),
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
        add_rule(domain, "rule", targets, **fields)
    assert says in " ".join(caught.value.messages)
    assert not Rule.objects.exists()


def test_redirect_to_contacts_needs_no_target(domain: Domain) -> None:
    add_rule(domain, "contacts", called="17*", action="redirect_contacts")


def test_disabling(domain: Domain) -> None:
    rule = add_rule(domain, "rule", ["1001"], called="1")
    assert actions.enable_rules([rule], False) == 1
    assert actions.enable_rules([rule], False) == 0
