"""Counting combinations of values: what ``top`` and ``rare`` share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from kubestray.search.cursor import Cursor
from kubestray.search.grouping import keyed, natural
from kubestray.search.options import flag, read_options, row_count
from kubestray.search.plan import Column, Filter, Grouped, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import Shape, Value, as_text, choose
from kubestray.store.trees import Tree, aggregate, call, column, number, over, text

_OPTIONS = ("limit", "countfield", "percentfield", "otherstr")
_FLAGS = ("showcount", "showperc", "useother")
_DIGITS = 6
"""Decimals of a percentage, as Splunk has them: 33.333333."""


@dataclass(frozen=True, slots=True)
class Frequency(Command):
    """``top`` or ``rare``; an output name of None is not shown; a count of 0 shows all.

    ``other`` names the row of all that is not shown; None where there is no such row.
    """

    most: ClassVar[bool] = True

    fields: tuple[str, ...]
    by: tuple[str, ...]
    count: int
    count_name: str | None
    percent_name: str | None
    other: str | None


def parse_frequency(cursor: Cursor, at: int, kind: type[Frequency]) -> Frequency:
    """Read the number, the fields and the options."""
    name = kind.__name__.lower()
    options: dict[str, str] = {}
    fields: list[str] = []
    by: list[str] = []
    into = fields
    read_options(cursor, _OPTIONS, options, _FLAGS)
    found = cursor.match(r"(\d+)(?=\s|$|\|)")
    while cursor.at_field():
        if read_options(cursor, _OPTIONS, options, _FLAGS):
            continue
        if cursor.keyword("by"):
            into = by
        else:
            into.append(cursor.field("to count"))
            cursor.take(",")
    if not fields:
        raise cursor.error(f"{name} needs a field to count")
    if into is by and not by:
        raise cursor.error(f"expected a field after BY, found {cursor.found()}")
    limit = options.get("limit", found[1] if found else "10")
    if not limit.isdecimal():
        raise cursor.error(f"limit={limit} is no number")
    command = kind(
        at,
        tuple(fields),
        tuple(by),
        row_count(limit),
        options.get("countfield", "count") if flag(options, "showcount", True) else None,
        options.get("percentfield", "percent") if flag(options, "showperc", True) else None,
        options.get("otherstr", "OTHER") if flag(options, "useother", False) else None,
    )
    _check_names(command, cursor)
    return command


def _check_names(command: Frequency, cursor: Cursor) -> None:
    for name, option in ((command.count_name, "countfield"), (command.percent_name, "percentfield")):
        if name in (*command.fields, *command.by):
            hint = f"name the result otherwise: {option}=NAME"
            raise cursor.error(f"{name!r} is the name of a field that is counted", command.at, hint)


def plan_frequency(command: Frequency, relation: Relation, context: Context) -> Relation:
    """Count the combinations, order by count, keep the first of each BY group.

    Of values that are equally frequent ``top`` shows the last in lexicographic order first, ``rare`` the
    first.
    """
    names = tuple(dict.fromkeys((*command.by, *command.fields)))
    relation, keys = keyed(relation, names, context)
    groups = {name: context.column(key.shape) for name, key in zip(names, keys, strict=True)}
    count, percent, place = (context.column(Shape.NUMBER) for _ in range(3))
    counted = Grouped(
        relation.node,
        tuple((group, key.value().tree) for group, key in zip(groups.values(), keys, strict=True)),
        ((count, call("toNullable", call("toFloat64", aggregate("count")))),),
    )
    partition = [groups[name] for name in command.by]
    ties = [(context.column(Shape.TEXT), as_text(groups[name].value())) for name in command.fields]
    order = [Order(one, descending=command.most) for one in (count, *(tie for tie, _ in ties))]
    row = over(
        call("row_number"), partition=[column(p.name) for p in partition], terms=[o.term() for o in order]
    )
    made = [(percent, _percent(count, partition)), (place, row)]
    found = natural(Relation(counted, groups).computed(ties).computed(made), partition, context)
    ordered = Relation(found.node, groups, (*found.order, Order(place)))
    return _shown(command, *_limited(command, ordered, count, percent, place, context), context)


def _percent(count: Column, partition: Sequence[Column]) -> Tree:
    whole = over(call("sum", column(count.name)), partition=[column(p.name) for p in partition])
    return call("divide", call("multiply", column(count.name), number(100)), whole)


def _shown(
    command: Frequency, relation: Relation, count: Column, percent: Column, context: Context
) -> Relation:
    """Return the rows with the results that are wanted, under their names."""
    made: list[tuple[str, Column, Tree]] = []
    if command.count_name:
        made.append((command.count_name, context.column(Shape.NUMBER), column(count.name)))
    if command.percent_name:
        rounded = call("round", column(percent.name), number(_DIGITS))
        made.append((command.percent_name, context.column(Shape.NUMBER), rounded))
    return relation.extended(made)


def _limited(
    command: Frequency, relation: Relation, count: Column, percent: Column, place: Column, context: Context
) -> tuple[Relation, Column, Column]:
    """Return the first of each group with their counts and percentages; the others are put together."""
    if not command.count:
        return relation, count, percent
    if command.other is None:
        kept = call("lessOrEquals", column(place.name), number(command.count))
        return relation.with_node(Filter(relation.node, kept)), count, percent
    shown, fields = _with_other(command, command.other, relation, place, context)
    row, sums = context.column(Shape.NUMBER), [context.column(Shape.NUMBER) for _ in range(2)]
    order = [one.column for one in relation.order[:-1]]
    again = [context.column(one.shape) for one in order]
    bounded = call("least", column(place.name), number(command.count + 1))
    keys = [*zip(again, (column(one.name) for one in order), strict=True), (row, bounded)]
    total = [aggregate("sum", column(one.name)) for one in (count, percent)]
    node = Grouped(relation.node, (*shown, *keys), tuple(zip(sums, total, strict=True)))
    return Relation(node, fields, tuple(Order(one) for one in (*again, row))), sums[0], sums[1]


def _with_other(
    command: Frequency, other: str, relation: Relation, place: Column, context: Context
) -> tuple[list[tuple[Column, Tree]], dict[str, Column]]:
    """Return the fields, with another name for what is not among the first."""
    rest = call("greater", column(place.name), number(command.count))
    name_of_others = Value(Shape.TEXT, call("toNullable", text(other)))
    shown: list[tuple[Column, Tree]] = []
    fields: dict[str, Column] = {}
    for name, group in relation.fields.items():
        value = group.value()
        if name in command.fields:
            value = choose([(rest.copy(), name_of_others)], value)
        fields[name] = context.column(value.shape)
        shown.append((fields[name], value.tree))
    return shown, fields
