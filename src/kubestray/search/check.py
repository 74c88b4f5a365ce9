"""Checks a search without any data, and tells all of its problems at once.

The search is read and planned as it is when it runs, against what `stand_in` makes up. After a command
that is wrong the check goes on with the next one of the same pipeline; as nobody knows which fields the
wrong one would have left, its rows then have whatever later commands ask for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from kubestray.model.errors import Diagnostic, Position, SearchError, Where
from kubestray.search import commands, parser
from kubestray.search.cursor import Cursor
from kubestray.search.events import RISK
from kubestray.search.plan import Measure
from kubestray.search.relation import Context, Relation
from kubestray.search.run import plan_pipeline
from kubestray.search.source import MacroLookup, Source, expand
from kubestray.search.stand_in import (
    AnyCatalog,
    KnownEvents,
    KnownLookups,
    as_pattern,
    made_up_rows,
    named_in,
    with_any_fields,
)
from kubestray.search.suspicion import suspicions
from kubestray.search.syntax import Command, Pipeline, Place
from kubestray.search.trace import When
from kubestray.search.wildcards import parts
from kubestray.store.points import Span

CHECKED_AT = 1_800_000_000 * 10**9
"""What ``now`` is in a check, in nanoseconds."""

_PART = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\'|\n]*\'|[\[\]|"]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Known:
    """What a search may use: macros, lookups with their fields, indexes of events and of metrics.

    With ``everything`` a lookup or an index that is not known is no problem.
    """

    macros: MacroLookup
    lookups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    indexes: tuple[str, ...] = (RISK,)
    metric_indexes: tuple[str, ...] = ("kubernetes_metrics",)
    everything: bool = False
    span: Span = field(default_factory=Span)
    """The time range where the text gives none."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found: problems, the patterns of the fields of the result, and what is used.

    ``written`` are lookups with the fields they get, ``read`` lookups with the place of their first use,
    ``measures`` what it asks of metrics, with times that are seen from `CHECKED_AT`.
    """

    problems: list[Diagnostic] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    written: dict[str, list[str]] = field(default_factory=dict)
    collected: set[str] = field(default_factory=set)
    read: dict[str, Position] = field(default_factory=dict)
    measures: list[Measure] = field(default_factory=list)

    def produces(self, name: str) -> bool:
        """Return whether the result may have a field of this name."""
        return any(parts(pattern, name) is not None for pattern in self.fields)


def check_search(text: str, known: Known, where: Where | None = None, *, dollars: bool = False) -> Checked:
    """Check a search; ``where`` tells where its characters stand."""
    found = Checked()
    errors: list[SearchError] = []
    source = expand(text, known.macros, where=where, dollars=dollars, problems=errors)
    check = _Check(source, known, found)
    for error in errors:
        check.note(error)
    try:
        relation = check.plan(check.read_all(), check.context(), None)
        found.fields.extend(map(as_pattern, relation.fields))
    except RecursionError:
        message = "the search is too long a chain of operators, or nests too deeply"
        check.note(SearchError(message, source.position(0)))
        found.fields.append("*")
    return found


@dataclass(frozen=True, slots=True)
class _Failed(Command):
    """A command that could not be read."""

    place: ClassVar = Place.ANYWHERE


class _Check:
    """One check: reads and plans on after errors, and notes them."""

    def __init__(self, source: Source, known: Known, found: Checked) -> None:
        self._source, self._known, self._found = source, known, found
        self._names = named_in(source.text)

    def context(self) -> Context:
        """Return what planning needs."""
        known = self._known
        return Context(
            source=self._source,
            when=When(CHECKED_AT, self._known.span),
            catalog=AnyCatalog(self._names, self._found.measures),
            metric_indexes=known.metric_indexes,
            lookups=KnownLookups(known.lookups, self._names, known.everything),
            events=KnownEvents(known.indexes, self._names, known.everything),
            plan_pipeline=self.plan,
            read=parser.parse,
            discover=made_up_rows,
        )

    def note(self, error: SearchError) -> None:
        """Keep an error, once."""
        place = error.position or self._source.position(0)
        self._keep(Diagnostic(place, error.message, error.hint or _hint(error.message)))

    def _keep(self, problem: Diagnostic) -> None:
        if problem not in self._found.problems:
            self._found.problems.append(problem)

    def read_all(self) -> Pipeline:
        """Read the whole search."""
        cursor = Cursor(self._source, self._read)
        if cursor.at_end():
            if not self._source.holes:
                self._try_to_read(cursor)
            return Pipeline(0, (_Failed(0),))
        read = list(self._read(cursor).commands)
        while not cursor.at_end():
            self.note(parser.leftover(cursor, ""))
            cursor.at = _command_end(self._source.text, cursor.at + 1)
            read += self._rest(cursor)
        return Pipeline(0, tuple(read))

    def _try_to_read(self, cursor: Cursor) -> None:
        try:
            parser.parse(cursor.source)
        except SearchError as error:
            self.note(error)

    def _read(self, cursor: Cursor) -> Pipeline:
        """Read commands up to the end or a closing bracket, those that can be read."""
        at = cursor.skip()
        first = self._command(cursor, first=True)
        return Pipeline(at, (first, *self._rest(cursor)))

    def _rest(self, cursor: Cursor) -> list[Command]:
        """Read the commands that follow, each after a pipe."""
        read: list[Command] = []
        while cursor.take("|"):
            read.append(self._command(cursor, first=False))
        return read

    def _command(self, cursor: Cursor, *, first: bool) -> Command:
        text, begin = cursor.source.text, cursor.at
        start = cursor.skip()
        end = _command_end(text, start + (first and text.startswith("|", start)))
        try:
            if not any(begin <= hole <= end for hole in cursor.source.holes):
                return parser.first(cursor) if first else parser.command(cursor)
        except SearchError as error:
            self.note(error)
        cursor.at = end
        return _Failed(start)

    def plan(self, pipeline: Pipeline, context: Context, relation: Relation | None) -> Relation:
        """Plan commands in order, those that can be planned."""
        for command in pipeline.commands:
            if isinstance(command, _Failed):
                relation = with_any_fields(relation, self._names, context)
                continue
            for suspicion in suspicions(command, relation, self._source):
                self._keep(suspicion)
            try:
                relation = plan_pipeline(Pipeline(command.at, (command,)), context, relation)
            except SearchError as error:
                self.note(error)
                relation = with_any_fields(relation, self._names, context)
            self._note_use(command, relation)
        assert relation is not None
        return relation

    def _note_use(self, command: Any, relation: Relation) -> None:
        """Keep which lookups and indexes a command reads and writes."""
        name = type(command).__module__.rpartition(".")[2]
        if name == "outputlookup":
            self._found.written.setdefault(command.lookup, []).extend(relation.fields)
        elif name == "collect":
            self._found.collected.add(command.index)
        elif name in ("lookup", "inputlookup"):
            self._found.read.setdefault(command.lookup, self._source.position(command.at))


def _command_end(text: str, at: int) -> int:
    """Return where the command that begins at ``at`` ends: at a pipe or at the bracket around it."""
    depth = 0
    for found in _PART.finditer(text, at):
        match found[0]:
            case "[":
                depth += 1
            case "]" if depth:
                depth -= 1
            case "]":
                return found.start()
            case "|" if not depth:
                return found.start()
            case '"':  # one that is never closed
                return len(text)
    return len(text)


def _hint(message: str) -> str:
    """Tell a missing pipe from a command's name where a condition was expected."""
    found = re.fullmatch(r"expected attribute=value, found '(\w+)'", message)
    return f"is a pipe missing before {found[1]}?" if found and found[1] in commands.MODULES else ""
