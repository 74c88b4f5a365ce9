"""``stats AGGREGATE [AS NAME] … [BY FIELD …]`` makes one row a group of rows.

Rows without one of the BY fields belong to no group. Without BY there is one row, also when there
was none before. The result is ordered by the BY fields, numbers by value before texts by their characters.
In an aggregate, ``eval(EXPRESSION)`` stands for a computed value, and a pattern for every field that
matches; fields that start with ``_`` only match patterns that do. A function alone, such as ``avg``, is
taken of all fields.

``allnum=true`` gives no result for a group in which a value is no number. ``dedup_splitvals=true`` counts a
value that a multivalue BY field repeats once. The values of ``list`` and ``values`` stay apart; ``nomv`` puts
the text of ``delim=TEXT`` between them. ``partitions=N`` is about speed and changes nothing here.

Splunk's pages define percentiles in two ways: here ``median`` and ``exactperc`` are one of the numbers, of an
even count the higher one in the middle, and ``perc`` lies between two numbers, as in their examples.

``sparkline(AGGREGATE, SPAN)`` gives the aggregate for each span of time, as one multivalue field.

Example::

    | stats count(anomalies) AS count values(anomalies) AS anomalies BY k8s.cluster.name
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.aggregates import Style, aggregates, by_fields
from kubestray.search.cursor import Cursor
from kubestray.search.grouping import Wish, aggregated, keyed, natural
from kubestray.search.options import flag, read_options
from kubestray.search.plan import Grouped
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Aggregate, Command
from kubestray.search.values import Shape
from kubestray.store.trees import aggregate

_OPTIONS = ("delim", "partitions")
_FLAGS = ("allnum", "dedup_splitvals", "dedup_splitval")


@dataclass(frozen=True, slots=True)
class Stats(Command):
    """The ``stats`` command."""

    aggregates: tuple[Aggregate, ...]
    by: tuple[str, ...]
    all_numeric: bool
    distinct: bool
    delimiter: str | None


def parse(cursor: Cursor, at: int) -> Stats:
    """Read the options, the aggregates and the BY fields."""
    options: dict[str, str] = {}
    read_options(cursor, _OPTIONS, options, _FLAGS)
    found = aggregates(cursor, Style(implied=True))
    by = by_fields(cursor, lambda cursor: read_options(cursor, _OPTIONS, options, _FLAGS))
    distinct = flag(options, "dedup_splitvals", False) or flag(options, "dedup_splitval", False)
    return Stats(at, found, by, flag(options, "allnum", False), distinct, options.get("delim"))


def plan(command: Stats, relation: Relation, context: Context) -> Relation:
    """Group the rows."""
    if command.delimiter is not None:
        context.note("stats: the values of a multivalue field stay apart; nomv puts delim between them")
    wish = Wish(command.by, command.all_numeric, trends=True)
    relation, made = aggregated(command.aggregates, relation, context, wish)
    relation, keys = keyed(relation, command.by, context, distinct=command.distinct)
    groups = {name: context.column(key.shape) for name, key in zip(command.by, keys, strict=True)}
    delimiter = "\n" if command.delimiter is None else command.delimiter
    results = {one.name: context.column(one.value.shape, delimiter) for one in made}
    counted = (context.column(Shape.NUMBER), aggregate("count"))  # patterns may match no field
    node = Grouped(
        relation.node,
        tuple((group, key.value().tree) for group, key in zip(groups.values(), keys, strict=True)),
        (*((results[one.name], one.value.tree) for one in made), counted),
    )
    return natural(Relation(node, {**groups, **results}), list(groups.values()), context)
