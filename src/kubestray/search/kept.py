"""Plans that are kept between the runs of a search, such as those of a schedule.

Much of what a search over summaries takes is finding out what to ask: its text is planned, and the plan
becomes a statement. A kept one is used again if all that it was made of is as it was: the text with its
macros, what the catalog and the lookups say, and from how many ranges of points and summaries the answer
comes. Only the times in the statement are other ones then.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

from sqlglot import exp

from kubestray.search.compile import compile_rewritten, rewritten_relation
from kubestray.search.dense_bins import bins_of
from kubestray.search.first_part import FirstParts
from kubestray.search.naming import NO_NAMES, Naming
from kubestray.search.plan import (
    Extend,
    Filter,
    Grouped,
    Joined,
    Limited,
    LookupRows,
    Measure,
    Node,
    Rows,
    Stacked,
    changed,
    nodes,
)
from kubestray.search.relation import Annotation, Catalog, Lookups, Relation
from kubestray.search.sightings import Sightings
from kubestray.search.trace import Leaf, Trace, When
from kubestray.store.answers import Answers, Changes
from kubestray.store.coverage import Coverage, Stretch
from kubestray.store.engine import Prepared, Ready, prepared, render
from kubestray.store.moments import moments
from kubestray.store.point_tables import BLOCK_NS
from kubestray.store.points import LOOKBACK_NS, Span

_TIMELESS = Extend | Filter | Grouped | Joined | Limited | LookupRows | Rows | Stacked
_MOST = 200
_LATER = 17 * 86_400 * 10**9 + 10**9
"""How much later the statement of a plan is tried before it is kept: nothing is round in it."""


Compiling = Callable[[Relation], exp.Select]
"""Makes the statement of a plan that is rewritten."""


class Kept:
    """Plans and answers of searches over one store. Safe to use from several threads."""

    def __init__(self, changes: Changes, without: Collection[str] = ()) -> None:
        """Plans that read one of the tables ``without`` are not kept."""
        self.answers = Answers(changes)
        self.first_parts = FirstParts()
        self.sightings = Sightings(lambda: changes(("series",)))
        self._without = frozenset(without)
        self._plans: OrderedDict[Hashable, Plan] = OrderedDict()
        self._lock = Lock()

    def find(self, key: Hashable) -> Plan | None:
        """Return the plan that is kept for a search."""
        with self._lock:
            return self._plans.get(key)

    def keep(
        self,
        key: Hashable,
        relation: Relation,
        annotations: list[Annotation],
        trace: Trace,
        naming: Naming = NO_NAMES,
        compiling: Compiling = compile_rewritten,
    ) -> Plan | None:
        """Keep a plan, if it can be used again, and return it; ``compiling`` makes its statement."""
        made = None if trace.own else _plan(relation, annotations, trace, naming, compiling)
        if made and not self._without.isdisjoint(made.tables):
            made = None
        with self._lock:
            self._plans.pop(key, None)
            if made:
                self._plans[key] = made
            while len(self._plans) > _MOST:
                self._plans.popitem(last=False)
        return made


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement with its times left open, and what it was made of."""

    relation: Relation
    annotations: tuple[Annotation, ...]
    statement: Prepared
    steps: int
    trace: Trace
    ways: tuple[Hashable, ...]
    tables: frozenset[str]
    naming: Naming
    """The names that it was made with."""
    first: Ready
    """The statement for the time that it was made at."""

    def again(self, when: When, catalog: Catalog, lookups: Lookups | None) -> Ready | None:
        """Return the statement for a time; None where what it was made of is no longer the same."""
        for question, asked, answer in self.trace.lookups:
            if getattr(lookups, question)(*asked) != answer:
                return None
        values: list[int] = []
        for leaf, way in zip(self.trace.leaves, self.ways, strict=True):
            span = leaf.ranged(when)
            if catalog.metrics(leaf.patterns, leaf.series, span) != leaf.known:
                return None
            node = dataclasses.replace(leaf.node, span=span)
            node = dataclasses.replace(node, sources=catalog.sources(node))
            if (catalog.narrows(node), catalog.renames(node)) != (leaf.node.narrow, leaf.node.renamed):
                return None
            if _way(node) != way or catalog.expired(span, node.sources, node.counters):
                return None
            values += _times(node)
        return self.statement.at(values)


def _plan(
    relation: Relation, annotations: list[Annotation], trace: Trace, naming: Naming, compiling: Compiling
) -> Plan | None:
    """Return the plan to keep; None where its statement is not the same one at another time."""
    found = [_measured(leaf, relation.node) for leaf in trace.leaves]
    measured = [node for node in found if node]
    ways = [_way(node) for node in measured]
    if len(measured) < len(trace.leaves) or None in ways or not _is_all(measured, relation.node):
        return None
    # Rewriting is most of the work, and looks at no time: it is done once.
    short = rewritten_relation(relation)
    if (places := _places(measured, short.node)) is None:
        return None
    now = [value for node in measured for value in _times(node)]
    steps = [step for node in measured for step in _steps(node)]
    later = [value + step for value, step in zip(now, steps, strict=True)]
    statement = compiling(_at(short, measured, places, moments(now)))
    made = prepared(statement)
    # A time that was lost on the way to the text shows at another time, and only there.
    if render(compiling(_at(short, measured, places, later))) != made.at(later).text:
        return None
    tables = frozenset(read.name for read in statement.find_all(exp.Table))
    return Plan(
        relation,
        tuple(annotations),
        made,
        len(statement.ctes),
        trace,
        tuple(ways),
        tables,
        naming,
        made.at(now),
    )


def _places(measured: list[Measure], node: Node) -> dict[int, int] | None:
    """Return which of some steps each of a rewritten plan was; None if one cannot be told."""
    places: dict[int, int] = {}
    for one in nodes(node):
        if isinstance(one, Measure):
            place = next((n for n, its in enumerate(measured) if _is_of(one, its)), None)
            if place is None:
                return None
            places[id(one)] = place
    return places


def _measured(leaf: Leaf, node: Node) -> Measure | None:
    """Return the step of a plan that came of a leaf."""
    for found in nodes(node):
        if isinstance(found, Measure) and dataclasses.replace(leaf.node, sources=found.sources) == found:
            return found
    return None


def _is_all(measured: list[Measure], node: Node) -> bool:
    """Tell whether all other steps of a plan are the same at any time."""
    known = set(map(id, measured))
    return all(id(one) in known or isinstance(one, _TIMELESS) for one in nodes(node))


def _is_of(rewritten: Measure, node: Measure) -> bool:
    """Tell whether rewriting a step may have made this of it: it leaves out aggregates, and nothing else."""
    return dataclasses.replace(rewritten, aggregates=node.aggregates) == node


def _at(relation: Relation, measured: list[Measure], places: dict[int, int], values: Any) -> Relation:
    """Return a relation whose steps read other ranges: those at ``places`` (by id) those of ``measured``."""
    given = iter(values)
    other = [_with_times(node, given) for node in measured]

    def change(node: Node) -> Node:
        place = places.get(id(node))
        if place is None or not isinstance(node, Measure):
            return node
        return dataclasses.replace(node, span=other[place].span, sources=other[place].sources)

    return relation.with_node(changed(relation.node, change))


def _times(node: Measure) -> list[int]:
    """Return the times that the statement of a step is made of, in a fixed order."""
    values = _ends(node.span)
    if node.sources:
        values += [edge for stretch in node.sources.summaries for edge in (stretch.first, stretch.end)]
        values += [edge for span in node.sources.points for edge in _ends(span)]
    return values


def _steps(node: Measure) -> list[int]:
    """Return how much later each of the times is tried: nanoseconds, and hours for summaries."""
    steps = [_LATER] * len(_ends(node.span))
    if node.sources:
        steps += [17 * 24 + 1] * 2 * len(node.sources.summaries)
        steps += [_LATER for span in node.sources.points for _ in _ends(span)]
    return steps


def _with_times(node: Measure, values: Iterator[int]) -> Measure:
    span = _spanned(node.span, values)
    sources = node.sources
    if sources:
        stretches = tuple(Stretch(one.hours, next(values), next(values)) for one in sources.summaries)
        sources = Coverage(stretches, tuple(_spanned(one, values) for one in sources.points))
    return dataclasses.replace(node, span=span, sources=sources)


def _ends(span: Span) -> list[int]:
    return [*([span.earliest] if span.earliest else []), *([] if span.latest is None else [span.latest])]


def _spanned(span: Span, values: Iterator[int]) -> Span:
    earliest = next(values) if span.earliest else 0
    return Span(earliest, None if span.latest is None else next(values))


def _way(node: Measure) -> Hashable:
    """Return what has to be the same for a statement to differ in its times only; None if nothing will do."""
    spans = [node.span, *(node.sources.points if node.sources else ())]
    if any(0 < edge <= BLOCK_NS + LOOKBACK_NS for span in spans for edge in _ends(span)):
        return None  # so early that a range which reaches back has no start
    if any(span.latest is not None and span.latest <= span.earliest for span in spans):
        return None
    ends = tuple((span.earliest > 0, span.latest is not None) for span in spans)
    lengths = tuple(one.hours for one in node.sources.summaries) if node.sources else None
    return ends, lengths, bins_of(node) is not None
