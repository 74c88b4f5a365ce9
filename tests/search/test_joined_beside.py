"""A search whose join runs beside it gives the rows that it gives in one statement, on every engine."""

from __future__ import annotations

import pytest

from helpers import DAY, HOUR, MINUTE, NOW, batch, series
from kubestray.search.kept import Kept
from kubestray.search.run import Request, compile_search, run_search
from kubestray.store.engine import Ready
from kubestray.store.points import Span
from kubestray.store.store import Store
from kubestray.store.summarise import Summariser

RIGHT = "[ mstats avg(b) AS usual stdev(b) AS spread WHERE index=* earliest=-3d latest=-1h BY host"
BESIDE = (
    f"| mstats avg(b) AS b WHERE index=* earliest=-1h BY host span=10s | join type=left host {RIGHT} ] "
    "| eval far=(b-usual)/spread | where far>0 OR isnull(far) | stats count max(far) AS far BY host",
    # Texts, lists and rows without a match on the right.
    "| mstats count(b) AS n WHERE index=* BY host kind | join type=outer kind "
    "[ mstats max(b) AS most WHERE index=* BY host kind | stats values(host) AS hosts BY kind "
    '| where kind!="c" ] | eval all=mvjoin(hosts, ",")',
)
WHOLE = (
    # A row for each bin may be many, and rows that are given need nothing of the store.
    "| mstats avg(b) AS b WHERE index=* BY host | join host [ mstats min(b) WHERE index=* BY host span=1h ]",
    '| mstats avg(b) AS b WHERE index=* BY host | join host [ makeresults | eval host="x", told="y" ]',
)


def filled(store: Store) -> Store:
    store.clock = lambda: NOW
    store.append(
        batch(
            [
                (
                    series("b", host=host, kind=kind),
                    NOW - DAY * day - minute * 7 * MINUTE,
                    0,
                    float(minute**2 + day),
                )
                for host, kind in (("x", "a"), ("y", "b"), ("z'\n", "c"), ("w", "a"))
                for day in range(3)
                for minute in range(9)
                if host != "w" or not day
            ]
        )
    )
    Summariser(store, ()).catch_up()
    return store


def asked(text: str, now: int, kept: Kept | None = None) -> Request:
    return Request(text, now, Span(now - HOUR, now), kept=kept)


@pytest.mark.more("http")
def test_rows_are_those_of_one_statement(store: Store) -> None:
    filled(store)
    kept = Kept(store.changes)
    for text in BESIDE:
        statement = compile_search(asked(text, NOW, kept), store.query).statement
        assert isinstance(statement, Ready)
        assert statement.beside, text
        found = run_search(asked(text, NOW + 17 * MINUTE, kept), store.query)
        assert found.rows, text
        assert found == run_search(asked(text, NOW + 17 * MINUTE), store.query)


def test_what_may_be_many_rows_or_is_given_stays_in_the_statement(embedded: Store) -> None:
    filled(embedded)
    for text in WHOLE:
        statement = compile_search(asked(text, NOW, Kept(embedded.changes)), embedded.query).statement
        assert not (isinstance(statement, Ready) and statement.beside)
