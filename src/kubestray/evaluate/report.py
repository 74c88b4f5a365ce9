"""`evaluate` as a whole: a directory and the names of methods in, a row of measures a method out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from kubestray.evaluate.counting import Counts, Scored, count
from kubestray.evaluate.edge_set import STEP, EdgeSet, read_edges
from kubestray.evaluate.measures import mean_vus_pr, measure
from kubestray.evaluate.methods import DEFAULT, EDGE_METHODS, METHODS
from kubestray.evaluate.run import run
from kubestray.evaluate.series_set import SeriesSet, read_series
from kubestray.evaluate.unseen import run_unseen
from kubestray.model.counted import counted
from kubestray.model.errors import KubestrayError, UsageError

Row = dict[str, Any]
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `evaluate` found: a row a method, and the scores and counts of each by name."""

    rows: list[Row]
    scores: list[tuple[str, Scored]]
    counts: list[tuple[str, Counts]]
    names: list[str]


def read_set(directory: Path) -> SeriesSet | EdgeSet:
    """Return the set in a directory; raise `UsageError` for one that cannot be used."""
    if not directory.is_dir():
        raise UsageError(f"{directory}: there is no such directory; expected a set of metrics or edges")
    edges = read_edges(directory)
    return read_series(directory) if edges is None else edges


def evaluate(
    data: SeriesSet | EdgeSet, methods: Sequence[str], per_day: float, note: Callable[[str], None]
) -> Evaluation:
    """Run methods over a set; an empty list means those that fit the set by default.

    ``per_day`` is the asked rate of false findings per entity-day; ``note`` is told what goes on. Raise
    `UsageError` for a name that cannot be used.
    """
    edges = isinstance(data, EdgeSet)
    known: Sequence[str] = EDGE_METHODS if edges else tuple(METHODS)
    wanted = list(methods) or list(EDGE_METHODS if edges else DEFAULT)
    unknown = next((name for name in wanted if name not in known), None)
    if unknown is not None:
        raise UsageError(
            f"--method {unknown}: for {'edges' if edges else 'series'} there are {', '.join(known)}"
        )
    results = list(_results(data, wanted, per_day, note))
    return Evaluation(
        [row for row, _, _ in results],
        [(row["method"], scored) for row, scored, _ in results],
        [(row["method"], counts) for row, _, counts in results],
        data.names,
    )


def _results(
    data: SeriesSet | EdgeSet, wanted: Sequence[str], per_day: float, note: Callable[[str], None]
) -> Iterator[tuple[Row, Scored, Counts]]:
    for name in wanted:
        if isinstance(data, EdgeSet):
            note(f"{name}: {len(data.times)} flows of {len(set(data.source.tolist()))} sources")
            scored, cost = run_unseen(data, per_day)
        else:
            note(
                f"{name}: {counted(len(data.row), 'point')} of {counted(len(data.entity), 'metric')} "
                f"of {counted(len(data.names), 'entity', 'entities')}"
            )
            scored, cost = run(data, METHODS[name], per_day)
        row, counts = _row(name, data, scored, per_day)
        yield row | {"microseconds_per_sample": cost}, scored, counts


def _row(name: str, data: SeriesSet | EdgeSet, scored: Scored, per_day: float) -> tuple[Row, Counts]:
    edges = isinstance(data, EdgeSet)
    step = data.entity_step if isinstance(data, SeriesSet) else data.start * 0.0 + STEP
    start = data.train_end if isinstance(data, SeriesSet) else data.start
    counts = count(scored, data.events, step, start)
    measures = measure(counts)
    row: Row = {
        "method": name,
        "entities": int((counts.days > 0).sum()),
        "entity_days": float(counts.days.sum()),
        "events": len(counts.event_score),
        **measures.values,
        "asked_per_entity_day": per_day,
    }
    realised = measures.values["false_per_entity_day"]
    row["realised_to_asked"] = None if realised is None else realised / per_day
    has_steps = data.events is not None and not edges
    row["vus_pr"] = mean_vus_pr(scored, data.events, step) if has_steps and data.events else None
    row["intervals"] = {key: list(bounds) for key, bounds in measures.intervals.items()}
    return row, counts


def write_scores(evaluation: Evaluation, path: Path) -> None:
    """Write ``series_id, ts, score, alert`` for each entity and step of the test part, as Parquet.

    Where several methods ran, a column ``method`` tells them apart.
    """
    several = len(evaluation.scores) > 1
    tables = []
    for name, scored in evaluation.scores:
        whole = (scored.times == scored.times.astype("int64")).all()
        columns: dict[str, Any] = {
            "series_id": pa.DictionaryArray.from_arrays(
                pa.array(scored.entity, pa.int32()), pa.array(evaluation.names, pa.string())
            ).dictionary_decode(),
            "ts": pa.array(scored.times.astype("int64") if whole else scored.times),
            "score": pa.array(scored.score),
            "alert": pa.array(scored.alert),
        }
        if several:
            columns["method"] = pa.array([name] * len(scored.times))
        tables.append(pa.table(columns))
    try:
        pyarrow.parquet.write_table(pa.concat_tables(tables), path)
    except OSError as error:
        raise KubestrayError(f"{path}: the scores cannot be written: {error.strerror or error}") from error
