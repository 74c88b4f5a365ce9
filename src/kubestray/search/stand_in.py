"""What a search is planned against where there is no data: a catalog, lookups and events that are made up.

A wildcard stands for one made-up name that contains `ANY`, and for every name in the search's own text
that it matches: what a search names later was surely meant by its wildcards. Field names with `ANY` in
them are patterns (`as_pattern`): nobody knows which fields there will be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubestray.model.metric import Kind
from kubestray.search.plan import Measure, Order, Rows
from kubestray.search.relation import Context, LookupTable, Relation
from kubestray.search.values import NULL, NULL_NUMBER, Shape
from kubestray.search.wildcards import parts
from kubestray.store.coverage import Coverage
from kubestray.store.points import Span
from kubestray.store.trees import Tree

ANY = "8203471905"
"""Whatever it may be. It reads as a number, a time, a word and a name, so that it fits everywhere."""

_MOST_NAMES = 200
_NAME = re.compile(r"\"([^\"\n]{1,100})\"|'([^'\n]{1,100})'|([^\s,|\[\]()=\"'<>!`$*]{1,100})")


def as_pattern(name: str) -> str:
    """Return a name in which whatever it may be is a ``*``."""
    return name.replace(ANY, "*")


def named_in(text: str) -> tuple[str, ...]:
    """Return what may be names of fields in a search."""
    found = (next(filter(None, match.groups())) for match in _NAME.finditer(text))
    names = dict.fromkeys(name for name in found if re.match(r"[^\W\d]", name) and "*" not in name)
    return tuple(names)[:_MOST_NAMES]


def with_any_fields(relation: Relation | None, names: Sequence[str], context: Context) -> Relation:
    """Return rows that may have any field besides those they have; ``names`` are likely ones."""
    if relation is None:
        place = context.column(Shape.NUMBER)
        relation = Relation(Rows((place,), ""), {}, (Order(place),))
    more = [name for name in (ANY, *names) if name not in relation.fields and name != "_time"]
    made = [(name, context.column(Shape.TEXT), NULL.tree) for name in more]
    if "_time" not in relation.fields:
        made.append(("_time", context.column(Shape.NUMBER), NULL_NUMBER.tree))
    return relation.extended(made)


def made_up_rows(relation: Relation) -> list[dict[str, Any]]:
    """Return one row of a relation, for plans that depend on rows."""
    values = {Shape.NUMBER: int(ANY)}
    return [{name: values.get(column.shape, ANY) for name, column in relation.fields.items()}]


@dataclass(frozen=True, slots=True)
class AnyCatalog:
    """A catalog that has every metric and attribute that a search may mean."""

    names: Sequence[str]
    measures: list[Measure] = field(default_factory=list)

    def metrics(self, patterns: Iterable[str], series: Tree | None, span: Span) -> dict[str, frozenset[Kind]]:
        """Return the metrics that are named, and for each wildcard one that is made up."""
        del series, span
        found: dict[str, frozenset[Kind]] = {}
        for pattern in patterns:
            for name in (pattern.replace("*", ANY), *_matching(pattern, self.names)):
                found[name] = frozenset({Kind.GAUGE})
        return found

    def attributes(self, metrics: Iterable[str], series: Tree | None, span: Span) -> list[str]:
        """Return one attribute that is made up, and those that the search may mean."""
        del metrics, series, span
        return [ANY, *self.names]

    def narrows(self, node: Measure) -> bool:  # noqa: ARG002 (there are none)
        """Say that there are others."""
        return True

    def renames(self, node: Measure) -> bool:  # noqa: ARG002 (there are none)
        """Say that it may be."""
        return True

    def sources(self, node: Measure) -> Coverage | None:
        """Take note of what the search asks of metrics; there are no summaries of what is made up."""
        self.measures.append(node)
        return None

    def first_seen(self) -> int | None:
        """Return nothing: nothing was seen."""
        return None

    def began(self, metrics: Iterable[str], span: Span) -> bool:
        """Say no: nothing was seen."""
        del metrics, span
        return False

    def expired(self, span: Span, sources: Coverage | None, counters: Iterable[str] = ()) -> list[int]:
        """Return nothing: there is nothing that could expire."""
        del span, sources, counters
        return []


def _matching(pattern: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if "*" in pattern and parts(pattern, name) is not None]


@dataclass(frozen=True, slots=True)
class KnownLookups:
    """Lookups by name with their fields, without rows; with ``every`` any name is one."""

    fields: Mapping[str, Sequence[str]]
    names_in_search: Sequence[str]
    every: bool = False

    def find(self, name: str) -> LookupTable | None:
        """Return a lookup; one whose fields are not known has whatever the search may mean."""
        if name not in self.fields and not self.every:
            return None
        known = self.fields.get(name) or (ANY,)
        meant = [
            field for pattern in map(as_pattern, known) for field in _matching(pattern, self.names_in_search)
        ]
        return LookupTable(name, None, dict.fromkeys((*known, *meant), Shape.DYNAMIC))

    def names(self) -> list[str]:
        """Return the names of all lookups."""
        return sorted(self.fields)

    def listed_fields(self, name: str) -> Sequence[str]:
        """Return the fields that content lists for a lookup."""
        return self.fields.get(name, ())

    def write(self, name: str, fields: Mapping[str, Shape], rows: Sequence[dict[str, Any]]) -> None:
        """Write nothing."""


@dataclass(frozen=True, slots=True)
class KnownEvents:
    """Indexes of events by name, without events; with ``every`` any name is one."""

    indexes: Sequence[str]
    names_in_search: Sequence[str]
    every: bool = False

    def names(self) -> list[str]:
        """Return the names of all indexes."""
        return [*self.indexes, *(self.names_in_search if self.every else ())]

    def relation(self, index: str, span: Span, context: Context) -> Relation:
        """Return events that have whatever fields the search may mean."""
        del index, span
        return with_any_fields(None, self.names_in_search, context)

    def collect(self, index: str, rows: Sequence[dict[str, Any]], now: int) -> None:
        """Add nothing."""
