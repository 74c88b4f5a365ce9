"""Asks the store's catalog which metrics and attributes there are, while a search is being planned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from kubestray.model.errors import LimitExceeded
from kubestray.model.metric import Kind
from kubestray.search.matching import wildcard
from kubestray.search.naming import NO_NAMES, Naming
from kubestray.search.plan import Measure
from kubestray.search.sources import sources
from kubestray.store.coverage import Coverage, expired_days, unanswered
from kubestray.store.points import Span
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

    def __init__(self, query: Query, *, summaries: bool = True, naming: Naming = NO_NAMES) -> None:
        self._received, self._summaries, self._naming = query, summaries, naming

    def _query(self, tree: exp.Expr) -> pa.Table:
        return self._received(self._naming.applied(tree, self._received))

    def metrics(self, patterns: Iterable[str], series: Tree | None, span: Span) -> dict[str, frozenset[Kind]]:
        """Return the metrics that match, with the kinds of their series; at most `MOST_METRICS`."""
        tree = (
            select(column("metric"), named(call("groupUniqArray", column("kind")), "kinds"))
            .from_("series")
            .where(all_of([any_of([_matches(p) for p in patterns]), *seen(series, span)]))
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

    def sources(self, node: Measure) -> Coverage | None:
        """Return how summaries and points share the work of a step; None where points do all of it."""
        if not self._summaries or self._naming.translates(node.metrics, self._received):
            return None  # summaries are of metrics as received
        return sources(node, self._query)

    def first_seen(self) -> int | None:
        """Return when the first point of all was seen, in nanoseconds; None without any."""
        tree = select(named(call("min", column("first_seen")), "first"), named(call("count"), "n"))
        found = self._query(tree.from_("series")).to_pylist()[0]
        return int(found["first"]) if found["n"] else None

    def expired(self, span: Span, sources: Coverage | None) -> list[int]:
        """Return the days of a range (since the epoch) of which neither points nor summaries are left."""
        return unanswered(sources, span, expired_days(self._query))

    def attributes(self, metrics: Iterable[str], series: Tree | None, span: Span) -> list[str]:
        """Return the names of the attributes that series of these metrics have, sorted."""
        wanted = [one_of(column("metric"), map(text, metrics)), *seen(series, span)]
        names = call("arrayJoin", call("mapKeys", column("attributes")))
        tree = select(named(names, "name")).distinct().from_("series").where(all_of(wanted))
        found = self._query(tree).column("name").to_pylist()
        return sorted({*found, *self._naming.further_attributes(found)})

    def dimensions(self, names: Sequence[str], series: Tree | None, span: Span) -> list[Dimensions]:
        """Return what there is of metrics with values of these attributes, each once; at most `MOST_ROWS`."""
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


@dataclass(frozen=True, slots=True)
class Dimensions:
    """A metric, all attributes that a series of it has, by name, and the values of some of them."""

    metric: str
    names: list[str]
    values: Mapping[str, str | None]


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
