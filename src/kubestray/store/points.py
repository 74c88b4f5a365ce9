"""Points as searches see them: values as received, or the increases of counters.

The increase of a cumulative counter is computed here, when it is read, and nowhere else, so it is
right whatever order points arrived in: after a restart (the start time changed) or a reset (the
value fell) the increase is the new value, the first sight of a series has none, and the previous
point is looked for up to `LOOKBACK_NS` back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from kubestray.model.metric import Kind
from kubestray.store.point_tables import BLOCK_NS
from kubestray.store.trees import (
    Tree,
    all_of,
    call,
    column,
    either,
    in_query,
    named,
    one_of,
    over,
    select,
    table,
    text,
    unsigned,
)

LOOKBACK_NS = 3600 * 10**9

END_OF_TIME = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Span:
    """A time range in nanoseconds: from ``earliest`` up to, not including, ``latest``.

    ``latest`` of None has no end (the last representable nanosecond is a time too).
    """

    earliest: int = 0
    latest: int | None = None

    def holds(self, time: Tree) -> Tree:
        """Return the condition that ``time`` lies in the range."""
        bounds: list[Tree] = []
        if self.earliest > 0:
            bounds.append(exp.GTE(this=time, expression=unsigned(self.earliest)))
        if self.latest is not None:
            bounds.append(exp.LT(this=time, expression=unsigned(max(self.latest, 0))))
        return all_of(bounds)

    def holds_stored(self, time: Tree) -> Tree:
        """Return the same condition for points as they are stored: it also names the blocks they lie in."""
        block = call("intDiv", time, unsigned(BLOCK_NS))
        bounds = [self.holds(time)]
        if self.earliest > 0:
            bounds.append(exp.GTE(this=block, expression=unsigned(self.earliest // BLOCK_NS)))
        if self.latest is not None and self.latest > 0:
            bounds.append(exp.LTE(this=block.copy(), expression=unsigned((self.latest - 1) // BLOCK_NS)))
        return all_of(bounds)

    def reaching_back(self, nanoseconds: int) -> Span:
        """Return the range that starts earlier by that much."""
        return Span(max(0, self.earliest - nanoseconds), self.latest)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which points: metric names, the kinds their series have, a condition on series, a range."""

    metrics: tuple[str, ...]
    kinds: frozenset[Kind]
    series: Tree | None
    span: Span
    renamed: bool = False
    """Whether a series may be of two of the metrics, of another kind in each: its id alone is none then."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that tell its series apart."""
        return ("metric", "series_id") if self.renamed else ("series_id",)

    def catalog(self) -> Tree:
        """Return the condition on the catalog: these metrics, the series condition, seen in the range."""
        return all_of([self._named(), *([self.series] if self.series is not None else [])])

    def _named(self) -> Tree:
        return one_of(column("metric"), [text(name) for name in self.metrics])


def as_received(selection: Selection) -> exp.Select:
    """Select metric, series_id, time, start, value of the points as they came."""
    names = ("metric", "series_id", "time", "start", "value")
    return select(*map(column, names)).from_("samples").where(_scan(selection, selection.span, None))


def measured(selection: Selection) -> exp.Query:
    """Select metric, series_id, time, value: readings and deltas as they are, counters as increases."""
    parts: list[exp.Query] = []
    plain = selection.kinds - {Kind.CUMULATIVE}
    if plain:
        names = ("metric", "series_id", "time", "value")
        where = _scan(selection, selection.span, plain if Kind.CUMULATIVE in selection.kinds else None)
        parts.append(select(*map(column, names)).from_("samples").where(where))
    if Kind.CUMULATIVE in selection.kinds:
        parts.append(_increases(selection, frozenset({Kind.CUMULATIVE}) if plain else None))
    if not parts:
        return as_received(selection)
    return parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False)


def _scan(selection: Selection, span: Span, kinds: frozenset[Kind] | None) -> Tree:
    """Return the condition on ``samples``; the catalog is asked only where it narrows the scan."""
    conditions = [one_of(column("metric"), [text(name) for name in selection.metrics])]
    if selection.series is not None or kinds is not None:
        wanted = [selection.catalog()]
        if kinds is not None:
            wanted.append(one_of(column("kind"), [text(kind.value) for kind in sorted(kinds)]))
        ids = select(*map(column, selection.keys)).from_("series").where(all_of(wanted))
        own = [column(key) for key in selection.keys]
        conditions.append(in_query(call("tuple", *own) if len(own) > 1 else own[0], ids))
    conditions.append(span.holds_stored(column("time")))
    return all_of(conditions)


def _increases(selection: Selection, kinds: frozenset[Kind] | None) -> exp.Select:
    span = selection.span
    names = ("metric", "series_id", "time", "start", "value")
    points = (
        select(*map(column, names))
        .from_("samples")
        .where(_scan(selection, span.reaching_back(LOOKBACK_NS), kinds))
    )
    behind = [named(_previous(name, selection.keys), f"before_{name}") for name in ("time", "start", "value")]
    paired = select(*map(column, names), *behind).from_(table(points, "points"), copy=False)
    recent = exp.LTE(
        this=exp.Sub(this=column("time"), expression=column("before_time")),
        expression=unsigned(LOOKBACK_NS),
    )
    return (
        select(column("metric"), column("series_id"), column("time"), named(_increase(), "value"))
        .from_(table(paired, "pairs"), copy=False)
        .where(all_of([span.holds(column("time")), call("isNotNull", column("before_time")), recent]))
    )


def _previous(name: str, keys: Sequence[str]) -> Tree:
    """Return the value of a column at the series' point before this one; NULL at the first.

    ``keys`` are the columns that tell series apart.
    """
    return over(
        call("lagInFrame", call("toNullable", column(name)), exp.Literal.number(1), exp.Null()),
        partition=[column(key) for key in keys],
        order=[column("time"), column("value")],
    )


def _increase() -> Tree:
    """Return the increase from the point before, reset-aware."""
    known = [
        exp.NEQ(this=column(name), expression=exp.Literal.number(0)) for name in ("start", "before_start")
    ]
    restarted = all_of([*known, exp.NEQ(this=column("start"), expression=column("before_start"))])
    fell = exp.LT(this=column("value"), expression=column("before_value"))
    grown = exp.Sub(this=column("value"), expression=column("before_value"))
    return call("assumeNotNull", either(exp.or_(restarted, fell), column("value"), grown))
