"""What rows know of the rows before them: ``accum``, ``delta``, ``autoregress``, ``trendline``."""

from __future__ import annotations

from collections.abc import Sequence

from kubestray.search.relation import Relation
from kubestray.search.values import Value
from kubestray.store.trees import Tree, aggregate, call, number, over, windowed


def before(relation: Relation, value: Value, count: int) -> Value:
    """Return a value of the row so many rows before, of ranked rows; null where there is no such row."""
    terms = [order.term() for order in relation.order]
    return Value(value.shape, over(call("lagInFrame", value.tree, number(count)), terms=terms))


def so_far(
    relation: Relation, name: str, *arguments: Tree, partition: Sequence[Tree] = (), rows: int = 0
) -> Tree:
    """Return an aggregate over the rows up to each row (the last ``rows`` of them), of ranked rows."""
    terms = [order.term() for order in relation.order]
    return windowed(aggregate(name, *arguments), partition=partition, terms=terms, rows=rows)
