"""The store: appends batches, drops what has expired, keeps the ledger of runs and risk events."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlglot import exp

from kubestray.model.errors import StoreError
from kubestray.model.metric import Batch
from kubestray.model.unread import series_of
from kubestray.store import lateness
from kubestray.store.catalogued import Catalogued
from kubestray.store.embedded import EmbeddedEngine
from kubestray.store.engine import FILL_SETTINGS, UNLIMITED, Engine, Limits, Statement, render, with_settings
from kubestray.store.journal import Record
from kubestray.store.making import make
from kubestray.store.ordering import MOST_DAYS, in_order, joined, received
from kubestray.store.pending import Pending
from kubestray.store.schema import Layout
from kubestray.store.stream import Stream
from kubestray.store.trees import all_of, call, column, named, one_of, select, text
from kubestray.store.values import HOLDING, ONCE_HOLDING

_METRICS = 100_000  # names that are numbered; with more the catalog is learned anew


POINT_TABLES = ("series", "samples")
"""What points are written to."""

_BEGUN = ("summarised", "sketched", "accelerations")
"""Tables that tell when what is kept of hours and days was begun."""

_SERIES_ORDER = [("metric", "ascending"), ("series_id", "ascending"), ("kind", "ascending")]


class _Entries(NamedTuple):
    """Rows for the catalog, and what `Catalogued.note` wants to know of the same series."""

    rows: pa.Table
    seen: tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32], npt.NDArray[np.uint64], npt.NDArray[np.uint64]]


class Store:
    """One store behind one engine. Safe to use from several threads. ``clock`` gives nanoseconds."""

    def __init__(
        self, engine: Engine, layout: Layout | None = None, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self.engine = engine
        self.layout = layout or Layout()
        self.clock = clock
        self.writing = lateness.Writing()
        self._reached: int | None = None
        self._catalogued = Catalogued()
        self._metrics: dict[str, int] = {}
        self._values: list[str] = []
        self._lock = threading.Lock()
        self._keep: Callable[[Sequence[Record]], None] = self.write_all
        self._pending: Pending | None = None

    def create(self) -> None:
        """Make the tables that are not there yet."""
        make(self.engine, self.layout)

    def changes(self, tables: Collection[str]) -> Hashable | None:
        """Return a value that differs once these tables have changed; None where nobody can know."""
        if self.layout.cluster:
            return None  # rows reach their shards some time after they were written
        return self.engine.changes([self.layout.write_table(name) for name in tables])

    def query(self, tree: Statement, limits: Limits = UNLIMITED) -> pa.Table:
        """Run a SELECT over the tables of `store.schema`."""
        return self.engine.query(tree, limits)

    def stream(self, tree: Statement, limits: Limits = UNLIMITED) -> Stream:
        """Run a SELECT whose rows are read as they come."""
        return self.engine.stream(tree, limits)

    def append(self, batch: Batch) -> None:
        """Write a batch; when it returns, its points are durable and can be searched.

        The catalog is written first: a crash in between leaves a series without points, never points
        without a series.
        """
        if not len(batch):
            return
        with self._lock:
            metric, entries = self._entries(batch)
            if entries is not None:
                self._keep([("series", entries.rows)])
                self._catalogued.note(*entries.seen)
        with self.writing.to(batch):
            self._notice(batch)
            self._keep([("samples", received(batch, metric, list(self._metrics)))])
            self._notice(batch)

    @property
    def has_journal(self) -> bool:
        """Whether points wait in a journal for others, so that a small batch costs little."""
        return self._pending is not None

    def write_by(self, pending: Pending, engine: EmbeddedEngine) -> None:
        """Have batches go through ``pending`` from now on; `close` ends it."""
        engine.before_reading = pending.before
        pending.start()
        self._keep, self._pending = pending.add, pending

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Have several statements read at least what was acknowledged before the first of them.

        Without it each sees what was acknowledged before it, for which what waits in a journal is written
        each time: under load that is most of what a question takes. A thread that is to take part needs the
        context (`contextvars.copy_context`).
        """
        with self._pending.settled() if self._pending else nullcontext():
            yield

    def write_all(self, records: Sequence[Record]) -> None:
        """Write records of `POINT_TABLES` into their tables: series as rows of it, points as `received`."""
        series = [rows for name, rows in records if name == "series"]
        if series:
            rows = series[0] if len(series) == 1 else pa.concat_tables(series).sort_by(_SERIES_ORDER)
            self.engine.insert(self.layout.write_table("series"), rows, in_order=True)
        points = [rows for name, rows in records if name == "samples"]
        if points:
            batch, metric, names = joined(points)
            for part in in_order(batch, metric, names, self.value_columns()):
                self.engine.insert(self.layout.write_table("samples"), part, in_order=True)

    def value_columns(self) -> list[str]:
        """Return the columns that hold values in the table of points; an older one has others."""
        if not self._values:
            here = call("equals", column("database"), call("currentDatabase"))
            chosen = [here, call("equals", column("table"), text("samples_local"))]
            chosen.append(one_of(column("name"), map(text, (*HOLDING, *ONCE_HOLDING))))
            asked = select(column("name")).from_(exp.table_("columns", db="system"))
            self._values = self.query(asked.where(all_of(chosen))).column("name").to_pylist() or ["value"]
        return self._values

    def _notice(self, batch: Batch) -> None:
        """Take notice of the hours to which points come late, see `store.lateness`."""
        touched = lateness.late(batch, self.reached())
        if touched:
            stamp = self.stamp()
            for part in lateness.by_months(touched, MOST_DAYS):
                self._insert("touched", lateness.rows(part, stamp))

    def reached(self) -> int:
        """Return the time (ns) that the clock has reached; it does not go back if the clock is set back."""
        known = self._noted() if self._reached is None else self._reached
        self._reached = max(known, self.clock())
        return self._reached

    def stamp(self) -> int:
        """Return a time (ns) that is above every one noted before: the clock's, unless it was set back."""
        self._reached = max(self.clock(), self._noted() + 1)
        return self._reached

    def _noted(self) -> int:
        """Return the latest time (ns) that was noted in the store, of this process or another."""
        marks = [("written", "touched"), *(("began", name) for name in _BEGUN)]
        every = [select(named(call("max", column(mark)), "noted")).from_(name) for mark, name in marks]
        both = exp.union(*every, distinct=False)
        noted: list[int] = self.query(both).column("noted").to_pylist()
        return max(noted)

    def record(self, table: str, rows: pa.Table) -> None:
        """Append rows to a ledger table (``runs``, ``risk``)."""
        if rows.num_rows:
            self._insert(table, rows)

    def fill(self, name: str, columns: Sequence[str], rows: exp.Expr) -> None:
        """Append the rows of a SELECT to a table of ours, by the order of its columns."""
        target = f"{self.layout.write_table(name)} ({', '.join(columns)})"
        statement = with_settings(f"INSERT INTO {target} {render(rows)}", FILL_SETTINGS)
        self.engine.execute(statement)

    def delete(self, name: str, condition: exp.Expr) -> None:
        """Remove the rows of a table of ours that meet a condition; they are gone when this returns."""
        on = f" ON CLUSTER {self.layout.cluster}" if self.layout.cluster else ""
        self.engine.execute(
            f"ALTER TABLE {name}_local{on} DELETE WHERE {render(condition)} SETTINGS mutations_sync = 2"
        )

    def close(self) -> None:
        """Write what waits, and let go of the engine."""
        if self._pending is not None:
            self._pending.close()
        self.engine.close()

    def _insert(self, name: str, rows: pa.Table) -> None:
        self.engine.insert(self.layout.write_table(name), rows)

    def _entries(self, batch: Batch) -> tuple[npt.NDArray[np.int32], _Entries | None]:
        """Return the number of each point's metric, and the catalog entries that are new, or due again."""
        if len(self._metrics) > _METRICS:
            self._catalogued, self._metrics = Catalogued(), {}
        known = self._catalogued.find(batch.series_id)
        numbers = self._catalogued.number[known]
        due = (known < 0) | self._catalogued.due(known, batch.time)
        if not due.any():
            return numbers, None
        entries = self._entries_of(batch, due)
        ids, theirs, *_ = entries.seen
        by_id = np.argsort(ids)
        ids, theirs = ids[by_id], theirs[by_id]
        places = np.minimum(np.searchsorted(ids, batch.series_id[due]), len(ids) - 1)
        if not (ids[places] == batch.series_id[due]).all():
            raise StoreError("a batch names series that none of its messages tells of")
        numbers[due] = theirs[places]
        return numbers, entries

    def _entries_of(self, batch: Batch, due: npt.NDArray[np.bool_]) -> _Entries:
        found = series_of(batch.series, set(batch.series_id[due].tolist()))
        # What lies in the same messages is written too: else these would be read again soon.
        chosen = np.isin(batch.series_id, np.fromiter(found, np.uint64, len(found)))
        ids, first, last = _extent(batch.series_id[chosen], batch.time[chosen])
        series = [found[key] for key in ids.tolist()]
        order = sorted(range(len(series)), key=lambda at: series[at].metric.encode())
        ids, first, last, series = ids[order], first[order], last[order], [series[at] for at in order]
        # In order already: by metric, and by series within it.
        rows = pa.table(
            {
                "metric": [s.metric for s in series],
                "series_id": pa.array(ids),
                "kind": [s.kind.value for s in series],
                "unit": [s.unit for s in series],
                "attributes": pa.array([s.attributes for s in series], pa.map_(pa.string(), pa.string())),
                "first_seen": pa.array(first),
                "last_seen": pa.array(last),
            }
        )
        return _Entries(rows, (ids, self._numbers([s.metric for s in series]), first, last))

    def _numbers(self, metrics: Sequence[str]) -> npt.NDArray[np.int32]:
        numbers = self._metrics
        return np.array([numbers.setdefault(name, len(numbers)) for name in metrics], np.int32)


def _extent(
    series: npt.NDArray[np.uint64], time: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Return the distinct series ids with the first and last time of each."""
    order = np.lexsort((time, series))
    ids, times = series[order], time[order]
    starts = np.flatnonzero(np.concatenate(([True], ids[1:] != ids[:-1])))
    ends = np.concatenate((starts[1:], [len(ids)])) - 1
    return ids[starts], times[starts], times[ends]
