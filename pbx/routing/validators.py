"""What the pattern of a rule looks like, and which regular expressions are too dangerous to run.

A pattern is run against whatever a caller dials, on the path of every call. So an expression whose
time explodes with the length of a number ("catastrophic backtracking") is refused when it is
written, not met when it is attacked.
"""

from __future__ import annotations

import re
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any, Final

from django.core.exceptions import ValidationError

from pbx.directory.validators import groups_in, validate_number

PATTERN_LIMIT: Final = 200
"""Characters of a regular expression: a page of number plan still fits, a blow-up does not."""
_OPEN_REPEATS_LIMIT: Final = 3
"""With n characters dialled, k open repeats cost up to n^k steps: 3 keep it below a millisecond."""
_COUNT_LIMIT: Final = 64
"""A repeat up to this count is as long as a number may be; beyond it only memory is spent."""

_REPEATS: Final = (
    _constants.MAX_REPEAT,
    _constants.MIN_REPEAT,
    _constants.POSSESSIVE_REPEAT,
)


def validate_called(text: str) -> None:
    """Take a number ("1999"), a prefix ("19*") or a regular expression ("/^19(\\d\\d)$/")."""
    if not text:
        raise ValidationError(
            "Give what was called: a number (1999), a prefix (19*) or a regular expression "
            "(/^19(\\d\\d)$/).",
            code="empty",
        )
    if text.startswith("/"):
        _validate_regex(text)
        return
    stem = text[:-1] if text.endswith("*") and len(text) > 1 else text
    try:
        validate_number(stem)
    except ValidationError as error:
        raise ValidationError(
            "“%(text)s” is not a pattern. Give a number (1999), a prefix with a star at its end "
            "(19*) or a regular expression between slashes (/^19(\\d\\d)$/). %(detail)s",
            code="invalid",
            params={"text": text, "detail": " ".join(error.messages)},
        ) from None


def group_count(called: str) -> int:
    """Return how many groups a valid pattern has; 0 for a number or a prefix."""
    return re.compile(called[1:-1]).groups if called.startswith("/") else 0


def validate_target_groups(called: str, destination: str) -> None:
    """Refuse a target that uses a group which the rule's pattern does not have."""
    used = groups_in(destination)
    count = group_count(called)
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
    if len(text) < 3 or not text.endswith("/"):
        raise ValidationError(
            "A regular expression stands between two slashes, such as /^19(\\d\\d)$/.",
            code="invalid",
        )
    try:
        re.compile(text[1:-1])
        tree = _parser.parse(text[1:-1])
    except (re.error, OverflowError, RecursionError) as error:
        raise ValidationError(
            "“%(text)s” is not a regular expression: %(error)s.",
            code="invalid",
            params={"text": text, "error": error},
        ) from None
    open_repeats = _count_open_repeats(tree, inside_repeat=False)
    if open_repeats > _OPEN_REPEATS_LIMIT:
        raise ValidationError(
            f"This expression has {open_repeats} repeats without an end (* + or {{n,}}), which can "
            f"take very long on a crafted number. Use at most {_OPEN_REPEATS_LIMIT}, or counted "
            "ones such as \\d{2,6}.",
            code="slow",
        )


def _count_open_repeats(tree: Any, *, inside_repeat: bool) -> int:
    """Walk a parsed expression; count its open repeats. Raises ValidationError at a trap."""
    found = 0
    for operation, argument in tree:
        if operation in _REPEATS:
            low, high, body = argument
            if high is not _constants.MAXREPEAT and high > _COUNT_LIMIT:
                raise ValidationError(
                    f"A repeat counts to {high}; numbers have at most {_COUNT_LIMIT} characters.",
                    code="slow",
                )
            if inside_repeat:
                raise ValidationError(
                    "A repeat inside a repeat, such as (\\d+)+ or (\\d\\d?)*, can take very long on "
                    "a crafted number. Write it with one repeat: \\d+.",
                    code="slow",
                )
            several = high is _constants.MAXREPEAT or high > 1
            found += int(high is _constants.MAXREPEAT or (low != high and high > 8))
            found += _count_open_repeats(body, inside_repeat=several)
        elif operation is _constants.BRANCH:
            if inside_repeat:
                raise ValidationError(
                    "A choice inside a repeat, such as (1|11)+, can take very long on a crafted "
                    "number. Use a set, such as [12]+, or several rules.",
                    code="slow",
                )
            found += sum(_count_open_repeats(one, inside_repeat=False) for one in argument[1])
        elif operation is _constants.SUBPATTERN:
            found += _count_open_repeats(argument[-1], inside_repeat=inside_repeat)
        elif operation is _constants.ATOMIC_GROUP:
            found += _count_open_repeats(argument, inside_repeat=inside_repeat)
        elif operation in (
            _constants.ASSERT,
            _constants.ASSERT_NOT,
            _constants.GROUPREF,
            _constants.GROUPREF_EXISTS,
        ):
            raise ValidationError(
                "Look-aheads, look-behinds and references to groups are not supported in a "
                "pattern. Write the number out, or use several rules.",
                code="unsupported",
            )
    return found
