"""The cast of the call tests: Alice calls, Bob and Carol are called."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from sipengine.api import Domain, Extension, Rule
from tests.services.user_agents import Phone, password_of
from tests.services.wire import DOMAIN, Wire, snapshot

World = Callable[..., Wire]


def ha1(number: str, algorithm: str, domain: str = DOMAIN) -> str:
    text = f"{number}:{domain}:{password_of(number)}".encode()
    return hashlib.new(algorithm, text, usedforsecurity=False).hexdigest()


def person(number: str, name: str = "", **more: Any) -> Extension:
    return Extension(
        number, DOMAIN, name, ha1_md5=ha1(number, "md5"), ha1_sha256=ha1(number, "sha256"), **more
    )


@pytest.fixture
def world() -> World:
    """Makes a wire with extensions 1001 (Alice) to 1004; keyword `e1002={..}` changes one."""

    def make(
        *, rules: tuple[Rule, ...] = (), domains: tuple[Domain, ...] = (Domain(DOMAIN),),
        now: float = 1000.0, **changes: dict[str, object],
    ) -> Wire:  # fmt: skip
        names = {"1001": "Alice", "1002": "Bob", "1003": "Carol", "1004": "Dave"}
        people = [person(n, name, **changes.get(f"e{n}", {})) for n, name in names.items()]
        return Wire(snapshot(people, rules, domains), now=now)

    return make


@pytest.fixture
def wire(world: World) -> Wire:
    return world()


@pytest.fixture
def alice(wire: Wire) -> Phone:
    return registered(wire, "1001", "198.51.100.1")


@pytest.fixture
def bob(wire: Wire) -> Phone:
    return registered(wire, "1002", "198.51.100.2")


@pytest.fixture
def carol(wire: Wire) -> Phone:
    return registered(wire, "1003", "198.51.100.3")


def registered(wire: Wire, number: str, host: str, port: int = 5060, **more: object) -> Phone:
    phone = Phone(wire, number, host, port, **more)  # type: ignore[arg-type]
    answer = phone.register()
    assert answer.status == 200, answer
    return phone
