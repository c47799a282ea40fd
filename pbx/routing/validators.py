"""What the pattern of a rule looks like, and which regular expressions are too dangerous to run.

A pattern is run against whatever a caller dials, on the path of every call. So an expression whose
time explodes with the length of a number ("catastrophic backtracking") is refused when it is
written, not met when it is attacked.
"""

from __future__ import annotations

from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any, Final

from django.core.exceptions import ValidationError

from pbx.directory.validators import groups_in, validate_number
from sipengine.services.called_pattern import parse_called

PATTERN_LIMIT: Final = 200
"""Characters of a regular expression: a page of number plan still fits, a blow-up does not."""
_WAYS_LIMIT: Final = 100_000
"""Ways in which an expression may be tried on one number: below a millisecond for the engine."""
_OPEN: Final = 255
"""The engine matches so many characters, so a repeat without an end has so many lengths."""

_REPEATS: Final = (
    _constants.MAX_REPEAT,
    _constants.MIN_REPEAT,
    _constants.POSSESSIVE_REPEAT,
)
_UNCOUNTABLE: Final = (
    _constants.ASSERT,
    _constants.ASSERT_NOT,
    _constants.GROUPREF,
    _constants.GROUPREF_EXISTS,
)


def validate_called(text: str) -> None:
    """Take a number ("1999"), a prefix ("19*") or a regular expression ("/^19(\\d\\d)$/")."""
    try:
        pattern = parse_called(text)
    except ValueError as error:
        raise ValidationError(
            "“%(text)s” is not a pattern: %(error)s. Give a number (1999), a prefix (19*) or a "
            "regular expression (/^19(\\d\\d)$/).",
            code="invalid",
            params={"text": text[:60], "error": error},
        ) from None
    if pattern.regex is not None:
        _validate_regex(text)
    elif pattern.text:  # a star alone is every number
        validate_number(pattern.text)


def group_count(called: str) -> int:
    """Return how many groups a valid pattern has; 0 for a number or a prefix."""
    regex = parse_called(called).regex
    return 0 if regex is None else regex.groups


def validate_target_groups(called: str, destination: str) -> None:
    """Refuse a target that uses a group which the rule's pattern does not have.

    Says nothing of a pattern that is wrong itself: `validate_called` does.
    """
    used = groups_in(destination)
    try:
        count = group_count(called)
    except ValueError:
        return
    if not used or (min(used) >= 1 and max(used) <= count):
        return
    if count == 0:
        raise ValidationError(
            "“%(destination)s” uses a group, but “%(called)s” has none. Write the pattern as a "
            "regular expression with parentheses, such as /^19(\\d\\d)$/, or leave the braces out.",
            code="group",
            params={"destination": destination, "called": called},
        )
    raise ValidationError(
        "“%(destination)s” uses group {%(group)s}, but “%(called)s” has only {1} to {%(count)s}.",
        code="group",
        params={
            "destination": destination,
            "called": called,
            "group": 0 if min(used) < 1 else max(used),
            "count": count,
        },
    )


def _validate_regex(text: str) -> None:
    if len(text) > PATTERN_LIMIT:
        raise ValidationError(
            f"A pattern has at most {PATTERN_LIMIT} characters; this one has {len(text)}. "
            "Split it into several rules.",
            code="too_long",
        )
    tree = _parser.parse(text[1:-1])
    ways = _ways(tree, inside_repeat=False)
    anchored = bool(tree) and tree[0][0] is _constants.AT
    if not anchored:
        ways *= _OPEN
    if ways > _WAYS_LIMIT:
        mend = "use fewer or shorter repeats" if anchored else "begin it with ^"
        raise ValidationError(
            f"A crafted number could keep this expression busy for long; {mend}. Two repeats "
            "without an end (* or +) are fine after ^, three are too many.",
            code="slow",
        )


def _ways(tree: Any, *, inside_repeat: bool) -> int:
    """Return in how many ways a parsed expression can be tried at one place, at most.

    Raises ValidationError at what makes that number explode or cannot be counted.
    """
    ways = 1
    for operation, argument in tree:
        if operation in _REPEATS:
            ways *= _repeat_ways(*argument, inside_repeat=inside_repeat)
        elif operation is _constants.BRANCH:
            if inside_repeat:
                raise ValidationError(
                    "A choice inside a repeat, such as (1|11)+, can take very long on a crafted "
                    "number. Use a set, such as [12]+, or several rules.",
                    code="slow",
                )
            ways *= sum(_ways(one, inside_repeat=False) for one in argument[1])
        elif operation is _constants.SUBPATTERN:
            ways *= _ways(argument[-1], inside_repeat=inside_repeat)
        elif operation is _constants.ATOMIC_GROUP:
            ways *= _ways(argument, inside_repeat=inside_repeat)
        elif operation in _UNCOUNTABLE:
            raise ValidationError(
                "Look-aheads, look-behinds and references to groups are not supported in a "
                "pattern. Write the number out, or use several rules.",
                code="unsupported",
            )
    return ways


def _repeat_ways(low: int, high: int, body: Any, *, inside_repeat: bool) -> int:
    if high is not _constants.MAXREPEAT and high > _OPEN:
        raise ValidationError(
            f"A repeat counts to {high}, but numbers are matched to {_OPEN} characters only.",
            code="slow",
        )
    if low == high:  # one length only: \d{3} stands for \d\d\d
        ways: int = min(_ways(body, inside_repeat=inside_repeat), _WAYS_LIMIT) ** low
        return ways
    if inside_repeat:
        raise ValidationError(
            "A repeat inside a repeat, such as (\\d+)+ or (\\d\\d?)*, can take very long on a "
            "crafted number. Write it with one repeat: \\d+.",
            code="slow",
        )
    if high == 1:
        return 1 + _ways(body, inside_repeat=False)
    _ways(body, inside_repeat=True)
    return 1 + max((_OPEN if high is _constants.MAXREPEAT else high) - low, 0)
