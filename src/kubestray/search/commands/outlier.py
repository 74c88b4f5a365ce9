"""``outlier [action=remove|transform] [param=N] [uselower=true] [mark=true] [FIELD …]``
takes outlying numbers in, or their rows out.

A number is outlying if it is more than ``param`` (2.5) times the distance of the quartiles above the upper
one; with ``uselower=true`` also so far below the lower one. ``transform`` puts that limit in its place, with
``mark=true`` with 000 before it; ``remove`` (``rm``) drops the row. Without fields it is all but internal
ones like ``_time``; patterns are known.

Example::

    | outlier action=remove param=1.5 count
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.options import flag, read_options
from kubestray.search.plan import Filter
from kubestray.search.relation import Context, Relation
from kubestray.search.statistics import Rows, find
from kubestray.search.syntax import Command
from kubestray.search.values import Shape, Value, as_number, choose
from kubestray.search.wildcards import chosen_fields
from kubestray.store.trees import Tree, any_of, call, column, number, text, windowed

_ACTIONS = {"rm": "remove", "remove": "remove", "tf": "transform", "transform": "transform"}


@dataclass(frozen=True, slots=True)
class Outlier(Command):
    """The ``outlier`` command."""

    remove: bool
    param: float
    lower: bool
    mark: bool
    fields: tuple[str, ...]


def parse(cursor: Cursor, at: int) -> Outlier:
    """Read the options and the fields."""
    options: dict[str, str] = {}
    fields: list[str] = []
    while True:
        if read_options(cursor, ["action", "param"], options, ["uselower", "mark"]):
            continue
        if not cursor.at_field():
            break
        fields.append(cursor.field("with numbers"))
        cursor.take(",")
    action = _ACTIONS.get(options.get("action", "transform").lower())
    if action is None:
        raise cursor.error(f"action {options['action']!r} is unknown", at, "remove or transform")
    try:
        param = float(options.get("param", "2.5"))
    except ValueError:
        raise cursor.error(f"param={options['param']} is no number", at) from None
    lower, mark = flag(options, "uselower", False), flag(options, "mark", False)
    return Outlier(at, action == "remove", param, lower, mark, tuple(fields) or ("*",))


def plan(command: Outlier, relation: Relation, context: Context) -> Relation:
    """Look at the numbers of each field over all rows."""
    outlying: list[Tree] = []
    for name in chosen_fields(command.fields, relation.fields):
        value = relation.fields[name].value()
        own, low, high = (context.column(Shape.NUMBER) for _ in range(3))
        relation = relation.computed([(own, as_number(value))])
        quartiles = [_quartile(percent, own.value(), context) for percent in (25, 75)]
        relation = relation.computed([(low, quartiles[0]), (high, quartiles[1])])
        reach = call("multiply", number(command.param), call("minus", column(high.name), column(low.name)))
        bounds = [(call("greater", column(own.name), call("plus", column(high.name), reach)), "plus", high)]
        if command.lower:
            below = call("minus", column(low.name), reach.copy())
            bounds.append((call("less", column(own.name), below), "minus", low))
        outlying += [call("ifNull", beyond, number(0)) for beyond, _, _ in bounds]
        if not command.remove:
            branches = [
                (beyond.copy(), _limit(call(sign, column(end.name), reach.copy()), command))
                for beyond, sign, end in bounds
            ]
            kept = choose(branches, value)
            relation = relation.extended([(name, context.column(kept.shape), kept.tree)])
    if not command.remove:
        return relation
    return relation.with_node(Filter(relation.node, call("not", any_of(outlying))))


def _quartile(percent: int, value: Value, context: Context) -> Tree:
    statistic = find(f"perc{percent}")
    assert statistic
    return windowed(statistic.of(value, Rows(context.switches)).tree)


def _limit(bound: Tree, command: Outlier) -> Value:
    if not command.mark:
        return Value(Shape.NUMBER, bound)
    return Value(Shape.TEXT, call("concat", text("000"), call("toString", bound)))
