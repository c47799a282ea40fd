from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from pbx.calls.models import Call
from pbx.registrations.models import Binding
from tests.pbx.registrations.rows import binding

CALLS = "admin:calls_call_changelist"


def test_call_with_its_legs_and_decision(as_bob: Client, add_call: Callable[..., Call]) -> None:
    call = add_call(decision=["Rule “team” <b>matches</b>."])
    text = as_bob.get(reverse("admin:calls_call_change", args=[call.pk])).content.decode()
    assert "Bob answered; Alice hung up." in text
    assert "&lt;b&gt;matches" in text
    assert "sip:b" in text
    assert 'name="_save"' not in text


@pytest.mark.parametrize("who", ["as_alice", "as_bob", "as_charlie"])
def test_nobody_writes_what_the_engine_writes(
    who: str, request: pytest.FixtureRequest, add_call: Callable[..., Call]
) -> None:
    client: Client = request.getfixturevalue(who)
    call = add_call()
    row = binding()
    for model, key in (("calls_call", call.pk), ("registrations_binding", row.pk)):
        for action in ("change", "delete"):
            address = reverse(f"admin:{model}_{action}", args=[key])
            answer = client.post(address, {"post": "yes", "caller": "x", "aor": "x"})
            assert answer.status_code in (302, 403)
            assert answer.status_code == 403 or "login" in answer.headers["Location"]
        assert client.get(reverse(f"admin:{model}_add")).status_code in (302, 403)
        wipe = {"action": "delete_selected", "_selected_action": [str(key)], "post": "yes"}
        client.post(reverse(f"admin:{model}_changelist"), wipe)
    call.refresh_from_db()
    assert call.caller == "1001@pbx.example"
    assert Binding.objects.get() == row


def test_search_and_filters(as_alice: Client, add_call: Callable[..., Call]) -> None:
    add_call(reason="one reason")
    add_call(called="1999@pbx.example", result="busy", reason="another reason")
    for query in ({"q": "1999"}, {"result": "busy"}):
        text = as_alice.get(reverse(CALLS), query).content.decode()
        assert "another reason" in text
        assert "one reason" not in text


def test_list_costs_the_same_for_50_rows(
    as_alice: Client, add_call: Callable[..., Call], django_assert_max_num_queries: object
) -> None:
    for index in range(50):
        add_call()
        binding(aor=f"{index}@pbx.example")
    for name in (CALLS, "admin:registrations_binding_changelist"):
        with django_assert_max_num_queries(12):  # type: ignore[operator]
            assert as_alice.get(reverse(name)).status_code == 200
