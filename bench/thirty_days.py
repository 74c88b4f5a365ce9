"""What 30 days of history cost: the published searches over the estate, from summaries and from points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import sqlglot

from bench.estate import METRICS, NOW, SECOND, Shape, edge_series, values
from bench.peers import Absent, Peer, prometheus
from bench.served import Deadline, Stopped, best, seconds_of
from bench.slices import Kept as KeptSlice
from bench.slices import Labels, Series, Slice
from bench.whole import ask_whole, kept_whole, whole
from kubestray.config import load_config
from kubestray.detect.runner import Times, macros_of
from kubestray.model.content import Detection, Search
from kubestray.model.metric import Batch, Kind
from kubestray.model.metric import Series as StoredSeries
from kubestray.pipeline.detecting import Detector
from kubestray.pipeline.setting_up import content_of, lookups_of, searching
from kubestray.search.kept import Kept
from kubestray.search.run import compile_search, run_search
from kubestray.store.point_tables import DAY_NS, HOUR_NS
from kubestray.store.points import Span
from kubestray.store.store import Store

PUBLISHED = Path(__file__).parents[2] / "shared" / "escu"
OUTBOUND = "Kubernetes Anomalous Outbound Network Activity from Process"
_OFTEN = 7
"""How often what takes a third of a second is measured: other work on the machine lasts as long as that."""

BASELINE = (
    "| mstats avg(tcp.*) AS avg_tcp.* avg(udp.*) AS avg_udp.* stdevp(tcp.*) AS stdev_tcp.* "
    "stdevp(udp.*) AS stdev_udp.* WHERE index=* BY source.workload.name source.process.name"
)


class Published:
    """The published searches, over one store."""

    def __init__(self, store: Store) -> None:
        config = load_config({}, {}, None)
        self._store = store
        self._content = content_of(config, [PUBLISHED] if PUBLISHED.is_dir() else [])
        self._make = searching(config)
        self._macros = macros_of(self._content)
        self._kept = Kept(store.changes)  # as `Detector` has it, which runs what is scheduled
        self._now = NOW - 24 * HOUR_NS

    def text(self, name: str) -> str:
        """Return the search of a detection."""
        return self._content.detections[name].search

    def rows(self, text: str, *, summaries: bool, span: Span | None = None) -> list[dict[str, Any]]:
        """Run a search an hour later than the last, as the published schedule does; return its rows.

        What is kept between runs then helps as it does there, and no further.
        """
        self._now += HOUR_NS
        request = self._make(
            text,
            self._now,
            span or Span(0, self._now),
            macros=self._macros,
            lookups=lookups_of(self._store, self._content),
            dollars=True,
            summaries=summaries,
            kept=self._kept,
        )
        return run_search(request, self._store.query).rows

    def run(self, text: str, *, summaries: bool, span: Span | None = None) -> int:
        """Run a search like `rows`; return their number."""
        return len(self.rows(text, summaries=summaries, span=span))

    def searches(self) -> list[Search]:
        """Return the published detections and baselines."""
        everything = (*self._content.detections.values(), *self._content.baselines.values())
        return [search for search in everything if str(PUBLISHED) in str(search.path)]

    def detections(self) -> list[dict[str, float]]:
        """Return the seconds of each published detection in a first pass of a schedule, and an hour later."""
        detector = Detector(self._store, self._content, self._make)
        return [
            {
                search.name: round(seconds_of(partial(detector.run, search, Times(now))), 3)
                for search in self.searches()
                if isinstance(search, Detection)
            }
            for now in (NOW - 2 * HOUR_NS, NOW - HOUR_NS)
        ]

    def compiling(self, search: Search) -> float:
        """Return the seconds that it takes to make a search's statement, nothing being kept."""
        request = self._make(
            search.search,
            NOW,
            Span(),
            macros=self._macros,
            lookups=lookups_of(self._store, self._content),
            dollars=True,
        )
        return best(partial(compile_search, request, self._store.query))


def compiling(store: Store) -> dict[str, Any]:
    """Return what making the statement of each published search takes."""
    published = Published(store)
    taken = {search.name: round(1000 * published.compiling(search), 1) for search in published.searches()}
    return {"compile_milliseconds": taken}


def history(store: Store) -> dict[str, Any]:
    """Measure the outbound search over 7, 14 and 30 days, from summaries and from points."""
    published = Published(store)
    text = published.text(OUTBOUND)
    summarised = {
        days: best(partial(published.run, text.replace("-30d", f"-{days}d"), summaries=True), _OFTEN)
        for days in (7, 14, 30)
    }
    raw = best(partial(published.run, text, summaries=False), 2)
    baseline = best(partial(published.run, BASELINE, summaries=True, span=_thirty_days()), _OFTEN)
    baseline_raw = best(partial(published.run, BASELINE, summaries=False, span=_thirty_days()), 1)
    return {
        "outbound_seconds_by_days": {str(days): round(s, 3) for days, s in summarised.items()},
        "outbound_raw_seconds": round(raw, 2),
        "outbound_30d_raw_over_summaries": round(raw / summarised[30], 1),
        "baseline_seconds": round(baseline, 3),
        "baseline_raw_seconds": round(baseline_raw, 2),
        "baseline_30d_raw_over_summaries": round(baseline_raw / baseline, 1),
        "growth_30d_over_7d": round(summarised[30] / summarised[7], 2),
    }


def passes(store: Store) -> dict[str, Any]:
    """Measure passes over all published detections, and what making the statement of each search takes."""
    first, detections = Published(store).detections()
    return compiling(store) | {
        "detection_seconds": detections,
        "all14_seconds": round(sum(detections.values()), 2),
        "all14_first_pass_seconds": round(sum(first.values()), 2),
    }


def _thirty_days() -> Span:
    shape = Shape()
    return Span(shape.start, NOW)


def slice_of(shape: Shape, keys: int) -> Slice:
    """Return the points of the first keys of the estate, the very ones that the store has."""

    def series() -> Iterator[Series]:
        days = [
            np.arange(day, day + DAY_NS, shape.step * SECOND, dtype=np.uint64)
            for day in range(shape.start, NOW, DAY_NS)
        ]
        times = np.concatenate(days)
        for place, made in enumerate(edge_series(shape)[: keys * len(METRICS)]):
            yield (
                made.metric,
                dict(made.attributes),
                times,
                np.concatenate([values(place, day) for day in days]),
            )

    return series


def edges_of(shape: Shape) -> KeptSlice:
    """Return the points of all edges of the estate."""
    return kept_whole(shape, slice_of(shape, shape.keys))


def peers(store: Store, kept: Path, keys: int, folder: Path, budget: float) -> dict[str, Any]:
    """Measure the 30-day baseline in each peer, and here over the same points.

    VictoriaMetrics has all edges, loaded before (`bench.whole`). Prometheus takes the first ``keys`` while
    this runs; here the estate answers, which holds all of them, so the search chooses those of the slice.
    """
    published, shape = Published(store), Shape()
    return _whole(published, kept, shape, budget) | _prometheus(published, shape, keys, folder, budget)


def _whole(published: Published, kept: Path, shape: Shape, budget: float) -> dict[str, Any]:
    loaded = whole(kept, shape)
    if isinstance(loaded, Absent):
        return {"victoriametrics": {"absent": loaded.reason}}
    try:
        answer = ask_whole(kept, edges_of(shape), Deadline(budget))
    except (Stopped, OSError) as error:
        return {"victoriametrics": {"absent": str(error)}}
    rows: list[list[dict[str, Any]]] = []
    ours = best(lambda: rows.append(published.rows(BASELINE, summaries=True, span=_thirty_days())))
    figures = {
        "version": loaded.version,
        "points": loaded.points,
        "load_seconds": round(loaded.filled.load_seconds, 1),
        "baseline_seconds": round(answer.seconds, 3),
        "bytes_per_sample": round(loaded.filled.bytes_per_sample, 3),
        "kubestray_seconds": round(ours, 4),
        "answers_differ_by_at_most": float(f"{difference(answer.answers, rows[-1]):.1e}"),
    }
    return {
        "victoriametrics": figures,
        "outbound_30d_victoriametrics_over_summaries": round(answer.seconds / ours, 1),
    }


def _prometheus(published: Published, shape: Shape, keys: int, folder: Path, budget: float) -> dict[str, Any]:
    found = prometheus(slice_of(shape, keys), folder / "prometheus", budget)
    if isinstance(found, Absent):
        return {"prometheus": {"absent": found.reason}}
    chosen = BASELINE.replace("index=*", f"index=* source.workload.name IN ({_workloads(keys)})")
    ours = best(partial(published.run, chosen, summaries=True, span=_thirty_days()))
    return {
        "prometheus": _told(found) | {"kubestray_seconds": round(ours, 4)},
        "outbound_30d_prometheus_over_summaries": round(found.baseline_seconds / ours, 1),
    }


def difference(theirs: Mapping[Labels, tuple[float, float]], ours: list[dict[str, Any]]) -> float:
    """Return how far a peer's means and deviations are from ours at most, as a share of these."""
    known = {(row["source.workload.name"], row["source.process.name"]): row for row in ours}
    if len(theirs) != len(known) * len(METRICS):
        raise Stopped(f"it answered for {len(theirs)} series, we have {len(known) * len(METRICS)}")
    apart = 0.0
    for labels, both in theirs.items():
        of = dict(labels)
        row = known[of["source_workload_name"], of["source_process_name"]]
        metric = of["__name__"].replace("_", ".")
        for name, value in zip(("avg", "stdev"), both, strict=True):
            apart = max(apart, abs(value / row[f"{name}_{metric}"] - 1))
    return apart


def _workloads(keys: int) -> str:
    """Return the workloads that the first keys of the estate are of, five processes each."""
    return ", ".join(f'"workload-{number}"' for number in range(keys // 5))


def _told(peer: Peer) -> dict[str, Any]:
    return {
        "version": peer.version,
        "points": peer.points,
        "load_seconds": round(peer.load_seconds, 1),
        "baseline_seconds": round(peer.baseline_seconds, 3),
        "bytes_per_sample": round(peer.bytes_per_sample, 3),
    }


_AT_ONCE = 2_000_000
"""Points of an append: each day that one touches is a part on disk."""


def load(store: Store, series: Iterable[Series], kind: Kind = Kind.GAUGE) -> int:
    """Append the points of series, several at a time; return how many. Counters began a day before them."""
    points = 0
    waiting: list[tuple[StoredSeries, Any, Any]] = []
    for name, labels, times, measured in series:
        waiting.append((StoredSeries.of(name, kind, "", labels), times, measured))
        points += len(times)
        if sum(len(times) for _, times, _ in waiting) >= _AT_ONCE:
            _append(store, waiting)
            waiting = []
    _append(store, waiting)
    return points


def _append(store: Store, waiting: list[tuple[StoredSeries, Any, Any]]) -> None:
    if not waiting:
        return
    ids = np.repeat(
        np.array([made.id for made, _, _ in waiting], dtype=np.uint64), [len(t) for _, t, _ in waiting]
    )
    times = np.concatenate([times for _, times, _ in waiting])
    values = np.concatenate([measured for _, _, measured in waiting])
    began = [0 if made.kind is Kind.GAUGE else int(at[0]) - DAY_NS for made, at, _ in waiting]
    starts = np.repeat(np.array(began, dtype=np.uint64), [len(at) for _, at, _ in waiting])
    store.append(Batch({made.id: made for made, _, _ in waiting}, ids, times, starts, values))


def bytes_per_point(store: Store) -> float:
    """Return the bytes that a point takes on disk once parts are merged."""
    store.engine.execute("OPTIMIZE TABLE samples_local FINAL")
    tree = sqlglot.parse_one(
        "SELECT sum(bytes_on_disk) / sum(rows) AS size FROM system.parts "
        "WHERE active AND table = 'samples_local' AND database = currentDatabase()",
        dialect="clickhouse",
    )
    return float(store.query(tree).to_pylist()[0]["size"])
