"""Lookups: what a search writes, others read."""

from __future__ import annotations

import pytest

from helpers import NOW
from kubestray.model.errors import SearchError
from kubestray.search import lookup_store
from kubestray.search.lookup_store import StoreLookups
from kubestray.search.relation import Switches
from kubestray.search.run import Request, Row, run_search
from kubestray.store.points import Span
from kubestray.store.store import Store

ROWS: list[Row] = [
    {"key": "a", "n": 1, "m": ["x", "y"]},
    {"key": "b", "n": 2.5},
    {"key": "a", "n": 7, "t": "z"},
]


def search(
    store: Store,
    text: str,
    rows: list[Row] | None = None,
    switches: Switches | None = None,
    **declared: tuple[str, ...],
) -> list[Row]:
    lookups = StoreLookups(store.query, store.record, declared)
    request = Request(text, NOW, Span(), rows=rows, lookups=lookups, switches=switches or Switches())
    return run_search(request, store.query).rows


def test_what_is_written_is_read_in_its_order(store: Store) -> None:
    assert search(store, "| outputlookup L", ROWS) == ROWS
    assert search(store, "| inputlookup L") == ROWS
    assert search(store, "| inputlookup L where n>1") == ROWS[1:]


def test_writing_replaces_and_appending_adds(store: Store) -> None:
    search(store, "| outputlookup L", ROWS)
    search(store, "| head 1 | outputlookup append=true L", [{"key": "c", "new": "w"}])
    assert search(store, "| inputlookup L") == [*ROWS, {"key": "c", "new": "w"}]
    search(store, "| outputlookup L", ROWS[:1])
    assert search(store, "| inputlookup L") == ROWS[:1]
    search(store, "| where n>100 | outputlookup L", ROWS)
    assert search(store, "| inputlookup L") == []


def test_what_is_written_counts_after_the_clock_was_set_back(
    embedded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as ahead:
        ahead.setattr(lookup_store.time, "time_ns", lambda: 4 * 10**18)
        search(embedded, "| outputlookup L", ROWS)
    search(embedded, "| outputlookup L", ROWS[:1])
    assert search(embedded, "| inputlookup L") == ROWS[:1]


def test_a_lookup_written_in_the_middle_holds_the_rows_of_that_place(store: Store) -> None:
    assert search(store, "| outputlookup L | stats count", ROWS) == [{"count": 3}]
    assert search(store, "| inputlookup L | stats count") == [{"count": 3}]


@pytest.mark.more("http")
def test_a_row_gets_the_fields_of_all_matches(store: Store) -> None:
    search(store, "| outputlookup L", ROWS)
    asked: list[Row] = [{"key": "a"}, {"key": "B"}, {"n": 4}, {"key": "b", "n": 9}]
    assert search(store, "| lookup L key", asked) == [
        {"key": "a", "n": ["1", "7"], "m": ["x", "y"], "t": "z"},
        {"key": "B"},
        {"n": 4},
        {"key": "b", "n": 2.5},
    ]
    assert search(store, "| lookup L key OUTPUTNEW n", asked)[3] == {"key": "b", "n": 9}
    assert search(store, "| lookup L key AS k OUTPUT n AS usual", [{"k": "b"}]) == [{"k": "b", "usual": 2.5}]


def test_one_that_is_only_declared_has_no_rows(store: Store) -> None:
    assert search(store, "| lookup L key", [{"key": "a"}], L=("key", "n")) == [{"key": "a"}]
    assert search(store, "| inputlookup L", L=("key", "n")) == []
    with pytest.raises(SearchError, match="did you mean baseline"):
        search(store, "| inputlookup baselines", baseline=("key",))


def test_only_listed_fields_are_kept_where_the_switch_says_so(store: Store) -> None:
    search(store, "| outputlookup L", ROWS, Switches(kv_fields_list="on"), L=("key", "n"))
    assert search(store, "| inputlookup L") == [{"key": r["key"], "n": r["n"]} for r in ROWS]


@pytest.mark.more("http")
def test_rows_take_the_place_of_those_with_the_same_key(store: Store) -> None:
    search(store, "| outputlookup L", [{"k": 1, "v": "a"}, {"k": 2, "v": "b"}])
    search(store, "| outputlookup L key_field=k", [{"k": 2, "v": "c"}, {"v": "d"}, {"k": 3, "v": "e"}])
    after = [{"k": 1, "v": "a"}, {"k": 2, "v": "c"}, {"v": "d"}, {"k": 3, "v": "e"}]
    assert search(store, "| inputlookup L") == after
    search(store, "| outputlookup key_field=k allow_updates=false L", [{"k": 1, "v": "x"}, {"k": 4}])
    assert search(store, "| inputlookup L") == [*after, {"k": 4}]
    search(store, "| outputlookup append=false key_field=k L", [{"k": 5}])
    assert search(store, "| inputlookup L") == [{"k": 5}]


def test_so_many_rows_are_written_and_none_if_that_is_asked_for(store: Store) -> None:
    assert search(store, "| outputlookup max=2 L", ROWS) == ROWS
    assert search(store, "| inputlookup L.csv") == ROWS[:2]
    search(store, "| where n>100 | outputlookup L override_if_empty=false", ROWS)
    assert search(store, "| inputlookup L") == ROWS[:2]
