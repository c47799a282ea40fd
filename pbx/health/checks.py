"""Is each part well? One question each, with a short deadline, in sentences for the operator."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

import psycopg
import redis
from django.conf import settings
from django.core.cache import cache

from pbx.celery import app
from pbx.disk import LOW, free_bytes, megabytes
from pbx.environment import current

DEADLINE: Final = 2.0  # seconds for all checks together: whoever asks often gives up after a few
ENGINE_LATE: Final = 15.0  # seconds; it writes its row every 5
BEAT_LATE: Final = 30.0  # seconds; it sends a task every 10
GATEWAY_ANSWER: Final = 0.6  # seconds; several are asked one after the other
BEAT_KEY: Final = "health.beat"


@dataclass(frozen=True, slots=True)
class Health:
    """One part's state: `ok`, and a sentence that says what is wrong ("" when nothing is)."""

    ok: bool
    trouble: str = ""


def check_all() -> dict[str, Health]:
    """Ask every part at the same time; one that does not answer in time is not well."""
    with_redis = bool(settings.REDIS_URL)
    questions: dict[str, Callable[[], Health]] = {
        "database": _database,
        "engine": _engine,
        "gateway": _gateway,
        "disk": _disk,
    }
    if with_redis:
        questions |= {"redis": _redis, "worker": _worker, "beat": _beat}
    pool = ThreadPoolExecutor(max_workers=len(questions), thread_name_prefix="health")
    try:
        asked = {name: pool.submit(question) for name, question in questions.items()}
        wait(asked.values(), timeout=DEADLINE)
        return {
            name: answer.result()
            if answer.done()
            else Health(False, f"no answer within {DEADLINE:g} seconds")
            for name, answer in asked.items()
        }
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _database() -> Health:
    """Ask on a connection of its own: Django's may all be busy, which is not the same trouble."""
    try:
        with psycopg.connect(current().database_url, connect_timeout=2) as server:
            server.execute("SELECT 1")
    except psycopg.Error as error:
        return Health(False, f"Postgres does not answer: {_first_line(error)}")
    return Health(True)


def _engine() -> Health:
    """The engine writes a heartbeat into the database; without a database nothing is known."""
    try:
        with psycopg.connect(current().database_url, connect_timeout=2) as server:
            rows = server.execute(
                "SELECT name, extract(epoch FROM now() - heartbeat_at)::float8,"
                " coalesce((counters->>'journal_refuses_now')::int, 0),"
                " coalesce((counters->>'crew_processes_now')::int, 1)"
                " FROM enginelink_enginestatus ORDER BY name"
            ).fetchall()
    except psycopg.Error:
        return Health(False, "not known while Postgres does not answer; calls do not need it")
    if not rows:
        return Health(False, "the engine has not reported yet")
    for name, age, _, _ in rows:
        if age > ENGINE_LATE:
            who = "the engine" if len(rows) == 1 else f"its process {name}"
            return Health(False, f"{who} last reported {age:.0f} seconds ago")
    if any(refuses for _, _, refuses, _ in rows):
        return Health(False, "it refuses registrations: its disk takes nothing (see its log)")
    wanted = max(processes for _, _, _, processes in rows)
    if len(rows) < wanted:
        return Health(False, f"{wanted - len(rows)} of its {wanted} processes did not report yet")
    return Health(True)


def _gateway() -> Health:
    """Each media gateway is pinged by the protocol the engine speaks to it; one that lives is enough."""
    silent = []
    for host, port in current().media_gateways:
        if gateway_answers(host, port):
            return Health(True)
        silent.append(f"{host}:{port}")
    return Health(False, f"no media gateway answers at {', '.join(silent)}")


def gateway_answers(host: str, port: int) -> bool:
    """Whether a gateway there answers ng's `ping`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.settimeout(GATEWAY_ANSWER)
            asking.connect((host, port))
            asking.send(b"health d7:command4:pinge")
            return b"4:pong" in asking.recv(2048)
    except OSError:
        return False


def _disk() -> Health:
    """Of the data directory, where this machine has it: a full one stops the database, too."""
    free = free_bytes(current().data_dir)
    if free is None or free >= LOW:
        return Health(True)
    return Health(
        False,
        f"the disk of PBX_DATA_DIR has {megabytes(free)} left: make room; when it is full, "
        "registrations are refused",
    )


def _redis() -> Health:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1
        ) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        return Health(False, f"Redis does not answer: {_first_line(error)}")
    return Health(True)


def _worker() -> Health:
    try:
        answers = app.control.broadcast("ping", reply=True, limit=1, timeout=DEADLINE - 0.5)
    except (redis.RedisError, OSError) as error:
        return Health(False, f"its queue cannot be reached: {_first_line(error)}")
    return Health(True) if answers else Health(False, "no worker answers")


def _beat() -> Health:
    """Beat sends a task, a worker runs it and notes the time: this sees the whole way."""
    try:
        seen = cache.get(BEAT_KEY)
    except (redis.RedisError, OSError) as error:
        return Health(False, f"its last task cannot be read: {_first_line(error)}")
    if seen is None:
        return Health(False, "no task of the schedule has run yet")
    age = time.time() - float(seen)
    if age > BEAT_LATE:
        return Health(False, f"the last task of the schedule ran {age:.0f} seconds ago")
    return Health(True)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
