"""Aggregates for which the order of the rows or their time matters."""

from __future__ import annotations

from kubestray.search.reductions.base import Build, Rows
from kubestray.search.values import NULL, NULL_NUMBER, Shape, Value, as_number, present
from kubestray.store.trees import Tree, aggregate, all_of, call, column, either, lambda_, null, number


def at_end(name: str, *, by_time: bool) -> Build:
    """Make ``first``/``last`` (by place) and ``earliest``/``latest`` (by ``_time``, then by place)."""

    def build(value: Value, rows: Rows) -> Value:
        assert rows.rank is not None
        if by_time and rows.time is None:
            return Value(Shape.TEXT, aggregate("anyOrNull", NULL.tree))
        known = [present(value)]
        place: Tree = rows.rank
        if by_time and rows.time is not None:
            known.append(call("isNotNull", rows.time))
            place = call("tuple", call("ifNull", rows.time, number(0)), rows.rank)
        # Arrays and tuples have no null: without any value they are empty, which means the same.
        null_too = "OrNull" if value.shape in (Shape.NUMBER, Shape.TEXT) else ""
        return Value(value.shape, aggregate(f"{name}{null_too}If", value.tree, place, all_of(known)))

    return build


def time_at_end(name: str) -> Build:
    """Make ``earliest_time``/``latest_time``: when there was a value for the first or last time."""

    def build(value: Value, rows: Rows) -> Value:
        if rows.time is None:
            return Value(Shape.NUMBER, aggregate("anyOrNull", NULL_NUMBER.tree))
        return Value(Shape.NUMBER, aggregate(f"{name}OrNullIf", rows.time, present(value)))

    return build


def rate(value: Value, rows: Rows) -> Value:
    """Return the increase for each second between the oldest number and the newest.

    A value that fell is a counter that started again: it has grown by what it shows.
    """
    if rows.time is None:
        return Value(Shape.NUMBER, aggregate("anyOrNull", NULL_NUMBER.tree))
    own = as_number(value)
    known = all_of([call("isNotNull", own), call("isNotNull", rows.time)])
    point = call("tuple", call("assumeNotNull", rows.time), call("assumeNotNull", own.copy()))
    points = call("arraySort", aggregate("groupArrayIf", point, known))
    grown = call(
        "arrayMap",
        lambda_("p", either(_fell(), _part("p", 2, 2), call("minus", _part("p", 2, 2), _part("p", 1, 2)))),
        call("arrayZip", call("arrayPopBack", points), call("arrayPopFront", points.copy())),
    )
    last = call("tupleElement", call("arrayElement", points.copy(), number(-1)), number(1))
    first = call("tupleElement", call("arrayElement", points.copy(), number(1)), number(1))
    length = call("nullIf", call("minus", last, first), number(0))
    some = call("greater", call("length", points.copy()), number(1))
    return Value(Shape.NUMBER, either(some, call("divide", call("arraySum", grown), length), null()))


def _part(name: str, side: int, part: int) -> Tree:
    """Return the time (1) or the value (2) of the earlier (1) or later (2) point of a pair."""
    return call("tupleElement", call("tupleElement", column(name), number(side)), number(part))


def _fell() -> Tree:
    return call("less", _part("p", 2, 2), _part("p", 1, 2))
