"""`kubestray evaluate` from the command line."""

from __future__ import annotations

import json
from operator import itemgetter

import numpy as np
import pyarrow.parquet as pq
import pytest

from evaluate.sets import START, STEP, events_file, series_set, table
from kubestray.cli import main


def _run(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as done:
        main(["evaluate", *map(str, arguments)])
    out, err = capsys.readouterr()
    return done.value.code, out, err


def test_measures_as_json_and_scores_as_parquet(tmp_path, capsys):
    events_file(tmp_path, series_set(tmp_path))
    out = tmp_path / "scores.parquet"
    code, text, _ = _run(
        capsys, tmp_path, "--method", "stray", "--budget", "1/5d", "--scores", out, "--format", "json"
    )
    (row,) = json.loads(text)
    assert code == 0
    assert row["method"] == "stray"
    assert row["events"] == 1
    assert row["asked_per_entity_day"] == pytest.approx(0.2)
    assert row["R@0.2"] == row["recall"] == 1.0
    assert 0 < row["vus_pr"] <= 1
    scores = pq.read_table(out)
    assert scores.column_names == ["series_id", "ts", "score", "alert"]
    assert scores.num_rows == 2 * 2 * 86400 // STEP
    assert min(scores["ts"].to_pylist()) == START + 4 * 86400
    assert np.isfinite(scores["score"].to_numpy()).all()


def test_a_set_without_labels_gives_scores_and_rates(tmp_path, capsys):
    series_set(tmp_path)
    whole = pq.read_table(tmp_path / "metrics.parquet")
    pq.write_table(whole.drop_columns(["label"]), tmp_path / "metrics.parquet")
    code, text, _ = _run(capsys, tmp_path, "--format", "json")
    rows = json.loads(text)
    assert code == 0
    assert [row["method"] for row in rows] == ["stray"]
    assert all(row["recall"] is None and row["R@0.2"] is None for row in rows)
    assert all(row["false_per_entity_day"] is not None for row in rows)


def test_scores_do_not_depend_on_the_order_of_entities_in_files(tmp_path, capsys):
    series_set(tmp_path, entities=3, metrics=1)
    assert _run(capsys, tmp_path, "--scores", tmp_path / "one.parquet", "--format", "json")[0] == 0
    head, *lines = (tmp_path / "series.csv").read_text().splitlines()
    (tmp_path / "series.csv").write_text("\n".join([head, *reversed(lines)]) + "\n")
    assert _run(capsys, tmp_path, "--scores", tmp_path / "two.parquet", "--format", "json")[0] == 0
    one, two = (pq.read_table(tmp_path / name).to_pylist() for name in ("one.parquet", "two.parquet"))
    key = itemgetter("series_id", "ts")
    assert sorted(one, key=key) == sorted(two, key=key)


def test_a_table_for_people(tmp_path, capsys):
    events_file(tmp_path, series_set(tmp_path))
    code, text, _ = _run(capsys, tmp_path, "--method", "published", "--format", "table")
    assert code == 0
    assert "R@0.2" in text
    assert "published" in text


def test_edges(tmp_path, capsys):
    minutes = np.arange(120)
    ts = START + 60.0 * np.r_[minutes, 100 + minutes[:15] / 30]
    scan = len(ts) - len(minutes)
    table(
        tmp_path / "edges.parquet",
        {
            "ts": ts, "src": ["web"] * len(ts), "dst": ["db"] * 120 + [f"host{n}" for n in range(scan)],
            "dst_port": [5432] * 120 + [22] * scan, "label": [0] * 120 + [1] * scan,
            "split": ["train"] * 60 + ["test"] * 60 + ["test"] * scan,
        },
    )  # fmt: skip
    out = tmp_path / "scores.parquet"
    code, text, _ = _run(capsys, tmp_path, "--scores", out, "--format", "json")
    (row,) = json.loads(text)
    assert code == 0
    assert row["method"] == "unseen"
    assert row["recall"] == row["precision"] == 1.0
    assert pq.read_table(out).num_rows == 60 + scan


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--method", "magic"], "for series there are stray, published"),
        (["--budget", "often"], "expected findings per time, for example 1/30d"),
        (["--budget", "0/1d"], "expected findings per time"),
    ],
)
def test_wrong_usage_says_what_is_expected(tmp_path, capsys, arguments, says):
    series_set(tmp_path)
    code, out, err = _run(capsys, tmp_path, *arguments)
    assert (code, out) == (2, "")
    assert says in err


def test_a_directory_that_is_not_there(tmp_path, capsys):
    code, _, err = _run(capsys, tmp_path / "none")
    assert code == 2
    assert str(tmp_path / "none") in err
