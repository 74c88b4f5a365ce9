"""Asks the store's catalog which metrics and attributes there are, while a search is being planned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlglot import exp

from kubestray.model.errors import LimitExceeded
from kubestray.model.metric import Kind
from kubestray.search.matching import wildcard
from kubestray.search.metric_points import chosen_series
from kubestray.search.naming import NO_NAMES, Naming
from kubestray.search.plan import Measure
from kubestray.search.sources import needs, sources
from kubestray.search.trace import Trace
from kubestray.store.answers import NONE_KEPT, Answers
from kubestray.store.coverage import Coverage, cut_off, expired_days, unanswered
from kubestray.store.engine import render
from kubestray.store.point_tables import DAY_NS
from kubestray.store.points import LOOKBACK_NS, Span
from kubestray.store.trees import (
    Tree,
    all_of,
    any_of,
    call,
    column,
    either,
    named,
    null,
    one_of,
    select,
    text,
    unsigned,
)

MOST_METRICS = 10_000
MOST_ROWS = 500_000
_HOUR_NS = 3600 * 10**9

Query = Callable[[exp.Expr], pa.Table]


class StoreCatalog:
    """The catalog of a store, read through its query function; ``summaries`` says whether these may serve."""

    def __init__(
        self,
        query: Query,
        *,
        summaries: bool = True,
        naming: Naming = NO_NAMES,
        answers: Answers = NONE_KEPT,
        trace: Trace | None = None,
    ) -> None:
        self._received, self._summaries, self._naming = query, summaries, naming
        self._answers, self._trace = answers, trace or Trace()

    def _query(self, tree: exp.Expr) -> pa.Table:
        return self._received(self._naming.applied(tree, self._names))

    def _names(self, tree: exp.Expr) -> pa.Table:
        """Ask the store for names, which answers the same until series are added."""
        return self._answers.get(("series",), ("names", render(tree)), lambda: self._received(tree))

    def _is_empty(self) -> bool:
        """Tell whether it is known that there are no series at all: then nothing more has to be asked."""
        if not self._answers.lasting(("series",)):
            return False

        def ask() -> bool:
            one = select(named(call("toUInt8", exp.Literal.number(1)), "one")).from_("series_rows")
            return not self._received(one.limit(1)).num_rows

        return self._answers.get(("series",), "empty", ask)

    def metrics(self, patterns: Iterable[str], series: Tree | None, span: Span) -> dict[str, frozenset[Kind]]:
        """Return the metrics that match, with the kinds of their series; at most `MOST_METRICS`."""
        patterns = tuple(patterns)
        if self._is_empty():
            return {}
        if self._answers.lasting(("series",)):
            found = self._extents(patterns, series).during(span)
            if found is None:
                found = self._times(patterns, series).during(span)
            if found is not None:
                return found
        return self._metrics(patterns, series, span)

    def _extents(self, patterns: tuple[str, ...], series: Tree | None) -> Extents:
        """Return when series of the metrics that match were seen, at most `MOST_METRICS`."""

        wanted = [of_metrics(patterns), *([] if series is None else [series])]

        def ask() -> Extents:
            ends = [(end, seen) for seen in ("first_seen", "last_seen") for end in ("min", "max")]
            tree = (
                select(
                    *map(column, ("metric", "kind")),
                    *(named(call(end, column(seen)), f"{end}_{seen}") for end, seen in ends),
                )
                .from_("series")
                .where(all_of(wanted))
                .group_by(column("metric"), column("kind"))
                .order_by(column("metric"))
                .limit(MOST_METRICS + 1)
            )
            return Extents(self._query(tree).to_pylist())

        key = ("extents", patterns, None if series is None else render(series))
        return self._answers.get(("series",), key, ask)

    def _times(self, patterns: tuple[str, ...], series: Tree | None) -> Times:
        """Return when each series of the metrics that match was seen."""

        def ask() -> Times:
            shown = map(column, ("metric", "kind", "first_seen", "last_seen"))
            wanted = [of_metrics(patterns), *([] if series is None else [series])]
            return Times(self._query(select(*shown).from_("series").where(all_of(wanted))))

        key = ("times", patterns, None if series is None else render(series))
        return self._answers.get(("series",), key, ask)

    def _metrics(
        self, patterns: tuple[str, ...], series: Tree | None, span: Span
    ) -> dict[str, frozenset[Kind]]:
        tree = (
            select(column("metric"), named(call("groupUniqArray", column("kind")), "kinds"))
            .from_("series")
            .where(all_of([of_metrics(patterns), *seen(series, span)]))
            .group_by(column("metric"))
            .order_by(column("metric"))
            .limit(MOST_METRICS + 1)
        )
        rows = self._query(tree).to_pylist()
        if len(rows) > MOST_METRICS:
            raise LimitExceeded(
                f"the wildcards match more than {MOST_METRICS} metrics; name them more narrowly"
            )
        return {row["metric"]: frozenset(map(Kind, row["kinds"])) for row in rows}

    def narrows(self, node: Measure) -> bool:
        """Tell whether a step is about fewer than half of the series of its metrics, if that is known."""
        condition = chosen_series(node)
        if condition is None or not self._answers.lasting(("series",)) or self._translates(node):
            return True  # which names a statement asks for decides what the mapping gives it
        if self._is_empty():
            return False

        def ask() -> bool:
            counts = [named(call("countIf", condition), "chosen"), named(call("count"), "every")]
            named_so = one_of(column("metric"), map(text, node.metrics))
            found = self._query(select(*counts).from_("series").where(named_so)).to_pylist()[0]
            return bool(2 * found["chosen"] < found["every"])

        return self._answers.get(("series",), ("narrows", node.metrics, render(condition)), ask)

    def renames(self, node: Measure) -> bool:
        """Tell whether a series may be of two of a step's metrics, unless that is not known."""
        return not self._answers.lasting(("series",)) or self._translates(node)

    def sources(self, node: Measure) -> Coverage | None:
        """Return how summaries and points share the work of a step; None where points do all of it."""
        if not self._summaries or self._translates(node):
            return None  # summaries are of metrics as received
        found = sources(node, self._query, self._answers)
        if found is not None and self._adds_names(node):
            # Groups have to have what the names are taken from as well.
            further = self._naming.taken_from(needs(node), node.metrics)
            found = sources(node, self._query, self._answers, further)
        return found and self._since_the_first(node, found)

    def _since_the_first(self, node: Measure, found: Coverage) -> Coverage:
        """Leave out ranges of points that end before there were any of a step's metrics."""
        if not found.points or not self._answers.lasting(("series",)):
            return found

        def ask() -> int:
            first = named(call("min", column("first_seen")), "first")
            named_so = one_of(column("metric"), map(text, node.metrics))
            return int(self._query(select(first).from_("series").where(named_so)).to_pylist()[0]["first"])

        first = self._answers.get(("series",), ("first", node.metrics), ask)
        there = tuple(span for span in found.points if span.latest is None or span.latest > first)
        return Coverage(found.summaries, there)

    def _translates(self, node: Measure) -> bool:
        if self._is_empty():
            return False

        def ask() -> bool:
            return self._naming.translates(node.metrics, self._received)

        return self._answers.get(("series",), ("translates", node.metrics), ask)

    def _adds_names(self, node: Measure) -> bool:
        """Tell whether some series lacks an attribute that is asked for, and may get it from another."""
        asked = sorted(needs(node))
        further = sorted(self._naming.taken_from(asked, node.metrics))
        if not asked or not further:
            return False

        def ask() -> bool:
            conditions = [
                one_of(column("metric"), map(text, node.metrics)),
                any_of([call("not", has_attribute(name)) for name in asked]),
                any_of([has_attribute(name) for name in further]),
            ]
            there = select(named(call("toUInt8", exp.Literal.number(1)), "one")).from_("series_rows")
            return bool(self._received(there.where(all_of(conditions)).limit(1)).num_rows)

        return self._answers.get(("series",), ("adds names", node.metrics, tuple(asked)), ask)

    def first_seen(self) -> int | None:
        """Return when the first point of all was seen, in nanoseconds; None without any."""
        self._trace.own = True
        if self._is_empty():
            return None
        tree = select(named(call("min", column("first_seen")), "first"), named(call("count"), "n"))
        found = self._query(tree.from_("series")).to_pylist()[0]
        return int(found["first"]) if found["n"] else None

    def began(self, metrics: Iterable[str], span: Span) -> bool:
        """Tell whether a series of these metrics may have been first seen in the range."""
        self._trace.own = True
        day, wanted = span.earliest // DAY_NS, sorted(metrics)
        if not wanted or not self._answers.lasting(("series",)):
            return bool(wanted)

        def ask() -> npt.NDArray[np.uint64]:
            since = exp.GTE(this=column("first_seen"), expression=unsigned(day * DAY_NS))
            named_so = one_of(column("metric"), map(text, wanted))
            tree = select(column("first_seen")).distinct().from_("series").where(all_of([named_so, since]))
            return np.sort(self._query(tree).column("first_seen").to_numpy())

        known = self._answers.get(("series",), ("began", tuple(wanted), day), ask)
        at = int(np.searchsorted(known, np.uint64(span.earliest)))
        return at < len(known) and (span.latest is None or int(known[at]) < span.latest)

    def expired(self, span: Span, sources: Coverage | None, counters: Iterable[str] = ()) -> list[int]:
        """Return the days of a range (since the epoch) of which neither points nor summaries are left.

        Of ``counters``, metrics whose increases are computed from points, it is also the day before the first
        points that are read, if they lack those before them.
        """
        days = expired_days(self._query, self._answers)
        lacking = unanswered(sources, span, days)
        if lacking or not (named_so := [text(metric) for metric in counters]):
            return lacking
        cut = cut_off(sources, span, days, LOOKBACK_NS)
        if not cut:
            return []
        time, metric = column("time"), one_of(column("metric"), named_so)
        wanted = all_of([metric, any_of([needing.holds_stored(time.copy()) for needing in cut.values()])])
        day = call("intDiv", time, unsigned(DAY_NS))
        there = self._query(select(named(day, "day")).distinct().from_("samples").where(wanted))
        return sorted(cut.keys() & {one - 1 for one in there.column("day").to_pylist()})

    def attributes(self, metrics: Iterable[str], series: Tree | None, span: Span) -> list[str]:
        """Return the names of the attributes that series of these metrics have, sorted."""
        self._trace.own = True
        wanted = [one_of(column("metric"), map(text, metrics)), *seen(series, span)]
        names = call("arrayJoin", call("mapKeys", column("attributes")))
        tree = select(named(names, "name")).distinct().from_("series").where(all_of(wanted))
        found = self._query(tree).column("name").to_pylist()
        return sorted({*found, *self._naming.further_attributes(found)})

    def dimensions(self, names: Sequence[str], series: Tree | None, span: Span) -> list[Dimensions]:
        """Return what there is of metrics with values of these attributes, each once; at most `MOST_ROWS`."""
        self._trace.own = True
        if self._is_empty():
            return []
        values = [
            either(
                call("mapContains", column("attributes"), text(name)),
                call("toNullable", call("arrayElement", column("attributes"), text(name))),
                null(),
            )
            for name in names
        ]
        tree = (
            select(
                column("metric"),
                named(call("arraySort", call("mapKeys", column("attributes"))), "names"),
                *(named(value, f"v{index}") for index, value in enumerate(values)),
            )
            .distinct()
            .from_("series")
            .where(all_of(seen(series, span)))
            .limit(MOST_ROWS + 1)
        )
        rows = self._query(tree).to_pylist()
        if len(rows) > MOST_ROWS:
            raise LimitExceeded(f"this is about more than {MOST_ROWS} kinds of series; narrow it with WHERE")
        return [
            Dimensions(row["metric"], row["names"], {n: row[f"v{i}"] for i, n in enumerate(names)})
            for row in rows
        ]


class Extents:
    """When the series of metrics were seen, by metric and kind: the least and the latest of each end."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    def during(self, span: Span) -> dict[str, frozenset[Kind]] | None:
        """Return the metrics with series seen in the range, see `seen`; None where the ends do not tell."""
        if len(self._rows) > MOST_METRICS:
            return None
        after = max(0, span.earliest - _HOUR_NS) if span.earliest > _HOUR_NS else 0
        found: dict[str, set[Kind]] = {}
        for row in self._rows:
            end = row["max_last_seen"] + 1 if span.latest is None else span.latest
            if row["min_first_seen"] >= end or row["max_last_seen"] < after:
                continue
            if row["max_first_seen"] >= end and row["min_last_seen"] < after:
                return None  # one series may have come too late, and all others have gone too early
            found.setdefault(row["metric"], set()).add(Kind(row["kind"]))
        return {metric: frozenset(kinds) for metric, kinds in found.items()}


class Times:
    """When each series of metrics was seen, by metric and kind."""

    def __init__(self, rows: pa.Table) -> None:
        named_so, kinds = (rows.column(name).to_pylist() for name in ("metric", "kind"))
        self._ends = np.stack([rows.column(name).to_numpy() for name in ("first_seen", "last_seen")])
        whose = {one: place for place, one in enumerate(dict.fromkeys(zip(named_so, kinds, strict=True)))}
        self._whose = np.array([whose[one] for one in zip(named_so, kinds, strict=True)], np.int64)
        self._kinds = list(whose)

    def during(self, span: Span) -> dict[str, frozenset[Kind]] | None:
        """Return the metrics with series seen in the range, see `seen`; None where they are too many."""
        first, last = self._ends
        there = np.ones(len(first), np.bool_) if span.latest is None else first < np.uint64(span.latest)
        if span.earliest > _HOUR_NS:
            there &= last >= np.uint64(span.earliest - _HOUR_NS)
        found: dict[str, set[Kind]] = {}
        for place in sorted(set(self._whose[there].tolist()), key=lambda at: self._kinds[at]):
            metric, kind = self._kinds[place]
            found.setdefault(metric, set()).add(Kind(kind))
        if len(found) > MOST_METRICS:
            return None
        return {name: frozenset(kinds) for name, kinds in found.items()}


@dataclass(frozen=True, slots=True)
class Dimensions:
    """A metric, all attributes that a series of it has, by name, and the values of some of them."""

    metric: str
    names: list[str]
    values: Mapping[str, str | None]


def has_attribute(name: str) -> Tree:
    """Return the condition that a series has an attribute."""
    return call("mapContains", column("attributes"), text(name))


def of_metrics(patterns: Iterable[str]) -> Tree:
    """Return the condition that a series is of a metric that one of some patterns matches."""
    return any_of([_matches(pattern) for pattern in patterns])


def _matches(pattern: str) -> Tree:
    if "*" not in pattern:
        return exp.EQ(this=column("metric"), expression=text(pattern))
    return call("match", column("metric"), text(wildcard(pattern)))


def seen(series: Tree | None, span: Span) -> list[Tree]:
    """Return the conditions that a series was seen in the range; ``last_seen`` may lag by an hour."""
    found = [] if series is None else [series]
    if span.latest is not None:
        found.append(exp.LT(this=column("first_seen"), expression=unsigned(span.latest)))
    if span.earliest > _HOUR_NS:
        found.append(exp.GTE(this=column("last_seen"), expression=unsigned(span.earliest - _HOUR_NS)))
    return found
