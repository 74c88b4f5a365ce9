"""The logical plan: a few typed nodes over numbered columns.

Columns are numbered when they come into being and keep their number; field names live in the
`Relation` around the plan. So renaming or dropping a field costs nothing, a field that is overwritten
can still order the rows, and no name written by a user or a sender is ever an identifier of a statement.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from kubestray.model.metric import Kind
from kubestray.search.values import Shape, Value
from kubestray.store.coverage import Coverage
from kubestray.store.points import Span
from kubestray.store.trees import Tree, column, ordered


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the plan. ``name`` is what statements call it.

    ``delimiter`` stands between the values of a multivalue one where they are joined to one text.
    """

    number: int
    shape: Shape
    delimiter: str = "\n"

    @property
    def name(self) -> str:
        """The identifier in statements."""
        return f"c{self.number}"

    def value(self) -> Value:
        """Return a reference to the column as a value."""
        return Value(self.shape, column(self.name), field=True)


@dataclass(frozen=True, slots=True)
class Order:
    """A column that rows are ordered by."""

    column: Column
    descending: bool = False

    def term(self) -> Tree:
        """Return the ORDER BY term; nulls last."""
        return ordered(column(self.column.name), descending=self.descending)


Assignment = tuple[Column, Tree]


@dataclass(frozen=True, slots=True)
class Node:
    """A step of the plan; `inputs` are the steps it reads."""

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The steps this one reads."""
        return ()

    def describe(self) -> str:
        """Say in one line what the step does."""
        return type(self).__name__


@dataclass(frozen=True, slots=True)
class MetricAggregate:
    """One aggregate of one metric (of all of the step's metrics where it is empty), and its column."""

    column: Column
    function: str
    metric: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """A ``by`` attribute of a series; ``fallback`` stands in where it is absent, else there is no row."""

    column: Column
    name: str
    fallback: str | None = None


@dataclass(frozen=True, slots=True)
class Measure(Node):
    """Aggregates of points by attributes and time bins (``mstats``)."""

    aggregates: tuple[MetricAggregate, ...]
    metrics: tuple[str, ...]
    kinds: frozenset[Kind]
    by: tuple[Attribute, ...]
    series: Tree | None
    span: Span
    bin: Column | None = None
    bin_ns: int = 0
    stdev_single: float | None = 0.0
    sources: Coverage | None = None
    """What of the range is answered from summaries; None: all of it from points."""
    narrow: bool = True
    """Whether it is about few of the series of its metrics: then it pays to look for their points only."""
    renamed: bool = True
    """Whether a series may be of two of its metrics: the mapping may have points of one be another's."""

    @property
    def counters(self) -> tuple[str, ...]:
        """The metrics whose points may be counters': of each the point before is looked for."""
        return self.metrics if Kind.CUMULATIVE in self.kinds else ()

    @property
    def summarised(self) -> bool:
        """Whether summaries answer for a part of the range."""
        return self.sources is not None and bool(self.sources.summaries)

    @property
    def per(self) -> str:
        """Say how long a bin is, as a part of a line that begins with a space; nothing without bins."""
        return per_seconds(self.bin_ns)

    def describe(self) -> str:
        """Say in one line what the step does."""
        by = ", ".join(attribute.name for attribute in self.by)
        what = f"measure {len(self.aggregates)} aggregates of {sorted(self.metrics)} by ({by}){self.per}"
        return f"{what} over {_range(self.span)} from {_origins(self)}"


@dataclass(frozen=True, slots=True)
class Catalogued(Node):
    """The series that a `Measure` is of, as far as they were last seen at ``since`` (ns) or later: a row
    each.

    ``first`` is when it was seen first, in seconds; ``unknown`` are the columns that only points have, null
    here.
    """

    measure: Measure
    since: int
    first: Column
    unknown: tuple[Column, ...]

    def describe(self) -> str:
        """Say in one line what the step does."""
        by = ", ".join(attribute.name for attribute in self.measure.by)
        return f"series of {sorted(self.measure.metrics)} by ({by}) from the catalog"


@dataclass(frozen=True, slots=True)
class Received(Node):
    """Points as received (``mpreview``): one row a point."""

    metrics: tuple[str, ...]
    kinds: frozenset[Kind]
    series: Tree | None
    span: Span
    time: Column
    metric: Column
    value: Column
    attributes: tuple[Attribute, ...]

    def describe(self) -> str:
        """Say in one line what the step does."""
        return f"points of {list(self.metrics)} as received over {_range(self.span)} from samples"


@dataclass(frozen=True, slots=True)
class Rows(Node):
    """Rows that were given: ``json`` holds one JSON object a line, keyed by column names.

    ``span`` is the range of time they were asked for in, if in one of their own.
    """

    columns: tuple[Column, ...]
    json: str
    span: Span | None = None
    keys: tuple[Column, ...] = ()
    """Columns that tell the rows apart, where that is known."""

    def describe(self) -> str:
        """Say in one line what the step does."""
        return f"{self.json.count(chr(10))} given rows"


@dataclass(frozen=True, slots=True)
class Extend(Node):
    """Columns of the input (all of them, or those that are ``kept``), and new ones."""

    source: Node
    assignments: tuple[Assignment, ...]
    kept: frozenset[str] | None = None

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The steps this one reads."""
        return (self.source,)

    def describe(self) -> str:
        """Say in one line what the step does."""
        return f"extend with {', '.join(made.name for made, _ in self.assignments)}"


@dataclass(frozen=True, slots=True)
class Filter(Node):
    """The rows of the input for which a condition is true."""

    source: Node
    condition: Tree

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The steps this one reads."""
        return (self.source,)


@dataclass(frozen=True, slots=True)
class Grouped(Node):
    """One row a group: the group's columns, and aggregates of the input's rows."""

    source: Node
    groups: tuple[Assignment, ...]
    aggregates: tuple[Assignment, ...]

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The steps this one reads."""
        return (self.source,)

    def describe(self) -> str:
        """Say in one line what the step does."""
        return f"group by ({', '.join(c.name for c, _ in self.groups)}) for {len(self.aggregates)} aggregates"


@dataclass(frozen=True, slots=True)
class Decomposed:
    """Statistics of bins that lie within an hour, taken apart: see `search.decompose`.

    ``source`` gives the rows, ``groups`` what they are grouped by, ``items`` the numbers of a row that are
    aggregated, ``results`` what the statistics are of the merged states of these (`state_column`). ``bin`` is
    a column that holds when the row's bin begins, in seconds. For each of the ``guarded`` items there is
    another one that has to have a value somewhere in the result: else the item has none in any row.
    """

    source: Node
    measure: Measure
    bin: str
    groups: tuple[Assignment, ...]
    items: tuple[Tree, ...]
    guarded: tuple[tuple[int, int], ...]
    results: tuple[Assignment, ...]

    def over(self, span: Span, sources: Coverage | None = None) -> Node:
        """Return the plan of the rows of a range."""

        def change(node: Node) -> Node:
            return (
                dataclasses.replace(node, span=span, sources=sources) if isinstance(node, Measure) else node
            )

        return changed(self.source, change)

    def over_all(self, spans: Sequence[Span]) -> Node:
        """Return the plan of the rows of several ranges, in order, as one."""
        if len(spans) == 1:
            return self.over(spans[0])
        return self.over(Span(spans[0].earliest, spans[-1].latest), Coverage((), tuple(spans)))


def state_column(item: int, state: str) -> str:
    """Return the name of the merged state of an item."""
    return f"m{item}_{state}"


@dataclass(frozen=True, slots=True)
class Accelerated(Node):
    """Statistics that are answered from their states by hours and days, and from points at the edges.

    ``whole`` is the step that it stands for.
    """

    whole: Grouped
    parts: Decomposed
    search: int
    sources: Coverage

    def describe(self) -> str:
        """Say in one line what the step does."""
        measure = dataclasses.replace(self.parts.measure, sources=self.sources)
        return f"{self.whole.describe()}; {measure.describe().replace('summaries', 'kept statistics')}"


@dataclass(frozen=True, slots=True)
class Limited(Node):
    """The first ``count`` rows in an order (all rows where None), or the first of each ``per`` group."""

    source: Node
    order: tuple[Order, ...]
    count: int
    per: tuple[Column, ...] = ()

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The steps this one reads."""
        return (self.source,)

    def describe(self) -> str:
        """Say in one line what the step does."""
        per = f" per ({', '.join(c.name for c in self.per)})" if self.per else ""
        return f"first {self.count}{per}"


@dataclass(frozen=True, slots=True)
class Joined(Node):
    """Each row of ``left`` with each matching row of ``right``; with ``outer``, also rows without a match."""

    left: Node
    right: Node
    keys: tuple[tuple[Column, Column], ...]
    outer: bool
    matched: Column
    carried: tuple[Column, ...] = field(default=())

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The steps this one reads."""
        return (self.left, self.right)

    def describe(self) -> str:
        """Say in one line what the step does."""
        pairs = ", ".join(f"{a.name} = {b.name}" for a, b in self.keys)
        return f"{'left' if self.outer else 'inner'} join on {pairs}"


@dataclass(frozen=True, slots=True)
class Stacked(Node):
    """The rows of several inputs one after the other; for each, the values of the ``columns`` in order."""

    parts: tuple[tuple[Node, tuple[Tree, ...]], ...]
    columns: tuple[Column, ...]

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The steps this one reads."""
        return tuple(node for node, _ in self.parts)


@dataclass(frozen=True, slots=True)
class LookupRows(Node):
    """The rows of a stored lookup: for each column, the field it holds; ``place`` is their order."""

    name: str
    version: int
    columns: tuple[tuple[Column, str], ...]
    place: Column

    def describe(self) -> str:
        """Say in one line what the step does."""
        return f"rows of the lookup {self.name}"


@dataclass(frozen=True, slots=True)
class Events(Node):
    """The stored events of an index in a time range: a column for each field of them that is read."""

    table: str
    index: str | None
    """The index within the table; None where the table is the index."""
    span: Span
    columns: tuple[tuple[Column, str], ...]
    time: Column
    id: Column

    def describe(self) -> str:
        """Say in one line what the step does."""
        return f"events of the index {self.index or self.table} over {_range(self.span)}"


def outline(node: Node, depth: int = 0) -> Iterator[str]:
    """Yield the plan as indented lines, the last step first."""
    yield f"{'  ' * depth}{node.describe()}"
    for source in node.inputs:
        yield from outline(source, depth + 1)


def nodes(node: Node) -> Iterator[Node]:
    """Yield the steps of a plan, the last one first."""
    yield node
    for source in node.inputs:
        yield from nodes(source)


def changed(node: Node, change: Callable[[Node], Node]) -> Node:
    """Return a plan in which ``change`` has been made to each step, those that a step reads before it."""
    return change(with_inputs(node, lambda one: changed(one, change)))


def with_inputs(node: Node, change: Callable[[Node], Node]) -> Node:
    """Return a step that reads what ``change`` makes of each step that it reads."""
    if isinstance(node, Stacked):
        return dataclasses.replace(node, parts=tuple((change(part), trees) for part, trees in node.parts))
    if isinstance(node, Joined):
        return dataclasses.replace(node, left=change(node.left), right=change(node.right))
    if isinstance(node, Extend | Filter | Grouped | Limited):
        return dataclasses.replace(node, source=change(node.source))
    return node


def per_seconds(bin_ns: int) -> str:
    """Say how long bins are that are all so many nanoseconds long; nothing for 0."""
    return f" per {bin_ns / 1e9:g} s" if bin_ns else ""


def _origins(node: Measure) -> str:
    if node.sources is None:
        return "samples"
    units = {24: "summaries of days", 1: "summaries of hours"}
    parts = [f"{units[s.hours]} {_range(s.span)}" for s in node.sources.summaries]
    return ", ".join([*parts, *(f"samples {_range(span)}" for span in node.sources.points)])


def _range(span: Span) -> str:
    latest = "the end" if span.latest is None else f"{span.latest / 1e9:.3f}"
    return f"[{span.earliest / 1e9:.3f}, {latest})"
