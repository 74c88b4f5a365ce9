"""Charts as Vega-Lite specifications: what the page draws is what the picture and the report show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from kubestray.store.points import Span

Row = dict[str, Any]
Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""Names the language; nothing is fetched from there."""

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c7a3f", "#7f7f7f")
"""Told apart by colour-blind people too (after Okabe and Ito), and readable on light and dark."""

_OF_DAY = {"hours": "%H:%M", "minutes": "%H:%M", "seconds": "%H:%M:%S", "milliseconds": "%H:%M:%S.%L"}
TIME: Spec = {
    "field": "time",
    "type": "temporal",
    "title": None,
    "axis": {"grid": False, "tickCount": 8, "labelOverlap": True, "format": _OF_DAY},
}
"""How the field ``time`` of rows (ms) is drawn along a chart."""
_MOST_LINES = 20
_DASHES = ([1, 0], [6, 3], [2, 2])
_MOST_BARS = 40
_MOST_TEXTS = 4
_MOST_POINTS = 5_000
_TIME = "_time"


def frame(values: Sequence[Row], *, height: int = 240) -> Spec:
    """Return what all charts have in common, with their data."""
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": height,
        "background": "transparent",
        "data": {"values": list(values)},
        "config": {"range": {"category": list(COLOURS)}, "view": {"stroke": None}},
    }


def chart_of(fields: Sequence[str], rows: Sequence[Row]) -> Spec | None:
    """Return the chart that rows of a search ask for by their shape; None if a table says it better.

    Rows with ``_time`` and numbers are lines, one for each numeric field and each value of the first text
    fields, as many as tell rows of the same time apart; rows with a text and a number are bars.
    """
    numbers = [
        name for name in fields if name != _TIME and not name.startswith("_span") and _numeric(name, rows)
    ]
    texts = [name for name in fields if name not in (*numbers, _TIME) and any(name in row for row in rows)]
    if not rows or not numbers:
        return None
    if _TIME in fields and all(isinstance(row.get(_TIME), int | float) for row in rows):
        return _lines(numbers, _telling(texts, rows), rows)
    return _bars(_telling(texts, rows), numbers[0], rows) if texts else None


def _telling(texts: Sequence[str], rows: Sequence[Row]) -> Sequence[str]:
    """Return the first fields, as few as tell rows of the same time apart; the first alone if none do."""
    for count in range(1, min(len(texts), _MOST_TEXTS) + 1):
        if len({(row.get(_TIME), _name(texts[:count], row)) for row in rows}) == len(rows):
            return texts[:count]
    return texts[:1]


def _name(texts: Sequence[str], row: Row) -> str:
    return " · ".join(filter(None, (shown(row.get(one)) for one in texts)))


def _numeric(name: str, rows: Iterable[Row]) -> bool:
    found = [row[name] for row in rows if name in row]
    return bool(found) and all(isinstance(value, int | float) for value in found)


def _lines(numbers: Sequence[str], split: Sequence[str], rows: Sequence[Row]) -> Spec | None:
    many = len(numbers) > 1
    values: list[Row] = []
    for row in rows:
        for name in numbers[:_MOST_LINES]:
            if name in row:
                parts = [_name(split, row), name if many else ""]
                series = " · ".join(filter(None, parts)) or name
                values.append({"time": row[_TIME] * 1000, "value": row[name], "series": series})
    names = list(dict.fromkeys(value["series"] for value in values))
    drawn = _highest(names, values)
    values = [value for value in values if value["series"] in set(drawn)]
    if len(values) > _MOST_POINTS:
        return None
    more = f"The highest {_MOST_LINES} of {len(names)} series" if len(names) > _MOST_LINES else ""
    legend = _legend(3, 260)
    title = numbers[0] if not many else None
    return {
        **frame(values),
        **({"title": {"text": more, "anchor": "start", "fontSize": 12}} if more else {}),
        "mark": {
            "type": "line",
            "tooltip": True,
            # A line of one point cannot be seen.
            "point": {"size": 18} if min(Counter(one["series"] for one in values).values()) == 1 else False,
            "strokeWidth": 1.6,
        },
        "encoding": {
            "x": TIME,
            "y": {"field": "value", **quantity(title)},
            "color": {
                "field": "series",
                "type": "nominal",
                "scale": {"domain": drawn},
                "legend": legend if len(names) > 1 else None,
            },
            **_dashed(drawn, legend),
        },
    }


def _legend(columns: int, longest: int) -> Spec:
    """Return a legend below, of so many columns of labels up to ``longest`` pixels if there is room."""
    fitting = f"max(1, min({columns}, floor(width / {longest * 3 // 4})))"
    room = f"min({longest}, width - 24)"  # beside the symbol
    return {"orient": "bottom", "columns": {"expr": fitting}, "labelLimit": {"expr": room}, "title": None}


def _highest(names: list[str], values: Sequence[Row]) -> list[str]:
    """Return the names of the lines to draw: where there are too many, those that reach highest."""
    if len(names) <= _MOST_LINES:
        return names
    reach: dict[str, float] = {}
    for value in values:
        own = abs(value["value"])
        reach[value["series"]] = max(reach.get(value["series"], own), own)
    chosen = set(sorted(names, key=lambda name: -reach[name])[:_MOST_LINES])
    return [name for name in names if name in chosen]


def _dashed(names: Sequence[str], legend: Spec) -> Spec:
    """Return how lines are told apart when their colours come again."""
    if len(names) <= len(COLOURS):
        return {}
    dashes = [_DASHES[place // len(COLOURS) % len(_DASHES)] for place in range(len(names))]
    # The same domain, and not only the same order: so there is one legend of both.
    scale = {"domain": list(names), "range": dashes}
    return {"strokeDash": {"field": "series", "type": "nominal", "scale": scale, "legend": legend}}


def _bars(split: Sequence[str], number: str, rows: Sequence[Row]) -> Spec:
    values = [{"name": _name(split, row), "value": row[number]} for row in rows[:_MOST_BARS] if number in row]
    return {
        **frame(values, height=max(80, 20 * len(values))),
        "mark": {"type": "bar", "tooltip": True, "cornerRadiusEnd": 2},
        "encoding": {
            "y": {
                "field": "name",
                "type": "nominal",
                "sort": None,
                "title": " · ".join(split),
                "axis": {"labelLimit": 260, "maxExtent": 300},  # else the title lies over long labels
            },
            "x": {"field": "value", **quantity(number)},
        },
    }


def quantity(title: str | None) -> Spec:
    """Return how numbers are drawn: in short, with the prefixes of units."""
    return {"type": "quantitative", "title": title, "axis": {"format": "~s"}}


def shown(value: Any) -> str:
    """Return a value as a short text."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return text if len(text) <= 120 else text[:117] + "…"


def risk_chart(bins: Sequence[Row], span: Span, *, height: int = 150) -> Spec:
    """Return the sums of scores over time, by detection; ``bins`` as `risk.risk_by_time` gives them."""
    ends = [span.earliest // 10**6 or bins[0]["time"], (span.latest or 0) // 10**6 or bins[-1]["end"]]
    # Bars of no height at both ends stretch the axis over the whole range.
    edges = [{"time": end, "end": end, "detection": bins[0]["detection"], "score": 0} for end in ends]
    legend = _legend(2, 320)
    names = sorted({one["detection"] for one in bins})
    return {
        **frame([*bins, *edges], height=height),
        "mark": {"type": "bar", "tooltip": True, "orient": "vertical"},
        "encoding": {
            "x": TIME,
            "x2": {"field": "end"},
            "y": {
                "field": "score",
                "type": "quantitative",
                "title": "risk score",
                "stack": "zero",
                "scale": {"zero": True},
            },
            "color": {"field": "detection", "type": "nominal", "legend": legend if len(names) > 1 else None},
        },
    }
