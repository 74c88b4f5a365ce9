"""What would have kept a row out of a result: told from the search's own conditions."""

from __future__ import annotations

import pytest

from kubestray.search.counterfactual import would_not_be_there
from kubestray.search.source import KnownMacros

ROW = {"steps": 7, "sigmas": 4.5, "usual": 100, "most": 500, "name": "cart", "sent": 17975127404}


@pytest.mark.parametrize(
    ("search", "told"),
    [
        ("| where steps > 5", ["steps at most 5 (7)"]),
        ("| where steps >= 5", ["steps below 5 (7)"]),
        ("| where 5 < steps", ["steps at most 5 (7)"]),
        ("| where steps = 7", ["steps other than 7 (7)"]),
        ("| where usual <= 100", ["usual above 100 (100)"]),
        ("| where most > 3 * usual", ["most at most 300 (500)"]),
        ("| where steps > 5 AND sigmas > 3", ["steps at most 5 (7)", "sigmas at most 3 (4.5)"]),
        ("| where steps > 5 OR sigmas > 3", ["steps at most 5 (7) and sigmas at most 3 (4.5)"]),
        ("| where steps > 50 OR sigmas > 3", ["sigmas at most 3 (4.5)"]),
        ("| where steps > 5 | where sigmas > 3", ["steps at most 5 (7)", "sigmas at most 3 (4.5)"]),
        ("| where other > 5", []),
        ('| where name = "cart"', []),
        ("| where load > 3 | stats count AS steps BY name | where steps > 5", ["steps at most 5 (7)"]),
        ("| where sent >= 1000000", ["sent below 1,000,000 (17,975,127,404)"]),
        ("| eval steps = 1", []),
    ],
)
def test_it_is_what_the_last_conditions_ask_for(search, told):
    text = f"| mstats max(x) AS load WHERE index=* BY name {search}"
    assert would_not_be_there(text, ROW, KnownMacros({})) == told


def test_what_is_no_search_says_nothing():
    assert would_not_be_there("| nonsense", ROW, KnownMacros({})) == []
