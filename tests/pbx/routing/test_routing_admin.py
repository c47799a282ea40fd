from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from pbx.directory.models import Domain
from pbx.routing.models import Rule
from tests.pbx.routing.rules import add_rule

RULES = "admin:routing_rule_changelist"
ADD = "admin:routing_rule_add"


def form(domain: Domain, *targets: str, **fields: str) -> dict[str, str]:
    data = {
        "name": "team",
        "domain": str(domain.pk),
        "position": "0",
        "enabled": "on",
        "called": "1500",
        "action": "forward",
        "strategy": "simultaneous",
        "timeout": "20",
        "status": "480",
        "targets-TOTAL_FORMS": str(len(targets)),
        "targets-INITIAL_FORMS": "0",
    }
    for index, target in enumerate(targets):
        data[f"targets-{index}-position"] = str(index)
        data[f"targets-{index}-destination"] = target
    return {**data, **fields}


def test_operator_adds_a_rule(as_bob: Client, domain: Domain) -> None:
    data = form(domain, "1001", "10{1}", called=r"/^15(\d\d)$/")
    assert as_bob.post(reverse(ADD), data).status_code == 302
    rule = Rule.objects.get()
    assert [str(target) for target in rule.targets.all()] == ["1001", "10{1}"]


@pytest.mark.parametrize(
    ("targets", "fields", "says"),
    [
        ((), {}, "at least one target"),
        (("10 01",), {}, "not a place to send a call"),
        (("10{1}",), {}, "but “1500” has none"),
        (("10{2}",), {"called": r"/^15(\d\d)$/"}, "uses group {2}"),
        (("1001",), {"called": "/^15(/"}, "not a regular expression"),
        (("10{1}",), {"called": "/^15(/"}, "not a regular expression"),
        (("1001",), {"called": r"/^(\d+)+$/"}, "repeat inside a repeat"),
        (("1001",), {"action": "reject"}, "has no targets"),
        ((), {"action": "reject", "status": "200"}, "greater than or equal to 400"),
        (("1001",), {"timeout": "0"}, "greater than or equal to 1"),
        (("1001",), {"name": "closed"}, "already exists"),
    ],
)
def test_wrong_rule_is_told_in_words(
    as_alice: Client, domain: Domain, targets: tuple[str, ...], fields: dict[str, str], says: str
) -> None:
    add_rule(domain, "closed", called="1600", action="reject")
    response = as_alice.post(reverse(ADD), form(domain, *targets, **fields))
    assert response.status_code == 200
    assert says in response.content.decode()
    assert Rule.objects.count() == 1


def test_changing_the_pattern_checks_the_targets_that_stay(
    as_alice: Client, domain: Domain
) -> None:
    rule = add_rule(domain, "team", ["10{1}"], called=r"/^15(\d\d)$/")
    target = rule.targets.get()
    data = form(domain, "10{1}", called="1500")
    data |= {"targets-INITIAL_FORMS": "1", "targets-0-id": str(target.pk)}
    data |= {"targets-0-rule": str(rule.pk)}
    response = as_alice.post(reverse("admin:routing_rule_change", args=[rule.pk]), data)
    assert response.status_code == 200
    assert "has none" in response.content.decode()


def test_order_is_edited_in_the_list(as_alice: Client, domain: Domain) -> None:
    rules = [add_rule(domain, name, ["1001"], called="1*") for name in "ab"]
    data = {"form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "2", "_save": "Save"}
    for index, (rule, position) in enumerate(zip(rules, ("5", "3"), strict=True)):
        data |= {f"form-{index}-id": str(rule.pk), f"form-{index}-position": position}
    assert as_alice.post(reverse(RULES), data).status_code == 302
    assert [rule.name for rule in Rule.objects.all()] == ["b", "a"]


def test_new_rule_is_offered_the_last_place(as_alice: Client, domain: Domain) -> None:
    add_rule(domain, "a", ["1001"], called="1*", position=7)
    assert 'name="position" value="8"' in as_alice.get(reverse(ADD)).content.decode()


def test_bulk_disable(as_bob: Client, domain: Domain) -> None:
    rule = add_rule(domain, "a", ["1001"], called="1*")
    data = {"action": "disable", "_selected_action": [str(rule.pk)]}
    assert "1 rules disabled" in as_bob.post(reverse(RULES), data, follow=True).content.decode()
    assert not Rule.objects.get().enabled


def test_stranger_changes_nothing(as_charlie: Client, domain: Domain) -> None:
    as_charlie.post(reverse(ADD), form(domain, "1001"))
    assert not Rule.objects.exists()


def test_list_costs_the_same_for_50_rows(
    as_alice: Client, domain: Domain, django_assert_max_num_queries: object
) -> None:
    for number in range(50):
        add_rule(domain, f"rule {number}", ["1001", "1002"], called=str(number))
    with django_assert_max_num_queries(12):  # type: ignore[operator]
        assert as_alice.get(reverse(RULES)).status_code == 200
