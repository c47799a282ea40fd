from __future__ import annotations

import time

import pytest
from django.core.exceptions import ValidationError

from pbx.routing.validators import group_count, validate_called, validate_target_groups
from sipengine.services.called_pattern import parse_called


@pytest.mark.parametrize(
    ("called", "groups"),
    [
        ("1999", 0),
        ("19*", 0),
        ("*", 0),
        ("+43*", 0),
        (r"/^19(\d\d)$/", 1),
        (r"/^(0043|\+43|0)(\d+)$/", 2),
        (r"/^\+?0?0?(\d{2,12})$/", 1),
        (r"/^(\d{3}){2}$/", 1),
        (r"/^\d*#\d*$/", 0),
    ],
)
def test_patterns(called: str, groups: int) -> None:
    validate_called(called)
    assert group_count(called) == groups


@pytest.mark.parametrize(
    ("called", "says"),
    [
        ("", "empty"),
        ("19 99", "without spaces"),
        ("1999\n", "without spaces"),
        ("//", "between two slashes"),
        ("/^19", "between two slashes"),
        ("/^19(/", "not a regular expression"),
        (r"/^(\d+)+$/", "repeat inside a repeat"),
        (r"/^(\d*)*$/", "repeat inside a repeat"),
        (r"/^(\d\d?)*$/", "repeat inside a repeat"),
        (r"/^(1|11)+$/", "choice inside a repeat"),
        (r"/^\d*\d*\d*$/", "busy for long"),
        (r"/\d*\d*/", "begin it with ^"),
        ("/^" + r"\d?" * 30 + "$/", "busy for long"),
        (r"/^(\d+){5}$/", "busy for long"),
        (r"/^\d{1,999}$/", "counts to 999"),
        (r"/^(?=1)1$/", "not supported"),
        (r"/^(1)\1$/", "not supported"),
        ("/^" + "1" * 200 + "$/", "at most 200 characters"),
    ],
)
def test_wrong_patterns_say_why(called: str, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        validate_called(called)
    assert says in " ".join(caught.value.messages)


@pytest.mark.parametrize(
    "called", [r"/^\d*\d*$/", r"/^1*1*2/", "/^" + r"1?" * 16 + "1" * 16 + "2$/", r"/\d*2/"]
)
def test_worst_allowed_pattern_is_quick(called: str) -> None:
    validate_called(called)
    pattern = parse_called(called)
    begun = time.process_time()
    pattern.match("1" * 10_000)
    assert time.process_time() - begun < 0.1


@pytest.mark.parametrize(
    ("called", "target", "says"),
    [
        ("1999", "10{1}", "“1999” has none"),
        ("19*", "10{1}", "“19*” has none"),
        (r"/^19\d\d$/", "10{1}", "has none"),
        (r"/^19(\d\d)$/", "10{2}", "uses group {2}"),
        (r"/^19(\d\d)$/", "{0}", "uses group {0}"),
    ],
)
def test_groups_that_are_not_there(called: str, target: str, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        validate_target_groups(called, target)
    assert says in caught.value.messages[0]


def test_groups_that_are_there() -> None:
    validate_target_groups(r"/^(\d)(\d)$/", "{2}{1}@pbx.example")
    validate_target_groups("1999", "1001")
    validate_target_groups("/^(/", "{1}")  # the pattern's own error is told elsewhere
