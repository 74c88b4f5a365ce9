"""Which statistics of a search can be kept by the hour, and which of them are: the planner's side.

What is kept belongs to statistics, not to a search by name: their identity is that of the statement that
makes their states of an hour. So any search with the same `mstats … | … | stats …` is answered from them,
and none after the text, a macro, the mapping of names or the metrics that a wildcard finds have changed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterator

import pyarrow as pa
from sqlglot import exp

from kubestray.search.compile import compile_states
from kubestray.search.decompose import decomposed
from kubestray.search.naming import Naming
from kubestray.search.plan import (
    Accelerated,
    Decomposed,
    Grouped,
    Measure,
    Node,
    changed,
    nodes,
    with_inputs,
)
from kubestray.search.relation import Context, Relation
from kubestray.search.sources import rows_of_points
from kubestray.store.accelerations import kept_states, up_to_date
from kubestray.store.coverage import Coverage, whole_hours
from kubestray.store.engine import render
from kubestray.store.point_tables import HOUR_NS
from kubestray.store.points import Span
from kubestray.store.trees import call, column, named, select

Query = Callable[[exp.Expr], pa.Table]

LEAST_HOURS = 24
"""How many whole hours a range has to have for it to be worth looking for what is kept."""

_HOUR = Span(500_000 * HOUR_NS, 500_001 * HOUR_NS)
"""The hour whose statement tells statistics apart."""

_TOLD_APART_BY = ("n", "total", "least", "most", "spread")
"""The states in that statement: others that are kept change nothing about what is meant."""


_LIKE = re.compile(r"\bmstats\b.*\bspan\s*=.*\|\s*stats\b", re.IGNORECASE | re.DOTALL)


def may_be(text: str) -> bool:
    """Tell whether the text of a search, without macros, is one that may hold such statistics."""
    return _LIKE.search(text) is not None


@dataclasses.dataclass(frozen=True, slots=True)
class Acceleration:
    """Statistics that can be kept, and the number that they are kept by."""

    search: int
    whole: Grouped
    parts: Decomposed


def accelerations(node: Node, naming: Naming, query: Query) -> Iterator[Acceleration]:
    """Yield the statistics of a plan that can be kept by the hour, and whose range is long enough."""
    for whole, parts in _found(node):
        search = _identity(parts, naming, query)
        if search is not None:
            yield Acceleration(search, whole, parts)


def has_any(node: Node) -> bool:
    """Tell whether a plan has statistics that can be kept: another one may answer in an hour."""
    return next(_found(node), None) is not None


def _found(node: Node) -> Iterator[tuple[Grouped, Decomposed]]:
    """Yield the last statistics of each part of a plan that can be taken apart; not those within them."""
    if not any(isinstance(one, Measure) and one.bin and _is_long(one.span) for one in nodes(node)):
        return
    parts = decomposed(node) if isinstance(node, Grouped) else None
    if parts is not None and isinstance(node, Grouped):
        yield node, parts
        return
    for source in node.inputs:
        yield from _found(source)


def _is_long(span: Span) -> bool:
    first, end = whole_hours(span)
    return end - first >= LEAST_HOURS


def _identity(parts: Decomposed, naming: Naming, query: Query) -> int | None:
    """Return the number of statistics; None where other series decide about the names of a series."""

    def change(node: Node) -> Node:
        return dataclasses.replace(node, narrow=True, renamed=True) if isinstance(node, Measure) else node

    alike = dataclasses.replace(parts, source=changed(parts.source, change))
    statement = compile_states(alike, [_HOUR], _TOLD_APART_BY)
    tables = _tables(statement)
    made = naming.applied(statement, query)
    if _tables(made) != tables:
        return None
    return int.from_bytes(hashlib.sha256(render(_renumbered(made)).encode()).digest()[:8], "big")


def _tables(statement: exp.Expr) -> int:
    return sum(1 for _ in statement.find_all(exp.Table))


def _renumbered(statement: exp.Expr) -> exp.Expr:
    """Number the columns in the order in which they are named: what is alike then is the same text."""
    numbers: dict[str, str] = {}
    for one in statement.find_all(exp.Identifier):
        if re.fullmatch(r"c\d+", one.name):
            one.set("this", numbers.setdefault(one.name, f"c{len(numbers)}"))
    return statement


def from_kept(relation: Relation, context: Context, naming: Naming, query: Query) -> Relation:
    """Let statistics that are kept answer, also for what the search writes; note what has expired of them."""
    plans = [relation.node, *(output.relation.node for output in context.outputs)]
    if not any(map(has_any, plans)) or not (known := _any_kept(query)):
        return relation
    node, taken = _with_kept(relation.node, naming, query, known)
    if not taken:
        return relation
    for place, output in enumerate(context.outputs):
        if output.relation.node is relation.node:
            written, more = node, taken
        else:
            written, more = _with_kept(output.relation.node, naming, query, known)
        if more:
            context.outputs[place] = dataclasses.replace(output, relation=output.relation.with_node(written))
    left = {one.span for one in nodes(node) if isinstance(one, Measure)}
    for one in (one for one in taken if one.parts.measure.span not in left):
        measure = one.parts.measure
        context.note_expired(measure.span, one.sources, counters=measure.counters, again=True)
    return relation.with_node(node)


def _any_kept(query: Query) -> frozenset[int]:
    """Return the numbers of all statistics of which something is kept."""
    found = query(select(column("search")).distinct().from_("accelerations"))
    return frozenset(found.column("search").to_pylist())


def _with_kept(
    node: Node, naming: Naming, query: Query, known: frozenset[int]
) -> tuple[Node, list[Accelerated]]:
    """Return a plan in which what is kept answers, and the steps that it answers for."""
    taken: list[Accelerated] = []
    for one in accelerations(node, naming, query):
        if one.search not in known:
            continue
        span = one.parts.measure.span
        sources = up_to_date(one.search, one.parts.measure.metrics, span, query).coverage(span)
        if sources.summaries:
            taken.append(Accelerated(one.whole, one.parts, one.search, sources))
    other = {id(one.whole): one for one in taken}
    return _replaced(node, other) if other else node, taken


def _replaced(node: Node, other: dict[int, Accelerated]) -> Node:
    """Return a plan with other steps in some places."""
    if id(node) in other:
        return other[id(node)]
    return with_inputs(node, lambda one: _replaced(one, other))


def rows_read(node: Accelerated, query: Query) -> list[str]:
    """Count the rows that a step reads, by where they are."""
    kept = select(named(call("count"), "rows")).from_("accelerated")
    told = [
        f"{int(query(kept.copy().where(kept_states(node.search, part))).to_pylist()[0]['rows']):,} "
        f"rows of kept statistics"
        for part in (Coverage((stretch,), ()) for stretch in node.sources.summaries)
    ]
    return [*told, *rows_of_points(node.parts.measure, node.sources.points, query)]
