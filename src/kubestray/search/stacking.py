"""Rows of several relations one after the other, as ``append`` and ``union`` need them, or by their time."""

from __future__ import annotations

from collections.abc import Sequence

from kubestray.search.plan import Order, Stacked
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Pipeline
from kubestray.search.values import NULL, Shape, as_number, as_shape, common_shape, constant
from kubestray.store.trees import Tree, column


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
        own = constant(index)
        parts.append((ranked.node, (*values, own, column(rank.name))))
    node = Stacked(tuple(parts), (*fields.values(), part, place))
    return Relation(node, fields, (Order(part), Order(place)))


_STREAMING = frozenset(
    """
    addinfo bin convert eval extract fields lookup makemv mvexpand nomv passing regex reltime rename replace
    rex search spath strcat where xmlkv xpath
    """.split()
)
"""Commands (their modules) that work on one event after the other, and keep their order."""


def is_streaming(pipeline: Pipeline) -> bool:
    """Whether a search gives events and works on each of them for itself: they stay in the order of time."""
    names = [type(command).__module__.rpartition(".")[2] for command in pipeline.commands]
    return names[0] == "search" and _STREAMING.issuperset(names)


def interleaved(relations: Sequence[Relation], context: Context) -> Relation:
    """Return all rows, the newest first; without a time, or if a relation has none, as `stacked` does."""
    together = stacked(relations, context)
    if not all("_time" in relation.fields for relation in relations):
        return together
    seconds = context.column(Shape.NUMBER)
    together = together.computed([(seconds, as_number(together.value("_time") or NULL))])
    return Relation(together.node, together.fields, (Order(seconds, descending=True), *together.order))
