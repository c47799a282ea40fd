"""The registrar against hostile input, and against a model of RFC 3261 §10.3."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipengine.services.registrar import MAX_CALL_ID, MAX_CONTACT, MAX_VALUES
from tests.services.phones import ALICE, Registrations, request

DESK = "<sip:1001@10.0.0.5:5060>"
SOFT = "<sip:1001@10.0.0.6:5062;transport=tcp>"


@pytest.fixture
def pbx() -> Registrations:
    return Registrations()


# ---------------------------------------------------------------------- limits and hostile input


@pytest.mark.parametrize(
    ("contacts", "status"),
    [
        (["<mailto:alice@pbx.test>"], 416),
        (["<sip:1001@10.0.0.5:99999>"], 400),
        (["<>"], 400),
        (["junk"], 400),
        ([f"<sip:{'a' * MAX_CONTACT}@10.0.0.5>"], 400),
        ([f"<sip:a@10.0.0.5>;x={'a' * MAX_CONTACT}"], 400),
        (["<sip:a\0b@10.0.0.5>"], 400),
        ([f"<sip:a{n}@10.0.0.5>" for n in range(MAX_VALUES + 1)], 400),
        ([DESK, "junk"], 400),
    ],
)
def test_unusable_contacts_are_refused_wholly(
    pbx: Registrations, contacts: list[str], status: int
) -> None:
    done = pbx.register(*contacts)
    assert done.status == status
    assert done.reason
    assert len(pbx.location) == 0
    assert pbx.facts == []


@pytest.mark.parametrize("call_id", ["a" * (MAX_CALL_ID + 1), "a\0b"])
def test_unusable_call_id_is_400(pbx: Registrations, call_id: str) -> None:
    assert pbx.register(DESK, call_id=call_id).status == 400


def test_user_agent_is_cut_and_made_readable(pbx: Registrations) -> None:
    agent = "Ger\u00e4t\0 ".encode().decode("latin-1") + "x" * 300
    pbx.register(DESK, headers=(f"User-Agent: {agent}",))
    (binding,) = pbx.location.contacts(ALICE.aor, pbx.now)
    assert binding.user_agent.startswith("Gerät x")
    assert len(binding.user_agent) <= 200


def test_unusable_path_is_400(pbx: Registrations) -> None:
    assert pbx.register(DESK, headers=(f"Path: <sip:{'a' * 2100}>",)).status == 400
    assert pbx.contacts() == []


WORDS = st.sampled_from(
    [
        "<sip:a@b>",
        "<sip:a@b",
        ";expires=0",
        ";expires=",
        ";q=",
        "*",
        ",",
        '"',
        "sip:",
        "\0",
        "<",
        ">",
        ";",
        "=",
        " ",
        "é",
    ]
)


@given(st.lists(st.lists(WORDS, max_size=8).map("".join), max_size=4))
def test_hostile_contacts_never_raise(contacts: list[str]) -> None:
    pbx = Registrations()
    pbx.register("<sip:a@b>")
    done = pbx.register(*contacts)
    assert done.status in (200, 400, 403, 416, 423)
    assert done.status == 200 or pbx.contacts() == ["sip:a@b"]


# ---------------------------------------------------------------------- against a model

STEP = st.tuples(
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from([0, 60, 300])), min_size=1, max_size=3),
    st.sampled_from(["call-1", "call-2"]),
    st.integers(-1, 1),
    st.integers(0, 70),
)


@settings(max_examples=150)
@given(st.lists(STEP, max_size=25))
def test_any_sequence_is_what_the_rules_of_10_3_make_of_it(
    steps: list[tuple[list[tuple[int, int]], str, int, int]],
) -> None:
    pbx = Registrations()
    model: dict[int, tuple[float, str, int]] = {}  # port -> expires, Call-ID, CSeq
    cseqs = {"call-1": 10, "call-2": 10}
    for contacts, call_id, step, pause in steps:
        pbx.now += pause
        model = {port: there for port, there in model.items() if there[0] > pbx.now}
        cseqs[call_id] += step
        cseq = cseqs[call_id]
        asked = dict(contacts)
        known = [model[port] for port in asked if port in model]
        conflicts = [c for _, i, c in known if i == call_id and cseq <= c]
        after = dict(model)
        for port, seconds in asked.items():
            after.pop(port, None)
            if seconds:
                after[port] = (pbx.now + seconds, call_id, cseq)
        added = [port for port, seconds in asked.items() if seconds and port not in model]
        status = 200
        if conflicts:
            first = conflicts[0]
            status, after = (500 if cseq < first else 200), model
        elif added and len(after) > ALICE.max_contacts:
            status, after = 403, model
        lines = [f"Contact: <sip:1001@10.0.0.5:{port}>;expires={s}" for port, s in asked.items()]
        done = pbx.send(request(*lines, cseq=cseq, call_id=call_id))
        model = after
        assert done.status == status
        if status == 200:
            assert sorted(done.lines) == sorted(
                f"Contact: <sip:1001@10.0.0.5:{port}>;expires={int(until - pbx.now)}"
                for port, (until, _, _) in model.items()
            )
        pbx.location.expire(pbx.now, pbx.wall)
        assert sorted(pbx.contacts()) == sorted(f"sip:1001@10.0.0.5:{port}" for port in model)
