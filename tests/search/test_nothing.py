"""A search that is certain to give nothing is not run; and one that may give something is."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from helpers import HOUR, MINUTE, NOW, Row, batch, series
from kubestray.search.kept import Kept
from kubestray.search.profile_store import StoreProfiles
from kubestray.search.run import Request, run_search
from kubestray.store.engine import Limits, Statement, render
from kubestray.store.points import Span
from kubestray.store.store import Store

KNOWN = "| mstats count(load) AS n WHERE index=* BY host"
NONE = "| mstats count(nowhere) AS n WHERE index=* BY host"
NEW = KNOWN + " | unseen host min_novelty=0"
NOTHING = (
    NONE,
    NONE + " | stats sum(n) AS n BY host | where n > 1",
    NEW,
    NEW + f" | join type=left host [ {KNOWN} ]",
    KNOWN + f" | join type=inner host [ {NEW} ] | rename host AS h | stats count BY h",
    NONE + " | append [ " + NEW + " ]",
    NEW + " | head 5 | sort - n | eval x=1 | table x",
)
SOMETHING = {
    NONE + " | stats count": [{"count": 0}],
    NONE + " | append [ | makeresults | eval host=1 ] | table host": [{"host": 1}],
    NONE + " | appendpipe [ stats count ] | fields count": [{"count": 0}],
    KNOWN + f" | join type=left host [ {NEW} ] | fields host": [{"host": "a"}],
    NONE + " | where n > 1 | appendpipe [ stats count ] | fields count": [{"count": 0}],
}


@pytest.fixture
def filled(embedded: Store) -> Iterator[Store]:
    embedded.append(batch((series("load", host="a"), NOW - n * MINUTE, 0, 1.0) for n in range(1, 200)))
    return embedded


def run(store: Store, text: str, kept: Kept | None) -> tuple[list[Row], int]:
    """Return the rows, and how many statements read points for them."""
    asked = []

    def query(tree: Statement, limits: Limits) -> pa.Table:
        asked.append("samples" in render(tree))
        return store.query(tree, limits)

    profiles = StoreProfiles(store.query, store.record)
    request = Request(text, NOW, Span(NOW - HOUR, NOW), kept=kept, profiles=profiles)
    return run_search(request, query).rows, sum(asked)


@pytest.mark.parametrize("text", NOTHING)
def test_nobody_is_asked_for_nothing(filled, text):
    assert run(filled, text, None)[0] == []
    assert run(filled, text, Kept(filled.changes)) == ([], 0)


@pytest.mark.parametrize("text", SOMETHING)
def test_what_makes_rows_of_nothing_is_run(filled, text):
    for kept in (None, Kept(filled.changes)):
        assert run(filled, text, kept)[0] == SOMETHING[text]


def test_what_is_new_is_found_although_nothing_was_a_moment_ago(filled):
    kept = Kept(filled.changes)
    assert run(filled, NEW, kept)[0] == []
    filled.append(batch([(series("load", host="b"), NOW - MINUTE, 0, 1.0)]))
    assert [row["host"] for row in run(filled, NEW, kept)[0]] == ["b"]
    assert [row["host"] for row in run(filled, KNOWN, kept)[0]] == ["a", "b"]


def test_what_joins_what_is_new_asks_that_first_once_it_has_run(filled):
    kept, text = (
        Kept(filled.changes),
        KNOWN + f" | where n > 0 | join type=inner host [ {NEW} | fields host ]",
    )
    assert [run(filled, text, kept) for _ in range(2)] == [([], 0)] * 2
    filled.append(batch([(series("load", host="b"), NOW - MINUTE, 0, 1.0)]))
    for _ in range(2):
        assert [row["host"] for row in run(filled, text, kept)[0]] == ["b"]


def test_what_is_written_is_written_though_it_is_nothing(filled):
    written = []

    class Lookups:
        def find(self, name: str) -> None:
            return None

        def names(self) -> list[str]:
            return []

        def listed_fields(self, name: str) -> list[str]:
            return []

        def write(self, name: str, fields: object, rows: list[Row]) -> None:
            written.append((name, rows))

    for text in (NONE + " | outputlookup made", NONE + " | where n > 1 | outputlookup made"):
        request = Request(text, NOW, Span(NOW - HOUR, NOW), kept=Kept(filled.changes), lookups=Lookups())
        run_search(request, filled.query)
    assert written == [("made", []), ("made", [])]


EMPTY = (
    NOTHING[3],
    *list(SOMETHING)[:2],
    "| mstats max(*) AS m.* WHERE index=* host=a BY host span=1m",
    "| mcatalog values(host) AS h WHERE index=* | append [ | mcatalog values(_dims) AS d WHERE index=* ]",
    "| mstats max(load) AS load WHERE index=* BY host span=1m | stray load by host",
)


def test_a_store_without_series_says_the_same_and_its_first_points_are_seen_at_once(embedded):
    kept = {text: Kept(embedded.changes) for text in EMPTY}
    for text in EMPTY:
        assert run(embedded, text, kept[text])[0] == run(embedded, text, None)[0], text
    embedded.append(batch((series("load", host="a"), NOW - n * MINUTE, 0, 1.0) for n in range(1, 50)))
    for text in EMPTY:
        assert run(embedded, text, kept[text])[0] == run(embedded, text, None)[0], text


def test_where_others_may_write_the_first_points_are_seen_at_once(embedded):
    kept = Kept(lambda _: None)  # as on a server: nobody can know of changes
    assert run(embedded, KNOWN, kept)[0] == []
    embedded.append(batch([(series("load", host="a"), NOW - MINUTE, 0, 1.0)]))
    assert run(embedded, KNOWN, kept)[0] == [{"host": "a", "n": 1}]
