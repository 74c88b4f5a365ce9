"""``streamstats AGGREGATE … [BY FIELD …] [window=N] [current=false]`` adds running aggregates to each row.

A row's aggregate is over the rows of its group up to it: all of them, or the last N with ``window=N``.
``current=false`` leaves the row itself out. With ``global=true`` (as Splunk has it by default) and BY, the
window counts the rows of all groups; ``global=false`` counts each group's own.

Example::

    | streamstats window=5 avg(count) AS recent BY host
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.aggregates import aggregates
from kubestray.search.commands.fields import by_list
from kubestray.search.cursor import Cursor
from kubestray.search.grouping import aggregated
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Aggregate, Command
from kubestray.search.values import NULL, Value, choose, present
from kubestray.store.trees import all_of, windowed

_OPTION = r"(window|current|global|allnum)\s*=\s*(\w+)"
_LACKING = r"(reset_on_change|reset_before|reset_after|time_window)\s*="


@dataclass(frozen=True, slots=True)
class StreamStats(Command):
    """The ``streamstats`` command."""

    aggregates: tuple[Aggregate, ...]
    by: tuple[str, ...]
    window: int
    current: bool


def parse(cursor: Cursor, at: int) -> StreamStats:
    """Read the options, the aggregates and the BY fields."""
    options = {"window": "0", "current": "true", "global": "true"}
    _options(cursor, options)
    found = aggregates(cursor)
    _options(cursor, options)
    by = by_list(cursor)
    _options(cursor, options)
    if not options["window"].isdigit():
        raise cursor.error("window is a number of rows")
    window = int(options["window"])
    if window and by and options["global"].lower() not in ("false", "f", "0"):
        raise cursor.error(
            "a window over all groups is not supported", at, "say global=false: a window a group"
        )
    return StreamStats(at, found, by, window, options["current"].lower() not in ("false", "f", "0"))


def _options(cursor: Cursor, options: dict[str, str]) -> None:
    while found := cursor.match(_OPTION):
        options[found[1].lower()] = found[2]
    if lacking := cursor.match(_LACKING):
        raise cursor.error(f"streamstats option {lacking[1]!r} is known in SPL but not supported here")


def plan(command: StreamStats, relation: Relation, context: Context) -> Relation:
    """Add the running aggregates as fields."""
    relation, _ = relation.ranked(context)
    relation, values = aggregated(command.aggregates, relation, context)
    keys = [relation.value(name) or NULL for name in command.by]
    terms = [order.term() for order in relation.order]
    made = []
    for name, value in values.items():
        tree = windowed(
            value.tree,
            partition=[key.tree for key in keys],
            terms=terms,
            rows=command.window,
            current=command.current,
        )
        running = Value(value.shape, tree)
        if keys:
            running = choose(
                [(all_of([present(key) for key in keys]), running)], relation.value(name) or NULL
            )
        made.append((name, context.column(running.shape), running.tree))
    return relation.extended(made)
