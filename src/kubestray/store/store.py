"""The store: appends batches, drops what has expired, keeps the ledger of runs and risk events."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlglot import exp

from kubestray.model.metric import Batch
from kubestray.store import lateness
from kubestray.store.engine import FILL_SETTINGS, UNLIMITED, Engine, Limits, Statement, render, with_settings
from kubestray.store.schema import BITS, DAY_NS, HOUR_NS, Layout
from kubestray.store.stream import Stream
from kubestray.store.trees import all_of, call, column, named, select, text

_PARTITIONS_PER_INSERT = 90  # the engine refuses an INSERT that touches more than 100 partitions
_CATALOG_CACHE = 2_000_000  # series; about 100 bytes each


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
        self._bits: bool | None = None
        self._catalogued: dict[int, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def create(self) -> None:
        """Make the tables that are not there yet."""
        for statement in self.layout.statements():
            self.engine.execute(statement)

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
        self._append_series(batch)
        with self.writing.to(batch):
            self._notice(batch)
            for part in _by_days(batch):
                self._insert("samples", _samples_table(part, bits=self._in_bits()))
            self._notice(batch)

    def _in_bits(self) -> bool:
        """Tell whether the table of points holds the bits of values: one that was made earlier has values."""
        if self._bits is None:
            named_so = {"table": "samples_local", "name": BITS}
            wanted = [call("equals", column(key), text(value)) for key, value in named_so.items()]
            here = call("equals", column("database"), call("currentDatabase"))
            asked = select(column("name")).from_(exp.table_("columns", db="system"))
            self._bits = bool(self.query(asked.where(all_of([*wanted, here]))).num_rows)
        return self._bits

    def _notice(self, batch: Batch) -> None:
        """Take notice of the hours to which points come late, see `store.lateness`."""
        touched = lateness.late(batch, self.reached())
        if touched:
            stamp = self.stamp()
            for part in lateness.by_months(touched, _PARTITIONS_PER_INSERT):
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
        both = exp.union(
            select(named(call("max", column("written")), "noted")).from_("touched"),
            select(named(call("max", column("began")), "noted")).from_("summarised"),
            distinct=False,
        )
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
        """Let go of the engine."""
        self.engine.close()

    def _insert(self, name: str, rows: pa.Table) -> None:
        self.engine.insert(self.layout.write_table(name), rows)

    def _append_series(self, batch: Batch) -> None:
        """Write catalog entries that are new, or whose first or last sight has moved noticeably.

        ``last_seen`` is renewed once an hour of event time, ``first_seen`` at once.
        """
        ids, first, last = _extent(batch)
        with self._lock:
            fresh = [i for i, key in enumerate(ids.tolist()) if self._moved(key, int(first[i]), int(last[i]))]
            if not fresh:
                return
            series = [batch.series[int(ids[i])] for i in fresh]
            rows = pa.table(
                {
                    "metric": [s.metric for s in series],
                    "series_id": pa.array([s.id for s in series], pa.uint64()),
                    "kind": [s.kind.value for s in series],
                    "unit": [s.unit for s in series],
                    "attributes": pa.array([s.attributes for s in series], pa.map_(pa.string(), pa.string())),
                    "first_seen": pa.array(first[fresh]),
                    "last_seen": pa.array(last[fresh]),
                }
            )
            self._insert("series", rows)
            self._remember(ids[fresh], first[fresh], last[fresh])

    def _moved(self, key: int, first: int, last: int) -> bool:
        known = self._catalogued.get(key)
        return known is None or first < known[0] or last // HOUR_NS > known[1] // HOUR_NS

    def _remember(
        self, ids: npt.NDArray[np.uint64], first: npt.NDArray[np.uint64], last: npt.NDArray[np.uint64]
    ) -> None:
        if len(self._catalogued) + len(ids) > _CATALOG_CACHE:
            self._catalogued.clear()  # costs one more catalog row a series, nothing else
        for key, low, high in zip(ids.tolist(), first.tolist(), last.tolist(), strict=True):
            known = self._catalogued.get(key, (low, high))
            self._catalogued[key] = (min(low, known[0]), max(high, known[1]))


def _samples_table(batch: Batch, *, bits: bool) -> pa.Table:
    names = sorted({series.metric for series in batch.series.values()})
    code = {name: index for index, name in enumerate(names)}
    ids, inverse = np.unique(batch.series_id, return_inverse=True)
    codes = np.array([code[batch.series[int(key)].metric] for key in ids], dtype=np.int32)
    return pa.table(
        {
            "metric": pa.DictionaryArray.from_arrays(pa.array(codes[inverse]), pa.array(names)),
            "series_id": pa.array(batch.series_id),
            "time": pa.array(batch.time),
            "start": pa.array(batch.start),
            **({BITS: pa.array(_bits_of(batch.value))} if bits else {"value": pa.array(batch.value)}),
        }
    )


def _bits_of(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
    """Return the bits of values; of minus zero those of zero, as the two are equal."""
    return (values + 0.0).view(np.uint64)


def _extent(
    batch: Batch,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Return the distinct series ids with the first and last time of each."""
    order = np.lexsort((batch.time, batch.series_id))
    ids, times = batch.series_id[order], batch.time[order]
    starts = np.flatnonzero(np.concatenate(([True], ids[1:] != ids[:-1])))
    ends = np.concatenate((starts[1:], [len(ids)])) - 1
    return ids[starts], times[starts], times[ends]


def _by_days(batch: Batch) -> Iterator[Batch]:
    """Cut a batch so that no part touches more days than one INSERT may."""
    days = batch.time // np.uint64(DAY_NS)
    distinct = np.unique(days)
    if len(distinct) <= _PARTITIONS_PER_INSERT:
        yield batch
        return
    for start in range(0, len(distinct), _PARTITIONS_PER_INSERT):
        chunk = distinct[start : start + _PARTITIONS_PER_INSERT]
        yield batch.where((days >= chunk[0]) & (days <= chunk[-1]))
