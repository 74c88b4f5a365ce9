"""Which values of a field get a column of their own: asked for while a search is planned.

Each value has a score, by default the sum of its column. Of equal scores the first in lexicographic order
wins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kubestray.search.grouping import Wish, aggregated
from kubestray.search.pivot_syntax import Choice
from kubestray.search.plan import Column, Grouped
from kubestray.search.relation import Context, Relation
from kubestray.search.statistics import Rows, find
from kubestray.search.syntax import Aggregate
from kubestray.search.values import Shape, Value, as_number


def series_of(
    choice: Choice,
    cells: tuple[Relation, Column, Sequence[Column]],
    events: tuple[Relation, Column],
    context: Context,
) -> tuple[list[str], bool, bool]:
    """Return the values with a column of their own, in order, and whether there are others, and nulls.

    ``cells`` are the rows of the table before it gets columns: with the value, and the aggregates. ``events``
    are the rows that are counted, with the value.
    """
    rows = _scores(choice, cells, events, context)
    found = {row["value"]: row.get("score") for row in rows if "value" in row}
    kept = _chosen(choice, found)
    return sorted(kept), len(kept) < len(found), len(found) < len(rows)


def _scores(
    choice: Choice,
    cells: tuple[Relation, Column, Sequence[Column]],
    events: tuple[Relation, Column],
    context: Context,
) -> list[dict[str, Any]]:
    relation, series, values = cells
    score = choice.score
    if score is not None and (score.argument is not None or score.function in ("count", "c")):
        return _of_events(score, events, context)
    if score is None and len(values) > 1:
        return _of_events(Aggregate(0, "count", None, "count"), events, context)
    if not values:
        return []
    function = "sum" if score is None else score.function
    statistic = find(function)
    assert statistic, function
    cell = Value(Shape.NUMBER, as_number(values[0].value()))
    if statistic.ordered:
        assert score
        raise context.error(score.at, f"{function}() says nothing of the values of a column")
    value = statistic.build(cell, Rows(context.switches))
    return _asked(relation, series, value, context)


def _of_events(score: Aggregate, events: tuple[Relation, Column], context: Context) -> list[dict[str, Any]]:
    relation, series = events
    relation, (made,) = aggregated([score], relation, context, Wish())
    return _asked(relation, series, made.value, context)


def _asked(relation: Relation, series: Column, value: Value, context: Context) -> list[dict[str, Any]]:
    key, score = context.column(Shape.TEXT), context.column(Shape.NUMBER)
    node = Grouped(relation.node, ((key, series.value().tree),), ((score, as_number(value)),))
    return context.discover(Relation(node, {"value": key, "score": score}))


def _chosen(choice: Choice, found: dict[str, float | None]) -> list[str]:
    """Return the values that are to have a column."""
    if choice.above is not None or choice.below is not None:
        return [value for value, score in found.items() if score is not None and _beyond(choice, score)]
    if not choice.count:
        return list(found)
    worst = -math.inf if choice.best else math.inf

    def place(item: tuple[str, float | None]) -> tuple[float, str]:
        score = worst if item[1] is None else item[1]
        return (-score if choice.best else score), item[0]

    ranked = [value for value, _ in sorted(found.items(), key=place)]
    return ranked[choice.count :] if choice.negated else ranked[: choice.count]


def _beyond(choice: Choice, score: float) -> bool:
    if choice.above is not None:
        return score > choice.above
    assert choice.below is not None
    return score < choice.below
