"""What a search's rows look like as a chart."""

from __future__ import annotations

from typing import Any

import pytest

from kubestray.api.charts import chart_of


def row(time: float, source: str, dest: str, value: float) -> dict[str, Any]:
    return {"_time": time, "source": source, "dest": dest, "bytes": value}


def names(rows: list[dict[str, Any]], fields: tuple[str, ...], series: str) -> list[str]:
    spec = chart_of(fields, rows)
    assert spec
    return list(dict.fromkeys(one[series] for one in spec["data"]["values"]))


WIDE = ("_time", "source", "dest", "bytes")


def test_rows_of_the_same_time_are_points_of_different_lines():
    """A line for each source went up and down between its destinations."""
    rows = [row(t, "web", dest, t) for t in (1.0, 2.0) for dest in ("cart", "db")]
    assert names(rows, WIDE, "series") == ["web · cart", "web · db"]


def test_as_few_fields_as_are_needed_name_a_line():
    rows = [row(t, source, "db", t) for t in (1.0, 2.0) for source in ("web", "cart")]
    assert names(rows, WIDE, "series") == ["web", "cart"]


def test_the_first_field_names_lines_that_nothing_tells_apart():
    assert names([row(1.0, "web", "db", n) for n in (1.0, 2.0)], WIDE, "series") == ["web"]


@pytest.mark.parametrize(
    ("dests", "told"), [(("cart", "db"), ["web · cart", "web · db"]), (("db",), ["web"])]
)
def test_bars_have_names_of_their_own(dests, told):
    rows = [{"source": "web", "dest": dest, "bytes": 1.0} for dest in dests]
    assert names(rows, ("source", "dest", "bytes"), "name") == told


def test_the_title_of_bars_has_room_beside_their_labels():
    spec = chart_of(("name", "count"), [{"name": "n" * 80, "count": 1.0}])
    assert spec
    axis = spec["encoding"]["y"]["axis"]
    assert axis["maxExtent"] >= axis["labelLimit"] + 30
