"""Windows of a length of time, for which the engine has no exact frame.

A frame of whole seconds holds at least the rows that are wanted; of those the right ones are chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from kubestray.search.plan import Grouped
from kubestray.search.relation import Context, Relation
from kubestray.search.values import Shape, Value, as_number
from kubestray.search.windows import chosen, mark, nearby
from kubestray.store.trees import Tree, aggregate, all_of, call, number


def direction(time: Value, place: Value, relation: Relation, context: Context) -> int:
    """Ask whether the times of the rows go up (1) or down (-1)."""
    ends = [context.column(Shape.NUMBER) for _ in range(2)]
    known = call("isNotNull", as_number(time))
    taken = [
        aggregate(name, as_number(time), place.tree.copy(), known.copy())
        for name in ("argMinOrNullIf", "argMaxOrNullIf")
    ]
    node = Grouped(relation.node, (), tuple(zip(ends, taken, strict=True)))
    row = context.discover(Relation(node, dict(zip(("first", "last"), ends, strict=True))))[0]
    return -1 if row and row["last"] < row["first"] else 1


def within(
    tree: Tree,
    *,
    partition: Sequence[Tree],
    time: Tree,
    place: Tree,
    seconds: float,
    sign: int,
    current: bool,
    rows: int = 0,
    across: bool = False,
) -> Tree:
    """Return the tree with its aggregates over the rows up to a row whose times are less than so far off.

    With ``rows`` only the last so many of them are taken: of all rows with ``across``, else of the partition.
    """
    far = call("multiply", call("minus", time, mark(1)), number(sign))
    before = call("lessOrEquals" if current else "less", mark(2), place)
    conditions = [before, call("less", far, number(seconds)), call("greaterOrEquals", far.copy(), number(0))]
    if rows and across:
        first = call("minus", place.copy(), number(rows - current))
        conditions.append(call("greaterOrEquals", mark(2), first))
    right = all_of(conditions)
    ahead = call("multiply", call("ifNull", time.copy(), number(0)), number(sign))
    whole = call("toInt64", call("floor", ahead))

    def around(gathering: Tree) -> Tree:
        return nearby(gathering, partition=partition, place=whole, before=math.ceil(seconds) + 1)

    last = 0 if across else rows
    return chosen(tree, marks=[time, place], condition=right, gathered=around, last=last)
