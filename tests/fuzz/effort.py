"""How long fuzzing goes on: a moment in `./test`, for hours by `make fuzz` (FUZZ_EXAMPLES)."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))


def effort(examples: int) -> settings:
    """`examples` tries each time, or as many as the environment asks for."""
    return settings(
        max_examples=EXAMPLES or examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
