"""The Prometheus text: what the engine counted, what the tables hold, what this process uses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from django.db import DatabaseError
from django.utils import timezone
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import UnknownMetricFamily
from prometheus_client.registry import Collector

from pbx.calls.models import Call
from pbx.enginelink.models import EngineStatus
from pbx.registrations.models import Binding
from sipengine.meanings import MEANINGS

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
_NOT_IN_A_NAME: Final = re.compile(r"[^a-zA-Z0-9_]+")


def render() -> bytes:
    return generate_latest(_REGISTRY)


class _Product(Collector):
    """Reads the tables at each scrape. A dead database is a metric, not an error page."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("branchline_database_up", "1 if Postgres answered this scrape.")
        try:
            found = list(_from_the_tables())
        except DatabaseError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from found

    def describe(self) -> list[Metric]:
        return []


def _from_the_tables() -> Iterator[Metric]:
    going_on = Call.objects.exclude(state="ended").count()
    yield GaugeMetricFamily("branchline_calls_now", "Calls ringing or talking.", value=going_on)
    bound = Binding.objects.filter(expires_at__gt=timezone.now()).count()
    yield GaugeMetricFamily("branchline_bindings_now", "Registered contacts.", value=bound)

    age = GaugeMetricFamily(
        "branchline_engine_heartbeat_age_seconds",
        "Seconds since the engine reported.",
        labels=["engine"],
    )
    counters: dict[str, UnknownMetricFamily] = {}
    for engine in EngineStatus.objects.order_by("name"):
        age.add_metric([engine.name], (timezone.now() - engine.heartbeat_at).total_seconds())
        for key, value in sorted(engine.counters.items()):
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            name = "branchline_engine_" + _NOT_IN_A_NAME.sub("_", key)
            meaning = MEANINGS.get(key, f"the engine's count of {key}")
            family = counters.setdefault(
                name, UnknownMetricFamily(name, meaning, labels=["engine"])
            )
            family.add_metric([engine.name], value)
    yield age
    yield from counters.values()


_REGISTRY: Final = CollectorRegistry()
_REGISTRY.register(_Product())
ProcessCollector(registry=_REGISTRY)
