"""Sets of rows of a search: the same as those of files, and errors that say what the rows lack."""

from __future__ import annotations

import json
from contextlib import closing

import numpy as np
import pyarrow.parquet as pq
import pytest

from evaluate.sets import STEP, events_file, series_set, table
from helpers import SECOND, batch, series
from kubestray.cli import main
from kubestray.evaluate.searched_set import set_of_rows
from kubestray.evaluate.series_set import read_series
from kubestray.model.errors import UsageError
from kubestray.store.open import open_store

TRAIN = 4 * 86400.0


def rows_of(directory):
    """The points of a set in files, as a search gives them: a row for each moment of an entity."""
    found: dict[tuple[float, str], dict] = {}
    for one in pq.read_table(directory / "metrics.parquet").to_pylist():
        row = {"_time": one["ts"], "_span": STEP, "pod": one["series_id"], "note": None}
        found.setdefault((one["ts"], one["series_id"]), row)[one["metric"]] = one["value"]
    return [found[key] for key in sorted(found)]


def test_rows_of_a_search_are_the_set_that_files_are(tmp_path):
    events_file(tmp_path, series_set(tmp_path))
    expected, rows = read_series(tmp_path), rows_of(tmp_path)
    found = set_of_rows([rows[:100], rows[100:]], TRAIN, tmp_path / "events.csv")
    assert found.names == expected.names == ["e0", "e1"]
    for column in ("entity", "step", "train_end", "row", "times", "values"):
        np.testing.assert_array_equal(getattr(found, column), getattr(expected, column), column)
    assert found.events.entity.tolist() == expected.events.entity.tolist()
    assert found.events.start.tolist() == expected.events.start.tolist()


def test_entities_are_named_by_texts_and_each_metric_has_its_own_step():
    rows = [{"_time": 60.0 * n, "ns": "shop", "pod": "b", "cpu": 1.0 * n} for n in range(10)]
    rows += [{"_time": 60.0 * n, "pod": "a", "ns": "shop", "mem": 5, "cpu": None} for n in range(0, 10, 3)]
    rows += [{"_time": 120.0, "pod": "c", "cpu": 7}]
    found = set_of_rows([rows])
    assert found.names == ["shop/b", "a/shop", "c"]
    steps = dict(zip((found.names[at] for at in found.entity), found.step.tolist(), strict=True))
    assert steps == {"shop/b": 60.0, "a/shop": 180.0, "c": 60.0}
    assert found.train_end.tolist() == [270.0] * 3
    assert found.events is None


@pytest.mark.parametrize(
    ("rows", "more", "told"),
    [
        ([{"pod": "a", "cpu": 1}], {}, "need a _time"),
        ([{"_time": 1, "pod": "a"}], {}, "no row with a number"),
        ([], {}, "no row with a number"),
        ([{"_time": 1, "pod": ["a", "b"], "cpu": 1}], {}, r"'pod' holds \['a', 'b'\]"),
        ([{"_time": 1, "pod": "a", "cpu": 1}], {}, "no entity has points at two times"),
        ([{"_time": t, "pod": "a", "cpu": 1} for t in (0, 60)], {"train": 61.0}, "end 60 s after the first"),
        (
            [
                {"_time": t, "x": x, "y": y, "cpu": 1}
                for t in (0, 60)
                for x, y in (("a/b", "c"), ("a", "b/c"))
            ],
            {},
            "two entities are named 'a/b/c'",
        ),
    ],
)
def test_rows_that_are_no_series_are_refused(rows, more, told):
    with pytest.raises(UsageError, match=told):
        set_of_rows([rows], **more)


def test_a_file_of_events_that_is_not_there_is_told(tmp_path):
    rows = [{"_time": t, "pod": "a", "cpu": 1} for t in (0, 60)]
    with pytest.raises(UsageError, match=r"events\.csv: it cannot be read"):
        set_of_rows([rows], events=tmp_path / "events.csv")


# --- from the command line --------------------------------------------------------------------------


def _evaluate(capsys, *arguments):
    with pytest.raises(SystemExit) as done:
        main(["evaluate", *map(str, arguments)])
    out, err = capsys.readouterr()
    return done.value.code, out, err


def test_methods_run_over_the_store(tmp_path, capsys):
    events_file(tmp_path, series_set(tmp_path))
    with closing(open_store(str(tmp_path / "store"))) as store:
        store.append(
            batch(
                (series(name, pod=row["pod"], zone="7"), int(row["_time"]) * SECOND, 0, row[name])
                for row in rows_of(tmp_path)
                for name in ("m0", "m1")
            )
        )
    methods = ("--method", "stray", "--budget", "1/5d", "--format", "json")
    search = f"| mstats avg(m*) AS m* WHERE index=* BY pod span={STEP}s"
    chosen = ("--store", tmp_path / "store", "--train", "4d", "--events", tmp_path / "events.csv")
    code, text, err = _evaluate(capsys, "--search", search, *chosen, *methods)
    assert code == 0, err
    (here,) = json.loads(text)
    _, text, _ = _evaluate(capsys, tmp_path, *methods)
    (there,) = json.loads(text)
    for row in (here, there):
        del row["microseconds_per_sample"]
    assert here == there
    assert here["recall"] == 1.0
    by_zone = search.replace("BY pod", "BY pod zone")
    code, text, _ = _evaluate(
        capsys, "--search", by_zone, *chosen[:4], "--scores", tmp_path / "scores.parquet", *methods
    )
    assert code == 0
    assert set(pq.read_table(tmp_path / "scores.parquet")["series_id"].to_pylist()) == {"e0/7", "e1/7"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "either DIR, a set in files, or --search"),
        (["DIR", "--search", "| mstats count(*) span=1m"], "either DIR, a set in files, or --search"),
        (["DIR", "--train", "1d"], "--train: it is for --search"),
        (["--search", "| mstats count(*) span=1m", "--train", "long"], "--train long: expected a length"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, capsys, arguments, told):
    table(tmp_path / "series.csv", {"series_id": ["a"]})
    given = [str(tmp_path) if one == "DIR" else one for one in arguments]
    code, _, err = _evaluate(capsys, *given, "--store", tmp_path / "store")
    assert code == 2
    assert told in err
