"""Tables with one column a value: what ``chart`` and ``timechart`` share.

Which columns there are depends on the rows, so the values are asked for while the search is planned.
Beyond the limit (10) the values with the smallest totals are put together as OTHER; rows without a
value are NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kubestray.search.aggregates import aggregates
from kubestray.search.cursor import Cursor
from kubestray.search.grouping import aggregated
from kubestray.search.plan import Column, Grouped, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.statistics import STATISTICS, Rows
from kubestray.search.syntax import Aggregate
from kubestray.search.values import NULL, Shape, Value, as_text, choose, missing
from kubestray.store.trees import Tree, call, one_of, text

_OPTION = (
    r"(span|bins|limit|useother|usenull|otherstr|nullstr|cont|partial|sep|format|agg|minspan|aligntime|start|end)"
    r"\s*=\s*"
)
_LACKING = {"sep", "format", "agg", "minspan", "aligntime", "start", "end"}

# Aggregates that are 0, not null, where there is nothing to aggregate.
COUNTS = frozenset({"count", "c", "dc", "distinct_count"})


@dataclass(frozen=True, slots=True)
class Pivot:
    """How values become columns."""

    aggregates: tuple[Aggregate, ...]
    options: dict[str, str]

    def flag(self, name: str, default: bool) -> bool:
        """Return a true/false option."""
        word = self.options.get(name)
        return default if word is None else word.lower() in ("true", "t", "1")

    @property
    def limit(self) -> int:
        """Return how many values get a column of their own; 0 is all."""
        return int(self.options.get("limit", "10").removeprefix("top"))


def read_options(cursor: Cursor, options: dict[str, str]) -> None:
    """Read options where they stand; those that would change the result and are lacking are errors."""
    while found := cursor.match(_OPTION):
        name = found[1].lower()
        if name in _LACKING:
            raise cursor.error(f"the option {name!r} is known in SPL but not supported here")
        options[name] = cursor.field("as the option's value")
    if not options.get("limit", "10").removeprefix("top").isdigit():
        raise cursor.error(f"limit={options['limit']} is no number")


def read_pivot(cursor: Cursor) -> Pivot:
    """Read options and aggregates."""
    options: dict[str, str] = {}
    read_options(cursor, options)
    found = aggregates(cursor)
    read_options(cursor, options)
    return Pivot(found, options)


def pivoted(
    pivot: Pivot, relation: Relation, row: tuple[str, Value], split: str | None, context: Context
) -> tuple[Relation, list[str]]:
    """Return one row a value of ``row`` (a field's name and value), and the fields that are counts."""
    name, key = row
    key_column = context.column(key.shape)
    if split is None:
        relation, values = aggregated(pivot.aggregates, relation, context)
        counts = [a.name for a in pivot.aggregates if a.function in COUNTS]
    else:
        relation, values, counts = _split(pivot, relation, split, context)
    made = {field: context.column(value.shape) for field, value in values.items()}
    grouped = Grouped(
        relation.node, ((key_column, key.tree),), tuple((made[f], value.tree) for f, value in values.items())
    )
    return Relation(grouped, {name: key_column, **made}, (Order(key_column),)), counts


def _split(
    pivot: Pivot, relation: Relation, split: str, context: Context
) -> tuple[Relation, dict[str, Value], list[str]]:
    """Return each aggregate for each value, named by the value (and the aggregate if several)."""
    series = context.column(Shape.TEXT)
    own = relation.value(split) or NULL
    null_name, other = pivot.options.get("nullstr", "NULL"), pivot.options.get("otherstr", "OTHER")
    kept, rest = _series(pivot, relation, split, context)
    shown: Tree = as_text(own)
    if rest:
        shown = choose([(one_of(shown, map(text, kept)), Value(Shape.TEXT, shown))], _literal(other)).tree
    named = choose([(missing(own), _literal(null_name))], Value(Shape.TEXT, shown))
    relation = relation.computed([(series, named.tree)])
    names = [*kept, *([other] if rest and pivot.flag("useother", True) else [])]
    if pivot.flag("usenull", True) and _has_null(relation, own, context):
        names.append(null_name)
    values: dict[str, Value] = {}
    counts: list[str] = []
    for value in names:
        for aggregate in pivot.aggregates:
            field = value if len(pivot.aggregates) == 1 else f"{aggregate.name}: {value}"
            values[field] = _only(aggregate, value, series, relation, context)
            if aggregate.function in COUNTS:
                counts.append(field)
    return relation, values, counts


def _literal(value: str) -> Value:
    return Value(Shape.TEXT, call("toNullable", text(value)))


def _only(aggregate: Aggregate, value: str, series: Column, relation: Relation, context: Context) -> Value:
    """Return an aggregate over the rows of one value only."""
    is_it = call("equals", series.value().tree, text(value))
    own = relation.value(aggregate.argument) if isinstance(aggregate.argument, str) else None
    if aggregate.argument is None:
        own = _literal("1")
    elif not isinstance(aggregate.argument, str):
        raise context.error(
            aggregate.at, "an eval(…) cannot be split by a field here", "eval it into a field first"
        )
    statistic = STATISTICS.get(aggregate.function)
    if statistic is None or statistic.ordered:
        raise context.error(aggregate.at, f"{aggregate.function}() cannot be split by a field here")
    return statistic.build(choose([(is_it, own or NULL)], NULL), Rows(context.switches))


def _series(pivot: Pivot, relation: Relation, split: str, context: Context) -> tuple[list[str], bool]:
    """Ask for the values with the largest totals; return them in order, and whether there are more."""
    own = relation.value(split) or NULL
    relation = relation.present_only(own)
    relation, totals = aggregated(pivot.aggregates[:1], relation, context)
    (total,) = totals.values()
    key, sum_of = context.column(Shape.TEXT), context.column(total.shape)
    grouped = Grouped(relation.node, ((key, as_text(own)),), ((sum_of, total.tree),))
    asked = Relation(grouped, {"value": key, "total": sum_of}, (Order(sum_of, descending=True), Order(key)))
    rows = context.discover(asked)
    kept = [row["value"] for row in rows[: pivot.limit or None]]
    return sorted(kept), len(rows) > len(kept)


def _has_null(relation: Relation, own: Value, context: Context) -> bool:
    one = context.column(Shape.NUMBER)
    counted = call("toNullable", call("toFloat64", call("countIf", missing(own))))
    asked = Relation(Grouped(relation.node, (), ((one, counted),)), {"n": one})
    return bool(context.discover(asked)[0]["n"])


def fields_of(cursor: Cursor, words: Sequence[str]) -> str | None:
    """Read the field after one of these words, if it comes next."""
    return cursor.field(f"after {words[0].upper()}") if cursor.keyword(*words) else None
