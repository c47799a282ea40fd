"""Where a call goes, and why: one pure function for the engine, the simulator and the call log (D11).

Rules are tried in order and the first that matches decides; then extensions; else 404. The
decision is a list of stages that the proxy tries one after another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sipengine.api import (
    ACTION_FORWARD,
    ACTION_REDIRECT,
    ACTION_REDIRECT_CONTACTS,
    ACTION_REJECT,
    REDIRECT,
    SEQUENTIAL,
    ConfigSnapshot,
    Extension,
    Rule,
)
from sipengine.services.called_pattern import Pattern, parse_called
from sipengine.services.feature_codes import FEATURE_CODES, FeatureCode
from sipengine.services.people import to_dial
from sipengine.services.rule_targets import as_uri, fill, split_target
from sipengine.sip.status import reason_phrase

MAX_DEPTH: Final = 5
"""Forwards that may lead to forwards; more is a loop somebody configured."""
MAX_STEPS: Final = 100
"""Numbers that one decision may look at; more is a rule whose targets match it again and again."""
MAX_MEMO: Final = 200_000
"""Sentences of decisions remembered a snapshot, about 20 MB; what is beyond is worked out anew."""

OUTSIDE_TIMEOUT: Final = 60
"""Seconds a forward to an outside address may ring."""

ANY: Final = "any"
BUSY: Final = "busy"
NO_ANSWER: Final = "no_answer"

RING: Final = "ring"
REPLY_CONTACTS: Final = "redirect"
REPLY_REGISTERED: Final = "redirect_contacts"
REPLY_STATUS: Final = "reject"
ANSWER: Final = "answer"


@dataclass(frozen=True, slots=True)
class Destination:
    """One target of a stage: an extension's AOR (`aor` set) or an outside URI (`uri` set).

    With `instance` only that phone of the AOR is meant (RFC 5627), if `secure` only what TLS leads to.
    """

    aor: str = ""
    uri: str = ""
    name: str = ""
    instance: str = ""
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Diverted:
    """An extension that sent a call on to `to`, as its setting says it: `cause` is 302 for always,
    486 when busy, 408 when nobody answered (RFC 4458 §2)."""

    aor: str
    cause: int
    to: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """Destinations that ring together for at most `timeout` seconds.

    `onward` says what is tried when nobody answered: the first (condition, stage) whose condition
    is ANY or the outcome, which is BUSY or NO_ANSWER. `diverted` are the extensions whose
    forwards led here, first to last.
    """

    destinations: tuple[Destination, ...]
    timeout: int
    onward: tuple[tuple[str, Stage], ...] = ()
    diverted: tuple[Diverted, ...] = ()

    def after(self, outcome: str) -> Stage | None:
        """The stage to try after this one ended with `outcome`."""
        for condition, stage in self.onward:
            if condition in (ANY, outcome):
                return stage
        return None


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a call. `steps` tells every rule that was looked at, one sentence each.

    `kind` is RING (try `stage` and what it leads on to), REPLY_CONTACTS (302 with `contacts`),
    REPLY_REGISTERED (302 with what is registered for the destinations of `stage`), REPLY_STATUS
    (`status` and `reason`) or ANSWER (the telephone system answers itself, as `feature` says).
    `why` is a clause for the caller's person where a status alone explains nothing; `diverted` are the
    extensions that forward every call and led here.
    """

    kind: str
    stage: Stage | None = None
    contacts: tuple[str, ...] = ()
    status: int = 0
    reason: str = ""
    rule: str = ""
    follow_redirects: bool = False
    steps: tuple[str, ...] = ()
    feature: FeatureCode | None = None
    why: str = ""
    diverted: tuple[Diverted, ...] = ()


class RoutingTable:
    """A snapshot made ready for deciding: patterns compiled, exact numbers in a dictionary."""

    def __init__(self, snapshot: ConfigSnapshot) -> None:
        self.snapshot = snapshot
        self._patterns: list[tuple[Rule, Pattern]] = []
        self._broken: list[str] = []
        for rule in snapshot.rules:
            try:
                self._patterns.append((rule, parse_called(rule.called)))
            except ValueError as error:
                self._broken.append(f"Rule “{rule.name}” is left out: {error}.")
        self._exact: dict[tuple[str, str], int] = {}
        self._others: list[int] = []
        for at, (rule, pattern) in enumerate(self._patterns):
            if pattern.kind == "exact":
                self._exact.setdefault((rule.domain, pattern.text), at)
            else:
                self._others.append(at)
        self._memo: dict[tuple[str, str], Decision] = {}
        self._remembered = 0  # sentences in it
        self._steps = 0

    def decide(self, called: str, domain: str) -> Decision:
        """What happens to a call to `called` at `domain`."""
        key = (called, domain)
        decision = self._memo.get(key)
        if decision is None:
            self._steps = 0
            decision = self._decide(called, domain, ())
            self._remembered += len(decision.steps) + 1
            if self._remembered <= MAX_MEMO:
                self._memo[key] = decision
        return decision

    def _match(self, called: str, domain: str) -> tuple[Rule, tuple[str, ...], int] | None:
        best = self._exact.get((domain, called))
        for at in self._others:
            if best is not None and at > best:
                break
            rule, pattern = self._patterns[at]
            if rule.domain == domain:
                groups = pattern.match(called)
                if groups is not None:
                    return rule, groups, at
        return None if best is None else (self._patterns[best][0], (), best)

    def _decide(
        self, called: str, domain: str, seen: tuple[str, ...], by: tuple[Diverted, ...] = ()
    ) -> Decision:
        """`seen` are the numbers that this call came by already, `by` those that forwarded it."""
        steps = [] if seen else list(self._broken)
        self._steps += 1
        if self._steps > MAX_STEPS:
            steps.append(f"{MAX_STEPS} numbers were looked at, so {called} is left out.")
            return _refused(482, f"more than {MAX_STEPS} forwards and rules lead there", steps)
        if called in seen or len(seen) > MAX_DEPTH:
            if called in seen:
                steps.append(f"{called} has forwarded this call already, so it goes no further.")
                return _refused(482, f"it was forwarded in a circle, back to {called}", steps)
            steps.append(f"{MAX_DEPTH} forwards have led to {called}, so the call goes no further.")
            return _refused(482, f"it was forwarded more than {MAX_DEPTH} times", steps)
        found = self._match(called, domain)
        last = len(self._patterns) if found is None else found[2]
        for rule, _ in self._patterns[:last]:
            if rule.domain == domain:
                steps.append(f"Rule “{rule.name}” ({rule.called}) does not match {called}.")
        if found is not None:
            rule, groups, _ = found
            steps.append(f"Rule “{rule.name}” ({rule.called}) matches {called}.")
            return self._by_rule(rule, groups, called, domain, (*seen, called), by, steps)
        extension = self.snapshot.extensions.get(f"{called}@{domain}")
        if extension is None:
            steps.append(f"No extension {called} at {domain}.")
            feature = FEATURE_CODES.get(called)
            if feature is not None:
                steps.append(f"{called} is the {feature.name.lower()}.")
                return Decision(ANSWER, feature=feature, steps=tuple(steps))
            return self._nobody(called, domain, steps)
        steps.append(f"Extension {called} is {extension.name or 'without a name'}.")
        return self._by_extension(extension, domain, (*seen, called), by, steps)

    def _nobody(self, called: str, domain: str, steps: list[str]) -> Decision:
        """What becomes of a call to a number that nothing leads to, or nothing that is switched on."""
        name = self.snapshot.switched_off.get(f"{called}@{domain}")
        rule = self._rule_off(called, domain) if name is None else ""
        why = f"there is no {called} here"
        if name is not None:
            steps[-1] = f"Extension {called} is {name or 'without a name'}, and switched off."
            why = f"{called} is switched off"
        elif rule:
            steps.append(f"Rule “{rule}” for {called} is switched off.")
            why = f"the rule “{rule}” for {called} is switched off"
        else:
            return _refused(404, why, steps)
        return replace(_refused(480, why, steps), reason=f"{called} is switched off")

    def _rule_off(self, called: str, domain: str) -> str:
        """The name of the first rule that would be for this number if it were switched on."""
        for of_domain, pattern, name in self.snapshot.rules_off:
            try:
                if of_domain == domain and parse_called(pattern).match(called) is not None:
                    return name
            except ValueError:
                continue  # switched on, it would be left out and say why
        return ""

    def _by_extension(
        self,
        extension: Extension,
        domain: str,
        seen: tuple[str, ...],
        by: tuple[Diverted, ...],
        steps: list[str],
    ) -> Decision:
        if extension.forward_always:
            steps.append(f"{extension.number} forwards every call to {extension.forward_always}.")
            always = Diverted(extension.aor, 302, extension.forward_always)
            by = (*by, always)
            onward = self._onward(extension.forward_always, domain, seen, by)
            return replace(onward, steps=(*steps, *onward.steps), diverted=onward.diverted or by)
        me = Destination(aor=extension.aor, name=extension.name)
        mode = self.snapshot.domains.get(domain)
        if mode is not None and mode.mode == REDIRECT:
            steps.append(f"{domain} tells callers where to go instead of relaying.")
            stage = Stage((me,), extension.ring_timeout, diverted=by)
            return Decision(REPLY_REGISTERED, stage=stage, steps=tuple(steps))
        timeout = extension.ring_timeout
        if extension.forward_no_answer:
            timeout = min(timeout, extension.forward_no_answer_after)
        onward_stages: list[tuple[str, Stage]] = []
        for condition, to in (
            (BUSY, extension.forward_busy),
            (NO_ANSWER, extension.forward_no_answer),
        ):
            if to:
                words = "when busy" if condition == BUSY else f"after {timeout} s without an answer"
                steps.append(f"{extension.number} forwards to {to} {words}.")
                sent_on = Diverted(extension.aor, 486 if condition == BUSY else 408, to)
                onward = self._onward(to, domain, seen, (*by, sent_on))
                steps += onward.steps
                if onward.kind == RING and onward.stage is not None:
                    onward_stages.append((condition, onward.stage))
        stage = Stage((me,), timeout, tuple(onward_stages), by)
        return Decision(RING, stage=stage, steps=tuple(steps))

    def _by_rule(
        self,
        rule: Rule,
        groups: tuple[str, ...],
        called: str,
        domain: str,
        seen: tuple[str, ...],
        by: tuple[Diverted, ...],
        steps: list[str],
    ) -> Decision:
        if rule.action == ACTION_REJECT:
            return _rejected(rule, steps)
        targets = tuple(fill(target, groups) for target in rule.targets)
        if rule.action == ACTION_REDIRECT:
            return _redirected(rule, targets, domain, steps)
        if rule.action == ACTION_REDIRECT_CONTACTS:
            steps.append("It tells the caller the registered contacts.")
            found = self._group(targets or (called,), domain, seen, steps)
            if not found:
                return _no_target(rule, steps)
            return Decision(
                REPLY_REGISTERED,
                stage=Stage(found, rule.timeout),
                rule=rule.name,
                steps=tuple(steps),
            )
        assert rule.action == ACTION_FORWARD, rule.action
        if rule.strategy == SEQUENTIAL:
            stage = self._one_after_another(rule, targets, domain, seen, by, steps)
        else:
            everyone = self._group(targets, domain, seen, steps)
            stage = Stage(everyone, rule.timeout, diverted=by) if everyone else None
            steps.append(f"It rings {len(everyone)} targets together for {rule.timeout} s.")
        if stage is None:
            return _no_target(rule, steps)
        return Decision(
            RING,
            stage=stage,
            rule=rule.name,
            follow_redirects=rule.follow_redirects,
            steps=tuple(steps),
        )

    def _one_after_another(
        self,
        rule: Rule,
        targets: tuple[str, ...],
        domain: str,
        seen: tuple[str, ...],
        by: tuple[Diverted, ...],
        steps: list[str],
    ) -> Stage | None:
        """A stage for each target that can ring, the first leading on to the next."""
        groups_of = [self._group((target,), domain, seen, steps) for target in targets]
        stage: Stage | None = None
        count = 0
        for destinations in reversed(groups_of):
            if destinations:
                onward = ((ANY, stage),) if stage else ()
                stage = Stage(destinations, rule.timeout, onward, by)
                count += 1
        steps.append(f"It rings {count} targets one after the other, {rule.timeout} s each.")
        return stage

    def _onward(
        self, target: str, domain: str, seen: tuple[str, ...], by: tuple[Diverted, ...]
    ) -> Decision:
        """Where a forward leads: a number is decided like a call of its own."""
        number, outside = split_target(target, domain)
        if outside:
            stage = Stage((Destination(uri=outside),), OUTSIDE_TIMEOUT, diverted=by)
            return Decision(RING, stage=stage)
        return self._decide(number, domain, seen, by)

    def _group(
        self, targets: tuple[str, ...], domain: str, seen: tuple[str, ...], steps: list[str]
    ) -> tuple[Destination, ...]:
        """What a rule's targets stand for, each once. The forwards of members are not followed."""
        found: dict[Destination, None] = {}
        for target in targets:
            number, outside = split_target(target, domain)
            extension = self.snapshot.extensions.get(f"{number}@{domain}")
            if outside:
                found[Destination(uri=outside)] = None
            elif extension is not None:
                found[Destination(aor=extension.aor, name=extension.name)] = None
            elif self._match(number, domain) is not None:
                onward = self._decide(number, domain, seen)
                steps += onward.steps
                stage = onward.stage
                while stage is not None:  # a group in a group rings with it
                    found.update(dict.fromkeys(stage.destinations))
                    stage = stage.onward[0][1] if stage.onward else None
            else:
                what = "is no extension and no rule's number"
                if f"{number}@{domain}" in self.snapshot.switched_off:
                    what = "is switched off"
                steps.append(f"Target {target} {what}; it is left out.")
        return tuple(found)


def _refused(status: int, why: str, steps: list[str]) -> Decision:
    phrase = reason_phrase(status)
    return Decision(REPLY_STATUS, status=status, reason=phrase, steps=tuple(steps), why=why)


def _rejected(rule: Rule, steps: list[str]) -> Decision:
    reason = rule.reason or reason_phrase(rule.status)
    steps.append(f"It rejects with {rule.status} {reason}.")
    why = f"the rule turns such calls away with “{reason}” ({rule.status})"
    return Decision(
        REPLY_STATUS, status=rule.status, reason=reason, rule=rule.name, steps=tuple(steps), why=why
    )


def _redirected(rule: Rule, targets: tuple[str, ...], domain: str, steps: list[str]) -> Decision:
    contacts = tuple(as_uri(target, domain) for target in targets)
    steps.append(f"It tells the caller to call {', '.join(contacts)}.")
    why = ", ".join(to_dial(contact, domain) for contact in contacts)
    return Decision(REPLY_CONTACTS, contacts=contacts, rule=rule.name, steps=tuple(steps), why=why)


def _no_target(rule: Rule, steps: list[str]) -> Decision:
    """What becomes of a call whose rule leads to nobody."""
    steps.append("None of its targets exists.")
    missing = _refused(404, "none of the rule’s targets exists", steps)
    return replace(missing, rule=rule.name)


def to_outside(uri: str) -> Decision:
    """The decision for a URI of somebody else's domain, called by one of our own users."""
    stage = Stage((Destination(uri=uri),), OUTSIDE_TIMEOUT)
    return Decision(
        RING, stage=stage, steps=(f"{uri} is outside, so the call goes straight there.",)
    )
