"""The plain way to read an OTLP request: generated classes, one loop, nothing remembered.

Written against the rules in `kubestray.receive.points`, not against its code.
"""

from __future__ import annotations

import base64
import math
from collections import Counter
from pathlib import Path

import numpy as np
import orjson
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_DELTA

from kubestray.model.metric import Batch, Kind, Series
from kubestray.receive.otlp import Bounds, Decoded


def golden_requests() -> list[Path]:
    """Recorded requests of real collectors, which lie beside the checkout; skips where they do not."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "golden"
    found = sorted(folder.glob("*.pb"))
    if not found:
        pytest.skip("no recorded requests beside this checkout (../shared/golden)", allow_module_level=True)
    return found


def value_of(any_value):
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(item) for item in any_value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: value_of(item.value) for item in any_value.kvlist_value.values}
    return getattr(any_value, kind) if kind else None


def text_of(any_value) -> str:
    value = value_of(any_value)
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case bytes():
            return base64.b64encode(value).decode()
        case float():
            return double_text(value)
        case list() | dict():
            return orjson.dumps(jsonable(value), option=orjson.OPT_SORT_KEYS).decode()
    return str(value)


def double_text(value: float) -> str:
    """Only for doubles whose repr has no exponent."""
    if math.isfinite(value):
        return str(int(value)) if value.is_integer() and value else repr(value).removesuffix(".0")
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[repr(value)]


def jsonable(value):
    match value:
        case list():
            return [jsonable(item) for item in value]
        case dict():
            return {key: jsonable(item) for key, item in value.items()}
        case bytes():
            return base64.b64encode(value).decode()
        case float():
            return orjson.Fragment(double_text(value)) if math.isfinite(value) else double_text(value)
    return value


def texts(attributes) -> dict[str, str]:
    return {each.key: text_of(each.value) for each in attributes}


def parts_of(metric, data, point):
    """Yield (name, kind, unit, value) of a data point; nothing if it has no value."""
    name, unit = metric.name, metric.unit
    if point.flags & 1:
        return
    if data in ("gauge", "sum"):
        which = point.WhichOneof("value")
        if which:
            kind = Kind.GAUGE
            if data == "sum" and metric.sum.is_monotonic:
                kind = climbing(metric.sum.aggregation_temporality)
            yield name, kind, unit, float(getattr(point, which))
        return
    if data == "summary":
        yield name + ".count", Kind.CUMULATIVE, "1", float(point.count)
        yield name + ".sum", Kind.CUMULATIVE, unit, point.sum
        quantiles = {
            each.quantile: each.value for each in point.quantile_values if not math.isnan(each.value)
        }
        for suffix, quantile in ((".min", 0.0), (".max", 1.0)):
            if quantile in quantiles:
                yield name + suffix, Kind.GAUGE, unit, quantiles[quantile]
        return
    kind = climbing(getattr(metric, data).aggregation_temporality)
    yield name + ".count", kind, "1", float(point.count)
    for suffix, part in (("sum", kind), ("min", Kind.GAUGE), ("max", Kind.GAUGE)):
        if point.HasField(suffix):
            yield f"{name}.{suffix}", part, unit, getattr(point, suffix)


def climbing(temporality: int) -> Kind:
    return Kind.DELTA if temporality == AGGREGATION_TEMPORALITY_DELTA else Kind.CUMULATIVE


class Expected:
    """What a request must decode to."""

    def __init__(self, body: bytes, bounds: Bounds) -> None:
        self.rows: list[tuple] = []
        self.data_points = self.no_value = 0
        self.rejected: Counter[str] = Counter()
        self._bounds = bounds
        for resource_metrics in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            resource = texts(resource_metrics.resource.attributes)
            for scope_metrics in resource_metrics.scope_metrics:
                for metric in scope_metrics.metrics:
                    data = metric.WhichOneof("data")
                    for point in getattr(metric, data).data_points if data else ():
                        self._take(metric, data, point, resource)

    def _take(self, metric, data, point, resource) -> None:
        parts = list(parts_of(metric, data, point))
        reason = self._refusal(metric, point, parts)
        if not parts:
            self.no_value += 1
        elif reason:
            self.rejected[reason] += 1
        else:
            self.data_points += 1
            attributes = {**resource, **texts(point.attributes)}
            for name, kind, _, value in parts:
                series = Series.of(name, kind, "", attributes)
                self.rows.append((series, point.time_unix_nano, point.start_time_unix_nano, value))

    def _refusal(self, metric, point, parts) -> str | None:
        if not metric.name:
            return "no_metric_name"
        if not all(math.isfinite(value) for *_, value in parts):
            return "not_finite"
        if point.time_unix_nano < self._bounds.oldest:
            return "older_than_retention"
        return "too_far_in_future" if point.time_unix_nano > self._bounds.newest else None


def rows(batch: Batch) -> list[tuple]:
    """A batch row by row, with the series spelled out (but for the unit, which is not its identity)."""
    assert set(batch.series) == set(batch.series_id.tolist())
    assert all(key == series.id for key, series in batch.series.items())
    assert batch.series_id.dtype == batch.time.dtype == batch.start.dtype == np.uint64
    assert batch.value.dtype == np.float64
    columns = (batch.series_id, batch.time, batch.start, batch.value)
    return [
        (without_unit(batch.series[identity]), time, start, value)
        for identity, time, start, value in zip(*(column.tolist() for column in columns), strict=True)
    ]


def without_unit(series: Series) -> Series:
    return Series(series.id, series.metric, series.kind, "", series.attributes)


def assert_same(decoded: Decoded, expected: Expected) -> None:
    """Assert that a request was decoded right; points of known messages come before the others."""
    assert sorted_rows(rows(decoded.batch)) == sorted_rows(expected.rows)
    assert decoded.rejected == expected.rejected
    assert (decoded.data_points, decoded.no_value) == (expected.data_points, expected.no_value)


def sorted_rows(points: list[tuple]) -> list[tuple]:
    """Points in an order that does not depend on how they came."""
    return sorted(points, key=lambda point: (point[0].id, *point[1:]))
