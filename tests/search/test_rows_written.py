"""Rows that become text of a statement: how much of it there may be."""

from __future__ import annotations

import pytest

from helpers import search
from kubestray.model.errors import LimitExceeded
from kubestray.search import relation

DAYS = "gentimes start=1/1/2020 end=1/11/2020"


def test_a_search_that_makes_too_much_text_is_told_before_it_is_written(embedded, monkeypatch):
    monkeypatch.setattr(relation, "_MOST_WRITTEN", 4000)
    assert len(search(embedded, f"| {DAYS}").rows) == 10
    for text in (
        f"| {DAYS} increment=1h",
        f"| {DAYS} | append [| {DAYS}] | append [| {DAYS}] | append [| {DAYS}]",
    ):
        with pytest.raises(LimitExceeded, match="give or make fewer"):
            search(embedded, text)


def test_rows_of_makeresults_are_not_written(embedded, monkeypatch):
    monkeypatch.setattr(relation, "_MOST_WRITTEN", 4000)
    assert search(embedded, "| makeresults count=100000 | stats count").rows == [{"count": 100000}]
