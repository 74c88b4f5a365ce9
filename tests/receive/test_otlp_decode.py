"""Both encodings of OTLP against the plain way to read it, and the rules one by one."""

from __future__ import annotations

import math

import numpy as np
import orjson
import pytest
from google.protobuf.json_format import MessageToDict, MessageToJson
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as m
from otlp_messages import NOW, gauge, key_values, request_of, requests
from otlp_oracle import Expected, assert_same, rows, sorted_rows

from helpers import examples
from kubestray.model.errors import MalformedRequest
from kubestray.model.metric import Kind
from kubestray.receive.otlp import (
    Bounds,
    Limits,
    OtlpCache,
    Reason,
    attribute_text,
    decode_json,
    decode_protobuf,
)

EVERYTHING = Bounds.everything()
SOME = Bounds(1_000_000, 2**63)


def decode_as(encoding: str, request: ExportMetricsServiceRequest, bounds=EVERYTHING, **options):
    options.setdefault("cache", OtlpCache())
    if encoding == "json":
        return decode_json(MessageToJson(request).encode(), bounds, **options)
    return decode_protobuf(request.SerializeToString(), bounds, **options)


both = pytest.mark.parametrize("encoding", ["protobuf", "json"])


@settings(max_examples=examples(100), deadline=None)
@given(requests, st.sampled_from([EVERYTHING, SOME]))
def test_protobuf_decodes_as_the_plain_way_does(request_, bounds):
    body = request_.SerializeToString()
    expected, cache = Expected(body, bounds), OtlpCache()
    # Unknown series, then an unknown layout, then both known.
    for _ in range(3):
        assert_same(decode_protobuf(body, bounds, cache=cache), expected)


@settings(max_examples=examples(70), deadline=None)
@given(requests, st.sampled_from([EVERYTHING, SOME]), st.booleans())
def test_json_decodes_as_protobuf_does(request_, bounds, snake_case):
    text = MessageToJson(request_, preserving_proto_field_name=snake_case)
    assert_same(decode_as_text(text, bounds), Expected(request_.SerializeToString(), bounds))


def decode_as_text(text: str, bounds=EVERYTHING):
    return decode_json(text.encode(), bounds, cache=OtlpCache())


def numbers_replaced(request: ExportMetricsServiceRequest, draw) -> None:
    for resource_metrics in request.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                for point in [*metric.gauge.data_points, *metric.sum.data_points]:
                    point.time_unix_nano = draw(st.integers(1, 2**64 - 1))
                    if point.WhichOneof("value") == "as_int":
                        point.as_int = draw(st.integers(-(2**63), 2**63 - 1))
                    elif point.WhichOneof("value"):
                        point.as_double = draw(st.floats())


@settings(max_examples=examples(70), deadline=None)
@given(requests, st.data())
def test_a_stream_decodes_as_its_requests_alone(request_, data):
    cache = OtlpCache()
    for _ in range(4):
        body = request_.SerializeToString()
        assert_same(decode_protobuf(body, SOME, cache=cache), Expected(body, SOME))
        numbers_replaced(request_, data.draw)


def test_a_repeated_message_is_known_by_its_layout():
    cache = OtlpCache()
    request = request_of(gauge("a", 1.0, 2.0, start=5, x="y"), gauge("b", 3.0), host="h")
    for _ in range(2):
        decode_protobuf(request.SerializeToString(), EVERYTHING, cache=cache)
    assert len(cache.layouts) == 1
    # A changed attribute is another message, however alike.
    other = request_of(gauge("a", 1.0, 2.0, start=5, x="z"), gauge("b", 3.0), host="h")
    assert_same(
        decode_protobuf(other.SerializeToString(), EVERYTHING, cache=cache),
        Expected(other.SerializeToString(), EVERYTHING),
    )


def test_a_point_without_value_beside_others_is_counted_each_time():
    nothing = m.HistogramDataPoint(time_unix_nano=NOW, flags=1)
    histogram = m.Metric(name="h", histogram=m.Histogram(data_points=[nothing]))
    body, cache = request_of(gauge("a", 1.0, start=5), histogram).SerializeToString(), OtlpCache()
    for _ in range(3):
        assert_same(decode_protobuf(body, EVERYTHING, cache=cache), Expected(body, EVERYTHING))


@pytest.mark.parametrize("start", [0, NOW])
@pytest.mark.parametrize("where", ["attribute", "resource"])
def test_an_attribute_that_looks_like_numbers_is_not_taken_for_them(where, start):
    """An attribute may hold just the bytes by which the numbers of points are found."""
    numbers = m.NumberDataPoint(start_time_unix_nano=start, time_unix_nano=NOW, as_double=1.0)
    cache = OtlpCache()
    for value in (1.0, 2.0, 3.0, 4.0):
        numbers.as_double = value
        request = request_of(gauge("a", 1.0, start=start))
        resource_metrics = request.resource_metrics[0]
        holder = (
            resource_metrics.resource
            if where == "resource"
            else resource_metrics.scope_metrics[0].metrics[0].gauge.data_points[0]
        )
        holder.attributes.add(key="k").value.bytes_value = numbers.SerializeToString()
        body = request.SerializeToString()
        assert_same(decode_protobuf(body, EVERYTHING, cache=cache), Expected(body, EVERYTHING))


@both
def test_attribute_order_does_not_matter(encoding):
    points = [
        m.NumberDataPoint(time_unix_nano=NOW, as_int=1, attributes=key_values(a="1", b="2")),
        m.NumberDataPoint(time_unix_nano=NOW, as_int=2, attributes=key_values(b="2", a="1")),
    ]
    request = request_of(m.Metric(name="n", gauge=m.Gauge(data_points=points)), r="x")
    decoded = decode_as(encoding, request)
    assert len(decoded.batch.series) == 1
    assert next(iter(decoded.batch.series.values())).attributes == (("a", "1"), ("b", "2"), ("r", "x"))


@both
def test_the_data_point_wins_over_the_resource(encoding):
    decoded = decode_as(encoding, request_of(gauge("n", 1.0, name="point"), name="resource"))
    assert next(iter(decoded.batch.series.values())).attributes == (("name", "point"),)


@both
@pytest.mark.parametrize(
    ("monotonic", "temporality", "kind"),
    [
        (True, 0, Kind.CUMULATIVE),
        (True, 1, Kind.DELTA),
        (True, 2, Kind.CUMULATIVE),
        (False, 0, Kind.GAUGE),
        (False, 1, Kind.GAUGE),
        (False, 2, Kind.GAUGE),
    ],
)
def test_kinds_of_sums(encoding, monotonic, temporality, kind):
    points = [m.NumberDataPoint(time_unix_nano=NOW, start_time_unix_nano=7, as_int=-3)]
    data = m.Sum(data_points=points, is_monotonic=monotonic, aggregation_temporality=temporality)
    decoded = decode_as(encoding, request_of(m.Metric(name="n", unit="By", sum=data)))
    [(series, time, start, value)] = rows(decoded.batch)
    assert (series.kind, time, start, value) == (kind, NOW, 7, -3.0)
    assert [series.unit for series in decoded.batch.series.values()] == ["By"]


@both
@pytest.mark.parametrize("kind", [m.HistogramDataPoint, m.ExponentialHistogramDataPoint])
def test_a_histogram_point_is_one_data_point_of_up_to_four_series(encoding, kind):
    whole = kind(time_unix_nano=NOW, start_time_unix_nano=5, count=3, sum=6.0, min=1.0, max=3.0)
    bare = kind(time_unix_nano=NOW + 1, start_time_unix_nano=5, count=2**64 - 1)
    data = {"data_points": [whole, bare], "aggregation_temporality": 1}
    metric = m.Metric(name="h", unit="s")
    if kind is m.HistogramDataPoint:
        metric.histogram.CopyFrom(m.Histogram(**data))
    else:
        metric.exponential_histogram.CopyFrom(m.ExponentialHistogram(**data))
    decoded = decode_as(encoding, request_of(metric))
    assert decoded.data_points == 2
    assert [(s.metric, s.kind, time, start, value) for s, time, start, value in rows(decoded.batch)] == [
        ("h.count", Kind.DELTA, NOW, 5, 3.0),
        ("h.sum", Kind.DELTA, NOW, 5, 6.0),
        ("h.min", Kind.GAUGE, NOW, 5, 1.0),
        ("h.max", Kind.GAUGE, NOW, 5, 3.0),
        ("h.count", Kind.DELTA, NOW + 1, 5, 2.0**64),
    ]
    assert {s.metric: s.unit for s in decoded.batch.series.values()} == {
        "h.count": "1",
        "h.sum": "s",
        "h.min": "s",
        "h.max": "s",
    }


@both
def test_a_summary_keeps_its_count_where_quantiles_are_nan(encoding):
    quantile = m.SummaryDataPoint.ValueAtQuantile
    values = [quantile(quantile=0, value=math.nan), quantile(quantile=1, value=9.0), quantile(quantile=0.5)]
    point = m.SummaryDataPoint(time_unix_nano=NOW, count=4, sum=20.0, quantile_values=values)
    decoded = decode_as(encoding, request_of(m.Metric(name="s", summary=m.Summary(data_points=[point]))))
    assert [(s.metric, s.kind, value) for s, _, _, value in rows(decoded.batch)] == [
        ("s.count", Kind.CUMULATIVE, 4.0),
        ("s.sum", Kind.CUMULATIVE, 20.0),
        ("s.max", Kind.GAUGE, 9.0),
    ]


@both
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_rejected_alone(encoding, value):
    request = request_of(gauge("a", 1.0, value, 2.0))
    histogram = m.HistogramDataPoint(time_unix_nano=NOW, count=1, sum=value)
    request.resource_metrics[0].scope_metrics[0].metrics.append(
        m.Metric(name="h", histogram=m.Histogram(data_points=[histogram]))
    )
    decoded = decode_as(encoding, request)
    assert decoded.batch.value.tolist() == [1.0, 2.0]
    assert decoded.rejected == {Reason.NOT_FINITE: 2}
    assert decoded.summary() == "2 data points rejected: not_finite 2"


@both
def test_times_outside_of_the_bounds_are_rejected_alone(encoding):
    times = [0, 1_000_000, NOW, 2**63, 2**64 - 1]
    request = request_of(*(gauge("a", 1.0, time=time) for time in times))
    assert decode_as(encoding, request).batch.time.tolist() == times
    decoded = decode_as(encoding, request, Bounds(NOW, NOW))
    assert decoded.batch.time.tolist() == [NOW]
    assert decoded.rejected == {Reason.OLDER_THAN_RETENTION: 2, Reason.TOO_FAR_IN_FUTURE: 2}
    # Retention may reach back to before 1970, and a clock may be ahead of u64.
    assert len(decode_as(encoding, request, Bounds(-5, 2**70)).batch) == 5


@both
def test_points_without_value_are_neither_stored_nor_rejected(encoding):
    points = [
        m.NumberDataPoint(time_unix_nano=NOW),
        m.NumberDataPoint(time_unix_nano=NOW, as_double=math.nan, flags=1),
        m.NumberDataPoint(time_unix_nano=NOW, as_int=0),
    ]
    decoded = decode_as(encoding, request_of(m.Metric(name="n", gauge=m.Gauge(data_points=points))))
    assert (decoded.data_points, decoded.no_value, decoded.rejected) == (1, 2, {})
    assert decoded.batch.value.tolist() == [0.0]


@both
def test_a_metric_without_data_or_without_name(encoding):
    decoded = decode_as(encoding, request_of(m.Metric(name="empty"), gauge("", 1.0), gauge("n", 2.0)))
    assert decoded.rejected == {Reason.NO_METRIC_NAME: 1}
    assert decoded.batch.value.tolist() == [2.0]


@both
def test_an_empty_request(encoding):
    for request in (ExportMetricsServiceRequest(), request_of(), request_of(host="h")):
        decoded = decode_as(encoding, request)
        assert (len(decoded.batch), decoded.data_points, decoded.rejected) == (0, 0, {})
        assert decoded.summary() == ""


@both
def test_limits_reject_a_point_and_never_cut_it(encoding):
    limits = Limits(max_attributes=3, max_attribute_length=10, max_name_length=6)
    request = request_of(
        gauge("ok", 1.0, a="x" * 10),
        gauge("long", 2.0, a="x" * 11),
        gauge("wide", 3.0, a="ä" * 6),
        gauge("key", 4.0, **{"k" * 11: "v"}),
        gauge("many", 5.0, a="1", b="2", c="3"),
        gauge("metric7", 6.0),
        host="h",
    )
    request.resource_metrics[0].scope_metrics[0].metrics.add(
        name="unit", unit="1234567", gauge=gauge("unit", 7.0).gauge
    )
    decoded = decode_as(encoding, request, limits=limits)
    assert decoded.batch.value.tolist() == [1.0]
    assert decoded.rejected == {
        Reason.ATTRIBUTE_TOO_LONG: 3,
        Reason.TOO_MANY_ATTRIBUTES: 1,
        Reason.METRIC_NAME_TOO_LONG: 1,
        Reason.UNIT_TOO_LONG: 1,
    }


@both
def test_one_request_cannot_make_series_without_end(encoding):
    """A resource of 50 kB, repeated by 1000 series, would be 50 MB of attributes."""
    metrics = [gauge(f"m{i}", 1.0) for i in range(1000)]
    request = request_of(*metrics, **{f"a{i}": "x" * 10_000 for i in range(5)})
    decoded = decode_as(encoding, request, limits=Limits(max_new_series_bytes=1_000_000))
    assert decoded.rejected == {Reason.TOO_MANY_SERIES: 1000 - decoded.data_points}
    assert 10 < decoded.data_points < 25


@both
def test_one_request_cannot_have_resources_without_end(encoding):
    request = ExportMetricsServiceRequest(resource_metrics=[m.ResourceMetrics()] * 11)
    with pytest.raises(MalformedRequest, match="more than 10 resources"):
        decode_as(encoding, request, limits=Limits(max_resources=10))


@both
def test_one_request_cannot_have_data_points_without_end(encoding):
    request = request_of(*(gauge(name, 1.0, 2.0) for name in ("a", "b", "c")))
    assert len(decode_as(encoding, request, limits=Limits(max_data_points=6)).batch) == 6
    with pytest.raises(MalformedRequest, match="more than 5 data points"):
        decode_as(encoding, request, limits=Limits(max_data_points=5))


@both
def test_an_attribute_of_10_mb_costs_only_its_own_point(encoding):
    decoded = decode_as(encoding, request_of(gauge("a", 1.0), gauge("b", 2.0, big="x" * 10_000_000)))
    assert decoded.batch.value.tolist() == [1.0]
    assert decoded.rejected == {Reason.ATTRIBUTE_TOO_LONG: 1}


def good_body() -> bytes:
    return request_of(gauge("a", 1.0, start=NOW, x="y"), host="h").SerializeToString()


def test_protobuf_cut_anywhere_is_malformed_or_whole_points():
    body, cache = good_body(), OtlpCache()
    for _ in range(3):
        decode_protobuf(body, EVERYTHING, cache=cache)
    for end in range(1, len(body)):
        with pytest.raises(MalformedRequest, match="protobuf"):
            decode_protobuf(body[:end], EVERYTHING, cache=cache)


@settings(max_examples=examples(100), deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_do_no_harm(body):
    for decode in (decode_protobuf, decode_json):
        message = ""
        try:
            decode(body, EVERYTHING, cache=OtlpCache())
        except MalformedRequest as error:
            message = str(error)
        assert "\n" not in message


@settings(max_examples=examples(100), deadline=None)
@given(requests, st.data())
def test_a_flipped_byte_is_read_as_the_plain_way_reads_it(request_, data):
    """With everything remembered from the whole message: a broken one must not pass for it."""
    body, cache = bytearray(request_.SerializeToString()), OtlpCache()
    for _ in range(2):
        decode_protobuf(bytes(body), EVERYTHING, cache=cache)
    if not body:
        return
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    assert_broken_alike(bytes(body), cache)


def assert_broken_alike(body: bytes, cache: OtlpCache) -> None:
    try:
        fresh = decode_protobuf(body, EVERYTHING, cache=OtlpCache())
    except MalformedRequest:
        with pytest.raises(MalformedRequest):
            decode_protobuf(body, EVERYTHING, cache=cache)
        return
    known = decode_protobuf(body, EVERYTHING, cache=cache)
    assert (known.data_points, known.no_value, known.rejected) == (
        fresh.data_points,
        fresh.no_value,
        fresh.rejected,
    )
    # What was recognised comes first: the order of points says nothing.
    assert sorted_rows(rows(known.batch)) == sorted_rows(rows(fresh.batch))


def test_text_that_is_not_utf8():
    broken = good_body().replace(b"y", b"\xff")
    with pytest.raises(MalformedRequest, match="protobuf"):
        decode_protobuf(broken, EVERYTHING, cache=OtlpCache())
    with pytest.raises(MalformedRequest, match="JSON"):
        decode_json(b'{"a": "\xff"}', EVERYTHING)
    lone_surrogate = MessageToJson(request_of(gauge("a", 1.0, x="y"))).replace('"y"', '"\\ud800"')
    with pytest.raises(MalformedRequest, match="surrogate"):
        decode_as_text(lone_surrogate)


def json_point(**fields) -> str:
    request = MessageToDict(request_of(gauge("a", 1.0, x="y"), host="h"))
    point = request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["gauge"]["dataPoints"][0]
    point.update(fields)
    return orjson.dumps(request).decode()


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"asDouble": 2}, 2.0),
        ({"asDouble": "2.5e1"}, 25.0),
        ({"asDouble": None, "asInt": "-9"}, -9.0),
        ({"asDouble": None, "asInt": 7}, 7.0),
        ({"asDouble": None, "asInt": 7.0}, 7.0),
        ({"asDouble": None, "asInt": "7e2"}, 700.0),
        ({"asDouble": None, "as_int": "7"}, 7.0),
        ({"asDouble": -0.0, "unknownField": {"deep": [1]}}, 0.0),
        ({"flags": "2"}, 1.0),
        ({"attributes": None}, 1.0),
    ],
)
def test_spellings_of_json_numbers(fields, value):
    assert decode_as_text(json_point(**fields)).batch.value.tolist() == [value]


@pytest.mark.parametrize(
    "fields",
    [
        {"asDouble": "two"},
        {"asDouble": True},
        {"asDouble": []},
        {"asDouble": None, "asInt": 1.5},
        {"asDouble": None, "asInt": str(2**63)},
        {"asDouble": None, "asInt": "1_0"},
        {"timeUnixNano": -1},
        {"timeUnixNano": str(2**64)},
        {"timeUnixNano": "9" * 10_000},
        {"attributes": {}, "timeUnixNano": {}},
        {"attributes": "x"},
        {"attributes": [1]},
        {"attributes": [{"key": 5}]},
        {"attributes": [{"key": "k", "value": []}], "flags": -1},
        {"attributes": [{"key": "k", "value": {"boolValue": "true"}}]},
        {"attributes": [{"key": "k", "value": {"bytesValue": "*"}}]},
        {"attributes": [{"key": "k", "value": {"arrayValue": 5}}]},
    ],
)
def test_json_of_the_wrong_type_is_malformed(fields):
    with pytest.raises(MalformedRequest) as caught:
        decode_as_text(json_point(**fields))
    assert len(str(caught.value)) < 200


def nested(depth: int) -> dict:
    value: dict = {"intValue": 1}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return value


def json_nested(depth: int) -> str:
    deep = '{"arrayValue":{"values":[' * depth + "{}" + "]}}" * depth
    return json_point(attributes=[{"key": "k", "value": "DEEP"}]).replace('"DEEP"', deep)


@pytest.mark.parametrize("depth", [60, 100, 300])
def test_json_nested_too_deeply_costs_the_point(depth):
    decoded = decode_as_text(json_nested(depth))
    assert decoded.rejected == {"attribute_too_deep": 1}
    assert decoded.data_points == 0


def test_json_nested_beyond_reading_is_malformed():
    with pytest.raises(MalformedRequest):
        decode_as_text(json_nested(2000))


def test_json_nested_within_reason():
    decoded = decode_as_text(json_point(attributes=[{"key": "k", "value": nested(40)}]))
    assert dict(next(iter(decoded.batch.series.values())).attributes)["k"] == "[" * 40 + "1" + "]" * 40


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"stringValue": "x"}, "x"),
        ({"stringValue": ""}, ""),
        ({}, ""),
        (None, ""),
        ({"boolValue": False}, "false"),
        ({"intValue": "12345678901234"}, "12345678901234"),
        ({"doubleValue": 1}, "1"),
        ({"double_value": "NaN"}, "NaN"),
        ({"bytesValue": "-_8"}, "+/8="),
        ({"arrayValue": {}}, "[]"),
        (
            {"kvlistValue": {"values": [{"key": "b"}, {"key": "a", "value": {"intValue": 1}}]}},
            '{"a":1,"b":null}',
        ),
    ],
)
def test_json_attribute_values(value, text):
    decoded = decode_as_text(json_point(attributes=[{"key": "k", "value": value}]))
    assert dict(next(iter(decoded.batch.series.values())).attributes)["k"] == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-0.5, "-0.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (-math.inf, "-Infinity"),
        ([1.0, math.nan, b"ab"], '[1,"NaN","YWI="]'),
    ],
)
def test_texts_of_doubles(value, text):
    assert attribute_text(value) == text


@settings(max_examples=examples(70))
@given(st.floats(allow_nan=False))
def test_the_text_of_a_double_reads_back_the_same(value):
    assert float(attribute_text(value)) == value


@pytest.mark.parametrize("enum", [1, "1", "AGGREGATION_TEMPORALITY_DELTA"])
def test_json_enums_by_number_and_by_name(enum):
    request = MessageToDict(request_of(gauge("a", 1.0)))
    metric = request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]
    metric["sum"] = {**metric.pop("gauge"), "isMonotonic": True, "aggregationTemporality": enum}
    decoded = decode_json(orjson.dumps(request), EVERYTHING)
    assert next(iter(decoded.batch.series.values())).kind is Kind.DELTA


@pytest.mark.parametrize(
    "body", [b"[]", b"3", b"null", b'{"resourceMetrics": 1}', b'{"resourceMetrics": [1]}', b"{"]
)
def test_json_that_is_no_request(body):
    with pytest.raises(MalformedRequest):
        decode_json(body, EVERYTHING)


def test_messages_of_one_resource_and_length_are_told_apart_in_any_order():
    cache = OtlpCache()
    for turn, name in enumerate("001122010201210012" * 2):
        body = request_of(gauge("a", float(turn), x=name), host="one").SerializeToString()
        assert_same(decode_protobuf(body, EVERYTHING, cache=cache), Expected(body, EVERYTHING))


def test_decoding_is_safe_from_many_threads():
    from concurrent.futures import ThreadPoolExecutor

    cache = OtlpCache()
    bodies = [
        request_of(gauge("a", float(i), x=str(i % 7)), host=str(i % 5)).SerializeToString()
        for i in range(200)
    ]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda body: decode_protobuf(body, EVERYTHING, cache=cache), bodies))
    for body, decoded in zip(bodies, found, strict=True):
        assert_same(decoded, Expected(body, EVERYTHING))
    assert np.concatenate([decoded.batch.value for decoded in found]).tolist() == [
        float(i) for i in range(200)
    ]
