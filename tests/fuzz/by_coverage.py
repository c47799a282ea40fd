"""A long run of the fuzz tests that follows the code's branches: what reaches a new one is kept and changed on.

    uv pip install --target DIR atheris
    PYTHONPATH=DIR .venv/bin/python -m tests.fuzz.by_coverage uri -max_total_time=3600

The first word is one of TARGETS, the others are libFuzzer's. A failure is printed and ends it.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["sipengine"]):
    from tests.fuzz import test_core, test_grammar, test_with_password

TARGETS = {
    "uri": test_grammar.test_a_uri_is_read_written_and_read_alike,
    "address": test_grammar.test_an_address_keeps_its_uri,
    "via": test_grammar.test_a_via_is_read_written_and_read_alike,
    "digest": test_grammar.test_credentials_are_fields_none_or_400,
    "sdp": test_grammar.test_a_description_is_read_or_refused,
    "stream": test_core.test_a_stream_gives_the_same_however_it_is_cut,
    "core": test_core.test_whatever_comes_the_core_stands_and_what_it_sends_is_sound,
    "user": test_with_password.test_whatever_a_user_asks_the_core_stands_and_what_it_sends_is_sound,
}


def main() -> None:
    name = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if name not in TARGETS:
        sys.exit(f"name one of: {', '.join(TARGETS)}")
    given = TARGETS[name].hypothesis.fuzz_one_input  # type: ignore[attr-defined]
    atheris.Setup(sys.argv, lambda data: given(data) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
