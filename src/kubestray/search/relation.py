"""Rows on their way through the commands: a plan, the fields it has, the order they are in."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Protocol

import pyarrow as pa

from kubestray.baseline.orders import Orders
from kubestray.baseline.profile import Profile
from kubestray.model.errors import LimitExceeded, SearchError
from kubestray.model.metric import Kind
from kubestray.search.plan import Assignment, Column, Extend, Filter, Measure, Node, Order
from kubestray.search.sightings import Sightings
from kubestray.search.source import Source
from kubestray.search.syntax import Pipeline
from kubestray.search.trace import Trace, When
from kubestray.search.values import Shape, Value, present
from kubestray.search.zones import UTC
from kubestray.store.coverage import Coverage
from kubestray.store.engine import READ_SETTINGS
from kubestray.store.points import Span
from kubestray.store.trees import Tree, call, over


@dataclass(frozen=True, slots=True)
class Relation:
    """``fields`` maps names to columns, in the order in which they are shown."""

    node: Node
    fields: Mapping[str, Column]
    order: tuple[Order, ...] = ()

    def with_node(self, node: Node) -> Relation:
        """Return the same fields over another plan step."""
        return dataclasses.replace(self, node=node)

    def with_fields(self, fields: Mapping[str, Column]) -> Relation:
        """Return the same rows with other fields."""
        return dataclasses.replace(self, fields=dict(fields))

    def extended(self, made: Sequence[tuple[str, Column, Tree]]) -> Relation:
        """Return the rows with fields added or overwritten; the new trees see only the old columns."""
        if not made:
            return self
        node = Extend(self.node, tuple((column, tree) for _, column, tree in made))
        return dataclasses.replace(
            self, node=node, fields={**self.fields, **{name: c for name, c, _ in made}}
        )

    def computed(self, made: Sequence[Assignment]) -> Relation:
        """Return the rows with columns that no field names yet."""
        return self.with_node(Extend(self.node, tuple(made))) if made else self

    def present_only(self, value: Value) -> Relation:
        """Return the rows in which a value is not null."""
        return self.with_node(Filter(self.node, present(value)))

    def ranked(self, context: Context) -> tuple[Relation, Column]:
        """Return the rows with their place in order (from 1) as a column, and that column."""
        place = context.column(Shape.NUMBER)
        terms = [o.term() for o in self.order]
        tree = call("toNullable", call("toFloat64", over(call("row_number"), terms=terms)))
        made = self.computed([(place, tree)])
        return dataclasses.replace(made, order=(Order(place),)), place

    def value(self, name: str) -> Value | None:
        """Return a field's value, or None if there is no such field."""
        column = self.fields.get(name)
        return column.value() if column else None


@dataclass(frozen=True, slots=True)
class Annotation:
    """Something the reader of a result should know, though the search worked."""

    message: str

    def __str__(self) -> str:
        return self.message


class Catalog(Protocol):
    """Answers which metrics there are; asked while planning, because wildcards depend on it."""

    def metrics(self, patterns: Iterable[str], series: Tree | None, span: Span) -> dict[str, frozenset[Kind]]:
        """Return matching metric names with the kinds of their series, from those seen in the range."""
        ...

    def attributes(self, metrics: Iterable[str], series: Tree | None, span: Span) -> list[str]:
        """Return the names of attributes that series of these metrics have."""
        ...

    def narrows(self, node: Measure) -> bool:
        """Tell whether a step is about few of the series of its metrics."""
        ...

    def renames(self, node: Measure) -> bool:
        """Tell whether a series may be of two of a step's metrics."""
        ...

    def sources(self, node: Measure) -> Coverage | None:
        """Return how summaries and points share the work of a step; None where points do all of it."""
        ...

    def first_seen(self) -> int | None:
        """Return when the first point of all was seen, in nanoseconds; None without any."""
        ...

    def began(self, metrics: Iterable[str], span: Span) -> bool:
        """Tell whether a series of these metrics may have been first seen in the range."""
        ...

    def expired(self, span: Span, sources: Coverage | None, counters: Iterable[str] = ()) -> list[int]:
        """Return the days of a range (since the epoch) of which neither points nor summaries are left."""
        ...


@dataclass(frozen=True, slots=True)
class Switches:
    """Points on which sources disagree about SPL; the first value named is the default."""

    mv_not_equal: str = "none"
    tostring_null: str = "Null"
    duplicate_alias: str = "both"
    stdev_single: str = "0"
    kv_fields_list: str = "off"
    subsearch_limits: str = "off"
    lookup_no_match: str = "keep"


SWITCH_VALUES = {
    "mv_not_equal": ("none", "any"),
    "tostring_null": ("Null", "null"),
    "duplicate_alias": ("both", "first"),
    "stdev_single": ("0", "null"),
    "kv_fields_list": ("off", "on"),
    "subsearch_limits": ("off", "on"),
    "lookup_no_match": ("keep", "clear"),
}


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A lookup: its fields with their shapes, and which version of it is current (None: no rows yet)."""

    name: str
    version: int | None
    fields: Mapping[str, Shape]
    rows: list[dict[str, Any]] | None = None
    """The rows, where they were given with the search or are those of a file, instead of stored."""
    filed: bool = False
    """Whether they are those of a file."""


class Lookups(Protocol):
    """The lookups that a search can read and write."""

    def find(self, name: str) -> LookupTable | None:
        """Return a lookup, or None if nobody has defined or written one of that name."""
        ...

    def names(self) -> list[str]:
        """Return the names of all lookups."""
        ...

    def listed_fields(self, name: str) -> Sequence[str]:
        """Return the fields that content lists for a lookup; none if it lists none."""
        ...

    def write(self, name: str, fields: Mapping[str, Shape], rows: Sequence[dict[str, Any]]) -> None:
        """Make these rows what a lookup holds."""
        ...


class Events(Protocol):
    """The events of the store that a search can read and add to."""

    def names(self) -> list[str]:
        """Return the names of all indexes."""
        ...

    def relation(self, index: str, span: Span, context: Context) -> Relation:
        """Return the events of an index in a range, the newest first."""
        ...

    def collect(self, index: str, rows: Sequence[dict[str, Any]], now: int) -> None:
        """Add rows to an index, once for the same ``now`` (ns)."""
        ...


class Profiles(Protocol):
    """What searches have learned of what is normal: profiles by the search that they are of."""

    def live(self, of: str) -> Held | None:
        """Return the profile that the last run of this process left, and what it judged last."""
        ...

    def nearest(self, of: str, until: float) -> Profile | None:
        """Return the newest kept profile that has learned nothing from ``until`` (seconds) on."""
        ...

    def keep(self, of: str, held: Held) -> None:
        """Go on from this profile the next time."""
        ...

    def drop(self, of: str) -> None:
        """Go on from what is kept in the store the next time."""
        ...

    def orders(self, about: str) -> Orders:
        """Return what people have decided about what is learned."""
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """A profile, and the rows that it gave for bins from ``since`` (seconds) on, by the start of their bin.

    ``report`` says what was asked of the rows: other questions have other answers.
    """

    profile: Profile
    report: str
    since: float
    rows: tuple[tuple[float, dict[str, Any]], ...] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """Rows that a search writes somewhere, and what writes them when it has run."""

    relation: Relation
    write: Callable[[list[dict[str, Any]]], None]


@dataclass(frozen=True, slots=True)
class Before:
    """The commands before one, and the rows that enter the first of them (None: it reads them itself).

    ``text`` is how they are written.
    """

    pipeline: Pipeline
    relation: Relation | None
    text: str

    def over(self, span: Span, context: Context) -> Relation:
        """Return the rows that the commands give where the search is about another range of time.

        What they write (lookups, indexes) is not written again.
        """
        assert context.plan_pipeline
        when = When(context.when.now, span)
        other = dataclasses.replace(context, when=when, outputs=[], before=None)
        return context.plan_pipeline(self.pipeline, other, self.relation)


@dataclass(slots=True)
class Context:
    """What planning needs besides the rows."""

    source: Source
    when: When
    catalog: Catalog
    metric_indexes: tuple[str, ...]
    switches: Switches = field(default_factory=Switches)
    timezone: str = UTC
    """The time zone whose calendar days, weeks and months are, by its IANA name."""
    indexes: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Indexes of events that were given with the search, by name."""
    lookups: Lookups | None = None
    outputs: list[Output] = field(default_factory=list)
    """What the search writes to lookups and indexes."""
    events: Events | None = None
    plan_pipeline: Callable[[Pipeline, Context, Relation | None], Relation] | None = None
    read: Callable[[Source], Pipeline] | None = None
    """Reads the text of another search."""
    discover: Callable[[Relation], list[dict[str, Any]]] = lambda _: []
    """Runs a small search of rows that the plan depends on."""
    table: Callable[[Relation], pa.Table] | None = None
    """Runs a search whose rows the plan depends on, many of them: its fields are the columns, in order. None
    where there is no data."""
    profiles: Profiles | None = None
    sightings: Sightings = field(default_factory=Sightings)
    before: Before | None = None
    """What leads to the rows of the command that is planned, if it asks for it (`Command.rereads`)."""
    annotations: list[Annotation] = field(default_factory=list)
    trace: Trace = field(default_factory=Trace)
    _lacking: dict[Span, Annotation] = field(default_factory=dict)
    """What was said about ranges of which something has expired."""
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _written: list[int] = field(default_factory=lambda: [0])
    """Bytes of rows that are part of statements; one for all of the search, its subsearches included."""

    @property
    def now(self) -> int:
        """Nanoseconds since the epoch. Whoever asks makes the plan one of this run, see `search.trace`."""
        self.trace.own = True
        return self.when.now

    @property
    def span(self) -> Span:
        """The time range where the text of the search gives none; the same holds as for `now`."""
        self.trace.own = True
        return self.when.span

    def column(self, shape: Shape, delimiter: str = "\n") -> Column:
        """Make a column that no other step has."""
        return Column(next(self._numbers), shape, delimiter)

    def write(self, size: int) -> None:
        """Count bytes of rows that become text of a statement, which the engine reads up to a limit.

        Raises `LimitExceeded` before all of them are written: it is work that no limit of time ends.
        """
        self._written[0] += size
        if self._written[0] > _MOST_WRITTEN:
            raise LimitExceeded(
                f"the rows that are given with the search, or that its commands make, take more than "
                f"{_MOST_WRITTEN >> 20} MiB of text; give or make fewer"
            )

    def error(self, at: int, message: str, hint: str = "") -> SearchError:
        """Make the error for a node written at this offset."""
        return SearchError(message, self.source.position(at), hint)

    def subsearch(self, pipeline: Pipeline) -> Relation:
        """Plan a subsearch: the times of the search around it do not reach into it."""
        assert self.plan_pipeline
        return self.plan_pipeline(pipeline, self, None)

    def continued(self, pipeline: Pipeline, relation: Relation) -> Relation:
        """Plan commands that go on from these rows."""
        assert self.plan_pipeline
        return self.plan_pipeline(pipeline, self, relation)

    def note_expired(
        self,
        span: Span,
        sources: Coverage | None = None,
        *,
        counters: Iterable[str] = (),
        again: bool = False,
    ) -> None:
        """Tell the reader if the result lacks what has expired; ``again`` if it was found to lack less.

        ``counters`` are the metrics of which increases are computed.
        """
        if again and span in self._lacking:
            self.annotations.remove(self._lacking.pop(span))
        days = self.catalog.expired(span, sources, counters)
        if days:
            self.trace.own = True
            first, last = (_date(day) for day in (days[0], days[-1]))
            left = f"the points of {len(days)} days from {first} to {last} have expired"
            self._lacking[span] = self.note(
                f"{left} (retention_raw), and no summary answers for them here: the result is without them"
            )

    def note(self, message: str) -> Annotation:
        """Tell the reader of the result something, once."""
        annotation = Annotation(message)
        if annotation not in self.annotations:
            self.annotations.append(annotation)
        return annotation


def _date(day: int) -> str:
    """Return a day counted from the epoch as a date; the last day that has one for all after it."""
    return (date(1970, 1, 1) + timedelta(days=min(day, _LAST_DATE))).isoformat()


_MOST_WRITTEN = int(READ_SETTINGS["max_query_size"])

_LAST_DATE = (date.max - date(1970, 1, 1)).days
