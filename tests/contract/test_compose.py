"""docker-compose.yml is checked against what the supervisor runs and what the environment reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pbx.environment import VARIABLES, Environment
from pbx.health.probe import PROBES
from pbx.supervisor import commands
from pbx.supervisor.parts import NEEDS

PROJECT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
RUN_BY_THE_SUPERVISOR = {
    "web": commands.WEB,
    "engine": commands.ENGINE,
    "gateway": commands.GATEWAY,
    "worker": commands.WORKER,
    "beat": commands.BEAT,
    "prepare": commands.PREPARE,
}


def test_every_part_is_a_service() -> None:
    assert set(NEEDS) | {"prepare"} == set(SERVICES)


@pytest.mark.parametrize("name", RUN_BY_THE_SUPERVISOR)
def test_a_service_runs_what_the_supervisor_runs(name: str) -> None:
    assert SERVICES[name]["command"] == ["python", *RUN_BY_THE_SUPERVISOR[name]]


@pytest.mark.parametrize("name", RUN_BY_THE_SUPERVISOR)
def test_every_variable_is_one_that_the_environment_reads(name: str) -> None:
    known = {*VARIABLES, *(f"{variable}_FILE" for variable in VARIABLES)}
    assert set(SERVICES[name]["environment"]) <= known


@pytest.mark.parametrize("name", RUN_BY_THE_SUPERVISOR)
def test_the_environment_takes_these_values(name: str, tmp_path: Path) -> None:
    contents = {
        "database-url": "postgresql://pbx:x@postgres:5432/branchline",
        "secret-key": "k" * 64,
        "admin-password": "p" * 64,
    }
    values = {}
    for variable, value in SERVICES[name]["environment"].items():
        value = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))
        if value.startswith("/run/secrets/"):
            secret = value.rpartition("/")[2]
            assert secret in SERVICES[name]["secrets"]
            (tmp_path / secret).write_text(contents[secret])
            value = str(tmp_path / secret)
        values[variable] = value
    environment = Environment.load(values)
    assert not environment.database_is_embedded
    assert not environment.redis_is_embedded
    assert environment.secret_key


def test_no_secret_stands_in_the_file() -> None:
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|TOKEN|DATABASE_URL", variable):
                assert variable.endswith("_FILE"), variable
                assert value.startswith("/run/secrets/")


def test_every_long_lived_service_has_a_health_check() -> None:
    for name, service in SERVICES.items():
        if name != "prepare":
            assert service["healthcheck"]["test"][0] == "CMD", name


@pytest.mark.parametrize("name", PROBES)
def test_a_part_is_probed_by_its_own_name(name: str) -> None:
    test = SERVICES[name]["healthcheck"]["test"]
    assert test == ["CMD", "python", "-m", "pbx.health.probe", name]


def test_published_ports_are_the_documented_ones() -> None:
    environment = Environment.load({})
    assert SERVICES["web"]["ports"] == [
        f"{port}:{port}" for port in (environment.http_port, environment.https_port)
    ]
    assert SERVICES["engine"]["ports"] == [
        *(f"{environment.sip_port}:{environment.sip_port}/{kind}" for kind in ("udp", "tcp")),
        f"{environment.sips_port}:{environment.sips_port}/tcp",
        f"{environment.ws_port}:{environment.ws_port}/tcp",
        "20000-20399:20000-20399/udp",
    ]
    assert SERVICES["engine"]["environment"]["PBX_RTP_PORTS"] == "20000-20399"
