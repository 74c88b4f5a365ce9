"""Remote write 1.0 and 2.0: what a request holds, and how it is answered."""

from __future__ import annotations

import gzip
import math
from contextlib import suppress

import pytest
import zstandard
from http_client import Answer, send
from hypothesis import given
from hypothesis import strategies as st
from otlp_messages import gauge, request_of
from otlp_oracle import rows
from peak_memory import peak_growth

from kubestray.model.errors import MalformedRequest, StoreError
from kubestray.model.metric import Kind
from kubestray.receive.catalog import Limits
from kubestray.receive.otlp import Bounds, decode_protobuf
from kubestray.receive.remote_write import decode_v1, decode_v2
from kubestray.receive.remote_write_kinds import MetricType
from kubestray.receive.remote_write_samples import label_cache
from remote_write_messages import (
    STALE,
    Request2,
    double,
    field,
    histogram,
    labels_of,
    request,
    sample,
    series,
    snappy,
    varint,
    whole,
)

NOW_MS = 1_763_800_000_123
EVERYTHING = Bounds.everything()
V1 = "application/x-protobuf;proto=prometheus.WriteRequest"
V2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
GOOD = request(series(labels_of("up", pod="a"), sample(NOW_MS, 1.0)))
GOOD2 = Request2().add(labels_of("up", pod="a"), sample(NOW_MS, 1.0)).bytes()

both = pytest.mark.parametrize(("media_type", "good"), [(V1, GOOD), (V2, GOOD2)], ids=["1.0", "2.0"])


def decoded(body: bytes, decode=decode_v1, bounds=EVERYTHING, cache=None, **limits):
    return decode(body, bounds, Limits(**limits), label_cache() if cache is None else cache)


def stored(written) -> list[tuple]:
    """What a batch holds: metric, kind, attributes, time in ms, start in ms, value."""
    batch = written.batch
    series = [batch.series[key] for key in batch.series_id.tolist()]
    numbers = zip(batch.time.tolist(), batch.start.tolist(), batch.value.tolist(), strict=True)
    assert set(batch.series) == set(batch.series_id.tolist())
    points = [
        (made.metric, made.kind, dict(made.attributes), time / 1e6, start / 1e6, value)
        for made, (time, start, value) in zip(series, numbers, strict=True)
    ]
    return sorted(points, key=repr)


# --- what a request holds ---------------------------------------------------------------------------

times = st.integers(-5, 5) | st.integers(0, 2**44) | st.sampled_from([NOW_MS, 2**35 - 1, 2**42, 2**63 - 1])
numbers = st.floats() | st.sampled_from([0.0, -0.0, 1.5, STALE])
names = st.sampled_from(["up", "http_requests_total", "näme", ""]) | st.text(max_size=4)
label_sets = st.dictionaries(
    st.text(max_size=3).filter(lambda x: x != "__name__"), st.text(max_size=3), max_size=3
)
many_series = st.lists(
    st.tuples(names, label_sets, st.lists(st.tuples(times, numbers), max_size=3)), max_size=4
)


def expected(many) -> tuple[list[tuple], int, int]:
    """The plain way: points, values that say nothing, rejected ones."""
    points, silent, rejected = [], 0, 0
    for name, labels, samples in many:
        kind = Kind.CUMULATIVE if name.endswith(("_total", "_bucket", "_count", "_sum")) else Kind.GAUGE
        for ms, value in samples:
            if not name or "" in labels:
                rejected += 1
            elif math.isnan(value):
                silent += 1
            elif ms < 0 or ms * 10**6 > 2**64 - 1 or math.isinf(value):
                rejected += 1
            else:
                kept = {key: text for key, text in sorted(labels.items()) if text}
                points.append((name, kind, kept, ms * 10**6 / 1e6, 0.0, value))
    return sorted(points, key=repr), silent, rejected


@given(many_series, st.integers(1, 3))
def test_what_is_encoded_is_decoded(many, times_sent):
    """In both versions, and the same again when all series are known."""
    v1 = request(
        *(series(labels_of(n, **ls), *(sample(*each) for each in samples)) for n, ls, samples in many)
    )
    v2 = Request2()
    for name, labels, samples in many:
        v2.add(labels_of(name, **labels), *(sample(*each) for each in samples))
    points, silent, rejected = expected(many)
    cache = label_cache()
    for _ in range(times_sent):
        for body, decode in ((v1, decode_v1), (v2.bytes(), decode_v2)):
            written = decoded(body, decode, cache=cache)
            assert stored(written) == points
            assert (written.no_value, written.rejected.total()) == (silent, rejected)
            assert written.samples == len(points) + silent


@given(
    st.binary(max_size=60)
    | st.builds(lambda head, tail: GOOD[:head] + tail, st.integers(0, 40), st.binary(max_size=9))
)
def test_any_bytes_are_read_or_refused(body):
    for decode in (decode_v1, decode_v2):
        for media in (body, field(1, body), field(5, body), field(4, "") + field(5, body)):
            with suppress(MalformedRequest):
                decoded(media, decode)


@given(st.data())
def test_a_flipped_byte_is_read_as_by_one_who_remembers_nothing(data):
    """The short way for series that are known must not take a broken message for one of them."""
    good = request(
        series(labels_of("up", pod="a"), sample(NOW_MS, 1.0)),
        series(labels_of("up", pod="b"), sample(NOW_MS, 0.0)),
    )
    cache = label_cache()
    decoded(good, cache=cache)
    body = bytearray(good)
    body[data.draw(st.integers(0, len(good) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        fresh = decoded(bytes(body))
    except MalformedRequest:
        with pytest.raises(MalformedRequest):
            decoded(bytes(body), cache=cache)
        return
    again = decoded(bytes(body), cache=cache)
    assert stored(again) == stored(fresh)
    assert (again.no_value, again.rejected) == (fresh.no_value, fresh.rejected)


def test_the_same_traffic_gives_the_same_points_as_otlp():
    times = [NOW_MS + 1000 * i for i in range(3)]
    otlp = request_of(
        *(gauge("a.b", 1.5, time=ms * 10**6, **{"k8s.pod.name": "web-1", "direction": "out"}) for ms in times)
    ).SerializeToString()
    labels = labels_of("a.b", **{"k8s.pod.name": "web-1", "direction": "out"})
    wanted = rows(decode_protobuf(otlp, EVERYTHING).batch)
    one = decoded(request(series(labels, *(sample(ms, 1.5) for ms in times))))
    two = Request2().add(labels, *(sample(ms, 1.5) for ms in times), unit="By")
    written = decoded(two.bytes(), decode_v2)
    assert rows(written.batch) == wanted
    assert one.batch.series.keys() == written.batch.series.keys()
    assert (one.batch.time.tolist(), one.batch.value.tolist()) == (
        written.batch.time.tolist(),
        written.batch.value.tolist(),
    )


@pytest.mark.parametrize(
    ("name", "types", "kind"),
    [
        ("process_cpu_seconds_total", {}, Kind.CUMULATIVE),
        ("latency_bucket", {}, Kind.CUMULATIVE),
        ("latency_count", {}, Kind.CUMULATIVE),
        ("latency_sum", {}, Kind.CUMULATIVE),
        ("memory_bytes", {}, Kind.GAUGE),
        ("queue_count", {"queue_count": MetricType.GAUGE}, Kind.GAUGE),
        ("errors", {"errors": MetricType.COUNTER}, Kind.CUMULATIVE),
        ("errors_total", {"errors": MetricType.COUNTER}, Kind.CUMULATIVE),
        ("errors_created", {"errors": MetricType.COUNTER}, Kind.GAUGE),
        ("latency", {"latency": MetricType.SUMMARY}, Kind.GAUGE),
        ("latency_count", {"latency": MetricType.SUMMARY}, Kind.CUMULATIVE),
        ("sizes_bucket", {"sizes": MetricType.GAUGE_HISTOGRAM}, Kind.GAUGE),
        ("odd_total", {"odd_total": 99}, Kind.CUMULATIVE),
    ],
)
def test_counters_and_gauges(name, types, kind):
    """The same by 1.0's list of metadata, where it comes with the samples, and by 2.0's in each series."""
    cache = label_cache()
    for given_types, wanted in ((types, kind), ({}, None), (types, kind)):
        body = request(series(labels_of(name), sample(NOW_MS, 1.0)), types=given_types)
        [point] = stored(decoded(body, cache=cache))
        assert wanted is None or point[1] is wanted
    two = Request2().add(labels_of(name), sample(NOW_MS, 1.0), kind=next(iter(types.values()), 0))
    assert stored(decoded(two.bytes(), decode_v2))[0][1] is kind


def test_the_type_of_another_metric_says_nothing():
    body = request(series(labels_of("load_sum"), sample(NOW_MS, 1.0)), types={"load": MetricType.GAUGE})
    assert stored(decoded(body))[0][1] is Kind.CUMULATIVE


def test_start_times_of_version_2():
    labels = labels_of("a_total")
    two = Request2().add(labels_of("b"), sample(NOW_MS, 9.0)).add(labels, sample(NOW_MS, 1.0), created=5000)
    two.add(labels, sample(NOW_MS + 1, 2.0, start=7000))
    later = histogram(NOW_MS, 4, 2.5) + whole(17, 8000)  # as since draft rc.4 of the specification
    two.add(labels_of("h"), histograms=[later]).add(
        labels_of("i"), histograms=[histogram(NOW_MS, 1, 1.0)], created=6000
    )
    found = [(point[0], point[4], point[5]) for point in stored(decoded(two.bytes(), decode_v2))]
    assert found[:3] == [("a_total", 5000, 1.0), ("a_total", 7000, 2.0), ("b", 0, 9.0)]
    assert [(name, start) for name, start, _ in found[3:]] == [
        *(("h.count", 8000), ("h.sum", 8000)),
        *(("i.count", 6000), ("i.sum", 6000)),
    ]


@pytest.mark.parametrize(("body", "decode"), [(GOOD2, decode_v1), (GOOD, decode_v2)])
def test_a_message_of_the_other_version_is_no_success(body, decode):
    with pytest.raises(MalformedRequest, match="another version"):
        decoded(body, decode)


@pytest.mark.parametrize("decode", [decode_v1, decode_v2])
def test_native_histograms_are_stored_as_those_of_otlp(decode):
    labels = labels_of("latency", pod="a")
    sent = [histogram(NOW_MS, 4, 2.5), histogram(NOW_MS + 1, 0, STALE), histogram(NOW_MS + 2, 3, 1.0, hint=3)]
    one = request(series(labels, histograms=sent))
    two = Request2().add(labels, histograms=sent, unit="s").bytes()
    cache = label_cache()
    for _ in range(2):
        written = decoded(one if decode is decode_v1 else two, decode, cache=cache)
        assert [(p[0], p[1], p[3] - NOW_MS, p[5]) for p in stored(written)] == [
            ("latency.count", Kind.CUMULATIVE, 0, 4.0),
            ("latency.count", Kind.GAUGE, 2, 3.0),
            ("latency.sum", Kind.CUMULATIVE, 0, 2.5),
            ("latency.sum", Kind.GAUGE, 2, 1.0),
        ]
        assert (written.data_points, written.no_value, written.histograms, written.samples) == (2, 1, 3, 0)


def test_a_histogram_is_stored_whole_or_not_at_all():
    sent = [histogram(NOW_MS, 1, math.inf), histogram(-5, 1, 1.0), histogram(2**62, 1, 1.0)]
    written = decoded(request(series(labels_of("h"), histograms=sent)))
    reasons = {"not_finite": 1, "older_than_retention": 1, "too_far_in_future": 1}
    assert (len(written.batch), written.rejected) == (0, reasons)


def test_bad_samples_are_rejected_alone():
    bounds = Bounds(NOW_MS * 10**6, NOW_MS * 10**6)
    body = request(
        series(labels_of("good"), sample(NOW_MS, 1.0), sample(NOW_MS - 1, 2.0), sample(NOW_MS + 1, 3.0)),
        series([("__name__", "twice"), ("a", "1"), ("a", "2")], sample(NOW_MS, 1.0), sample(NOW_MS, 2.0)),
        series(labels_of("", pod="nameless"), sample(NOW_MS, 1.0)),
        series(labels_of("infinite"), sample(NOW_MS, math.inf)),
        series(labels_of("n" * 2000), sample(NOW_MS, 1.0)),
        series([("", "a"), ("__name__", "unnamed")], sample(NOW_MS, 1.0)),
    )
    written = decoded(body, bounds=bounds)
    assert [point[0] for point in stored(written)] == ["good"]
    assert written.rejected == {
        "older_than_retention": 1,
        "too_far_in_future": 1,
        "repeated_attribute": 2,
        "no_metric_name": 1,
        "not_finite": 1,
        "metric_name_too_long": 1,
        "no_attribute_name": 1,
    }


@pytest.mark.parametrize(
    ("count", "above", "kept"),
    [(6, [1, 3, 2], 1), (0, [], 1), (7, [1, 3, 2], 0), (1, [], 0), (1, [2, -1], 0)],
)
def test_a_histogram_counts_what_its_buckets_hold(count, above, kept):
    sent = [histogram(NOW_MS, count, 1.0, above=above)]
    for body, decode in (
        (request(series(labels_of("h"), histograms=sent)), decode_v1),
        (Request2().add(labels_of("h"), histograms=sent).bytes(), decode_v2),
    ):
        written = decoded(body, decode)
        assert (written.histograms, written.rejected.total()) == (kept, 1 - kept)
        assert [p[5] for p in stored(written)] == [float(count), 1.0] * kept


def test_a_histogram_counts_zeros_and_what_is_below_too():
    """3 in the bucket of zero, 2 and 1 below, 4 above; one of fractions says what it counted."""
    parts = (
        whole(6, 3)
        + field(9, varint(4) + varint(1))
        + field(12, varint(8))
        + double(3, 1.0)
        + whole(15, NOW_MS)
    )
    for count, stored_count in ((whole(1, 10), [10.0, 1.0]), (whole(1, 9), []), (double(2, 9.5), [9.5, 1.0])):
        written = decoded(request(series(labels_of("h"), histograms=[count + parts])))
        assert [p[5] for p in stored(written)] == stored_count


@pytest.mark.parametrize(
    "body",
    [
        Request2().bytes() + field(5, field(1, varint(0) + varint(9))),
        field(4, "") + field(5, field(1, varint(0))),
        field(4, "not empty") + field(5, b""),
        field(5, b""),
        field(4, "") + field(5, field(5, b"\x20\x09")),
        field(4, "") + field(5, field(5, b"\x18\x09")),
        field(4, "") + field(5, field(4, field(1, varint(0) + varint(9)))),
        field(4, "") + field(5, field(4, field(1, varint(0)))),
        GOOD2[:-1],
    ],
    ids=[
        *("reference", "odd", "first symbol", "no symbols", "unit", "help", "reference of an exemplar"),
        *("odd exemplar", "cut"),
    ],
)
def test_malformed_version_2(body):
    with pytest.raises(MalformedRequest, match=r"remote write 2\.0"):
        decoded(body, decode_v2)


def test_limits_of_number():
    many = request(*(series(labels_of("a"), sample(NOW_MS, 1.0)) for _ in range(3)))
    long = request(series(labels_of("a"), *(sample(NOW_MS + i, 1.0) for i in range(3))))
    tall = request(series(labels_of("a"), histograms=[histogram(NOW_MS, 1, 1.0)] * 3))
    for body in (many, long, tall):
        assert len(decoded(body, max_data_points=3).batch) >= 3
        with pytest.raises(MalformedRequest, match="more than 2"):
            decoded(body, max_data_points=2)


# --- how it is answered -----------------------------------------------------------------------------


def post(receivers, body: bytes, media_type: str = V1, encoding: str = "snappy", **headers: str) -> Answer:
    headers = {"Content_Type": media_type, "Content_Encoding": encoding, **headers}
    return send(receivers, "/api/v1/write", body, **headers)


def written_headers(answer: Answer) -> list[str | None]:
    named = (f"x-prometheus-remote-write-{what}-written" for what in ("samples", "histograms", "exemplars"))
    return [answer.headers.get(name) for name in named]


def assert_still_serving(receivers) -> None:
    before = len(receivers.store.values)
    assert post(receivers, snappy(GOOD)).status == 204
    assert receivers.store.values[before:] == [1.0]


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/x-protobuf", GOOD),
        ("Application/X-Protobuf; charset=utf-8", GOOD),
        (V1, GOOD),
        (V2, GOOD2),
        ('application/x-protobuf; proto="io.prometheus.write.v2.Request"', GOOD2),
    ],
)
def test_content_negotiation(receivers, media_type, body):
    answer = post(receivers, snappy(body), media_type)
    assert (answer.status, answer.body) == (204, b"")
    assert written_headers(answer) == (["1", "0", "1"] if body is GOOD2 else [None] * 3)
    assert receivers.store.values == [1.0]


@pytest.mark.parametrize(
    "media_type", ["", "text/plain", "application/json", V1 + "x", V2.replace("v2", "v3")]
)
def test_other_types(receivers, media_type):
    answer = post(receivers, snappy(GOOD), media_type)
    assert (answer.status, "prometheus.WriteRequest" in answer.body.decode()) == (415, True)


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("", snappy), ("SNAPPY", snappy), ("zstd", zstandard.compress)],
)
def test_compressions(receivers, encoding, compress):
    assert post(receivers, compress(GOOD), encoding=encoding).status == 204
    assert receivers.store.values == [1.0]


@both
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity"])
def test_another_compression(receivers, encoding, media_type, good):
    """415, whatever the body is: a sender may come again with the one that the specification names."""
    for body in (gzip.compress(good), snappy(good), good):
        answer = post(receivers, body, media_type, encoding)
        assert (answer.status, b"expected snappy" in answer.body) == (415, True)
    assert_still_serving(receivers)


def test_exemplars_of_what_is_stored_are_written(receivers):
    """A success that counts none would say that they were lost."""
    traced = [("trace_id", "abc"), ("span_id", "def")]
    two = Request2().add(labels_of("a"), sample(NOW_MS, 1.0), exemplar=traced)
    two.add(labels_of("a"), exemplar=traced).add(labels_of("h"), histograms=[histogram(NOW_MS, 2, 1.0)])
    answer = post(receivers, snappy(two.bytes()), V2)
    assert (answer.status, written_headers(answer)) == (204, ["1", "1", "3"])
    two.add(labels_of("", pod="nameless"), sample(NOW_MS, 1.0), exemplar=traced)
    answer = post(receivers, snappy(two.bytes()), V2)
    assert (answer.status, written_headers(answer)) == (400, ["1", "1", "3"])


@both
def test_malformed(receivers, media_type, good):
    for body in (b"", b"text", snappy(good)[:-1], snappy(good[:-1]), snappy(good) + b"x", b"\xff" * 9, good):
        answer = post(receivers, body, media_type)
        assert answer.status == 400, body
        assert answer.body
        assert written_headers(answer) == (["0"] * 3 if media_type == V2 else [None] * 3)
    assert receivers.intake.tally.seen.malformed == 7
    assert_still_serving(receivers)


def test_a_partial_write_is_no_success(receivers_with):
    """What is good is stored; the headers of 2.0 say how much that was."""
    receivers = receivers_with(bounds=lambda: Bounds(NOW_MS * 10**6, 2**63))
    answer = post(receivers, snappy(request(series(labels_of("a"), sample(1, 1.0), sample(NOW_MS, 2.0)))))
    assert (answer.status, answer.body) == (400, b"1 data points rejected: older_than_retention 1")
    two = Request2().add(labels_of("a"), sample(1, 1.0), sample(NOW_MS, 3.0), sample(NOW_MS, STALE))
    two.add(labels_of("h"), histograms=[histogram(1, 1, 1.0), histogram(NOW_MS, 4, 5.0)])
    answer = post(receivers, snappy(two.bytes()), V2)
    assert (answer.status, written_headers(answer)) == (400, ["2", "1", "2"])
    assert sorted(receivers.store.values) == [2.0, 3.0, 4.0, 5.0]
    assert receivers.intake.tally.seen.rejected == {"older_than_retention": 3}


@both
def test_too_large(receivers_with, media_type, good):
    receivers = receivers_with(max_bytes=1000)
    with peak_growth() as peak:
        bombs = [snappy(bytes(2000)), varint(2**32 - 1) + bytes(50), bytes(2000)]
        answers = [post(receivers, bomb, media_type).status for bomb in bombs]
    assert (answers, peak.mebibytes < 50) == ([413, 413, 413], True)
    assert_still_serving(receivers)


@both
def test_without_room_and_without_a_store(receivers_with, media_type, good):
    receivers = receivers_with(commit={"max_points": 1})
    with receivers.store.busy(lambda: post(receivers, snappy(GOOD))):
        answer = post(receivers, snappy(good), media_type)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    receivers.store.failure = StoreError("disk full")
    answer = post(receivers, snappy(good), media_type)
    assert (answer.status, b"disk" in answer.body) == (503, False)
    receivers.store.failure = None
    assert_still_serving(receivers)


@both
def test_a_token(receivers_with, media_type, good):
    receivers = receivers_with(authorise=lambda token: token == "right")
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic right"}):
        answer = post(receivers, snappy(good), media_type, **headers)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert post(receivers, snappy(good), media_type, Authorization="Bearer right").status == 204


def test_other_methods(receivers):
    assert send(receivers, "/api/v1/write", method="GET").status == 405
