"""Numbers that the telephone system answers itself, at every domain.

They come after rules and extensions: what an administrator gave such a number counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ECHO: Final = "echo"
TONE: Final = "tone"


@dataclass(frozen=True, slots=True)
class FeatureCode:
    """`program` is what is played (`ports.Media.open`), `name` who answers in the call log."""

    code: str
    program: str
    name: str


FEATURE_CODES: Final = {
    feature.code: feature
    for feature in (
        FeatureCode("*43", ECHO, "Echo test"),
        FeatureCode("*44", TONE, "Test tone"),
    )
}
