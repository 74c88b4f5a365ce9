"""Splunk's HTTP Event Collector: what an event holds, and how a request is answered."""

from __future__ import annotations

import base64
import gzip
import json
import time
from contextlib import suppress
from pathlib import Path

import pytest
from http_client import Answer, send
from hypothesis import given
from hypothesis import strategies as st
from otlp_messages import gauge, request_of
from otlp_oracle import rows
from peak_memory import gzip_of_zeros

from helpers import more
from kubestray.model.errors import MalformedRequest, StoreError
from kubestray.model.metric import Kind
from kubestray.receive.catalog import Limits, series_cache
from kubestray.receive.hec import InvalidEvent, decode
from kubestray.receive.otlp import Bounds, decode_protobuf

NOW = 1_763_800_000.123
NOW_NS = 1_763_800_000_123 * 10**6
EVERYTHING = Bounds.everything()
CHANNEL = "FE0ECFAD-13D5-401B-847D-77833BD77131"


def event(fields, at=NOW, **more) -> bytes:
    return json.dumps({"time": at, "event": "metric", "fields": fields, **more}).encode()


GOOD = event({"metric_name:up": 1.0, "pod": "a"})


def decoded(body: bytes, known=None, **limits):
    return decode(body, EVERYTHING, Limits(**limits), series_cache() if known is None else known)


def stored(found) -> list[tuple]:
    points = [(s.metric, s.kind, dict(s.attributes), at, value) for s, at, _, value in rows(found.batch)]
    return sorted(points, key=repr)


# --- what a request holds ---------------------------------------------------------------------------


def test_several_metrics_in_one_event():
    body = event({"metric_name:a": 1, "metric_name:b": 2.5, "pod": "p", "n": 7, "ok": True}, host="node-1")
    attributes = {"pod": "p", "n": "7", "ok": "true", "host.name": "node-1"}
    assert stored(decoded(body)) == [
        ("a", Kind.GAUGE, attributes, NOW_NS, 1.0),
        ("b", Kind.GAUGE, attributes, NOW_NS, 2.5),
    ]


def test_the_older_form():
    body = event({"metric_name": "a", "_value": "4.5", "pod": "p"})
    assert stored(decoded(body)) == [("a", Kind.GAUGE, {"pod": "p"}, NOW_NS, 4.5)]


def test_metadata():
    more = {"host": "unknown", "source": "s", "sourcetype": "st", "index": "i"}
    [point] = stored(decoded(event({"metric_name:a": 1}, **more)))
    named = {"com.splunk.source": "s", "com.splunk.sourcetype": "st", "com.splunk.index": "i"}
    assert point[2] == named
    [point] = stored(decoded(event({"metric_name:a": 1, "host.name": "true"}, host="pod")))
    assert point[2] == {"host.name": "true"}


@pytest.mark.parametrize("between", [b"", b"\n", b"\r\n\r\n", b" \t"])
def test_events_follow_each_other(between):
    body = between.join([b"", *(event({"metric_name:a": i}) for i in range(4)), b""])
    assert sorted(decoded(body).batch.value.tolist()) == [0, 1, 2, 3]


TRICKY = ["}{", '}{"', '}{"time"', "}\n{", '\\}{"a', '"}{"b":1}{"c"', "[", ","]


@pytest.mark.parametrize("text", [*TRICKY[::2], *map(more, TRICKY[1::2])])
def test_texts_that_look_like_the_end_of_an_event(text):
    """Read at once and read one by one (which a large request is) give the same."""
    events = [
        event({"metric_name:a": 1, "first": text, text: "x"}),
        event({"metric_name:b": 2, "first": text}),
    ]
    for body in (b"".join(events), b"\n".join(events), b"".join(events) + b" " * (4 << 20)):
        found = [(name, attributes) for name, _, attributes, *_ in stored(decoded(body))]
        assert found == [("a", {"first": text, text: "x"}), ("b", {"first": text})]


@pytest.mark.parametrize(
    ("name", "metric_type", "kind"),
    [
        ("k8s.pod.network.io", "Sum", Kind.CUMULATIVE),
        ("process.cpu.time", "Sum", Kind.CUMULATIVE),
        ("process.cpu.time", None, Kind.CUMULATIVE),
        ("process.threads", "Sum", Kind.GAUGE),
        ("process.memory.usage", "Sum", Kind.GAUGE),
        ("tcp.bytes", "Sum", Kind.DELTA),
        ("tcp.bytes", "Gauge", Kind.GAUGE),
        ("http_requests_total", None, Kind.CUMULATIVE),
        ("latency_bucket", "Histogram", Kind.CUMULATIVE),
        ("x_total", "Gauge", Kind.GAUGE),
    ],
)
def test_counters_and_gauges(name, metric_type, kind):
    """The value is stored as it comes, and the type is no attribute."""
    typed = {} if metric_type is None else {"metric_type": metric_type}
    assert stored(decoded(event({f"metric_name:{name}": 99, **typed}))) == [(name, kind, {}, NOW_NS, 99.0)]


def test_the_same_traffic_gives_the_same_points_as_otlp():
    otlp = request_of(gauge("a.b", 1.5, time=NOW_NS, pod="p"), **{"host.name": "node-1"})
    body = event({"metric_name:a.b": 1.5, "pod": "p", "metric_type": "Gauge"}, host="node-1")
    known = series_cache()
    for _ in range(2):
        assert rows(decoded(body, known).batch) == rows(
            decode_protobuf(otlp.SerializeToString(), EVERYTHING).batch
        )


def test_a_recorded_event():
    path = Path(__file__).resolve().parents[3] / "shared" / "golden"
    found = sorted(path.glob("*hec_metric_event.json"))
    if not found:
        pytest.skip("no recorded event beside this checkout (../shared/golden)")
    [point] = stored(decoded(found[0].read_bytes()))
    attributes = {"k/n1": "vn1", "k/r0": "vr0", "k/r1": "vr1", "k0": "v0", "k1": "v1", "k/n0": "vn0"}
    assert (*point[:3], point[4]) == ("gauge_double_with_dims_0", Kind.GAUGE, attributes, 1234.5678)


@pytest.mark.parametrize(
    ("at", "wanted"),
    [
        (NOW, NOW_NS),
        (str(NOW), NOW_NS),
        (1_763_800_000, NOW_NS - 123 * 10**6),
        ("1763800000.123456", NOW_NS + 456_000),
    ],
)
def test_times(at, wanted):
    assert decoded(event({"metric_name:a": 1}, at)).batch.time.tolist() == [wanted]


@pytest.mark.parametrize("at", [None, ""])
def test_an_event_without_a_time_is_from_now(at):
    before = time.time_ns()
    [found] = decoded(event({"metric_name:a": 1}, at)).batch.time.tolist()
    assert before - 10**6 <= found <= time.time_ns()


def test_bad_values_are_rejected_alone():
    """The exporter writes what is not finite as text."""
    values = {
        "a": "NaN",
        "b": "+Inf",
        "c": "-Inf",
        "d": "text",
        "e": True,
        "f": None,
        "g": [],
        "h": "7",
        "": 1,
    }
    found = decoded(event({f"metric_name:{name}": value for name, value in values.items()}))
    assert [point[0] for point in stored(found)] == ["h"]
    assert found.rejected == {"not_finite": 3, "not_a_number": 3, "no_metric_name": 1}
    assert (found.data_points, found.no_value) == (1, 1)
    for at, reason in ((-1, "older_than_retention"), (1e300, "too_far_in_future")):
        assert decoded(event({"metric_name:a": 1}, at)).rejected == {reason: 1}


def test_events_that_are_no_metrics_are_rejected_alone():
    other = b'{"event": "a line of a log"}'
    found = decoded(other + GOOD + b'{"event": {"an": "object"}}')
    assert (found.data_points, found.rejected) == (1, {"not_a_metric": 2})
    with pytest.raises(InvalidEvent) as caught:
        decoded(other + other)
    assert caught.value.code == 6


INVALID = {
    "nothing": (b"", 5, None),
    "blanks": (b" \r\n", 5, None),
    "no JSON": (b"text", 6, 0),
    "no UTF-8": (b"\xff", 6, None),
    "array": (b"[" + GOOD + b"]", 6, 0),
    "commas": (GOOD + b"," + GOOD, 6, 1),
    "cut": (GOOD + GOOD[:-1], 6, 1),
    "deep": (b"[" * 100_000, 6, 0),
    "no event": (GOOD + b'{"fields": {}}', 12, 1),
    "null event": (b'{"event": null}', 12, 0),
    "blank event": (GOOD + GOOD + b'{"event": ""}', 13, 2),
    "no fields": (b'{"event": "metric"}', 6, 0),
    "no metric": (event({"pod": "a"}), 6, 0),
    "nested": (GOOD + event({"metric_name:a": 1, "pod": {"name": "a"}}), 15, 1),
    "nested array": (event({"metric_name:a": 1, "pod": [["a"]]}), 15, 0),
    "nested host": (event({"metric_name:a": 1}, host={"name": "a"}), 15, 0),
    "time": (event({"metric_name:a": 1}, "today"), 6, 0),
    "surrogate": (b'{"event": "metric", "fields": {"metric_name:a": 1, "pod": "\\ud800"}}', 6, 0),
    "surrogate in a name": (b'{"event": "metric", "fields": {"metric_name:\\ud800": 1}}', 6, 0),
    "huge": (b'{"event": "metric", "fields": {"metric_name:a": ' + b"9" * 10_000 + b"}}", 6, 0),
}


@pytest.mark.parametrize("case", INVALID)
def test_invalid_requests(receivers, case):
    body, code, number = INVALID[case]
    answer = post(receivers, body)
    told = json.loads(answer.body)
    assert (answer.status, told["code"], told.get("invalid-event-number")) == (400, code, number)
    assert (receivers.store.values, receivers.intake.tally.seen.malformed) == ([], 1)
    assert_still_serving(receivers)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
names = st.sampled_from(["cpu.load", "k8s.pod.network.io"]) | texts.filter(bool)
values = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60)
plain = texts.filter(lambda x: not x.startswith("metric_name") and x not in ("_value", "metric_type"))
events = st.tuples(
    st.dictionaries(names, values, min_size=1, max_size=3),
    st.dictionaries(plain, texts, max_size=3),
    st.integers(1, 2**42),
)


@given(st.lists(events, min_size=1, max_size=4))
def test_what_is_encoded_is_decoded(many):
    body = b"".join(
        event({**{f"metric_name:{name}": value for name, value in metrics.items()}, **attributes}, ms / 1000)
        for metrics, attributes, ms in many
    )
    wanted = [
        (
            name,
            Kind.CUMULATIVE if name == "k8s.pod.network.io" else Kind.GAUGE,
            dict(sorted(attributes.items())),
            ms * 10**6,
            float(value),
        )
        for metrics, attributes, ms in many
        for name, value in metrics.items()
    ]
    known = series_cache()
    for _ in range(2):
        assert stored(decoded(body, known)) == sorted(wanted, key=repr)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just("metric"),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["metric_name:a", "metric_name", "_value", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(["event", "fields", "time", "host", "index"]), anything), st.booleans()
)
def test_any_json_is_read_or_refused(found, is_metric):
    body = json.dumps(found | {"event": "metric"} if is_metric else found).encode()
    with suppress(MalformedRequest):
        decoded(body)


@given(st.binary(max_size=50), st.integers(0, 90))
def test_any_bytes_are_read_or_refused(tail, cut):
    for body in (tail, GOOD[:cut] + tail, GOOD + tail):
        with suppress(MalformedRequest):
            decoded(body)


def test_limits_of_number():
    assert decoded(GOOD * 3, max_data_points=3).data_points == 3
    for body in (GOOD * 3, GOOD + b'{"event": "x"}' * 2):
        with pytest.raises(MalformedRequest, match="more than 2"):
            decoded(body, max_data_points=2)


# --- how it is answered -----------------------------------------------------------------------------


def post(receivers, body=GOOD, path: str = "/services/collector", **headers: str) -> Answer:
    return send(receivers, path, body, **headers)


def told(answer: Answer) -> tuple[int, dict]:
    assert answer.headers["content-type"] == "application/json"
    return answer.status, json.loads(answer.body)


def assert_still_serving(receivers) -> None:
    before = len(receivers.store.values)
    assert post(receivers).status == 200
    assert receivers.store.values[before:] == [1.0]


@pytest.mark.parametrize("path", ["", "/event", "/event/1.0"])
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_stored(receivers, path, encoding):
    body = gzip.compress(GOOD) if encoding else GOOD
    answer = post(receivers, body, "/services/collector" + path, Content_Encoding=encoding)
    assert told(answer) == (200, {"text": "Success", "code": 0})
    assert receivers.store.values == [1.0]


@pytest.mark.parametrize("path", ["/raw", "/raw/1.0"])
def test_raw_text_is_turned_away_for_good(receivers, path):
    status, answer = told(post(receivers, b"cpu 0.5", "/services/collector" + path))
    assert (status, answer["code"], receivers.store.values) == (400, 6, [])


@pytest.mark.parametrize("path", ["/health", "/health/1.0"])
def test_health(receivers, path):
    answer = send(receivers, "/services/collector" + path, method="GET")
    assert told(answer) == (200, {"text": "HEC is healthy", "code": 17})


def acks(receivers, body: bytes, channel: str = CHANNEL) -> Answer:
    return post(receivers, body, f"/services/collector/ack?channel={channel}")


def test_acknowledgements(receivers):
    """What was answered with success is stored, and so acknowledged at once."""
    headers = {"X_Splunk_Request_Channel": CHANNEL}
    assert [told(post(receivers, **headers))[1] for _ in range(2)] == [
        {"text": "Success", "code": 0, "ackId": 0},
        {"text": "Success", "code": 0, "ackId": 1},
    ]
    assert told(post(receivers, path=f"/services/collector?channel={CHANNEL.lower()}"))[1]["ackId"] == 2
    receivers.store.failure = StoreError("disk full")
    assert "ackId" not in told(post(receivers, **headers))[1]
    answer = acks(receivers, b'{"acks": [0, 2, 3, -1]}')
    assert told(answer) == (200, {"acks": {"0": True, "2": True, "3": False, "-1": False}})
    other = "00000000-0000-0000-0000-000000000000"
    assert told(acks(receivers, b'{"acks": [0]}', other)) == (200, {"acks": {"0": False}})


def test_channels_that_are_missing_or_none(receivers):
    missing, invalid = "Data channel is missing", "Invalid data channel"
    assert told(acks(receivers, b'{"acks": [0]}', "")) == (400, {"text": missing, "code": 10})
    assert told(acks(receivers, b'{"acks": [0]}', "mine")) == (400, {"text": invalid, "code": 11})
    answer = post(receivers, X_Splunk_Request_Channel="mine")
    assert told(answer) == (400, {"text": invalid, "code": 11})
    assert receivers.store.values == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"acks": 1}', b'{"acks": ["0"]}', b'{"acks": [true]}'])
def test_questions_about_acknowledgements_that_are_none(receivers, body):
    assert told(acks(receivers, body)) == (400, {"text": "Invalid data format", "code": 6})


def test_a_token(receivers_with):
    receivers = receivers_with(authorise=lambda token: token == "right")
    refusals = {
        "": (401, {"text": "Token is required", "code": 2}),
        "Basic right": (401, {"text": "Invalid authorization", "code": 3}),
        "Splunk": (401, {"text": "Invalid authorization", "code": 3}),
        "Splunk wrong": (403, {"text": "Invalid token", "code": 4}),
        f"Basic {base64.b64encode(b'x:wrong').decode()}": (403, {"text": "Invalid token", "code": 4}),
    }
    for header, wanted in refusals.items():
        headers = {"Authorization": header} if header else {}
        for path in ("/services/collector", f"/services/collector/ack?channel={CHANNEL}"):
            assert told(post(receivers, GOOD, path, **headers)) == wanted
    in_address = {
        "token=right": (400, {"text": "Query string authorization is not enabled", "code": 16}),
        "token=wrong": (403, {"text": "Invalid token", "code": 4}),
        "token=": (401, {"text": "Token is required", "code": 2}),
    }
    for query, wanted in in_address.items():
        address = f"/services/collector?{query}"
        assert told(post(receivers, GOOD, address)) == wanted
        assert told(post(receivers, GOOD, address, Authorization="Splunk wrong")) == refusals["Splunk wrong"]
    assert receivers.store.values == []
    basic = f"Basic {base64.b64encode(b'x:right').decode()}"
    for header in ("Splunk right", "splunk right", "Bearer right", basic):
        assert post(receivers, Authorization=header).status == 200
    assert send(receivers, "/services/collector/health", method="GET").status == 200


def test_too_large_is_final(receivers_with):
    """413 would make an exporter send it again."""
    receivers = receivers_with(max_bytes=10_000)
    for body, encoding in ((b" " * 20_000, ""), (gzip_of_zeros(1 << 24), "gzip")):
        status, said = told(post(receivers, body, Content_Encoding=encoding))
        assert (status, said["code"], "10000 bytes" in said["detail"]) == (400, 6, True)
    assert_still_serving(receivers)


def test_another_compression(receivers):
    status, said = told(post(receivers, Content_Encoding="br"))
    assert (status, said["code"], "br" in said["detail"]) == (415, 6, True)


def test_without_room_and_without_a_store(receivers_with):
    receivers = receivers_with(commit={"max_points": 1})
    busy = (503, {"text": "Server is busy", "code": 9})
    full = (503, {"text": "HEC is unhealthy, queues are full", "code": 18})
    with receivers.store.busy(lambda: post(receivers)):
        answer = post(receivers)
        assert (told(answer), answer.headers["retry-after"]) == (busy, "1")
        assert told(send(receivers, "/services/collector/health", method="GET")) == full
    receivers.store.failure = StoreError("disk full")
    assert told(post(receivers)) == busy
    receivers.store.failure = None
    assert_still_serving(receivers)
