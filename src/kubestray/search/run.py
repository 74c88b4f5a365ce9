"""Runs a search: text in, rows and annotations out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from sqlglot import exp

from kubestray.model.errors import SearchError
from kubestray.search import acceleration, commands, parser
from kubestray.search.catalog import StoreCatalog
from kubestray.search.compile import compile_rewritten, rewritten_relation
from kubestray.search.given import given_relation
from kubestray.search.identity import identifying
from kubestray.search.kept import Kept
from kubestray.search.naming import NO_NAMES, Naming
from kubestray.search.nothing import adds_nothing, gives_nothing, writes_something
from kubestray.search.plan import Accelerated, LookupRows, Measure, Rows, nodes, outline
from kubestray.search.relation import (
    Annotation,
    Before,
    Context,
    Events,
    Lookups,
    Output,
    Profiles,
    Relation,
    Switches,
)
from kubestray.search.results import rows_of
from kubestray.search.sightings import Sightings
from kubestray.search.source import MacroLookup, Source, expand
from kubestray.search.sources import nearly, rows_read
from kubestray.search.syntax import Command, Pipeline, Place
from kubestray.search.trace import Trace, Watched, When
from kubestray.search.zones import UTC
from kubestray.store.answers import NONE_KEPT, Answers
from kubestray.store.engine import UNLIMITED, Limits, Statement, render
from kubestray.store.points import Span
from kubestray.store.stream import Stream

Query = Callable[[Statement, Limits], pa.Table]
"""Runs a tree in the store: `Store.query`."""

Streaming = Callable[[Statement, Limits], Stream]
"""Runs a tree whose rows are read as they come: `Store.stream`."""

Row = dict[str, Any]


def no_macros(_name: str, _count: int) -> None:
    """Know no macro."""


@dataclass(frozen=True, slots=True)
class Request:
    """A search to run. ``now`` and ``span`` are nanoseconds; ``span`` holds where the text has no time."""

    text: str
    now: int
    span: Span
    macros: MacroLookup = no_macros
    metric_indexes: tuple[str, ...] = ("kubernetes_metrics",)
    switches: Switches = field(default_factory=Switches)
    timezone: str = UTC
    """The time zone of calendar days and of times without an offset, by its IANA name."""
    limits: Limits = UNLIMITED
    lookups: Lookups | None = None
    events: Events | None = None
    profiles: Profiles | None = None
    rows: list[Row] | None = None
    indexes: Mapping[str, list[Row]] = field(default_factory=dict)
    path: str | None = None
    summaries: bool = True
    """Whether summaries may serve where they say the same as the points."""
    naming: Naming = NO_NAMES
    """Further names for what was received."""
    dollars: bool = False
    """Whether ``$$`` in the text is ``$``, as in content files."""
    kept: Kept | None = None
    """Plans of earlier runs, for searches that are run again and again over the same store."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a search gave: field names in order, the rows (absent keys are null), and annotations.

    ``keys`` are the fields that tell the rows apart, where the search says so (`identifying`).
    """

    fields: list[str]
    rows: list[Row]
    annotations: list[Annotation]
    keys: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Streamed:
    """What a search gives, as it comes: field names in order, lists of rows, and annotations.

    Close ``rows`` (`contextlib.closing`): whoever stops before their end cancels the search. An error may
    come after some of them; only rows that end without one are all.
    """

    fields: list[str]
    rows: Generator[list[Row], None, None]
    annotations: list[Annotation]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A search that is ready to run."""

    relation: Relation
    statement: Statement
    annotations: list[Annotation]
    outputs: list[Output]
    steps: int
    """How many steps the statement has."""
    again: bool = False
    """Whether it is made of a plan that was kept before."""
    nothing: bool = False
    """Whether it is certain that there are no rows: nobody has to ask, and there is no statement."""

    def explain(self, query: Query) -> str:
        """Return the plan, the rows that it reads, and the statement, for people."""
        fields = "\n".join(
            f"  {column.name} {name} ({column.shape.value})" for name, column in self.relation.fields.items()
        )
        steps = "\n".join(f"  {line}" for line in outline(self.relation.node))
        read = [
            f"  {rows}"
            for node in nodes(self.relation.node)
            if isinstance(node, Measure)
            for rows in rows_read(node, lambda tree: query(tree, UNLIMITED))
        ]
        read += [
            f"  {rows}"
            for node in nodes(self.relation.node)
            if isinstance(node, Accelerated)
            for rows in acceleration.rows_read(node, lambda tree: query(tree, UNLIMITED))
        ]
        near = [
            told for node in nodes(self.relation.node) if isinstance(node, Measure) if (told := nearly(node))
        ]
        parts = {
            "fields": fields,
            "plan, last step first": steps,
            "rows read of metrics": "\n".join(read),
            "percentiles that are not exact": "\n".join(f"  {told}" for told in near),
            "statement": render(self.statement, pretty=True),
        }
        return "".join(f"{title}\n{part}\n" for title, part in parts.items() if part)


def acceleratable(request: Request, query: Query) -> list[acceleration.Acceleration]:
    """Return the statistics of a search that can be kept by the hour; nothing is run, and nothing written."""
    context = context_of(request, query)
    if not acceleration.may_be(context.source.text):
        return []
    context.discover, context.table, context.profiles = _unasked, None, None
    relation = plan_pipeline(parser.parse(context.source), context, None)
    return list(acceleration.accelerations(relation.node, request.naming, _limited(request, query)))


def _limited(request: Request, query: Query) -> Callable[[exp.Expr], pa.Table]:
    """Return what asks the store within the limits of a search."""
    return lambda tree: query(tree, request.limits)


def _unasked(_: Relation) -> list[Row]:
    raise SearchError("the plan of this search depends on its rows")


def compile_search(request: Request, query: Query, *, at_once: bool = False) -> Compiled:
    """Compile a search; the catalog is asked where the text has wildcards.

    With ``at_once`` it is to be run, and one that is certain to give nothing gets no statement.
    """
    try:
        return _compiled(request, query, at_once)
    except RecursionError:
        raise SearchError("the search is too long a chain of operators, or nests too deeply") from None


def _compiled(request: Request, query: Query, at_once: bool) -> Compiled:
    request = dataclasses.replace(request, naming=request.naming.for_search())
    context = context_of(request, query)
    kept, key = request.kept, _key(request, context)

    def compiling(made: Relation) -> exp.Select:
        return _named(compile_rewritten(made), request, query)

    plan = kept.find(key) if kept else None
    if kept and plan and not plan.naming.holds(_answered(kept.answers, request, query)):
        plan = None
    if plan and (ready := plan.again(context.when, context.catalog, request.lookups)):
        return Compiled(plan.relation, ready, list(plan.annotations), [], plan.steps, again=True)
    given = given_relation(request.rows, context) if request.rows is not None else None
    pipeline = parser.parse(context.source)
    text = context.source.text
    brief = at_once and kept is not None and kept.first_parts.has_run(text)
    relation = plan_pipeline(pipeline, context, given, brief=brief)
    if kept:
        kept.first_parts.ran(context.source)
    if at_once and not context.outputs and gives_nothing(relation.node):
        return Compiled(relation, exp.select(), context.annotations, [], 0, nothing=True)
    if kept and key is not None:
        context.trace.own |= bool(context.outputs) or acceleration.has_any(relation.node)
        made = kept.keep(key, relation, context.annotations, context.trace, request.naming, compiling)
        if made:
            return Compiled(relation, made.first, context.annotations, [], made.steps)
    if request.summaries:
        relation = acceleration.from_kept(relation, context, request.naming, _limited(request, query))
    statement = _statement(relation, request, query)
    return Compiled(relation, statement, context.annotations, context.outputs, len(statement.ctes))


def learns(request: Request) -> bool:
    """Tell whether a search learns from rows before its time range."""
    return any(command.rereads for command in parser.parse(source_of(request)).commands)


def writes(request: Request) -> bool:
    """Tell whether a search writes a lookup or an index, which others can read."""
    return writes_something(parser.parse(source_of(request)).commands)


def source_of(request: Request) -> Source:
    """Return the text of a search with its macros."""
    return expand(request.text, request.macros, path=request.path, dollars=request.dollars)


def context_of(request: Request, query: Query) -> Context:
    """Return what planning a search needs."""
    trace = Trace()
    catalog = StoreCatalog(
        _limited(request, query),
        summaries=request.summaries,
        naming=request.naming,
        answers=request.kept.answers if request.kept else NONE_KEPT,
        trace=trace,
    )
    return Context(
        source=source_of(request),
        when=When(request.now, request.span),
        catalog=catalog,
        metric_indexes=request.metric_indexes,
        switches=request.switches,
        timezone=request.timezone,
        indexes=request.indexes,
        lookups=request.lookups and Watched(request.lookups, trace, lasting=("find", "listed_fields")),
        events=request.events and Watched(request.events, trace),
        plan_pipeline=plan_pipeline,
        read=parser.parse,
        discover=lambda relation: rows_of(_asked(relation, request, query, trace), relation),
        table=lambda relation: _asked(relation, request, query, trace),
        profiles=request.profiles and Watched(request.profiles, trace),
        sightings=request.kept.sightings if request.kept else Sightings(),
        trace=trace,
    )


def _answered(answers: Answers, request: Request, query: Query) -> Callable[[exp.Expr], pa.Table]:
    """Return what asks the store for names, which answers the same until series are added."""

    def ask(tree: exp.Expr) -> pa.Table:
        return answers.get(("series",), ("names", render(tree)), lambda: query(tree, request.limits))

    return ask


def _statement(relation: Relation, request: Request, query: Query) -> exp.Select:
    return _named(compile_rewritten(rewritten_relation(relation)), request, query)


def _named(statement: exp.Select, request: Request, query: Query) -> exp.Select:
    asking = _answered(request.kept.answers if request.kept else NONE_KEPT, request, query)
    made = request.naming.applied(statement, asking)
    assert isinstance(made, exp.Select)
    return made


def _key(request: Request, context: Context) -> Hashable:
    """Return what tells the plan of a search from that of another one; None if it is not to be kept."""
    if request.kept is None or request.rows is not None or request.indexes:
        return None
    services = request.lookups is None, request.events is None, request.profiles is None
    settings = (
        request.metric_indexes,
        request.switches,
        request.timezone,
        request.summaries,
        id(request.naming.mapping),
    )
    return context.source.text, settings, services


def _asked(relation: Relation, request: Request, query: Query, trace: Trace) -> pa.Table:
    """Run a small search that the plan depends on; a lookup's rows stay the same, as they have a version."""
    lasting = all(node.inputs or isinstance(node, LookupRows | Rows) for node in nodes(relation.node))
    trace.own |= not lasting
    return _table(relation, request, query)


def run_search(request: Request, query: Query) -> Result:
    """Compile a search and run it; the lookups and indexes that it writes are written when this returns."""
    if (annotations := _without_news(request, query)) is not None:
        return Result([], [], annotations)
    first = _first_part(request)
    if first is not None and request.kept:
        found = _complete(compile_search(first, query, at_once=True), first, query)
        if not found.rows:
            return Result([], [], found.annotations)
        request.kept.first_parts.gave_rows(source_of(request).text)
    return _complete(compile_search(request, query, at_once=True), request, query)


def _without_news(request: Request, query: Query) -> list[Annotation] | None:
    """Return what to tell of a search that has run before, if it joins what is new and nothing is."""
    if request.kept is None or request.rows is not None or request.indexes:
        return None
    for pipeline in request.kept.first_parts.news(source_of(request).text):
        context = context_of(dataclasses.replace(request, naming=request.naming.for_search()), query)
        if gives_nothing(plan_pipeline(pipeline, context, None, brief=True).node):
            return context.annotations
    return None


def _first_part(request: Request) -> Request | None:
    """Return what is asked before a search that has run before: its first part, if there is use in it."""
    if request.kept is None or request.rows is not None or request.indexes:
        return None
    part = request.kept.first_parts.due(source_of(request).text)
    if part is None:
        return None
    return dataclasses.replace(request, text=part, macros=no_macros, dollars=False)


def stream_search(request: Request, query: Query, stream: Streaming) -> Streamed:
    """Compile a search and give its rows as the engine does, a bounded part of them at a time.

    A search that writes a lookup or an index does so before the first row is given, as `run_search` does:
    what it writes must not depend on whether somebody reads all its rows. It holds them all in memory.
    """
    compiled = compile_search(request, query)
    if compiled.outputs:
        found = _complete(compiled, request, query)
        return Streamed(found.fields, _in_parts(found.rows), found.annotations)
    batches = stream(compiled.statement, _limits(request, compiled.steps))
    fields = list(compiled.relation.fields)
    return Streamed(fields, _as_they_come(batches, compiled.relation), compiled.annotations)


_AT_ONCE = 10_000  # rows: the engine's batches can be of any size, and a row in Python is large


def _as_they_come(batches: Stream, relation: Relation) -> Generator[list[Row], None, None]:
    with batches:
        for batch in batches:
            for start in range(0, batch.num_rows, _AT_ONCE):
                yield rows_of(batch.slice(start, _AT_ONCE), relation)


def _in_parts(rows: list[Row]) -> Generator[list[Row], None, None]:
    for start in range(0, len(rows), _AT_ONCE):
        yield rows[start : start + _AT_ONCE]


def _complete(compiled: Compiled, request: Request, query: Query) -> Result:
    relation = compiled.relation
    if compiled.nothing:
        return Result(list(relation.fields), [], compiled.annotations, identifying(relation))
    rows = rows_of(query(compiled.statement, _limits(request, compiled.steps)), relation)
    for output in compiled.outputs:
        same = output.relation == relation
        written = rows if same else _run(output.relation, request, query)
        output.write(written)
    return Result(list(relation.fields), rows, compiled.annotations, identifying(relation))


_MANY_STEPS = 24


def _limits(request: Request, steps: int) -> Limits:
    return dataclasses.replace(request.limits, many_steps=steps > _MANY_STEPS)


def _run(relation: Relation, request: Request, query: Query) -> list[Row]:
    return rows_of(_table(relation, request, query), relation)


def _table(relation: Relation, request: Request, query: Query) -> pa.Table:
    statement = _statement(relation, request, query)
    return query(statement, _limits(request, len(statement.ctes)))


def plan_pipeline(
    pipeline: Pipeline, context: Context, relation: Relation | None, *, brief: bool = False
) -> Relation:
    """Plan commands in order; the first has no rows before it unless some are given.

    With ``brief`` what follows where nothing can be left is not planned, so it may lack fields.
    """
    given = relation
    for place, command in enumerate(pipeline.commands):
        _check_place(command, relation, context)
        if command.rereads:
            context.before = before_of(pipeline, place, given, context)
        relation = commands.module_of(command).plan(command, relation, context)
        if brief and gives_nothing(relation.node) and adds_nothing(pipeline.commands[place + 1 :]):
            break
    assert relation is not None
    return relation


def before_of(pipeline: Pipeline, place: int, relation: Relation | None, context: Context) -> Before:
    """Return what leads to a command of a pipeline; ``relation`` is what enters the first one."""
    text = context.source.text[pipeline.at : pipeline.commands[place].at]
    return Before(Pipeline(pipeline.at, pipeline.commands[:place]), relation, text)


def _check_place(command: Command, relation: Relation | None, context: Context) -> None:
    name = type(command).__name__.lower()
    if relation is None and command.place is Place.AFTER_ROWS:
        raise context.error(command.at, f"{name} has no rows to work on", "start the search with | mstats")
    if relation is not None and command.place is Place.FIRST:
        raise context.error(command.at, f"{name} must be the first command of a search")
