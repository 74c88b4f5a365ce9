"""The same aggregates of several metrics: made of each metric in a row of its own, then laid side by side.

What is done to the states of a metric is so written once, where a column for each metric would have all of it
as often as there are metrics. The engine plans what is written, which takes longer than to merge what
summaries hold.
"""

from __future__ import annotations

from sqlglot import exp

from kubestray.search.measures import asked, function_of, merged, states_of
from kubestray.search.plan import Measure
from kubestray.store.trees import Tree, call, column, named, number, select, table, text


def serves(node: Measure) -> bool:
    """Tell whether something is asked of several metrics, and of so few rows that planning is what counts."""
    several = len(asked(node)) < len(node.aggregates) and all(one.metric for one in node.aggregates)
    return several and node.bin is None


def merged_columns(node: Measure) -> list[Tree]:
    """Return the columns that merge states, of rows which are grouped by metric besides attributes."""
    return [named(merged(state, exp.true()), f"m{place}") for place, state in enumerate(states_of(node))]


def side_by_side(node: Measure, by_metric: exp.Select) -> exp.Select:
    """Select a row by attributes with all aggregates, from rows by attributes and metric of merged states."""
    states = states_of(node)

    def state(name: str) -> Tree:
        return column(f"m{states.index(name)}")

    keys = [column(a.column.name) for a in node.by]
    functions = asked(node)
    finished: list[Tree] = []
    for place, name in enumerate(functions):
        finish = function_of(name, summarised=node.summarised).finish
        finished.append(named(call("toNullable", finish(state, node.stdev_single)), f"v{place}"))
    rows = select(*keys, column("metric"), *finished).from_(table(by_metric, "merged"), copy=False)
    shown: list[Tree] = []
    for one in node.aggregates:
        is_it = call("equals", column("metric"), text(one.metric))
        shown.append(
            named(call("anyIf", column(f"v{functions.index(one.function)}"), is_it), one.column.name)
        )
    query = select(*(key.copy() for key in keys), *shown).from_(table(rows, "finished"), copy=False)
    if keys:
        return query.group_by(*(key.copy() for key in keys), copy=False)
    return query.having(call("greater", call("count"), number(0)), copy=False)
