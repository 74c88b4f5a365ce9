"""`ingest`: what is in the files is in the store, once, and what is broken is told."""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter

import pytest
import zstandard
from metrics import framed, gauge, line, point, request
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as m
from product import run, search, shared, values

from helpers import more

SERIALIZE = ExportMetricsServiceRequest.SerializeToString
GOLDEN = sorted(folder.glob("*.pb")) if (folder := shared("golden")) else []

needs_golden = pytest.mark.skipif(
    not GOLDEN, reason="no recorded requests beside this checkout (../shared/golden)"
)


# --- the plain way to read a request, with the published classes ------------------------------------


def stored_values(metric: m.Metric) -> list[tuple[str, float]]:
    """Return the names and values that a metric becomes."""
    kind = metric.WhichOneof("data")
    points = getattr(metric, kind).data_points if kind else ()
    found = []
    for each in points:
        if each.flags & m.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK:
            continue
        if kind in ("gauge", "sum"):
            which = each.WhichOneof("value")
            found += [(metric.name, float(getattr(each, which)))] if which else []
        elif kind == "summary":
            ends = {q.quantile: q.value for q in each.quantile_values if not math.isnan(q.value)}
            parts = {"count": each.count, "sum": each.sum, "min": ends.get(0.0), "max": ends.get(1.0)}
            found += [(f"{metric.name}.{part}", float(v)) for part, v in parts.items() if v is not None]
        else:
            found.append((f"{metric.name}.count", float(each.count)))
            parts = [part for part in ("sum", "min", "max") if each.HasField(part)]
            found += [(f"{metric.name}.{part}", getattr(each, part)) for part in parts]
    return found


def expected(*bodies: bytes) -> Counter[tuple[str, float]]:
    requests = map(ExportMetricsServiceRequest.FromString, bodies)
    scopes = [
        scope for each in requests for resource in each.resource_metrics for scope in resource.scope_metrics
    ]
    return Counter(pair for scope in scopes for metric in scope.metrics for pair in stored_values(metric))


def stored(store) -> Counter[tuple[str, float]]:
    rows = search(store, "| mpreview index=*")
    assert all(row[f"metric_name:{row['metric_name']}"] == row["_value"] for row in rows)
    return Counter((row["metric_name"], float(row["_value"])) for row in rows)


# --- recorded requests -----------------------------------------------------------------------------


@needs_golden
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name.rsplit("__", 1)[-1])
def test_a_recorded_request(store, path):
    assert run("ingest", "--store", store, path).code == 0
    assert stored(store) == expected(path.read_bytes())


@needs_golden
def test_all_recorded_requests_in_every_form_twice(store, tmp_path):
    bodies = [path.read_bytes() for path in GOLDEN]
    lines = b"".join(line(ExportMetricsServiceRequest.FromString(body)) for body in bodies)
    forms = {
        "lines.jsonl": lines,
        "lines.gz": gzip.compress(lines),
        "framed.proto": framed(*bodies),
        "framed.zst": zstandard.compress(framed(*bodies)),
        "one": b"".join(bodies),
    }
    counts = []
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
        counts.append(run("ingest", "--store", store, tmp_path / name).json)
    assert all(count == counts[0] for count in counts)
    assert stored(store) == expected(*bodies)
    assert run("ingest", "--store", store, *GOLDEN).json == {**counts[0], "files": len(GOLDEN)}
    assert stored(store) == expected(*bodies)


def histogram(name: str, count: int, **parts: float) -> m.Metric:
    sample = m.HistogramDataPoint(time_unix_nano=10**18, count=count, **parts)
    return m.Metric(name=name, histogram=m.Histogram(data_points=[sample]))


def test_what_each_kind_of_metric_becomes(store):
    ends = [
        m.SummaryDataPoint.ValueAtQuantile(quantile=q, value=v) for q, v in ((0.0, 1), (0.5, 2), (1.0, 9))
    ]
    silent = m.NumberDataPoint(time_unix_nano=10**18, as_double=5, flags=1)
    sent = request(
        gauge("reading", point(1.5, 10**18), silent),
        m.Metric(name="whole", gauge=m.Gauge(data_points=[m.NumberDataPoint(time_unix_nano=1, as_int=-7)])),
        histogram("full", 3, sum=6.5, min=1, max=4),
        histogram("bare", 2),
        m.Metric(
            name="quantiles",
            summary=m.Summary(
                data_points=[m.SummaryDataPoint(time_unix_nano=1, count=4, sum=8, quantile_values=ends)]
            ),
        ),
        m.Metric(name="nothing"),
    )
    counts = run("ingest", "--store", store, "-", stdin=sent.SerializeToString()).json
    assert counts == {"files": 1, "data_points": 5, "rejected": 0, "series": 11}
    assert stored(store) == Counter(
        {
            ("reading", 1.5): 1,
            ("whole", -7): 1,
            ("full.count", 3): 1,
            ("full.sum", 6.5): 1,
            ("full.min", 1): 1,
            ("full.max", 4): 1,
            ("bare.count", 2): 1,
            ("quantiles.count", 4): 1,
            ("quantiles.sum", 8): 1,
            ("quantiles.min", 1): 1,
            ("quantiles.max", 9): 1,
        }
    )


# --- files -----------------------------------------------------------------------------------------


def test_stdin_by_content(store):
    """The same two points in ten forms: every form is read, and the store has each point once."""
    messages = [request(gauge("a", point(value, 10**18 + value * 1000))) for value in (1, 2)]
    for content in (b"".join(map(line, messages)), framed(*map(SERIALIZE, messages))):
        half = len(content) // 2
        packed = [
            content,
            gzip.compress(content),
            zstandard.compress(content),
            gzip.compress(content[:half]) + gzip.compress(content[half:]),
            zstandard.compress(content[:half]) + zstandard.compress(content[half:]),
        ]
        for form in packed:
            counts = run("ingest", "--store", store, "-", stdin=form).json
            assert counts == {"files": 1, "data_points": 2, "rejected": 0, "series": 1}
    assert values(store, "a") == [1, 2]


def test_twice_is_once(store, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(
        line(request(gauge("a", *(point(i, 10**18 + i * 1000, pod=f"p{i % 7}") for i in range(500)))))
    )
    first, second = (run("ingest", "--store", store, file).json for _ in range(2))
    both = run("ingest", "--store", store, file, file).json
    assert first == second == {"files": 1, "data_points": 500, "rejected": 0, "series": 7}
    assert both["data_points"] == 1000
    assert search(store, "| mstats count(a) AS n where index=*") == [{"n": 500}]


def test_a_folder(store, tmp_path):
    folder = tmp_path / "out" / "otlp"
    folder.mkdir(parents=True)
    for number in range(3):
        (folder / f"{number}.jsonl").write_bytes(
            line(request(gauge("a", point(number, 10**18 + number * 1000))))
        )
    assert run("ingest", "--store", store, tmp_path / "out").json["files"] == 3
    assert values(store, "a") == [0, 1, 2]


@pytest.mark.parametrize("content", [b"", b"\n\n"], ids=["empty", "blank"])
def test_a_file_that_holds_nothing(store, content):
    told = run("ingest", "--store", store, "-", stdin=content)
    assert (told.code, told.err) == (0, "")
    assert json.loads(told.out) == {"files": 1, "data_points": 0, "rejected": 0, "series": 0}


def test_points_that_are_no_numbers_are_counted(store):
    sent = line(request(gauge("a", point(1), point(float("nan")), point(float("inf")))))
    told = run("ingest", "--store", store, "-", stdin=sent)
    assert told.json == {"files": 1, "data_points": 1, "rejected": 2, "series": 1}
    assert "not_finite" in told.err


GOOD = [line(request(gauge("a", point(number, 10**18 + number * 1000)))) for number in range(3)]

BROKEN = {
    "a broken line": (GOOD[0] + b'{"resourceMetrics": [nonsense]}\n' + GOOD[2], [0, 2], "line 2"),
    "a line of another kind": (GOOD[0] + b"[1, 2]\n" + GOOD[2], [0, 2], "line 2"),
    "the last line cut off": (GOOD[0] + GOOD[1] + GOOD[2][:-20], [0, 1], "line 3"),
    "a gzip that is cut off": (gzip.compress(b"".join(GOOD), mtime=0)[:-10], None, "cut off"),
    "no metrics at all": (b"PK\x03\x04 a zip file", [], "byte 0"),
    "text": (b"hello\n", [], "byte 0"),
}

LEFT = ("a broken line", "a gzip that is cut off", "no metrics at all")
"""Of two that are alike for the command one; `tests/receive/test_files.py` has all forms."""


@pytest.mark.parametrize("kind", [kind if kind in LEFT else more(kind) for kind in BROKEN])
def test_what_is_broken_is_told_and_the_rest_kept(store, tmp_path, kind):
    content, kept, place = BROKEN[kind]
    file, good = tmp_path / "broken.jsonl", tmp_path / "good.jsonl"
    file.write_bytes(content)
    good.write_bytes(line(request(gauge("b", point(7, 10**18)))))
    told = run("ingest", "--store", store, file, good)
    told.failed(1, str(file), place)
    assert len(told.err.splitlines()) == 1
    assert json.loads(told.out)["files"] == 2
    assert values(store, "b") == [7]
    if kept is not None:
        assert values(store, "a") == kept


@pytest.mark.parametrize("at", [more(0), 1, more(2)])
def test_a_broken_protobuf_message_is_told_and_the_rest_kept(store, at):
    bodies = [request(gauge("a", point(n, 10**18 + n * 1000))).SerializeToString() for n in range(3)]
    bodies[at] = b"\x0a\x05" + b"\xff" * 5
    told = run("ingest", "--store", store, "-", stdin=framed(*bodies))
    told.failed(1, f"message {at + 1}")
    assert values(store, "a") == [n for n in range(3) if n != at]


def test_files_that_are_not_there_are_told(store, tmp_path):
    (tmp_path / "good").write_bytes(GOOD[1])
    told = run("ingest", "--store", store, tmp_path / "missing", tmp_path / "good")
    told.failed(1, str(tmp_path / "missing"), "No such file")
    assert json.loads(told.out)["data_points"] == 1


def test_no_progress_where_nobody_looks(store):
    told = run("ingest", "--store", store, "--progress", "-", stdin=GOOD[0])
    assert (told.code, told.err) == (0, "")


def test_any_time_can_be_studied(store):
    """Only a server has a retention."""
    times = [0, 1, 10**6, 2**63, 2**64 - 1]
    sent = line(request(*(gauge(f"at{index}", point(5, at)) for index, at in enumerate(times))))
    assert run("ingest", "--store", store, "-", stdin=sent).json["data_points"] == len(times)
    found = {row["metric_name"]: row["_time"] for row in search(store, "| mpreview index=*")}
    assert found == {f"at{index}": pytest.approx(at / 1e9, abs=1e-3) for index, at in enumerate(times)}
    counts = search(store, "| mstats count(*) AS * where index=* span=1d")
    assert all(any(row.get(name) == 1 for row in counts) for name in found)


def test_more_days_than_one_insert_may_touch(store):
    day = 86_400 * 10**9
    sent = request(gauge("a", *(point(n, 10**18 + n * day) for n in range(150))))
    assert run("ingest", "--store", store, "-", stdin=line(sent)).json["data_points"] == 150
    assert search(store, "| mstats count(a) AS n where index=*") == [{"n": 150}]


def test_a_folder_without_files_is_told(store, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    told = run("ingest", "--store", store, empty)
    assert told.json["files"] == 0
    assert f"there are no files in {empty}" in told.err
