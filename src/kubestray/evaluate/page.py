"""A page with plots of what `evaluate` found: one HTML file that needs nothing else, drawings as inline
SVG.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kubestray.evaluate.counting import Counts
from kubestray.evaluate.measures import recall_at
from kubestray.model.errors import KubestrayError

Row = Mapping[str, Any]

RATES = tuple(float(rate) for rate in np.geomspace(0.01, 10.0, 61))
"""False findings per entity-day at which recall is drawn."""

_COLOURS = ("#0b6e99", "#c4492b", "#3a7d34", "#8a4fa3", "#b07d12", "#5b6770", "#d1478c", "#1f9e9e")
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 640, 320, 52, 40, 14, 150
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2126; background: #fff;
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #dde2e6; }
td:first-child, th:first-child { text-align: left; }
svg { max-width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: #444c54; }
.scroll { overflow-x: auto; }
"""
_WHAT = """<p>A finding is an entity in one clock hour with an alert; it is false if its hour touches the
window of no event. Beside values, in brackets: 5–95 % of a bootstrap over entities.</p>"""
_WHAT_CURVES = """<p>Each line is the best that one threshold for the whole set reaches; the dot is what the
method's own alarms reach.</p>"""

Shown = Callable[[Row], Mapping[str, Any]]
"""Turns a row of measures into what people read."""


def write_page(
    path: Path, title: str, rows: Sequence[Row], counts: Sequence[tuple[str, Counts]], shown: Shown
) -> None:
    """Write the page of an evaluation; raise `KubestrayError` if it cannot be written."""
    try:
        path.write_text(page(title, rows, counts, shown), encoding="utf-8")
    except OSError as error:
        raise KubestrayError(f"{path}: the page cannot be written: {error.strerror or error}") from error


def page(title: str, rows: Sequence[Row], counts: Sequence[tuple[str, Counts]], shown: Shown) -> str:
    """Return the page: a table of measures, and plots of what a set with these counts can say."""
    parts = [f"<h1>{html.escape(title)}</h1>", _WHAT, _table([shown(row) for row in rows])]
    curves = [(name, _recalls(one)) for name, one in counts if len(one.event_score)]
    points = {
        row["method"]: (row["false_per_entity_day"], row["recall"])
        for row in rows
        if row["recall"] is not None and row["false_per_entity_day"] is not None
    }
    if curves:
        parts += ["<h2>Recall of events by false findings</h2>", _WHAT_CURVES, _curves(curves, points)]
    ratios = [(row["method"], row["realised_to_asked"]) for row in rows]
    rated = [(name, ratio) for name, ratio in ratios if ratio is not None]
    if rated:
        asked = f"<p>Asked for were {rows[0]['asked_per_entity_day']:.3g} per entity-day: 1 is as asked.</p>"
        parts += ["<h2>False findings against those asked for</h2>", asked, _bars(rated)]
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style>'
    body = "".join(parts)
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def _recalls(counts: Counts) -> list[float]:
    return [recall_at(counts, rate) or 0.0 for rate in RATES]


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(rows[0]) if rows else []
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    lines = [
        "<tr>" + "".join(f"<td>{html.escape(str(row[name]))}</td>" for name in names) + "</tr>"
        for row in rows
    ]
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(lines)}</table></div>'


def _x(rate: float) -> float:
    low, high = math.log10(RATES[0]), math.log10(RATES[-1])
    share = (math.log10(min(max(rate, RATES[0]), RATES[-1])) - low) / (high - low)
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return _TOP + (1.0 - share) * (_HEIGHT - _TOP - _BOTTOM)


def _curves(curves: Sequence[tuple[str, list[float]]], points: Mapping[str, tuple[float, float]]) -> str:
    drawn = [_grid()]
    for place, (name, recalls) in enumerate(curves):
        colour = _COLOURS[place % len(_COLOURS)]
        line = " ".join(f"{_x(r):.1f},{_y(v):.1f}" for r, v in zip(RATES, recalls, strict=True))
        drawn.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if name in points:
            rate, recall = points[name]
            where = f'cx="{_x(rate):.1f}" cy="{_y(recall):.1f}"'
            told = f"{name}: recall {recall:.2f} at {rate:.3g} false findings per entity-day"
            drawn.append(f'<circle {where} r="5" fill="{colour}"><title>{html.escape(told)}</title></circle>')
        drawn.append(_key(place, name, colour))
    label = f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">'
    drawn.append(f"{label}false findings per entity-day</text>")
    return _svg(_HEIGHT, drawn)


def _grid() -> str:
    lines = []
    for rate in (0.01, 0.05, 0.2, 1.0, 5.0, 10.0):
        x = _x(rate)
        lines.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_y(0):.1f}" stroke="#e3e7ea"/>')
        lines.append(f'<text x="{x:.1f}" y="{_y(0) + 16:.1f}" text-anchor="middle">{rate:g}</text>')
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(share)
        lines.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e7ea"/>'
        )
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{share:g}</text>')
    return "".join(lines)


def _key(place: int, name: str, colour: str) -> str:
    x, y = _WIDTH - _RIGHT + 14, _TOP + 10 + place * 20
    mark = f'<rect x="{x}" y="{y - 8}" width="12" height="8" fill="{colour}"/>'
    return f'{mark}<text x="{x + 18}" y="{y}">{html.escape(name)}</text>'


def _bars(rated: Sequence[tuple[str, float]]) -> str:
    """Draw ratios on a logarithmic scale, from a hundredth to a hundred, as bars from 1."""
    height, drawn = 26 * len(rated) + 34, []

    def x(ratio: float) -> float:
        share = (math.log10(min(max(ratio, 0.01), 100.0)) + 2.0) / 4.0
        return 130 + share * (_WIDTH - 200)

    for tick in (0.01, 0.1, 1.0, 10.0, 100.0):
        drawn.append(
            f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="6" y2="{height - 24}" stroke="#cfd6db"/>'
        )
        drawn.append(f'<text x="{x(tick):.1f}" y="{height - 8}" text-anchor="middle">{tick:g}</text>')
    for place, (name, ratio) in enumerate(rated):
        y = 10 + place * 26
        left, right = sorted((x(ratio), x(1.0)))
        colour = _COLOURS[place % len(_COLOURS)]
        width = max(right - left, 2.0)
        drawn.append(f'<rect x="{left:.1f}" y="{y}" width="{width:.1f}" height="14" fill="{colour}"/>')
        drawn.append(f'<text x="122" y="{y + 12}" text-anchor="end">{html.escape(name)}</text>')
        drawn.append(f'<text x="{max(right, x(1.0)) + 6:.1f}" y="{y + 12}">{ratio:.2g}</text>')
    return _svg(height, drawn)


def _svg(height: int, drawn: Sequence[str]) -> str:
    box = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>{"".join(drawn)}</svg>'
