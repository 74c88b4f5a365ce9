"""Which series have points in which seconds: what tells whether a look could see anything new."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubestray.search.run import Query
from kubestray.search.times import SECOND_NS
from kubestray.store.engine import UNLIMITED
from kubestray.store.points import Span
from kubestray.store.trees import (
    Tree,
    all_of,
    call,
    column,
    in_query,
    named,
    number,
    one_of,
    select,
    unsigned,
)

_AT_ONCE = 2000
"""How many series are asked about in one statement."""


def heard(series: Sequence[int], span: Span, query: Query) -> Iterator[tuple[int, int]]:
    """Yield each of some series with each second (since 1970) of a range in which it has a point."""
    for start in range(0, len(series), _AT_ONCE):
        ids = series[start : start + _AT_ONCE]
        second = named(call("intDiv", column("time"), number(SECOND_NS)), "second")
        metrics = select(column("metric")).distinct().from_("series_rows").where(_of(ids))
        wanted = [in_query(column("metric"), metrics), _of(ids), span.holds_stored(column("time"))]
        tree = select(column("series_id"), second).distinct().from_("samples").where(all_of(wanted))
        for row in query(tree, UNLIMITED).to_pylist():
            yield row["series_id"], row["second"]


def _of(ids: Sequence[int]) -> Tree:
    return one_of(column("series_id"), map(unsigned, ids))
