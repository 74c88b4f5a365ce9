"""``uniq`` drops a row that is the same as the one before it, in all of its fields.

Rows that are equal but not neighbours all stay; for those there is ``dedup``.

Example::

    | sort host | table host | uniq
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.plan import Filter
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import Shape, as_list
from kubestray.store.trees import all_of, array, call, column, number, over


@dataclass(frozen=True, slots=True)
class Uniq(Command):
    """The ``uniq`` command."""


def parse(_cursor: Cursor, at: int) -> Uniq:
    """Read nothing: there are no arguments."""
    return Uniq(at)


def plan(_: Uniq, relation: Relation, context: Context) -> Relation:
    """Keep the first row, and each that differs from the one before."""
    relation, rank = relation.ranked(context)
    whole, before = context.column(Shape.TEXT), context.column(Shape.TEXT)
    values = [as_list(made.value()) for made in relation.fields.values()]
    relation = relation.computed([(whole, call("toString", array(values)))])
    terms = [order.term() for order in relation.order]
    relation = relation.computed([(before, over(call("lagInFrame", column(whole.name)), terms=terms))])
    first = call("equals", column(rank.name), number(1))
    same = all_of([call("not", first), call("equals", column(whole.name), column(before.name))])
    return relation.with_node(Filter(relation.node, call("not", same)))
