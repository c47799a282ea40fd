"""Where a call goes and why: the pure function that engine and simulator share (D11)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipengine.api import REDIRECT, ConfigSnapshot, Domain, Extension, Rule
from sipengine.services.called_pattern import parse_called
from sipengine.services.routing import (
    ANY,
    BUSY,
    NO_ANSWER,
    REPLY_CONTACTS,
    REPLY_REGISTERED,
    REPLY_STATUS,
    RING,
    Decision,
    RoutingTable,
    Stage,
    to_outside,
)

DOMAIN = "pbx.test"


def table(
    rules: list[Rule] | None = None, mode: str = "proxy", **people: dict[str, object]
) -> RoutingTable:
    """Extensions 1001 to 1005, changed by keywords like `e1002={..}`."""
    extensions = {
        f"{n}@{DOMAIN}": Extension(str(n), DOMAIN, f"P{n}", **people.get(f"e{n}", {}))  # type: ignore[arg-type]
        for n in range(1001, 1006)
    }
    domains = {DOMAIN: Domain(DOMAIN, mode), "other.test": Domain("other.test")}
    return RoutingTable(ConfigSnapshot(1, DOMAIN, domains, extensions, tuple(rules or ())))


def forward(called: str, *targets: str, **more: object) -> Rule:
    return Rule(f"to {called}", DOMAIN, called, "forward", targets, **more)  # type: ignore[arg-type]


def rung(stage: Stage | None) -> list[str]:
    assert stage is not None
    return [d.aor.partition("@")[0] or d.uri for d in stage.destinations]


def stages(decision: Decision) -> list[list[str]]:
    """The stages that follow one another whatever happens."""
    out, stage = [], decision.stage
    while stage is not None:
        out.append(rung(stage))
        stage = stage.after(ANY)
    return out


class TestPatterns:
    @pytest.mark.parametrize(
        ("called", "number", "groups"),
        [
            ("1999", "1999", ()),
            ("1999", "19991", None),
            ("1999", "199", None),
            ("19*", "19", ()),
            ("19*", "1999", ()),
            ("19*", "2199", None),
            ("*72", "*72", ()),
            ("*72", "*721", None),
            ("*72*", "*721", ()),
            ("*", "anything", None),
            ("/^19(\\d\\d)$/", "1942", ("42",)),
            ("/^19(\\d\\d)$/", "19421", None),
            ("/^(\\d)(x)?/", "7", ("7", "")),
            ("/9/", "1942", ()),
            ("/^\\d+$/", "٤٢", None),
            ("+43*", "+4312345", ()),
        ],
    )
    def test_matches(self, called: str, number: str, groups: tuple[str, ...] | None) -> None:
        assert parse_called(called).match(number) == groups

    @pytest.mark.parametrize(
        ("called", "words"),
        [
            ("", "empty"),
            ("1*9", "star"),
            ("1*2*", "star"),
            ("/", "slashes"),
            ("//", "slashes"),
            ("/abc", "slashes"),
            ("/(/", "regular expression"),
            ("1" * 300, "longer"),
        ],
    )
    def test_what_is_no_pattern_is_said_in_words(self, called: str, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            parse_called(called)


class TestOrder:
    def test_rules_come_before_extensions(self) -> None:
        decision = table([forward("1001", "1002")]).decide("1001", DOMAIN)
        assert stages(decision) == [["1002"]]
        assert decision.rule == "to 1001"

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("15*", "1500"),
            ("1500", "15*"),
            ("/^15/", "1500"),
            ("1500", "/^15/"),
            ("1500", "1500"),
            ("15*", "/^15/"),
        ],
    )
    def test_the_first_that_matches_decides_whatever_its_kind(
        self, first: str, second: str
    ) -> None:
        rules = [forward("77", "1005"), forward(first, "1001"), forward(second, "1002")]
        assert stages(table(rules).decide("1500", DOMAIN)) == [["1001"]]

    def test_rules_of_another_domain_do_not_count(self) -> None:
        rule = Rule("x", "other.test", "1001", "forward", ("1002",))
        assert stages(table([rule]).decide("1001", DOMAIN)) == [["1001"]]

    def test_nothing_matches_is_404(self) -> None:
        decision = table().decide("7777", DOMAIN)
        assert (decision.kind, decision.status, decision.rule) == (REPLY_STATUS, 404, "")

    def test_the_steps_tell_every_rule_up_to_the_one_that_decides(self) -> None:
        rules = [forward("77", "1005"), forward("15*", "1001"), forward("1500", "1002")]
        steps = table(rules).decide("1500", DOMAIN).steps
        assert steps[0] == "Rule “to 77” (77) does not match 1500."
        assert steps[1] == "Rule “to 15*” (15*) matches 1500."
        assert not any("to 1500" in line for line in steps)

    def test_a_broken_rule_is_left_out_and_told(self) -> None:
        decision = table([forward("/(/", "1002")]).decide("1001", DOMAIN)
        assert stages(decision) == [["1001"]]
        assert "left out" in decision.steps[0]

    def test_the_same_question_has_the_same_answer(self) -> None:
        routes = table([forward("15*", "1001")])
        assert routes.decide("1500", DOMAIN) is routes.decide("1500", DOMAIN)


class TestActions:
    def test_simultaneous(self) -> None:
        decision = table([forward("15", "1001", "1002", "sip:x@y", timeout=7)]).decide("15", DOMAIN)
        assert stages(decision) == [["1001", "1002", "sip:x@y"]]
        assert decision.stage is not None
        assert decision.stage.timeout == 7

    def test_sequential(self) -> None:
        rule = forward("15", "1001", "1002", "1003", strategy="sequential", timeout=7)
        assert stages(table([rule]).decide("15", DOMAIN)) == [["1001"], ["1002"], ["1003"]]

    def test_a_target_twice_rings_once(self) -> None:
        assert stages(
            table([forward("15", "1001", "1001@pbx.test", "sip:1001@pbx.test")]).decide(
                "15", DOMAIN
            )
        ) == [["1001"]]

    def test_groups_of_the_pattern_in_targets(self) -> None:
        rules = [forward("/^8(\\d)(\\d+)$/", "100{1}", "sip:{2}@gate.test")]
        assert stages(table(rules).decide("8399", DOMAIN)) == [["1003", "sip:99@gate.test"]]

    def test_targets_that_do_not_exist_are_left_out(self) -> None:
        rules = [forward("15", "9999", "1001"), forward("16", "9999")]
        routes = table(rules)
        assert stages(routes.decide("15", DOMAIN)) == [["1001"]]
        assert routes.decide("16", DOMAIN).status == 404

    def test_a_group_within_a_group_rings_with_it(self) -> None:
        rules = [forward("15", "16", "1001"), forward("16", "1002", "1003")]
        assert stages(table(rules).decide("15", DOMAIN)) == [["1002", "1003", "1001"]]

    def test_redirect(self) -> None:
        rule = Rule("moved", DOMAIN, "15", "redirect", ("1001", "sip:a@b", "tel:+43", "x@y.z"))
        decision = table([rule]).decide("15", DOMAIN)
        assert decision.kind == REPLY_CONTACTS
        assert decision.contacts == (f"sip:1001@{DOMAIN}", "sip:a@b", "tel:+43", "sip:x@y.z")

    @pytest.mark.parametrize(
        ("targets", "found"), [((), ["1001"]), (("1002", "1003"), ["1002", "1003"])]
    )
    def test_redirect_to_registered_contacts(
        self, targets: tuple[str, ...], found: list[str]
    ) -> None:
        rule = Rule("there", DOMAIN, "1001", "redirect_contacts", targets)
        decision = table([rule]).decide("1001", DOMAIN)
        assert decision.kind == REPLY_REGISTERED
        assert rung(decision.stage) == found

    def test_a_domain_that_redirects(self) -> None:
        decision = table(mode=REDIRECT).decide("1001", DOMAIN)
        assert decision.kind == REPLY_REGISTERED
        assert rung(decision.stage) == ["1001"]

    def test_reject(self) -> None:
        rule = Rule("closed", DOMAIN, "16", "reject", status=486, reason="")
        decision = table([rule]).decide("16", DOMAIN)
        assert (decision.kind, decision.status, decision.reason) == (REPLY_STATUS, 486, "Busy Here")

    def test_to_outside(self) -> None:
        assert stages(to_outside("sip:a@b")) == [["sip:a@b"]]


class TestForwards:
    def test_always(self) -> None:
        decision = table(e1001={"forward_always": "1002"}).decide("1001", DOMAIN)
        assert stages(decision) == [["1002"]]
        assert "1001 forwards every call to 1002." in decision.steps

    def test_always_in_a_row(self) -> None:
        routes = table(e1001={"forward_always": "1002"}, e1002={"forward_always": "1003"})
        assert stages(routes.decide("1001", DOMAIN)) == [["1003"]]

    @pytest.mark.parametrize("to", ["sip:a@b.c", "a@b.c"])
    def test_always_to_outside(self, to: str) -> None:
        decision = table(e1001={"forward_always": to}).decide("1001", DOMAIN)
        assert stages(decision) == [["sip:a@b.c"]]

    def test_always_to_a_number_that_a_rule_decides(self) -> None:
        rule = Rule("closed", DOMAIN, "16", "reject", status=480, reason="Closed")
        decision = table([rule], e1001={"forward_always": "16"}).decide("1001", DOMAIN)
        assert (decision.kind, decision.status, decision.rule) == (REPLY_STATUS, 480, "closed")

    def test_busy_and_no_answer_lead_elsewhere(self) -> None:
        people = {
            "forward_busy": "1002", "forward_no_answer": "1003",
            "ring_timeout": 40, "forward_no_answer_after": 15,
        }  # fmt: skip
        stage = table(e1001=people).decide("1001", DOMAIN).stage
        assert stage is not None
        assert stage.timeout == 15
        assert rung(stage.after(BUSY)) == ["1002"]
        assert rung(stage.after(NO_ANSWER)) == ["1003"]
        assert stage.after("") is None

    def test_without_forward_the_ring_timeout_holds(self) -> None:
        stage = table(e1001={"ring_timeout": 33}).decide("1001", DOMAIN).stage
        assert stage is not None
        assert stage.timeout == 33
        assert stage.after(BUSY) is None

    @pytest.mark.parametrize("kind", ["forward_always", "forward_busy", "forward_no_answer"])
    def test_a_ring_of_forwards_ends(self, kind: str) -> None:
        routes = table(e1001={kind: "1002"}, e1002={kind: "1001"})
        decision = routes.decide("1001", DOMAIN)
        if kind == "forward_always":
            assert decision.status == 482
        else:
            assert decision.kind == RING
        assert any("already" in line for line in decision.steps)

    def test_a_rule_that_forwards_to_itself(self) -> None:
        assert table([forward("15", "15")]).decide("15", DOMAIN).kind == REPLY_STATUS

    def test_members_of_a_group_are_rung_themselves_whatever_they_forward(self) -> None:
        routes = table([forward("15", "1001", "1002")], e1001={"forward_always": "1003"})
        assert stages(routes.decide("15", DOMAIN)) == [["1001", "1002"]]


class TestBounds:
    def test_a_pattern_that_breeds_ends_soon(self) -> None:
        """Each number leads to nine more: without a bound 9 ** 6 decisions for one call."""
        rule = forward("/^(\\d+)$/", *[f"{{1}}{digit}" for digit in range(1, 10)])
        start = time.perf_counter()
        decision = table([rule]).decide("5", DOMAIN)
        assert time.perf_counter() - start < 0.5
        assert decision.kind == REPLY_STATUS
        assert len(decision.steps) < 3000

    def test_many_forwards_to_many_end_soon(self) -> None:
        people: dict[str, Any] = {
            f"e{n}": {"forward_busy": str(n + 1), "forward_no_answer": str(n + 1)}
            for n in range(1001, 1005)
        }
        decision = table(**people).decide("1001", DOMAIN)
        assert len(decision.steps) < 200

    def test_remembered_decisions_are_bounded_by_what_they_hold(self) -> None:
        """Anybody with an account can dial any number of numbers; each trace names every rule."""
        routes = table([forward(f"77{n}", "1001") for n in range(1000)])
        for number in range(1500):
            routes.decide(f"9{number}", DOMAIN)
        held = sum(len(decision.steps) for decision in routes._memo.values())
        assert held <= 250_000


NUMBERS = st.sampled_from(
    ["1001", "1002", "1003", "15", "16", "7", "{1}", "{1}1", "sip:a@b", "1001@pbx.test", "x@y", ""]
)
RULES = st.builds(
    Rule,
    st.just("r"),
    st.sampled_from([DOMAIN, "other.test"]),
    st.sampled_from(["15", "16", "1*", "*", "/^(1)/", "/(\\d+)/", "/(/", "1001", ""]),
    st.sampled_from(["forward", "redirect", "reject", "redirect_contacts"]),
    st.lists(NUMBERS, max_size=4).map(tuple),
    st.sampled_from(["simultaneous", "sequential"]),
    st.integers(1, 60),
    st.sampled_from([403, 480, 603]),
)
FORWARDS = st.fixed_dictionaries(
    {"forward_always": NUMBERS, "forward_busy": NUMBERS, "forward_no_answer": NUMBERS}
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(RULES, max_size=5),
    FORWARDS,
    FORWARDS,
    st.text(max_size=6),
    st.sampled_from([DOMAIN, "nowhere"]),
)
def test_decide_never_raises_and_always_ends(
    rules: list[Rule], one: dict[str, object], other: dict[str, object], called: str, domain: str
) -> None:
    routes = table(rules, e1001=one, e1002=other)
    for number in ("1001", "1002", "15", called):
        decision = routes.decide(number, domain)
        assert decision.steps
        if decision.kind == RING:
            depth, stage = 0, decision.stage
            while stage is not None:
                assert stage.destinations
                depth += 1
                assert depth < 100
                stage = stage.after(NO_ANSWER)
        elif decision.kind == REPLY_STATUS:
            assert 300 <= decision.status < 700


class TestSwitchedOff:
    """What is there and may do nothing is called so: no caller is told that it does not exist."""

    def table(self, *rules: Rule, **more: object) -> RoutingTable:
        on = Extension("1001", DOMAIN, "P1001", forward_always="1002")
        return RoutingTable(
            ConfigSnapshot(
                1, DOMAIN, {DOMAIN: Domain(DOMAIN)}, {on.aor: on}, rules,
                switched_off={f"1002@{DOMAIN}": "Bob"},
                rules_off=((DOMAIN, "15*", "team"), ("other.test", "1700", "else"), (DOMAIN, "(", "x")),
            )
        )  # fmt: skip

    def test_an_extension(self) -> None:
        decision = self.table().decide("1002", DOMAIN)
        assert (decision.kind, decision.status) == (REPLY_STATUS, 480)
        assert decision.reason == decision.why == "1002 is switched off"
        assert decision.steps == ("Extension 1002 is Bob, and switched off.",)

    def test_an_extension_that_a_forward_leads_to(self) -> None:
        decision = self.table().decide("1001", DOMAIN)
        assert (decision.status, decision.why) == (480, "1002 is switched off")
        assert [one.aor for one in decision.diverted] == [f"1001@{DOMAIN}"]

    def test_a_rule(self) -> None:
        decision = self.table().decide("1501", DOMAIN)
        assert (decision.status, decision.reason) == (480, "1501 is switched off")
        assert decision.why == "the rule “team” for 1501 is switched off"

    def test_a_rule_of_another_domain(self) -> None:
        assert self.table().decide("1700", DOMAIN).status == 404

    def test_a_target_of_a_group(self) -> None:
        decision = self.table(forward("1600", "1002", "1001")).decide("1600", DOMAIN)
        assert "Target 1002 is switched off; it is left out." in decision.steps
        assert rung(decision.stage) == ["1001"]
