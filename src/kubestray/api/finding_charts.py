"""The chart of a finding: what was measured, beside what is usual at the same hours, and when alarms were.

A finding's evidence has the search that found it and a row. What the search needs tells the metric, and the
attributes that are in the row, or the entity itself, tell the series. Usual is what the same hours of the
days before had: their median, and where nine tenths of them lay. Limits that the search worked out itself are
drawn as it told them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlglot import exp

from kubestray.api.charts import COLOURS, Row, Spec, frame
from kubestray.api.data_present import needs
from kubestray.api.entities import CLUSTER, NAMESPACE, NODE, POD, WORKLOAD, first_of
from kubestray.model.entity import Entity
from kubestray.model.finding import Document, nanoseconds
from kubestray.pipeline.needing import Need
from kubestray.pipeline.running import Running
from kubestray.search.run import run_search
from kubestray.store.points import Span
from kubestray.store.trees import call, column, named, select, text

_MINUTE = 60 * 10**9
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_DAYS_BEFORE = 14
_LEAST_DAYS = 3
_BINS = (1, 2, 5, 10, 15, 30, 60)
"""Lengths of bins in minutes, of which the shortest is taken that gives no more than `_MOST_BINS`."""
_MOST_BINS = 240
_MOST_SPAN = 7 * _DAY


@dataclass(frozen=True, slots=True)
class _Measure:
    """A metric and the conditions, by attribute, that choose its series."""

    metric: str
    conditions: tuple[tuple[str, str], ...]

    def text(self, minutes: int) -> str:
        """Return the search for it; names and values are quoted as SPL wants them."""
        where = " ".join(f"{name}={_quoted(value)}" for name, value in self.conditions)
        return f"| mstats avg({self.metric}) AS value where index=* {where} span={minutes}m"


def band_chart(running: Running, document: Document, *, height: int = 260) -> Spec | None:
    """Return the chart of a finding or incident; None if nothing measured can be found for it."""
    begin, end = _range(running, document)
    bins = next((size for size in _BINS if (end - begin) <= size * _MINUTE * _MOST_BINS), _BINS[-1])
    for evidence in document.get("evidence", ()):
        for measure in _measures(running, evidence):
            rows = _rows(running, measure, bins, begin, end)
            now = [row for row in rows if row["time"] >= begin // 10**6]
            if now:
                usual = _usual(rows, bins, begin, end)
                return _spec(running, document, evidence, measure, now, usual, height)
    return None


def picture_of(spec: Spec) -> bytes:
    """Return a chart as PNG, on white."""
    import vl_convert

    drawn = {**spec, "background": "white", "width": 900}
    made: bytes = vl_convert.vegalite_to_png(drawn, scale=2)
    return made


def _range(running: Running, document: Document) -> tuple[int, int]:
    """Return the time to show: what happened, and as long before and after, to see it against something."""
    first, last = nanoseconds(document["first_seen"]), nanoseconds(document["last_seen"])
    around = max(3 * _HOUR, (last - first) // 2)
    end = min(running.clock(), last + around)
    begin = max(first - 2 * around, end - _MOST_SPAN)
    return begin // _HOUR * _HOUR, end


def _measures(running: Running, evidence: Document) -> list[_Measure]:
    """Return what may be shown of a piece of evidence, the best first."""
    search = running.content.detections.get(evidence["detection"])
    found = needs(running, search) if search else []
    entity = Entity.parse(evidence["entity"])
    return [one for need in found for one in _of_need(need, evidence["row"], entity)]


def _of_need(need: Need, row: dict[str, Any], entity: Entity | None) -> list[_Measure]:
    conditions = [
        (name, row[name])
        for name in need.attributes
        if isinstance(row.get(name), str) and row[name] != "unknown"
    ]
    if not any(name not in CLUSTER for name, _ in conditions):
        conditions += _by_entity(need, entity)
    if not conditions:
        return []
    named_first = sorted(need.metrics, key=lambda name: (name not in row, "*" in name))
    return [_Measure(name, tuple(conditions)) for name in named_first if "*" not in name]


def _by_entity(need: Need, entity: Entity | None) -> list[tuple[str, str]]:
    """Return the conditions that an entity's own name gives, on attributes that the search looks at."""
    if entity is None:
        return []
    name, _, process = entity.name.partition("/")
    parts = [
        (CLUSTER, entity.cluster),
        (NAMESPACE, entity.namespace),
        (POD if entity.kind == "pod" else NODE if entity.kind == "node" else WORKLOAD, name),
        (("process.executable.name", "source.process.name"), process),
    ]
    found = []
    for names, value in parts:
        attribute = next((one for one in names if one in need.attributes), None)
        if value and attribute:
            found.append((attribute, value))
    return found


def _rows(running: Running, measure: _Measure, minutes: int, begin: int, end: int) -> list[Row]:
    """Return the means of bins from two weeks before on; ``time`` in milliseconds."""
    span = Span(max(0, begin - _DAYS_BEFORE * _DAY), end)
    request = running.request(measure.text(minutes), end, span)
    found = run_search(request, running.store.query).rows
    return [
        {"time": int(row["_time"] * 1000), "value": row["value"]}
        for row in found
        if row.get("value") is not None
    ]


def _usual(rows: list[Row], minutes: int, begin: int, end: int) -> list[Row]:
    """Return median and limits of each bin, of the same hour (half an hour around) of the days before."""
    times = np.array([row["time"] for row in rows], dtype=np.float64)
    values = np.array([row["value"] for row in rows], dtype=np.float64)
    day, width = _DAY / 1e6, max(minutes * 60_000, 1_800_000)
    told = []
    for time in range(begin // 10**6, end // 10**6, minutes * 60_000):
        apart = np.abs((times - time + day / 2) % day - day / 2)
        before = (times < begin / 1e6) & (apart <= width)
        days = {int((time - one) // day) for one in times[before]}
        if len(days) < min(_LEAST_DAYS, _DAYS_BEFORE):
            continue
        low, middle, high = np.quantile(values[before], (0.05, 0.5, 0.95))
        told.append({"time": time, "lower": float(low), "expected": float(middle), "upper": float(high)})
    return told


def _spec(
    running: Running,
    document: Document,
    evidence: Document,
    measure: _Measure,
    now: list[Row],
    usual: list[Row],
    height: int,
) -> Spec:
    time = {"field": "time", "type": "temporal", "title": None, "axis": {"grid": False, "tickCount": 8}}
    value = {"type": "quantitative", "title": measure.metric, "axis": {"format": "~s"}}
    observed, usual_colour, alarm = COLOURS[0], COLOURS[7], COLOURS[5]
    windows = [
        {"time": _ms(one["time"]), "end": _ms(one["last"]), "detection": one["detection"]}
        for one in document["steps"]
    ]
    layers: list[Spec] = [
        {
            "data": {"values": windows},
            "mark": {"type": "rect", "color": alarm, "opacity": 0.13, "tooltip": True},
            "encoding": {"x": time, "x2": {"field": "end"}},
        }
    ]
    if usual:
        layers += [
            {
                "data": {"values": usual},
                "mark": {"type": "area", "color": usual_colour, "opacity": 0.22, "tooltip": True},
                "encoding": {"x": time, "y": {"field": "lower", **value}, "y2": {"field": "upper"}},
            },
            {
                "data": {"values": usual},
                "mark": {"type": "line", "color": usual_colour, "strokeDash": [5, 3], "strokeWidth": 1.3},
                "encoding": {"x": time, "y": {"field": "expected", **value}},
            },
        ]
    layers.append(
        {
            "data": {"values": now},
            "mark": {"type": "line", "color": observed, "strokeWidth": 1.8, "tooltip": True},
            "encoding": {"x": time, "y": {"field": "value", **value}},
        }
    )
    if limits := _limits(evidence["row"], measure.metric):
        layers.append(
            {
                "data": {"values": limits},
                "mark": {"type": "rule", "color": alarm, "strokeDash": [2, 2], "tooltip": True},
                "encoding": {"y": {"field": "limit", **value}},
            }
        )
    if marks := _rollouts(running, evidence, now):
        layers.append(
            {
                "data": {"values": marks},
                "mark": {"type": "rule", "color": COLOURS[3], "strokeWidth": 2, "tooltip": True},
                "encoding": {"x": time},
            }
        )
    steps = [{"time": _ms(one["time"]), "step": one["message"][:160]} for one in document["steps"][:50]]
    layers.append(
        {
            "data": {"values": steps},
            "mark": {
                "type": "point",
                "shape": "triangle-down",
                "filled": True,
                "color": alarm,
                "size": 70,
                "tooltip": True,
            },
            "encoding": {"x": time, "y": {"value": 6}},
        }
    )
    made = {**frame([], height=height), "layer": layers}
    del made["data"]
    return made


def _limits(row: dict[str, Any], metric: str) -> list[Row]:
    """Return the limits that the search worked out for the metric, where it tells them."""
    found = [(name, row.get(f"{name}_{metric}")) for name in ("lower", "upper")]
    return [{"limit": value, "which": name} for name, value in found if isinstance(value, int | float)]


_VERSIONS = ("source.image_version", "container.image.tag", "k8s.container.image.tag", "container.image.name")


def _rollouts(running: Running, evidence: Document, now: list[Row]) -> list[Row]:
    """Return when a workload was first seen with another image, in the time that is shown."""
    entity = Entity.parse(evidence["entity"])
    if entity is None or not entity.namespace:
        return []
    workload = entity.name.split("/")[0].split(">")[0]
    chosen = [
        exp.EQ(this=first_of(names), expression=text(value))
        for names, value in ((NAMESPACE, entity.namespace), (WORKLOAD, workload))
    ]
    tree = (
        select(named(first_of(_VERSIONS), "image"), named(call("min", column("first_seen")), "first"))
        .from_("series")
        .where(*chosen)
        .group_by(column("image"))
    )
    begin, end = now[0]["time"], now[-1]["time"]
    rows = running.store.query(tree, running.limits).to_pylist()
    return [
        {"time": row["first"] // 10**6, "rollout": f"first seen with the image {row['image']}"}
        for row in rows
        if row["image"] and begin < row["first"] // 10**6 <= end and len(rows) > 1
    ]


def _ms(told: str) -> int:
    return nanoseconds(told) // 10**6


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
