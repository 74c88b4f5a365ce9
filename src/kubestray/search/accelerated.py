"""Statements over statistics that were taken apart: their states from points, those that are kept, the whole.

The group of a row is a list of texts, one for each thing that the statistics are grouped by: empty for null,
else ``=`` and the value, a number as the engine writes it so that it reads back as the same number.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from kubestray.search.chain import read
from kubestray.search.decompose import answered
from kubestray.search.measures import merged as merged_state
from kubestray.search.plan import Accelerated, Column, Decomposed, Grouped, Node, state_column
from kubestray.search.values import NULL, Shape
from kubestray.store.accelerations import kept_states
from kubestray.store.cells import in_one_cell
from kubestray.store.point_tables import ACCELERATED
from kubestray.store.states import STATES
from kubestray.store.trees import (
    Tree,
    array,
    call,
    column,
    either,
    named,
    number,
    select,
    table,
    text,
    unnested,
)

_OWN = 4 * 10**9
"""Columns that are made here are numbered from here on, above those of any search."""

_HOUR = Column(_OWN, Shape.NUMBER)
_MOST_EDGES = 3
"""Ranges of points that are read apart; more of them are read as one, which takes longer for short bins."""


def states_of(parts: Decomposed, rows: Node, *, hourly: bool, names: Sequence[str] = ACCELERATED) -> Grouped:
    """Return the step that makes some states of the items of rows, by group (and hour)."""
    groups = [(_own(place), tree) for place, (_, tree) in enumerate(parts.groups)]
    if hourly:
        hour = call("toUInt32", call("intDiv", call("toUInt64", column(parts.bin)), number(3600)))
        groups.append((_HOUR, call("assumeNotNull", hour)))
    made = [
        (_state(item, name), _of_rows(name, tree)) for item, tree in enumerate(parts.items) for name in names
    ]
    return Grouped(rows, tuple(groups), tuple(made))


def _own(place: int) -> Column:
    return Column(_OWN + 1 + place, Shape.TEXT)


def _state(item: int, name: str) -> Column:
    return Column(_OWN + 1000 + item * len(ACCELERATED) + ACCELERATED.index(name), Shape.NUMBER)


def _of_rows(name: str, tree: Tree) -> Tree:
    """Return the state of the values of an item that are there."""
    value, there = call("assumeNotNull", tree.copy()), call("isNotNull", tree.copy())

    def made(of: str, ending: str) -> Tree:
        return call(f"{STATES[of].function}{ending}", *STATES[of].taken(value), there.copy())

    state = made(name, "StateIf")
    return in_one_cell(state, made("least", "If"), made("most", "If")) if name == "near" else state


def long_rows(
    parts: Decomposed, query: exp.Select, *, hourly: bool, names: Sequence[str] = ACCELERATED
) -> exp.Select:
    """Make of one row a group a row for each item, of those that have a value there."""
    keys = [_as_text(made.shape, _own(place)) for place, (made, _) in enumerate(parts.groups)]
    keyed = array(keys) if keys else call("CAST", array([]), text("Array(String)"))
    lists = [
        named(array(column(_state(item, name).name) for item in range(len(parts.items))), name)
        for name in names
    ]
    places = named(array(call("toUInt16", number(item)) for item in range(len(parts.items))), "item")
    shown = [*([named(column(_HOUR.name), "hour")] if hourly else []), named(keyed, "keys"), column("item")]
    query = query.select(*shown, *map(column, names), copy=False)
    query = unnested(query, [places, *lists])
    return query.where(call("greater", call("finalizeAggregation", column("n")), number(0)), copy=False)


def _as_text(shape: Shape, key: Column) -> Tree:
    value = column(key.name)
    shown = call("toString", value) if shape is Shape.NUMBER else value
    return call("ifNull", call("concat", text("="), shown), text(""))


def _from_text(shape: Shape, place: int) -> Tree:
    key = call("arrayElement", column("keys"), number(place + 1))
    value = call("substring", key, number(2))
    shown = call("toFloat64OrNull", value) if shape is Shape.NUMBER else call("toNullable", value)
    nothing = NULL.tree.copy() if shape is Shape.TEXT else call("CAST", exp.Null(), text("Nullable(Float64)"))
    return either(call("empty", key.copy()), nothing, shown)


def kept(node: Accelerated) -> exp.Select:
    """Select the states that are kept."""
    shown = [column(name) for name in ("keys", "item", *ACCELERATED)]
    return select(*shown).from_("accelerated").where(kept_states(node.search, node.sources))


def edges(node: Accelerated) -> list[Node]:
    """Return the plans of the rows of the ranges that points answer for."""
    spans = node.sources.points
    if len(spans) <= _MOST_EDGES:
        return [node.parts.over(span) for span in spans]
    return [node.parts.over_all(spans)]


def merged(node: Accelerated, rows: exp.Query) -> exp.Select:
    """Merge states by group, and finish the statistics."""
    parts = node.parts
    guards = [column(state_column(guard, "n")) for _, guard in parts.guarded]
    wanted = read(*(tree for _, tree in parts.results), *guards)
    states = [
        named(merged_state(name, call("equals", column("item"), number(item))), state_column(item, name))
        for item in range(len(parts.items))
        for name in ACCELERATED
        if state_column(item, name) in wanted
    ]
    query = select(*([column("keys")] if parts.groups else []), *states).from_(table(rows, "states"))
    if parts.groups:
        query = query.group_by(column("keys"), copy=False)
    asked = {
        name: answered(parts, column(name), item)
        for item, _ in parts.guarded
        for name in (state_column(item, state) for state in ACCELERATED)
    }
    groups = [named(_from_text(made.shape, place), made.name) for place, (made, _) in enumerate(parts.groups)]
    results = [named(_with(tree, asked), made.name) for made, tree in parts.results]
    return select(*groups, *results).from_(table(query, "merged"))


def _with(tree: Tree, asked: dict[str, Tree]) -> Tree:
    return tree.transform(
        lambda node: asked[node.name].copy() if isinstance(node, exp.Column) and node.name in asked else node
    )
