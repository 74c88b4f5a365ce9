"""What Splunk cuts off without a word: long subsearches and long sorts.

Nothing is cut off here. The switch ``subsearch_limits=on`` does as Splunk does, for those who compare the
two, and then the result says what was left out.
"""

from __future__ import annotations

import time

from kubestray.search.cursor import Cursor
from kubestray.search.plan import Grouped, Limited
from kubestray.search.relation import Context, Relation
from kubestray.search.values import Shape
from kubestray.store.trees import aggregate, call

MOST_OF_SUBSEARCH = 50_000  # rows of append and join
MOST_IN_CLAUSES = 10_000  # rows of a subsearch within a clause
MOST_SORTED = 10_000  # rows after a sort that names no number
_SECONDS = 60
_OPTION = r"(extendtimerange|maxtime|maxout|timeout)\s*=\s*(\w+)"


def read_maxout(cursor: Cursor) -> int:
    """Read the options that bound a subsearch; return how many rows ``maxout`` asks for, 0 for all.

    Times are not bounded by rows cut off but by the limit of the whole search.
    """
    most = 0
    while found := cursor.match(_OPTION):
        if found[1].lower() == "maxout":
            if not found[2].isdigit():
                raise cursor.error(f"maxout={found[2]} is no number of rows", found.start(2))
            most = int(found[2])
    return most


def first(relation: Relation, most: int) -> Relation:
    """Return the first rows, all of them with 0."""
    return relation.with_node(Limited(relation.node, relation.order, most)) if most else relation


def cut(relation: Relation, context: Context, most: int, what: str) -> Relation:
    """Return the rows that Splunk would take if the switch asks for that, else all rows.

    To know whether rows are left out they are counted while the search is planned.
    """
    if context.switches.subsearch_limits != "on":
        return relation
    started = time.monotonic()
    found = _count(relation, context)
    if time.monotonic() - started > _SECONDS:
        context.note(f"{what} took more than {_SECONDS} s: Splunk would have gone on with a part of its rows")
    if found <= most:
        return relation
    context.note(f"{what} was cut off after {most} of {found} rows, as subsearch_limits=on asks")
    return first(relation, most)


def _count(relation: Relation, context: Context) -> int:
    count = context.column(Shape.NUMBER)
    counted = Grouped(
        relation.node, (), ((count, call("toNullable", call("toFloat64", aggregate("count")))),)
    )
    return int(context.discover(Relation(counted, {"n": count}))[0]["n"])
