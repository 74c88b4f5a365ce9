"""Lookups: what a search writes, others read."""

from __future__ import annotations

import os
from pathlib import Path

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


def of_file(store: Store, file: Path, text: str, rows: list[Row] | None = None) -> list[Row]:
    lookups = StoreLookups(store.query, store.record, {"owners": ()}, files={"owners": file})
    return run_search(Request(text, NOW, Span(), rows=rows, lookups=lookups), store.query).rows


def test_a_file_is_read_as_it_is_when_a_search_runs(store: Store, tmp_path: Path) -> None:
    file, asked = tmp_path / "owners.csv", [{"w": "cart"}, {"w": "shop"}]
    kept = "| lookup owners w OUTPUT team | where isnull(team) | table w"
    file.write_text('\ufeffw,team,n\r\ncart,"a, b",007\r\nshop\r\n\r\n', encoding="utf-8")
    assert of_file(store, file, "| inputlookup owners.csv") == [
        {"w": "cart", "team": "a, b", "n": "007"},
        {"w": "shop"},
    ]
    assert of_file(store, file, kept, asked) == [{"w": "shop"}]
    file.write_text("w,team\nshop,x\n", encoding="utf-8")
    assert of_file(store, file, kept, asked) == [{"w": "cart"}]
    file.write_text("w,team\n", encoding="utf-8")
    assert of_file(store, file, kept, asked) == asked
    assert of_file(store, file, "search NOT [| inputlookup owners | fields w]", asked) == asked
    file.write_text("w\nca*\n", encoding="utf-8")
    assert of_file(store, file, "search NOT [| inputlookup owners | fields w]", asked) == [{"w": "shop"}]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "No such file"),
        ("", "its first line has to name the fields"),
        ("w,w\n", "name each field once"),
        ("w\na,b\n", "line 2 has more values"),
        ('w\n"a\n', "unexpected end of data"),
        ("w\n\udcff\n", "can't decode byte"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error(
    embedded: Store, tmp_path: Path, text: str | None, why: str
) -> None:
    file = tmp_path / "owners.csv"
    if text is not None:
        file.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(SearchError, match=why) as told:
        of_file(embedded, file, "| lookup owners w", [{"w": "a"}])
    assert str(file) in str(told.value)


def test_the_later_of_a_file_and_what_was_written_stands(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "owners.csv"
    file.write_text("w\na\n", encoding="utf-8")
    of_file(store, file, "| outputlookup append=true owners", [{"w": "b"}])
    assert of_file(store, file, "| inputlookup owners") == [{"w": "a"}, {"w": "b"}]
    file.write_text("w\nc\n", encoding="utf-8")
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 10**9))
    assert of_file(store, file, "| inputlookup owners") == [{"w": "c"}]
