"""SignalFx' three forms of data points, and what its exporters ask for beside them."""

from __future__ import annotations

import gzip
import json
import math
import time
from contextlib import suppress

import pytest
from google.protobuf.json_format import MessageToJson
from http_client import Answer, send
from hypothesis import given
from hypothesis import strategies as st
from otlp_messages import gauge, request_of
from otlp_oracle import rows
from peak_memory import gzip_of_zeros

from kubestray.model.errors import MalformedRequest, StoreError
from kubestray.model.metric import Kind
from kubestray.receive.catalog import Limits, series_cache
from kubestray.receive.otlp import Bounds, OtlpCache
from kubestray.receive.otlp import decode_protobuf as decode_otlp
from kubestray.receive.signalfx import decode_json, decode_protobuf
from signalfx_messages import COUNTER, CUMULATIVE_COUNTER, ENUM, GAUGE, data_point, upload

NOW_MS = 1_763_800_000_123
EVERYTHING = Bounds.everything()
PROTOBUF, JSON = "application/x-protobuf", "application/json"
OTLP = "application/x-protobuf;format=otlp"
GOOD = {
    PROTOBUF: upload(data_point("up", 1.0, NOW_MS, pod="a")),
    JSON: b'{"gauge":[{"metric":"up","value":1.0,"timestamp":1763800000123,"dimensions":{"pod":"a"}}]}',
    OTLP: request_of(gauge("up", 1.0, time=NOW_MS * 10**6, pod="a")).SerializeToString(),
}

every_form = pytest.mark.parametrize("media_type", GOOD, ids=["protobuf", "json", "otlp"])


def decoded(body: bytes, decode=decode_protobuf, known=None, **limits):
    return decode(body, EVERYTHING, Limits(**limits), series_cache() if known is None else known)


def test_the_same_traffic_gives_the_same_points_in_each_form():
    """And as through OTLP; one cache for all of them."""
    cache = OtlpCache()
    for _ in range(2):
        found = [
            rows(decoded(GOOD[PROTOBUF], decode_protobuf, cache.series).batch),
            rows(decoded(GOOD[JSON], decode_json, cache.series).batch),
            rows(decode_otlp(GOOD[OTLP], EVERYTHING, Limits(), cache).batch),
        ]
        assert len(found[0]) == 1
        assert found[0] == found[1] == found[2]


KINDS = {"gauge": GAUGE, "counter": COUNTER, "enum": ENUM, "cumulative_counter": CUMULATIVE_COUNTER}
STORED = {GAUGE: Kind.GAUGE, COUNTER: Kind.DELTA, ENUM: Kind.GAUGE, CUMULATIVE_COUNTER: Kind.CUMULATIVE}

times = st.integers(1, 2**44) | st.sampled_from([NOW_MS, -1, 2**62])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
names = st.sampled_from(["up", "cpu.load", ""]) | texts
values = st.integers(-(2**63), 2**63 - 1) | st.floats() | st.just("text") | st.none()
dimensions = st.dictionaries(texts.filter(lambda x: x not in ("kind", "source", "metric")), texts, max_size=3)
many_points = st.lists(st.tuples(st.sampled_from(list(KINDS)), names, values, times, dimensions), max_size=5)


def expected(many) -> tuple[list[tuple], int, int]:
    points, silent, rejected = [], 0, 0
    for kind, name, value, ms, attributes in many:
        if value is None:
            silent += 1
        elif isinstance(value, str) or not name or not 0 <= ms * 10**6 < 2**64 or not math.isfinite(value):
            rejected += 1
        else:
            points.append(
                (name, STORED[KINDS[kind]], dict(sorted(attributes.items())), ms * 10**6, float(value))
            )
    return sorted(points, key=repr), silent, rejected


def stored(found) -> list[tuple]:
    points = [
        (series.metric, series.kind, dict(series.attributes), at, value)
        for series, at, _, value in rows(found.batch)
    ]
    return sorted(points, key=repr)


@given(many_points)
def test_what_is_encoded_is_decoded(many):
    known = series_cache()
    body = upload(*(data_point(n, v, ms, KINDS[kind], **ds) for kind, n, v, ms, ds in many))
    for _ in range(2):
        found = decoded(body, known=known)
        assert (stored(found), found.no_value, found.rejected.total()) == expected(many)


@given(many_points)
def test_json_is_decoded(many):
    many = [each for each in many if not isinstance(each[2], float) or math.isfinite(each[2])]
    listed: dict[str, list] = {kind: [] for kind in KINDS}
    for kind, name, value, ms, attributes in many:
        listed[kind].append({"metric": name, "value": value, "timestamp": ms, "dimensions": attributes})
    known = series_cache()
    for _ in range(2):
        found = decoded(json.dumps(listed).encode(), decode_json, known)
        assert (stored(found), found.no_value, found.rejected.total()) == expected(many)


@given(st.binary(max_size=60), st.integers(0, 60))
def test_any_bytes_are_read_or_refused(tail, cut):
    for body in (tail, GOOD[PROTOBUF][:cut] + tail, upload(tail), GOOD[JSON][:cut] + tail):
        for decode in (decode_protobuf, decode_json):
            with suppress(MalformedRequest):
                decoded(body, decode)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["metric", "value", "timestamp", "dimensions"]), anything))
def test_any_json_is_read_or_refused(point):
    for body in (point, [point], {"gauge": point}, {"gauge": [point]}):
        with suppress(MalformedRequest):
            decoded(json.dumps(body).encode(), decode_json)


def test_a_point_without_a_time_is_from_now():
    before = time.time_ns()
    for body, decode in (
        (upload(data_point("a", 1.0)), decode_protobuf),
        (b'{"counter":[{"metric":"a","value":1}]}', decode_json),
    ):
        [at] = decoded(body, decode).batch.time.tolist()
        assert before - 10**6 <= at <= time.time_ns()


def test_a_source_is_an_attribute():
    [row] = rows(decoded(upload(data_point("a", 1, NOW_MS, source="web", pod="p"))).batch)
    assert row[0].attributes == (("pod", "p"), ("sf_source", "web"))


def test_limits_of_number():
    listed = b'{"gauge":[' + b",".join([b'{"metric":"a","value":1}'] * 3) + b"]}"
    for body, decode in ((upload(*[data_point("a", 1)] * 3), decode_protobuf), (listed, decode_json)):
        assert decoded(body, decode, max_data_points=3).data_points == 3
        with pytest.raises(MalformedRequest, match="more than 2"):
            decoded(body, decode, max_data_points=2)


# --- how it is answered -----------------------------------------------------------------------------


def post(receivers, body, media_type: str = PROTOBUF, path: str = "/v2/datapoint", **headers: str) -> Answer:
    return send(receivers, path, body, Content_Type=media_type, **headers)


def assert_still_serving(receivers) -> None:
    before = len(receivers.store.values)
    assert post(receivers, GOOD[PROTOBUF]).status == 200
    assert receivers.store.values[before:] == [1.0]


@every_form
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_stored(receivers, media_type, encoding):
    body = gzip.compress(GOOD[media_type]) if encoding else GOOD[media_type]
    answer = post(receivers, body, media_type, Content_Encoding=encoding)
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b'"OK"', JSON)
    assert receivers.store.values == [1.0]


def test_otlp_on_a_path_of_its_own(receivers):
    """The answer must not look like one of OTLP in JSON, which an OTLP exporter would try to read."""
    in_json = MessageToJson(request_of(gauge("up", 2.0, time=NOW_MS * 10**6))).encode()
    for body, media_type in ((GOOD[OTLP], PROTOBUF), (GOOD[OTLP], OTLP), (in_json, JSON)):
        answer = post(receivers, body, media_type, "/v2/datapoint/otlp")
        assert (answer.status, answer.body) == (200, b'"OK"')
        assert answer.headers["content-type"].startswith("text/plain")
    assert receivers.store.values == [1.0, 1.0, 2.0]


def test_rejected_points_are_counted(receivers):
    body = upload(data_point("", 1.0), data_point("a", "text"), data_point("b", math.nan), data_point("c", 3))
    answer = post(receivers, body)
    assert (answer.status, answer.body, receivers.store.values) == (200, b'"OK"', [3.0])
    seen = receivers.intake.tally.seen
    assert seen.rejected == {"no_metric_name": 1, "not_a_number": 1, "not_finite": 1}
    assert seen.data_points == 1


MALFORMED = {
    "text": (b"text", PROTOBUF),
    "cut": (GOOD[PROTOBUF][:-1], PROTOBUF),
    "no utf-8": (GOOD[PROTOBUF].replace(b"pod", b"\xff\xff\xff"), PROTOBUF),
    "empty json": (b"", JSON),
    "array": (b"[]", JSON),
    "unknown type": (b'{"guage":[]}', JSON),
    "no list": (b'{"gauge":{}}', JSON),
    "no point": (b'{"gauge":[1]}', JSON),
    "otlp": (b"text", OTLP),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed(receivers, case):
    body, media_type = MALFORMED[case]
    answer = post(receivers, body, media_type)
    assert (answer.status, answer.headers["content-type"]) == (400, JSON)
    assert json.loads(answer.body)
    assert receivers.intake.tally.seen.malformed == 1
    assert_still_serving(receivers)


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-protobuf2"])
def test_other_types(receivers, media_type):
    assert post(receivers, GOOD[PROTOBUF], media_type).status == 415


@every_form
def test_too_large_is_final(receivers_with, media_type):
    """413 would make an exporter send it again."""
    receivers = receivers_with(max_bytes=10_000)
    for body, encoding in ((bytes(20_000), ""), (gzip_of_zeros(1 << 24), "gzip")):
        answer = post(receivers, body, media_type, Content_Encoding=encoding)
        assert (answer.status, "10000 bytes" in json.loads(answer.body)) == (400, True)
    assert_still_serving(receivers)


@every_form
def test_without_room_and_without_a_store(receivers_with, media_type):
    receivers = receivers_with(commit={"max_points": 1})
    with receivers.store.busy(lambda: post(receivers, GOOD[PROTOBUF])):
        answer = post(receivers, GOOD[media_type], media_type)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    receivers.store.failure = StoreError("disk full")
    answer = post(receivers, GOOD[media_type], media_type)
    assert (answer.status, b"disk" in answer.body) == (503, False)


BESIDE = {
    ("POST", "/v2/event"): b'"OK"',
    ("POST", "/v3/event"): b'"OK"',
    ("PATCH", "/v2/dimension/host.name/node%2F1/_/sfxagent"): b'"OK"',
    ("POST", "/v1/opamp"): b"",
    ("GET", "/v1/opamp"): b"",
}


@pytest.mark.parametrize(("method", "path"), BESIDE)
def test_what_is_answered_and_forgotten(receivers, method, path):
    answer = send(receivers, path, b"anything" * 1000, method=method)
    assert (answer.status, answer.body) == (200, BESIDE[method, path])
    assert receivers.store.values == []


def test_a_token(receivers_with):
    receivers = receivers_with(authorise=lambda token: token == "right")
    for headers in ({}, {"X_SF_Token": "wrong"}, {"Authorization": "Bearer wrong"}):
        answer = post(receivers, GOOD[PROTOBUF], **headers)
        assert (answer.status, "X-SF-Token" in json.loads(answer.body)) == (401, True)
        assert [send(receivers, path, method=m, **headers).status for m, path in BESIDE] == [401] * len(
            BESIDE
        )
    assert post(receivers, GOOD[PROTOBUF], X_SF_Token="right").status == 200
    assert post(receivers, GOOD[PROTOBUF], Authorization="Bearer right").status == 200
    assert send(receivers, "/v2/event", X_SF_Token="right").status == 200


def test_zero_is_a_value():
    assert decoded(upload(data_point("a", 0, NOW_MS), data_point("b", 0.0, NOW_MS))).data_points == 2
