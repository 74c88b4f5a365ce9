"""Reading sets: both formats, what may be absent, and errors that name the file."""

from __future__ import annotations

import numpy as np
import pytest

from evaluate.sets import START, STEP, events_file, series_set, table
from kubestray.evaluate.edge_set import read_edges
from kubestray.evaluate.series_set import read_series
from kubestray.model.errors import UsageError


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_set_reads_the_same_from_either_format(tmp_path, suffix):
    event = series_set(tmp_path, suffix)
    events_file(tmp_path, event)
    data = read_series(tmp_path)
    assert data.names == ["e0", "e1"]
    assert data.entity.tolist() == [0, 0, 1, 1]
    assert len(data.row) == 4 * 6 * 96
    assert data.events.start.tolist() == [event]
    assert sum(1 for _ in data.steps()) == 6 * 96


def test_without_events_the_labels_tell(tmp_path):
    event = series_set(tmp_path)
    events = read_series(tmp_path).events
    assert events.start.tolist() == [event]
    assert events.end.tolist() == [event + 3600 - STEP]


def test_points_come_in_the_order_of_time_and_the_last_of_two_stands(tmp_path):
    table(
        tmp_path / "metrics.csv",
        {
            "ts": [START + 60, START, START + 60, START + 90, START + 120],
            "series_id": ["a"] * 5, "metric": ["m"] * 5, "value": [1.0, 2.0, 3.0, 4.0, None],
        },
    )  # fmt: skip
    table(
        tmp_path / "series.csv",
        {"series_id": ["a"], "metric": ["m"], "step_s": [60], "train_end_ts": [START]},
    )
    data = read_series(tmp_path)
    assert data.values.tolist() == [2.0, 3.0, 4.0]
    assert [data.values[step].tolist() for step in data.steps()] == [[2.0], [3.0], [4.0]]
    assert data.events is None


def test_a_name_of_digits_stays_a_name(tmp_path):
    table(
        tmp_path / "metrics.parquet", {"ts": [START], "series_id": ["007"], "metric": ["1e3"], "value": [1.0]}
    )
    (tmp_path / "series.csv").write_text(f"series_id,metric,step_s,train_end_ts\n007,1e3,60,{START}\n")
    assert read_series(tmp_path).names == ["007"]


def test_a_scrape_that_is_late_by_seconds_is_in_the_step_of_the_others(tmp_path):
    table(
        tmp_path / "metrics.csv",
        {
            "ts": [START + 1, START + 3, START + 61, START + 63], "series_id": ["a", "b"] * 2,
            "metric": ["m"] * 4, "value": [1.0, 2.0, 3.0, 4.0],
        },
    )  # fmt: skip
    columns = {"series_id": ["a", "b"], "metric": ["m"] * 2, "step_s": [60] * 2, "train_end_ts": [START] * 2}
    table(tmp_path / "series.csv", columns)
    data = read_series(tmp_path)
    assert [data.values[step].tolist() for step in data.steps()] == [[1.0, 2.0], [3.0, 4.0]]


def _broken(tmp_path, name, text):
    series_set(tmp_path, "csv")
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError) as caught:
        read_series(tmp_path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("metrics.csv", "ts,series_id,metric\n1,e0,m0\n", "no column 'value'; it has ts, series_id, metric"),
        (
            "metrics.csv",
            "ts,series_id,metric,value\n1,zz,m0,1\n",
            "series_id 'zz', metric 'm0' is not in series",
        ),
        ("metrics.csv", "ts,series_id,metric,value\nsoon,e0,m0,1\n", "the column 'ts' must be numbers"),
        ("metrics.csv", "ts,series_id,metric,value\n,e0,m0,1\n", "row 1 of the column 'ts' is not a finite"),
        (
            "metrics.csv",
            "ts,series_id,metric,value\n1767225600000,e0,m0,1\n",
            "row 1 of the column 'ts' is 1767225600000, which is no time in seconds since 1970",
        ),
        ("metrics.csv", "", "cannot be read"),
        ("series.csv", "series_id,metric,step_s,train_end_ts\ne0,m0,0,1\n", "step_s must be above 0"),
        (
            "series.csv",
            "series_id,metric,step_s,train_end_ts\ne0,m0,900,9e9\ne0,m1,900,9e9\ne1,m0,900,9e9\ne1,m1,900,9e9\n",
            "no point of metrics.csv is at or after its train_end_ts",
        ),
        ("events.csv", "series_id,start_ts,end_ts\nzz,1,2\n", "'zz' has no row"),
        ("events.csv", "series_id,start_ts,end_ts\ne0,2,1\n", "row 1: end_ts is before start_ts"),
        ("events.csv", "series_id,start_ts,end_ts\ne0,1,1767225600000\n", "divide milliseconds by 1000"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(tmp_path, name, text, says):
    message = _broken(tmp_path, name, text)
    assert str(tmp_path / name) in message
    assert says in message


def test_a_directory_that_is_no_set_says_what_it_lacks(tmp_path):
    with pytest.raises(UsageError, match=r"no metrics.parquet, metrics.csv, edges.parquet or edges.csv"):
        read_series(tmp_path)


def test_edges_with_labels(tmp_path):
    table(
        tmp_path / "edges.csv",
        {
            "ts": [3.0, 1.0, 2.0, 2000.0], "src": ["a", "a", "b", "a"], "dst": ["b", "b", "a", "c"],
            "dst_port": [80, 80, 5000, 81], "label": [1, 0, 0, 1], "split": ["test", "train", "test", "test"],
        },
    )  # fmt: skip
    data = read_edges(tmp_path)
    assert data.names == ["a", "b", "c"]
    assert data.source.tolist() == [0, 1, 0, 0]
    assert data.tested.tolist() == [False, True, True, True]
    assert data.events.start.tolist() == [3.0, 2000.0]
    assert np.array_equal(data.start, np.full(3, 2.0))


def test_edges_without_a_test_part_are_refused(tmp_path):
    columns = {"ts": [1.0], "src": ["a"], "dst": ["b"], "dst_port": [80], "split": ["train"]}
    table(tmp_path / "edges.csv", columns)
    with pytest.raises(UsageError, match=r"edges.csv: no flow has the split 'test'"):
        read_edges(tmp_path)
