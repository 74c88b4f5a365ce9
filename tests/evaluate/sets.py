"""Tiny sets on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

START = 1_700_000_000 // 86400 * 86400
STEP = 900


def table(path: Path, columns: dict) -> None:
    written = pa.table(columns)
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(written, path)
    else:
        pyarrow.parquet.write_table(written, path)


def series_set(directory: Path, suffix: str = "parquet", entities: int = 2, metrics: int = 2, days: int = 6):
    """Entities e0… with metrics m0…; the values of e0 are ten times as high in an hour of day 5. Return its
    start.
    """
    steps = days * 86400 // STEP
    ts = START + STEP * np.arange(steps)
    chance = np.random.default_rng(0)
    rows = [(f"e{e}", f"m{m}") for e in range(entities) for m in range(metrics)]
    values = 100 + 20 * np.sin(2 * np.pi * ts / 86400) + chance.normal(0, 3, (len(rows), steps))
    event = START + 5 * 86400 + 7200
    hot = (ts >= event) & (ts < event + 3600)
    values[:metrics, hot] *= 10
    table(
        directory / f"metrics.{suffix}",
        {
            "ts": np.tile(ts, len(rows)),
            "series_id": np.repeat([e for e, _ in rows], steps),
            "metric": np.repeat([m for _, m in rows], steps),
            "value": values.ravel(),
            "label": np.r_[np.tile(hot, metrics), np.zeros((len(rows) - metrics) * steps, bool)].astype(int),
        },
    )
    table(
        directory / "series.csv",
        {
            "series_id": [e for e, _ in rows],
            "metric": [m for _, m in rows],
            "entity": [e for e, _ in rows],
            "step_s": [STEP] * len(rows),
            "train_end_ts": [START + 4 * 86400] * len(rows),
            "n": [steps] * len(rows),
        },
    )
    return event


def events_file(directory: Path, event: int) -> None:
    table(
        directory / "events.csv",
        {
            "series_id": ["e0"], "start_ts": [event], "end_ts": [event + 3600 - STEP],
            "kind": ["burst"], "split": ["test"],
        },
    )  # fmt: skip


def rows_of(directory):
    """The points of a set in files, as a search gives them: a row for each moment of an entity."""
    found: dict[tuple[float, str], dict] = {}
    for one in pyarrow.parquet.read_table(directory / "metrics.parquet").to_pylist():
        row = {"_time": one["ts"], "_span": STEP, "pod": one["series_id"], "note": None}
        found.setdefault((one["ts"], one["series_id"]), row)[one["metric"]] = one["value"]
    return [found[key] for key in sorted(found)]
