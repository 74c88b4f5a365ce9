"""`evaluate --search`: methods over rows of the store."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
from metrics import SECOND, framed, gauge, point, request
from product import run

from evaluate.sets import STEP, events_file, rows_of, series_set


@pytest.fixture
def store(tmp_path):
    """The set of `series_set` in a store; its events are known."""
    events_file(tmp_path, series_set(tmp_path))
    rows = rows_of(tmp_path)
    metrics = [
        gauge(name, *(point(row[name], int(row["_time"]) * SECOND, pod=row["pod"], zone="7") for row in rows))
        for name in ("m0", "m1")
    ]
    sent = framed(request(*metrics).SerializeToString())
    assert run("ingest", "--store", tmp_path / "store", "-", stdin=sent).json["data_points"] == 2 * len(rows)
    return tmp_path / "store"


def test_methods_run_over_the_store(tmp_path, store):
    methods = ("--method", "stray", "--budget", "1/5d", "--format", "json")
    search = f"| mstats avg(m*) AS m* WHERE index=* BY pod span={STEP}s"
    chosen = ("--store", store, "--train", "4d")
    (here,) = run("evaluate", "--search", search, *chosen, "--events", tmp_path / "events.csv", *methods).json
    (there,) = run("evaluate", tmp_path, *methods).json
    for row in (here, there):
        del row["microseconds_per_sample"]
    assert here == there
    assert here["recall"] == 1.0
    by_zone, scores = search.replace("BY pod", "BY pod zone"), tmp_path / "scores.parquet"
    assert run("evaluate", "--search", by_zone, *chosen, "--scores", scores, *methods).code == 0
    assert set(pq.read_table(scores)["series_id"].to_pylist()) == {"e0/7", "e1/7"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "either DIR, a set in files, or --search"),
        (["DIR", "--search", "| mstats count(*) span=1m"], "either DIR, a set in files, or --search"),
        (["DIR", "--train", "1d"], "--train: it is for --search"),
        (["--search", "| mstats count(*) span=1m", "--train", "long"], "--train long: expected a length"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, arguments, told):
    given = [str(tmp_path) if one == "DIR" else one for one in arguments]
    refused = run("evaluate", *given, "--store", tmp_path / "store")
    assert refused.code == 2
    assert told in refused.err
