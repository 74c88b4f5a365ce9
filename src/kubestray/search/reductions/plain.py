"""Aggregates of values whatever they are: counts, extremes, lists, the most frequent."""

from __future__ import annotations

from kubestray.search.reductions.base import (
    SINGLE,
    Build,
    Rows,
    counted,
    engine,
    from_text,
    over_numbers,
)
from kubestray.search.values import (
    Shape,
    Value,
    as_list,
    as_number,
    as_text,
    choose,
    missing,
    parse_number,
    present,
)
from kubestray.store.trees import (
    Tree,
    aggregate,
    all_of,
    call,
    column,
    either,
    is_null,
    lambda_,
    null,
    number,
)

_MOST_LISTED = 100


def count(value: Value, _: Rows) -> Value:
    """Return how many values, of a condition how often it holds."""
    if value.shape is Shape.BOOLEAN:
        return counted(aggregate("countIf", call("ifNull", value.tree, number(0))))
    if value.shape in SINGLE:
        return counted(aggregate("countIf", present(value)))
    return counted(aggregate("sum", call("length", as_list(value))))


def distinct(value: Value, _: Rows) -> Value:
    """Return how many distinct values, compared as texts."""
    return counted(aggregate("uniqExactArray", as_list(value)))


def no_error(value: Value, rows: Rows) -> Value:
    """Return the error of the distinct count, which is exact; null without any value."""
    none = call("equals", distinct(value, rows).tree, number(0))
    return Value(Shape.NUMBER, either(none, null(), number(0.0)))


def values(value: Value, _: Rows) -> Value:
    """Return the distinct values in the order of their bytes."""
    return Value(Shape.MULTI, call("arraySort", aggregate("groupUniqArrayArray", as_list(value))))


def listed(value: Value, rows: Rows) -> Value:
    """Return the values in the order of the rows, the first hundred of them as Splunk does."""
    assert rows.rank is not None
    every = all_in_order(value, rows.rank)
    return Value(Shape.MULTI, call("arraySlice", every, number(1), number(_MOST_LISTED)))


def all_in_order(value: Value, rank: Tree) -> Tree:
    """Return all values, as ``Array(String)``, in the order of the rows' places."""
    pairs = aggregate("groupArray", call("tuple", rank, as_list(value)))
    ordered = call("arraySort", lambda_("p", call("tupleElement", column("p"), number(1))), pairs)
    lists = call("arrayMap", lambda_("p", call("tupleElement", column("p"), number(2))), ordered)
    return call("arrayFlatten", lists)


def first(value: Value, rank: Tree) -> Tree:
    """Return a DYNAMIC value as it is in the first of the rows that have one."""
    # A place that may be null would make the result one that the shape does not know.
    return aggregate("argMinIf", value.tree, call("assumeNotNull", rank), present(value))


def mode(value: Value, _: Rows) -> Value:
    """Return the most frequent value; of several the first in the order of their bytes."""
    listed = as_list(value)
    ones = call("arrayMap", lambda_("x", call("toUInt64", number(1))), listed.copy())
    found = aggregate("sumMap", listed, ones)  # the values in order, and how often each was there
    known, often = (call("tupleElement", found.copy(), number(part)) for part in (1, 2))
    place = call("indexOf", often, call("arrayMax", often.copy()))
    most = call("toNullable", call("arrayElement", known, place))
    return from_text(either(call("empty", known.copy()), null(), most), value.shape)


def extreme(name: str) -> Build:
    """Make ``min``/``max``: numbers compare by value, texts by their bytes, and numbers come before texts."""

    def build(value: Value, _: Rows) -> Value:
        by_number = Value(Shape.NUMBER, over_numbers(name, value))
        if value.shape in (Shape.NUMBER, Shape.BOOLEAN):
            return by_number
        by_text = Value(Shape.TEXT, _of_texts(name, value))
        first, second = (by_text, by_number) if name == "max" else (by_number, by_text)
        return choose([(call("not", missing(first)), first)], second)

    return build


def _of_texts(name: str, value: Value) -> Tree:
    """Return the extreme of the values that are no numbers; null without any."""
    if value.shape is Shape.TEXT:
        is_text = all_of([present(value), is_null(as_number(value))])
        return engine(f"{name}OrNullIf", [as_text(value), is_text])
    is_text = is_null(parse_number(column("x")))
    return engine(f"{name}OrNullArray", [call("arrayFilter", lambda_("x", is_text), as_list(value))])
