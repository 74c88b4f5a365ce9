"""A slow, plain reading of OTLP, and points as sorted rows, to compare outputs with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from kubestray.model.metric import Batch, Kind, Series
from kubestray.simulate import Simulation, SimulationConfig, simulate

SECOND = 10**9
HOUR = 3600 * SECOND
DAY = 24 * HOUR
END = 1_760_000_400 * SECOND  # Thursday 9 October 2025, 09:00:00 UTC

Point = tuple[str, Kind, str, tuple[tuple[str, str], ...], int, int, float]
"""Metric, kind, unit, attributes, time, start, value."""


def small(scenario: str = "calm", *, days: float = 2, **settings: object) -> Simulation:
    """Return a simulation of the days before END."""
    return simulate(
        SimulationConfig(start_ns=END - int(days * DAY), end_ns=END, scenario=scenario, **settings)  # type: ignore[arg-type]
    )


def columns(batches: Iterable[Batch]) -> tuple[np.ndarray, ...]:
    """Return all points as columns (series id, time, start, value), sorted by series and time."""
    one = Batch.concat(list(batches))
    order = np.lexsort((one.time, one.series_id))
    return one.series_id[order], one.time[order], one.start[order], one.value[order]


def same(left: tuple[np.ndarray, ...], right: tuple[np.ndarray, ...]) -> bool:
    """Return whether two sets of columns hold the same points, to the last bit."""
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def points_of_batches(batches: Iterable[Batch]) -> Iterator[Point]:
    for batch in batches:
        rows = zip(batch.series_id, batch.time, batch.start, batch.value, strict=True)
        for number, time, start, value in rows:
            series: Series = batch.series[int(number)]
            yield (*_named(series), int(time), int(start), float(value))


def _named(series: Series) -> tuple[str, Kind, str, tuple[tuple[str, str], ...]]:
    return series.metric, series.kind, series.unit, series.attributes


def points_of_requests(requests: Iterable[ExportMetricsServiceRequest]) -> Iterator[Point]:
    for request in requests:
        for resource in request.resource_metrics:
            shared = {pair.key: _any(pair.value) for pair in resource.resource.attributes}
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    yield from _points_of_metric(metric, shared)


def _points_of_metric(metric, shared: dict[str, str]) -> Iterator[Point]:  # type: ignore[no-untyped-def]
    data = getattr(metric, metric.WhichOneof("data"))
    kind = Kind.GAUGE
    if metric.HasField("sum") and metric.sum.is_monotonic:
        kind = {1: Kind.DELTA, 2: Kind.CUMULATIVE}[metric.sum.aggregation_temporality]
    for point in data.data_points:
        own = {pair.key: _any(pair.value) for pair in point.attributes}
        value = float(getattr(point, point.WhichOneof("value")))
        pairs = tuple(sorted((shared | own).items()))
        yield metric.name, kind, metric.unit, pairs, point.time_unix_nano, point.start_time_unix_nano, value


def _any(value) -> str:  # type: ignore[no-untyped-def]
    return str(getattr(value, value.WhichOneof("value")))


def points_of_files(paths: Iterable[Path]) -> Iterator[Point]:
    for path in paths:
        for line in path.read_bytes().splitlines():
            for resource in json.loads(line)["resourceMetrics"]:
                shared = _pairs(resource["resource"]["attributes"])
                for scope in resource["scopeMetrics"]:
                    for metric in scope["metrics"]:
                        yield from _points_of_json(metric, shared)


def _points_of_json(metric: dict, shared: dict[str, str]) -> Iterator[Point]:  # type: ignore[type-arg]
    data = metric.get("sum") or metric["gauge"]
    kind = Kind.GAUGE
    if data.get("isMonotonic"):
        kind = {1: Kind.DELTA, 2: Kind.CUMULATIVE}[data["aggregationTemporality"]]
    for point in data["dataPoints"]:
        assert isinstance(point["timeUnixNano"], str), "64-bit integers are strings in OTLP JSON"
        value = float(point["asDouble"]) if "asDouble" in point else float(int(point["asInt"]))
        pairs = tuple(sorted((shared | _pairs(point["attributes"])).items()))
        times = int(point["timeUnixNano"]), int(point.get("startTimeUnixNano", "0"))
        yield metric["name"], kind, metric["unit"], pairs, *times, value


def _pairs(pairs: list[dict]) -> dict[str, str]:  # type: ignore[type-arg]
    return {pair["key"]: str(next(iter(pair["value"].values()))) for pair in pairs}
