"""The rows that lead to a command, over another time: how `stray` gets the history that it learns from.

A search says what it reads; its time range says when. The commands before `stray` are planned again for the
time that is to be learned, piece by piece, so a detection's text needs no range of its own. That gives the
right rows only if each command before treats a bin the same whatever other bins there are, and if the text
gives no range of its own. Otherwise the rows that come in are the history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from kubestray.model.errors import LimitExceeded, SearchError
from kubestray.search.binning import chosen_span
from kubestray.search.plan import Events, Measure, Received, nodes
from kubestray.search.relation import Before, Context, Relation
from kubestray.search.spans import TimeSpan
from kubestray.search.syntax import Command
from kubestray.search.times import SECOND_NS
from kubestray.store.points import Span

_ROW_BY_ROW = frozenset(
    """
    append bin convert eval extract fieldformat fields foreach lookup makemv mstats mvcombine mvexpand nomv
    passing rangemap regex rename replace rex search spath strcat table where xmlkv xpath
    """.split()
)
_ROWS_AT_ONCE = 200_000
_FIRST_BINS = 60
_MOST_BINS = 8 * 1440


def extends(relation: Relation, context: Context) -> bool:
    """Whether the time range of the search is that of all rows it reads; raise `SearchError` if of some only.

    Rows that were given, and those of a text with a range of its own, are what they are.
    """
    spans = {node.span for node in nodes(relation.node) if isinstance(node, Measure | Received | Events)}
    if spans - {context.span} and context.span in spans:
        raise SearchError(
            "a part of this search has a time range of its own, another has not",
            hint="give a range to both, or to neither",
        )
    return spans == {context.span}


def check_row_by_row(before: Before, context: Context) -> None:
    """Raise `SearchError` for a command before that looks at more than a bin of rows."""
    for command in before.pipeline.commands:
        name = type(command).__module__.rpartition(".")[2]
        if name in _ROW_BY_ROW or _by_time(command) or (name == "fillnull" and _named(command)):
            continue
        hint = "put it after this command, or give the history in the text (earliest=-30d)"
        if name == "fillnull":
            hint = "name the fields to fill"
        raise context.error(
            command.at, f"{name.rstrip('_')} looks at all rows, so it cannot stand before stray", hint
        )


def _by_time(command: Command) -> bool:
    return type(command).__name__ == "Stats" and "_time" in getattr(command, "by", ())


def _named(command: Command) -> bool:
    return bool(getattr(command, "fields", ()))


def bin_seconds(before: Before | None, relation: Relation, context: Context) -> float | None:
    """Return how long the bins are that the commands before make, in seconds; None where nothing says it."""
    found = [
        node.bin_ns / SECOND_NS
        for node in nodes(relation.node)
        if isinstance(node, Measure) and node.bin is not None and node.bin_ns > 0
    ]
    for command in before.pipeline.commands if before else ():
        if type(command).__name__ != "Bin" or getattr(command, "name", "") != "_time":
            continue
        value = relation.value("_time")
        options = dict(getattr(command, "options", ()))
        span = chosen_span("_time", value, options, relation, context, command.at, 100) if value else None
        if isinstance(span, TimeSpan) and not span.calendar:
            found.append(span.seconds)
    return max(found, default=None)


def pieces(
    before: Before,
    context: Context,
    stretch: tuple[float, float, float],
    more: Callable[[Relation], Relation],
) -> Iterator[tuple[Relation, pa.Table]]:
    """Yield the rows of a stretch (start, end and length of a bin, in seconds), in pieces in order of time.

    ``more`` is what is done to them on top of the commands. A piece is as long as the rows of the one
    before let hope that it is small.
    """
    assert context.table
    start, end, step = stretch
    bins = _FIRST_BINS
    while start < end:
        stop = min(end, start + bins * step)
        span = Span(round(start * SECOND_NS), round(stop * SECOND_NS))
        relation = more(before.over(span, context))
        try:
            table = context.table(relation)
        except LimitExceeded:
            if bins == 1:
                raise
            bins = max(1, bins // 8)
            continue
        yield relation, table
        rows = table.num_rows * step / (stop - start)
        start = stop
        bins = max(1, min(bins * 8, _MOST_BINS, int(_ROWS_AT_ONCE / max(rows, 1e-9))))
