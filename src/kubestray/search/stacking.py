"""Rows of several relations one after the other, as ``append`` and ``union`` need them."""

from __future__ import annotations

from collections.abc import Sequence

from kubestray.search.plan import Order, Stacked
from kubestray.search.relation import Context, Relation
from kubestray.search.values import NULL, Shape, as_shape, common_shape
from kubestray.store.trees import Tree, call, column, number


def stacked(relations: Sequence[Relation], context: Context) -> Relation:
    """Return all rows: those of the first relation in their order, then those of the next."""
    names = list(dict.fromkeys(name for relation in relations for name in relation.fields))
    shapes = [common_shape(r.fields[name].shape for r in relations if name in r.fields) for name in names]
    fields = {name: context.column(shape) for name, shape in zip(names, shapes, strict=True)}
    part, place = context.column(Shape.NUMBER), context.column(Shape.NUMBER)
    parts = []
    for index, relation in enumerate(relations):
        ranked, rank = relation.ranked(context)
        values: list[Tree] = [
            as_shape(ranked.value(name) or NULL, shape) for name, shape in zip(names, shapes, strict=True)
        ]
        own = call("toNullable", call("toFloat64", number(index)))
        parts.append((ranked.node, (*values, own, column(rank.name))))
    node = Stacked(tuple(parts), (*fields.values(), part, place))
    return Relation(node, fields, (Order(part), Order(place)))
