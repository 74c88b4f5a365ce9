"""When the series began that a search reads first: what tells whether its answer may be another one now.

A search for what was never there answers the same until a series begins that its first command reads. That
is asked of the catalog, for many searches at once, and costs little beside running them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from kubestray.search import commands, parser
from kubestray.search.catalog import of_metrics
from kubestray.search.naming import Naming
from kubestray.search.run import Query, Request, context_of
from kubestray.store.engine import UNLIMITED, render
from kubestray.store.trees import Tree, all_of, call, column, named, number, select, unsigned


@dataclass(frozen=True, slots=True)
class Reading:
    """What the first command of a search reads: metrics, with wildcards, and a condition on their series."""

    patterns: tuple[str, ...]
    series: Tree | None

    def key(self) -> Hashable:
        """Return what is the same for searches that read the same."""
        return self.patterns, None if self.series is None else render(self.series)


@dataclass(frozen=True, slots=True)
class Birth:
    """A series, and when it was first seen (ns)."""

    series: int
    first: int


def reading(request: Request, query: Query) -> Reading | None:
    """Return what the first command of a search reads; None if that is not points."""
    context = context_of(request, query)
    first = parser.parse(context.source).commands[0]
    commands.module_of(first).plan(first, None, context)
    found = [Reading(leaf.patterns, leaf.series) for leaf in context.trace.leaves]
    return found[0] if found else None


def youngest(since: int, query: Query) -> tuple[int, ...]:
    """Return a value that differs once a further series turns out to have begun at a time (ns) or later."""
    counted = (named(call("count"), "n"), named(call("groupBitXor", column("series_id")), "ids"))
    tree = select(*counted).from_("series").where(_begun(since))
    found = query(tree, UNLIMITED).to_pylist()[0]
    return found["n"], found["ids"]


def births(
    readings: Sequence[Reading], since: int, naming: Naming, query: Query
) -> Iterator[tuple[int, Birth]]:
    """Yield the series of each reading (by its place) that began at a time (ns) or later."""
    if not readings:
        return
    parts = [_begun_of(place, one, since, naming, query) for place, one in enumerate(readings)]
    union = parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False)
    for row in query(union, UNLIMITED).to_pylist():
        yield row["place"], Birth(row["series_id"], row["first_seen"])


def _begun_of(place: int, one: Reading, since: int, naming: Naming, query: Query) -> exp.Query:
    wanted = [of_metrics(one.patterns), *([] if one.series is None else [one.series.copy()]), _begun(since)]
    shown = (named(call("toUInt32", number(place)), "place"), column("series_id"), column("first_seen"))
    tree = select(*shown).from_("series").where(all_of(wanted))
    made = naming.applied(tree, lambda asked: query(asked, UNLIMITED))
    assert isinstance(made, exp.Query)
    return made


def _begun(since: int) -> Tree:
    return exp.GTE(this=column("first_seen"), expression=unsigned(max(since, 0)))


def grouped(readings: Mapping[str, Reading]) -> tuple[list[Reading], list[list[str]]]:
    """Return the different readings, and whose each of them is."""
    by_key: dict[Hashable, tuple[Reading, list[str]]] = {}
    for name, one in readings.items():
        by_key.setdefault(one.key(), (one, []))[1].append(name)
    return [one for one, _ in by_key.values()], [names for _, names in by_key.values()]
