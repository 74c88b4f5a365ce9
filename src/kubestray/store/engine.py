"""What executes: a sqlglot tree in, an Arrow table out; Arrow tables in, rows on disk."""

from __future__ import annotations

import dataclasses
import itertools
import re
import secrets
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
from sqlglot import exp

from kubestray.store.beside import parted
from kubestray.store.moments import Make, Moment
from kubestray.store.stream import Stream

DIALECT = "clickhouse"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one statement may use: seconds, bytes of memory, rows of result. 0 is no limit."""

    seconds: float = 0
    memory: int = 0
    rows: int = 0
    many_steps: bool = False
    """The statement has many steps: merging their expressions, the engine's habit, takes cubic time."""

    def settings(self) -> dict[str, int | float]:
        """Return them as engine settings; a result over ``rows`` is an error, never cut silently."""
        wanted = {
            "max_execution_time": self.seconds,
            "max_memory_usage": self.memory,
            "max_result_rows": self.rows,
            # From half of it on, groups and sorted rows go to disk: slower, but they end.
            "max_bytes_before_external_group_by": self.memory // 2,
            "max_bytes_before_external_sort": self.memory // 2,
        }
        chosen = {name: value for name, value in wanted.items() if value}
        return {**chosen, "query_plan_merge_expressions": 0} if self.many_steps else chosen


UNLIMITED = Limits()


class Engine(Protocol):
    """An engine of the ClickHouse family. Safe to use from several threads at once."""

    @property
    def url(self) -> str:
        """Where it is, without secrets: for messages."""
        ...

    def query(self, tree: Statement, limits: Limits = UNLIMITED) -> pa.Table:
        """Run a SELECT; raise `LimitExceeded` at a limit, `StoreError` at any other refusal."""
        ...

    def stream(self, tree: Statement, limits: Limits = UNLIMITED) -> Stream:
        """Run a SELECT whose rows are read as they come; the same errors, also after some of the rows.

        The statement runs while it is read: its time includes that in which the reader is not ready for
        more than `stream.AHEAD`. The limit on rows holds for all batches together.
        """
        ...

    def execute(self, statement: str) -> None:
        """Run a statement of our own (DDL) that returns nothing."""
        ...

    def insert(self, table: str, rows: pa.Table, *, in_order: bool = False) -> None:
        """Append rows; when it returns they survive the death of the process.

        ``in_order`` tells that they are sorted by the table's key, and that no key is there twice.
        """
        ...

    def changes(self, tables: Collection[str]) -> Hashable | None:
        """Return a value that differs once rows of these tables have been written or removed.

        None where the engine cannot know: others may be writing too.
        """
        ...

    def cancel_all(self) -> None:
        """Stop the queries of this process that are running, as far as the engine can."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...


_SCRATCH = re.compile(r"(CREATE TABLE|CREATE VIEW|DROP TABLE IF EXISTS|DROP VIEW IF EXISTS) scratch_\w+")


def is_scratch(statement: str) -> bool:
    """Return whether a statement makes or drops a table to try things on (`store.scratch`), nothing else."""
    return _SCRATCH.match(statement) is not None


@dataclass(frozen=True, slots=True)
class Beside:
    """A statement without its part that may run beside it, and that part: see `store.beside`."""

    main: str
    part: str


@dataclass(frozen=True, slots=True)
class Ready:
    """A statement whose text is known."""

    text: str
    beside: Beside | None = None
    """The same in two texts, for an engine that can run these side by side."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement that was rendered once: the text around its moments, and how to make these."""

    pieces: tuple[str, ...]
    makes: tuple[Make, ...]
    beside: tuple[Prepared, Prepared] | None = None
    """The same in two parts, if one may run beside the other."""

    def at(self, values: Sequence[int]) -> Ready:
        """Return the statement for these values, see `store.moments`."""
        beside = Beside(*(part.text(values) for part in self.beside)) if self.beside else None
        return Ready(self.text(values), beside)

    def text(self, values: Sequence[int]) -> str:
        """Return its text for these values."""
        parts = [self.pieces[0]]
        for make, piece in zip(self.makes, self.pieces[1:], strict=True):
            parts += (str(make(values)), piece)
        return "".join(parts)


Statement = exp.Expr | Ready


def prepared(tree: exp.Expr) -> Prepared:
    """Render a tree with its moments left open, whole and in parts."""
    parts = parted(tree)
    beside = (_prepared(parts[0]), _prepared(parts[1])) if parts else None
    return dataclasses.replace(_prepared(tree), beside=beside)


def _prepared(tree: exp.Expr) -> Prepared:
    mark = f"moment_{secrets.token_hex(12)}_"  # in no text of a user, as nobody knows it before
    found: list[Moment] = []
    tree = tree.copy()
    for literal in list(tree.find_all(exp.Literal)):
        moment = literal.meta.get("moment")
        if moment is not None:
            literal.set("this", f"{mark}{len(found)}_")
            found.append(moment)
    pieces = re.split(rf"{mark}(\d+)_", render(tree))
    return Prepared(tuple(pieces[::2]), tuple(found[int(place)].make for place in pieces[1::2]))


def render(tree: Statement, *, pretty: bool = False) -> str:
    """Print a tree as ClickHouse SQL: the only place where SQL text comes into being.

    The tree is printed as it is: a copy of it, which the generator would make, takes as long as printing.
    """
    if isinstance(tree, Ready):
        return tree.text
    return tree.sql(dialect=DIALECT, pretty=pretty, comments=False, copy=False)


# Deep foreach bodies nest one subquery a field; the engine's default of 100 is for typing errors.
READ_SETTINGS: dict[str, int | float] = {
    # What is asked for here never writes; 2 and not 1, so that the settings below can be set.
    "readonly": 2,
    "max_subquery_depth": 1000,
    "max_query_size": 64 << 20,
    "max_ast_elements": 1_000_000,
    "max_expanded_ast_elements": 10_000_000,
    # A condition on the key of a table may be asked before rows are collapsed: equal ones have equal keys.
    "optimize_move_to_prewhere_if_final": 1,
    # A series' points share their partition (the day), so FINAL need not look across partitions.
    "do_not_merge_across_partitions_select_final": 1,
    # NULLs from an outer join, not default values.
    "join_use_nulls": 1,
    # What these look for is not in our statements, and looking takes a tenth of the planning.
    "optimize_redundant_functions_in_order_by": 0,
    "optimize_group_by_function_keys": 0,
    "optimize_aggregators_of_group_by_keys": 0,
}

NEWER_SETTINGS: dict[str, int | float] = {
    # Joins are made in the order that the search has them in: to reorder them the engine takes the second of
    # two apart, and refuses if the key of it is null in every row.
    "query_plan_optimize_join_order_limit": 0,
    # The same as above: columns that nothing reads are left out before (`search.rewrite`), a filter stands
    # where it belongs, and series are chosen before points are read.
    "query_plan_remove_unused_columns": 0,
    "query_plan_split_filter": 0,
    "enable_join_runtime_filters": 0,
    # A table of groups is put aside at so many keys that caches are too small for it. Ours may have few keys
    # with states of 14 kB, of which 4 MB, what the engine puts aside as well, are less than it has to read.
    "adaptive_aggregator_freeze_threshold_bytes": 256 << 20,
}
"""Settings for reading that older servers do not know, and do not need."""

FILL_SETTINGS = {
    **{name: value for name, value in READ_SETTINGS.items() if name != "readonly"},
    # On a cluster the rows are there when it returns: what is noted after that as done has to be.
    "distributed_foreground_insert": 1,
}
"""What an INSERT of the rows of a SELECT runs with."""


IN_ORDER_SETTINGS: dict[str, int | float] = {
    # Nothing to collapse within these rows, nor to sort: one thread is the quickest.
    "optimize_on_insert": 0,
    "max_threads": 1,
    "max_insert_threads": 1,
}
"""What an INSERT of rows runs with that are in order already."""

_PROCESS = f"kubestray-{secrets.token_hex(8)}-"
_numbers = itertools.count()


def new_tag() -> str:
    """Return a name for a statement that no other one has, by which `kill` finds it."""
    return f"{_PROCESS}{next(_numbers)}"


def reading(sql: str, limits: Limits, tag: str, lacking: Collection[str] = ()) -> str:
    """Return a SELECT with the settings that all of ours have, but for those that a server lacks."""
    newer = {name: value for name, value in NEWER_SETTINGS.items() if name not in lacking}
    return with_settings(sql, {**READ_SETTINGS, **newer, **limits.settings(), "log_comment": f"'{tag}'"})


def kill(tag: str | None = None) -> str:
    """Return the statement that stops the SELECT with this tag, or all those of this process."""
    comment = "Settings['log_comment']"
    chosen = f"{comment} = '{tag}'" if tag else f"startsWith({comment}, '{_PROCESS}')"
    return f"KILL QUERY WHERE {chosen} ASYNC"


def with_settings(sql: str, settings: Mapping[str, object]) -> str:
    """Append a SETTINGS clause; names and values are ours, never a user's."""
    clause = ", ".join(f"{name} = {value}" for name, value in settings.items())
    return f"{sql} SETTINGS {clause}" if clause else sql
