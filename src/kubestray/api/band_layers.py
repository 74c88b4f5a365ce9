"""How the chart of a finding is drawn: one layer for each thing that it shows, from the back to the front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kubestray.api.charts import COLOURS, TIME, Row, Spec, frame, quantity

_OBSERVED, _ROLLOUT, _WEEK, _ALARM, _USUAL = (
    COLOURS[0],
    COLOURS[3],
    COLOURS[2],
    COLOURS[5],
    COLOURS[7],
)
_REPLICA = COLOURS[4]


@dataclass(frozen=True, slots=True)
class Bands:
    """What is drawn, as rows with ``time`` in milliseconds; what is empty is left out."""

    title: str
    observed: Sequence[Row]
    within: tuple[int, int]
    """What the chart reaches over, in milliseconds: that there was nothing before is news too."""
    usual: Sequence[Row] = ()
    """``expected``, ``lower`` and ``upper`` by time."""
    weeks: Sequence[Row] = ()
    """``value`` of past weeks at the same hours, by ``week``."""
    replicas: Sequence[Row] = ()
    """``value`` of other pods of the workload, by ``replica``."""
    limits: Sequence[Row] = ()
    """``limit`` that the search worked out, and ``which``."""
    windows: Sequence[Row] = ()
    """``time`` to ``end``, in which ``detection`` was an alarm."""
    steps: Sequence[Row] = ()
    marks: Sequence[Row] = ()
    """When something was rolled out or scaled, and ``what``."""
    value: Spec = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", quantity(self.title))


def drawn(of: Bands, height: int) -> Spec:
    """Return the chart."""
    layers = [
        *_reach(of),
        *_windows(of),
        *_usual(of),
        *_lines(
            of, of.weeks, "week", {"color": _WEEK, "strokeDash": [2, 3], "strokeWidth": 1.2, "opacity": 0.75}
        ),
        *_lines(of, of.replicas, "replica", {"color": _REPLICA, "strokeWidth": 1, "opacity": 0.55}),
        _observed(of),
        *_limits(of),
        *_marks(of),
        *_steps(of),
    ]
    made = {**frame([], height=height), "layer": layers, "usermeta": {"shows": _shows(of)}}
    del made["data"]
    return made


def _shows(of: Bands) -> list[str]:
    """Return which of the things that a chart can show this one has, for its key."""
    there = {
        "observed": of.observed,
        "usual": of.usual,
        "weeks": of.weeks,
        "replicas": of.replicas,
        "windows": (*of.windows, *of.limits, *of.steps),
        "marks": of.marks,
    }
    return [name for name, values in there.items() if values]


def _layer(values: Sequence[Row], mark: Spec, encoding: Spec) -> list[Spec]:
    if not values:
        return []
    return [
        {
            "data": {"values": list(values)},
            "mark": {"tooltip": True, "clip": True, **mark},
            "encoding": encoding,
        }
    ]


def _reach(of: Bands) -> list[Spec]:
    """Return what cannot be seen, and stretches the axis from end to end."""
    ends = [{"time": time} for time in of.within]
    return _layer(ends, {"type": "rule", "opacity": 0, "tooltip": None}, {"x": TIME})


def _windows(of: Bands) -> list[Spec]:
    mark = {"type": "rect", "color": _ALARM, "opacity": 0.13}
    return _layer(of.windows, mark, {"x": TIME, "x2": {"field": "end"}})


def _usual(of: Bands) -> list[Spec]:
    area = {"type": "area", "color": _USUAL, "opacity": 0.22}
    line = {"type": "line", "color": _USUAL, "strokeDash": [5, 3], "strokeWidth": 1.3}
    band = {"x": TIME, "y": {"field": "lower", **of.value}, "y2": {"field": "upper"}}
    middle = {"x": TIME, "y": {"field": "expected", **of.value}}
    return _layer(of.usual, area, band) + _layer(of.usual, line, middle)


def _lines(of: Bands, values: Sequence[Row], by: str, style: Spec) -> list[Spec]:
    """Return faint lines, one for each value of a field, told apart by their tooltips."""
    encoding = {"x": TIME, "y": {"field": "value", **of.value}, "detail": {"field": by, "type": "nominal"}}
    return _layer(values, {"type": "line", **style}, encoding)


def _observed(of: Bands) -> Spec:
    mark = {"type": "line", "color": _OBSERVED, "strokeWidth": 1.8}
    (layer,) = _layer(of.observed, mark, {"x": TIME, "y": {"field": "value", **of.value}})
    return layer


def _limits(of: Bands) -> list[Spec]:
    mark = {"type": "rule", "color": _ALARM, "strokeDash": [2, 2]}
    return _layer(of.limits, mark, {"y": {"field": "limit", **of.value}})


def _marks(of: Bands) -> list[Spec]:
    return _layer(of.marks, {"type": "rule", "color": _ROLLOUT, "strokeWidth": 2}, {"x": TIME})


def _steps(of: Bands) -> list[Spec]:
    mark = {"type": "point", "shape": "triangle-down", "filled": True, "color": _ALARM, "size": 70}
    return _layer(of.steps, mark, {"x": TIME, "y": {"value": 6}})
