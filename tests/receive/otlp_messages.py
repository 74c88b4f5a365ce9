"""OTLP requests for tests: arbitrary ones from hypothesis, and small ones by hand."""

from __future__ import annotations

from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.metrics.v1 import metrics_pb2 as m
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

NOW = 1_763_800_000_000_000_000

u64 = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1_000_000, 2**63, 2**64 - 1, NOW])
i64 = st.integers(-(2**63), 2**63 - 1)
doubles = st.floats(allow_nan=True, allow_infinity=True)
attribute_doubles = st.floats(allow_nan=True, allow_infinity=True).filter(lambda x: "e" not in repr(x))
names = st.sampled_from(["", "process.cpu.time", "k8s.pod.network.io", "näme"]) | st.text(max_size=5)

plain_values = st.one_of(
    st.just(AnyValue()),
    st.builds(AnyValue, string_value=st.text(max_size=8)),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=i64),
    st.builds(AnyValue, double_value=attribute_doubles),
    st.builds(AnyValue, bytes_value=st.binary(max_size=40)),
)
any_values = st.recursive(
    plain_values,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: AnyValue(array_value=ArrayValue(values=items)))
        | st.dictionaries(st.text(max_size=3), inner, max_size=3).map(
            lambda items: AnyValue(
                kvlist_value=KeyValueList(values=[KeyValue(key=k, value=v) for k, v in items.items()])
            )
        )
    ),
    max_leaves=4,
)
attributes = st.lists(st.builds(KeyValue, key=st.text(max_size=4), value=any_values), max_size=3)


def points(kind, **fields):
    return st.lists(
        st.builds(
            kind,
            attributes=attributes,
            start_time_unix_nano=st.just(0) | u64,
            time_unix_nano=u64,
            flags=st.sampled_from([0, 0, 0, 1, 2, 3]),
            **fields,
        ),
        max_size=3,
    )


def number_points():
    ints = points(m.NumberDataPoint, as_int=i64)
    reals = points(m.NumberDataPoint, as_double=doubles)
    exemplars = st.lists(st.builds(m.Exemplar, time_unix_nano=u64, as_double=doubles), max_size=1)
    return (
        ints | reals | points(m.NumberDataPoint) | points(m.NumberDataPoint, as_int=i64, exemplars=exemplars)
    )


def optional(strategy):
    return st.none() | strategy


temporality = st.sampled_from([0, 1, 2, 7])
moments = {"count": u64, "sum": optional(doubles), "min": optional(doubles), "max": optional(doubles)}
quantiles = st.lists(
    st.builds(m.SummaryDataPoint.ValueAtQuantile, quantile=st.sampled_from([0.0, 0.5, 1.0]), value=doubles),
    max_size=3,
)
data = st.one_of(
    st.just({}),
    st.builds(m.Gauge, data_points=number_points()).map(lambda x: {"gauge": x}),
    st.builds(
        m.Sum, data_points=number_points(), is_monotonic=st.booleans(), aggregation_temporality=temporality
    ).map(lambda x: {"sum": x}),
    st.builds(
        m.Histogram, data_points=points(m.HistogramDataPoint, **moments), aggregation_temporality=temporality
    ).map(lambda x: {"histogram": x}),
    st.builds(
        m.ExponentialHistogram,
        data_points=points(m.ExponentialHistogramDataPoint, **moments),
        aggregation_temporality=temporality,
    ).map(lambda x: {"exponential_histogram": x}),
    st.builds(
        m.Summary,
        data_points=points(m.SummaryDataPoint, count=u64, sum=doubles, quantile_values=quantiles),
    ).map(lambda x: {"summary": x}),
)
metrics = st.builds(
    lambda name, unit, data: m.Metric(name=name, unit=unit, description="d", **data),
    names,
    st.sampled_from(["", "By"]),
    data,
)
requests = st.builds(
    ExportMetricsServiceRequest,
    resource_metrics=st.lists(
        st.builds(
            m.ResourceMetrics,
            resource=st.builds(Resource, attributes=attributes),
            scope_metrics=st.lists(
                st.builds(m.ScopeMetrics, metrics=st.lists(metrics, max_size=3)), max_size=2
            ),
        ),
        max_size=3,
    ),
)


def key_values(**values: str) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in values.items()]


def request_of(*metrics: m.Metric, **resource: str) -> ExportMetricsServiceRequest:
    return ExportMetricsServiceRequest(
        resource_metrics=[
            m.ResourceMetrics(
                resource=Resource(attributes=key_values(**resource)),
                scope_metrics=[m.ScopeMetrics(metrics=metrics)],
            )
        ]
    )


def gauge(name: str, /, *values: float, time: int = NOW, start: int = 0, **attributes: str) -> m.Metric:
    points = [
        m.NumberDataPoint(
            time_unix_nano=time,
            start_time_unix_nano=start,
            as_double=value,
            attributes=key_values(**attributes),
        )
        for value in values
    ]
    return m.Metric(name=name, unit="By", gauge=m.Gauge(data_points=points))
