"""Counting combinations of values: what ``top`` and ``rare`` share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kubestray.search.cursor import Cursor
from kubestray.search.grouping import keyed
from kubestray.search.plan import Column, Grouped, Limited, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import Shape
from kubestray.store.trees import Tree, aggregate, call, column, number, over

_OPTION = r"(limit|countfield|percentfield|showcount|showperc|useother|otherstr)\s*=\s*"


@dataclass(frozen=True, slots=True)
class Frequency(Command):
    """``top`` or ``rare``; an output name of None is not shown; a count of 0 shows all."""

    most: ClassVar[bool] = True

    fields: tuple[str, ...]
    by: tuple[str, ...]
    count: int
    count_name: str | None
    percent_name: str | None


def parse_frequency(cursor: Cursor, at: int, kind: type[Frequency]) -> Frequency:
    """Read the number, the fields and the options."""
    name = kind.__name__.lower()
    options: dict[str, str] = {}
    fields: list[str] = []
    by: list[str] = []
    into = fields
    found = cursor.match(r"(\d+)(?=\s)")
    while cursor.at_field():
        if option := cursor.match(_OPTION):
            options[option[1].lower()] = cursor.field("as the option's value")
        elif cursor.keyword("by"):
            into = by
        else:
            into.append(cursor.field("to count"))
            cursor.take(",")
    if not fields:
        raise cursor.error(f"{name} needs a field to count")
    if options.get("useother", "f").lower() in ("true", "t", "1"):
        raise cursor.error(f"{name} option 'useother' is known in SPL but not supported here")
    limit = options.get("limit", found[1] if found else "10")
    if not limit.isdigit():
        raise cursor.error(f"limit={limit} is no number")
    return kind(
        at,
        tuple(fields),
        tuple(by),
        int(limit),
        _shown(options, "showcount", "countfield", "count"),
        _shown(options, "showperc", "percentfield", "percent"),
    )


def _shown(options: dict[str, str], switch: str, rename: str, default: str) -> str | None:
    if options.get(switch, "true").lower() in ("false", "f", "0"):
        return None
    return options.get(rename, default)


def plan_frequency(command: Frequency, relation: Relation, context: Context) -> Relation:
    """Count the combinations, order by count, keep the first of each BY group."""
    names = tuple(dict.fromkeys((*command.by, *command.fields)))
    relation, keys = keyed(relation, names, context)
    groups = {name: context.column(key.shape) for name, key in zip(names, keys, strict=True)}
    count, percent = context.column(Shape.NUMBER), context.column(Shape.NUMBER)
    counted = Grouped(
        relation.node,
        tuple((group, key.value().tree) for group, key in zip(groups.values(), keys, strict=True)),
        ((count, call("toNullable", call("toFloat64", aggregate("count")))),),
    )
    partition = tuple(groups[name] for name in command.by)
    shown = Relation(counted, groups).computed([(percent, _percent(count, partition))])
    order = (Order(count, descending=command.most), *(Order(groups[name]) for name in command.fields))
    fields = dict(groups)
    if command.count_name:
        fields[command.count_name] = count
    if command.percent_name:
        fields[command.percent_name] = percent
    node = Limited(shown.node, order, command.count, partition) if command.count else shown.node
    return Relation(node, fields, (*(Order(group) for group in partition), *order))


def _percent(count: Column, partition: tuple[Column, ...]) -> Tree:
    whole = over(call("sum", column(count.name)), partition=[column(p.name) for p in partition])
    return call("divide", call("multiply", column(count.name), number(100)), whole)
