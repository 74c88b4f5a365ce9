"""The main job as users run it: OTLP files in, the published detection, its findings as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from network_oracle import verdict
from product import run
from spl_oracle import assert_same_rows
from test_outbound_process import hits, process, usual

from helpers import NOW, SECOND, Point, series, shared
from kubestray.cli.detect import _list_held, _list_runs
from kubestray.model.metric import Kind


def otlp_line(point: Point) -> str:
    """One request with one data point, as the collector's file exporter writes it."""
    made, time, start, value = point
    data: dict[str, Any] = {
        "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in made.attributes],
        "timeUnixNano": str(time),
        "startTimeUnixNano": str(start),
        "asDouble": value,
    }
    kinds = {Kind.GAUGE: None, Kind.DELTA: 1, Kind.CUMULATIVE: 2}
    temporality = kinds[made.kind]
    shape: dict[str, Any] = {"gauge": {"dataPoints": [data]}}
    if temporality:
        shape = {"sum": {"dataPoints": [data], "isMonotonic": True, "aggregationTemporality": temporality}}
    metric = {"name": made.metric, **shape}
    return json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})


@pytest.fixture
def points() -> list[Point]:
    reading, quiet = process(), process("udp.bytes", name="dns")
    counter = process("tcp.packets", Kind.CUMULATIVE, workload="it's")
    first = NOW - 300 * SECOND
    return [
        *usual(reading, 10, 12, 14),
        *hits(reading, 6, 18.5),
        *usual(quiet, 10, 11),
        *hits(quiet, 30, 40.0),
        *(
            (counter, first - 7200 * SECOND + step * 10 * SECOND, 5, step * 2.0 + step % 2)
            for step in range(9)
        ),
        *((counter, first + step * 10 * SECOND, 5, 500.0 * step) for step in range(9)),
    ]


@pytest.mark.parametrize("folder", [("detections",), ("newer",)], ids=["2024", "2026"])
def test_files_in_findings_out(tmp_path: Path, points: list[Point], folder: tuple[str]) -> None:
    file, store = tmp_path / "points.jsonl", tmp_path / "store"
    file.write_text("".join(otlp_line(point) + "\n" for point in points))
    taken = run("ingest", "--store", store, file)
    assert taken.json == {"files": 1, "data_points": len(points), "rejected": 0, "series": 3}

    name = "kubernetes_anomalous_outbound_network_activity_from_process.yml"
    command = ("detect", "--store", store, "--now", str(NOW // SECOND), "--format", "json")
    found = run(*command, "--content", shared("escu", "macros"), shared("escu", *folder, name))
    assert found.code == 0, found.err
    (told,) = json.loads(found.out)
    expected = verdict(points, NOW)
    assert len(expected.rows) == 2
    assert_same_rows(told["rows"], expected.rows)
    assert told["error"] is None
    assert told["id"] == "dd6afee6-e0a3-4028-a089-f47dd2842c22"
    assert [event["risk_object"] for event in told["risk_events"]] == ["c1", "c1"]
    score = 25 if folder == ("detections",) else 20
    assert {event["risk_score"] for event in told["risk_events"]} == {score}


def test_a_bad_detection_does_not_stop_the_others(tmp_path: Path) -> None:
    good = 'name: Good\nid: a\ntype: TTP\nsearch: "| mstats count(x) as n where index=*"\n'
    bad = 'name: Bad\nid: b\ntype: TTP\nsearch: "| mstats count(x) as n where index=* | nonsense"\n'
    (tmp_path / "a_bad.yml").write_text(bad)
    (tmp_path / "b_good.yml").write_text(good)
    found = run("detect", "--store", tmp_path / "store", "--format", "json", tmp_path)
    assert found.code == 1
    first, second = json.loads(found.out)
    assert (first["detection"], second["detection"]) == ("Bad", "Good")
    assert "nonsense" in first["error"]
    assert second["error"] is None


def test_a_detection_that_does_not_exist_is_wrong_usage(tmp_path: Path) -> None:
    found = run("detect", "--store", tmp_path / "store", "No such thing")
    assert found.code == 2
    assert "No such thing" in found.err
    found = run("detect", "--store", tmp_path / "store", "New progam")
    assert found.code == 2
    assert "did you mean New program?" in found.err


def test_what_was_held_back_is_listed_for_each_detection_with_a_budget_of_alarms(tmp_path: Path) -> None:
    names = ("Far more data leaves than usual", "New program")
    command = ("detect", "--held", "--store", tmp_path / "store", "--format", "json", "--earliest", "-1d")
    found = run(*command, *names)
    assert found.code == 0, found.err
    (told,) = json.loads(found.out)
    assert (told["detection"], told["held"], told["error"]) == (names[0], [], None)


BURSTY = """
name: Bursty
id: 00000000-0000-4000-8000-0000000000b1
version: 1
type: Anomaly
search: '| mstats avg(io) AS io WHERE index=* BY pod span=5m
  | stray io BY pod budget="4/1d" history=1d alerts="0.01/1d" | stats count BY pod'
"""


def test_what_a_budget_held_back_is_what_would_have_been_told_without_it(tmp_path: Path) -> None:
    """Amounts with a heavy tail: each alarm is about as likely to be false."""
    chance, start = np.random.default_rng(2), NOW - 36 * 3600 * SECOND
    points = [
        (series("io", pod=pod), start + step * 300 * SECOND, 0, float(1000 * chance.lognormal()))
        for pod in "ab"
        for step in range(36 * 12)
    ]
    (tmp_path / "points.jsonl").write_text("\n".join(map(otlp_line, points)))
    (tmp_path / "bursty.yml").write_text(BURSTY)
    store = ("--store", tmp_path / "store")
    assert run("ingest", tmp_path / "points.jsonl", *store).code == 0
    window = ("--now", str(NOW // SECOND), "--earliest", "-12h", "--format", "json")
    found = run("detect", tmp_path / "bursty.yml", "--held", *store, *window)
    assert found.code == 0, found.err
    (told,) = json.loads(found.out)
    stray = '| mstats avg(io) AS io WHERE index=* BY pod span=5m | stray io BY pod budget="4/1d" history=1d'
    unbudgeted = json.loads(run("search", stray, *store, *window).out)
    budgeted = json.loads(run("search", f'{stray} alerts="0.01/1d"', *store, *window).out)
    assert len(told["held"]) > 1

    def alarms(rows: list[dict[str, Any]]) -> list[tuple[object, ...]]:
        return [(row["_time"], row["pod"], row["score"], row["threshold"]) for row in rows]

    assert sorted(alarms(told["held"] + budgeted)) == alarms(unbudgeted)
    assert {row["stray_reason"] for row in told["held"]} == {"held"}


@pytest.mark.parametrize("printed", [_list_held, _list_runs])
def test_people_are_told_as_soon_as_each_detection_has_run(printed, capsys):
    seen = []

    def running():
        for name in ("First", "Second"):
            search = SimpleNamespace(name=name)
            outcome = SimpleNamespace(search=search, rows=[], fields=[], error=None)
            yield SimpleNamespace(
                search=search, rows=[], fields=[], error=None, outcome=outcome, events=[], is_baseline=False
            )
            seen.append(capsys.readouterr().out)

    assert printed(running(), "table") == 0
    assert [text.partition(":")[0] for text in seen] == ["First", "Second"]


def test_an_allow_list_is_a_file_of_the_content_folder(tmp_path: Path, points: list[Point]) -> None:
    file, store, content = tmp_path / "points.jsonl", tmp_path / "store", tmp_path / "content"
    file.write_text("\n".join(map(otlp_line, points)), encoding="utf-8")
    run("ingest", str(file), "--store", str(store))
    content.mkdir()
    (content / "allowed.yml").write_text("name: allowed\nlookup_type: csv\n", encoding="utf-8")
    (content / "allowed.csv").write_text("metric_name,ok\ntcp.packets,yes\n", encoding="utf-8")
    search = "| mcatalog values(metric_name) AS metric_name WHERE index=* | mvexpand metric_name"
    search += " | lookup allowed metric_name | where isnull(ok) | table metric_name"
    ran = run("search", search, "--content", content, "--store", store, "--format", "json")
    assert ran.code == 0, ran.err
    assert {row["metric_name"] for row in json.loads(ran.out)} == {"udp.bytes", points[0][0].metric}
