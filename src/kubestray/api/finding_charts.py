"""The chart of a finding: what was measured, beside what is usual at the same hours, and when alarms were.

What is measured, `finding_measures` finds out. Usual is what the same hours of the
days before had: their median, and where nine tenths of them lay. Limits that the search worked out itself are
drawn as it told them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kubestray.api import rollouts
from kubestray.api.band_layers import Bands, drawn
from kubestray.api.charts import Row, Spec
from kubestray.api.finding_measures import Measured, measures
from kubestray.model.entity import Entity
from kubestray.model.finding import Document, nanoseconds
from kubestray.pipeline.running import Running
from kubestray.search.run import run_search
from kubestray.store.points import Span

_MINUTE = 60 * 10**9
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_DAYS_BEFORE = 14
_LEAST_DAYS = 3
_BINS = (1, 2, 5, 10, 15, 30, 60)
"""Lengths of bins in minutes, of which the shortest is taken that gives no more than `_MOST_BINS`."""
_MOST_BINS = 240
_MOST_SPAN = 7 * _DAY
_WEEKS = (1, 2)
_REPLICAS_BY = ("k8s.pod.name", "source.pod")
_MOST_REPLICAS = 12
_KEY = {
    "observed": "blue: observed",
    "usual": "grey: usual",
    "weeks": "green: past weeks",
    "replicas": "light blue: pods of the workload",
    "windows": "orange: what detections say",
    "marks": "pink: rolled out, scaled up or down",
}


def band_chart(running: Running, document: Document, *, height: int = 260) -> Spec | None:
    """Return the chart of a finding or incident; None if nothing measured can be found for it."""
    begin, end = _range(running, document)
    bins = next((size for size in _BINS if (end - begin) <= size * _MINUTE * _MOST_BINS), _BINS[-1])
    for measure, evidence in measures(running, document):
        rows = _rows(running, measure, bins, begin, end)
        now = [row for row in rows if row["time"] >= begin // 10**6]
        if now:
            entity = Entity.parse(evidence["entity"])
            bands = Bands(
                measure.title,
                now,
                (begin // 10**6, end // 10**6),
                usual=_usual(rows, bins, begin, end),
                weeks=_weeks(rows, begin, end),
                replicas=_replicas(running, measure, bins, Span(begin, end)) if measure.has_pods else (),
                limits=_limits(evidence["row"], measure.metric),
                windows=_windows(document),
                steps=_steps(document),
                marks=rollouts.marks(running, entity, Span(begin, end)) if entity else (),
            )
            return drawn(bands, height)
    return None


def picture_of(spec: Spec) -> bytes:
    """Return a chart as PNG, on white, with the key to it that the page has beside it."""
    import vl_convert

    told = " · ".join(_KEY[name] for name in spec.get("usermeta", {}).get("shows", ()))
    title = (
        {"title": {"text": told, "anchor": "start", "fontSize": 11, "fontWeight": "normal"}} if told else {}
    )
    made: bytes = vl_convert.vegalite_to_png({**spec, **title, "background": "white", "width": 900}, scale=2)
    return made


def _range(running: Running, document: Document) -> tuple[int, int]:
    """Return the time to show: what happened, and as long before and after, to see it against something."""
    first, last = nanoseconds(document["first_seen"]), nanoseconds(document["last_seen"])
    around = max(3 * _HOUR, (last - first) // 2)
    end = min(running.clock(), last + around)
    begin = max(first - 2 * around, end - _MOST_SPAN)
    return begin // _HOUR * _HOUR, end


def _rows(running: Running, measure: Measured, minutes: int, begin: int, end: int) -> list[Row]:
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


def _weeks(rows: list[Row], begin: int, end: int) -> list[Row]:
    """Return the same hours of past weeks, moved to where they are compared."""
    found: list[Row] = []
    for back in _WEEKS:
        away = back * 7 * _DAY // 10**6
        name = "a week before" if back == 1 else f"{back} weeks before"
        found += [
            {"time": row["time"] + away, "value": row["value"], "week": name}
            for row in rows
            if begin // 10**6 <= row["time"] + away < end // 10**6 and row["time"] < begin // 10**6
        ]
    return found


def _replicas(running: Running, measure: Measured, minutes: int, span: Span) -> list[Row]:
    """Return the pods of the same workload, those with the highest values; none where nothing tells them."""
    whole = measure.of_workload()
    for by in _REPLICAS_BY:
        request = running.request(whole.text(minutes, by), span.latest or running.clock(), span)
        rows = [
            {"time": int(row["_time"] * 1000), "value": row["value"], "replica": row[by]}
            for row in run_search(request, running.store.query).rows
            if row.get("value") is not None and row.get(by)
        ]
        highest: dict[str, float] = {}
        for row in rows:
            highest[row["replica"]] = max(highest.get(row["replica"], row["value"]), row["value"])
        if len(highest) > 1:
            shown = sorted(highest, key=lambda name: (-highest[name], name))[:_MOST_REPLICAS]
            return [row for row in rows if row["replica"] in shown]
    return []


def _windows(document: Document) -> list[Row]:
    return [
        {"time": _ms(one["time"]), "end": _ms(one["last"]), "detection": one["detection"]}
        for one in document["steps"]
    ]


def _steps(document: Document) -> list[Row]:
    return [{"time": _ms(one["time"]), "step": one["message"][:160]} for one in document["steps"][:50]]


def _limits(row: dict[str, Any], metric: str) -> list[Row]:
    """Return the limits that the search worked out for the metric, where it tells them."""
    found = [(name, row.get(f"{name}_{metric}")) for name in ("lower", "upper")]
    return [{"limit": value, "which": name} for name, value in found if isinstance(value, int | float)]


def _ms(told: str) -> int:
    return nanoseconds(told) // 10**6
