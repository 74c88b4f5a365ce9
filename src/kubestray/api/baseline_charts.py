"""Charts of what is normal for an entity: its usual day with limits, its last days beside the week before."""

from __future__ import annotations

import math

import numpy as np

from kubestray.api.charts import COLOURS, TIME, Row, Spec, frame, quantity
from kubestray.baseline.bands import bands
from kubestray.baseline.profile import Profile
from kubestray.baseline.ramps import WEEK
from kubestray.baseline.residuals import BINS, DAY

_FAR = 1e3
"""Limits that are so many times what is expected are those of one of whom little is known yet."""


def usual_day(profile: Profile, place: int, metric: str) -> Spec:
    """Return what is expected of the only entity of a profile in the next 24 hours, with limits."""
    start = profile.until // (DAY / BINS) * (DAY / BINS)
    times = np.asarray(start + DAY / BINS * np.arange(BINS), dtype=np.float64)
    found = bands(profile.fleet, np.full(BINS, place), times)
    values: list[Row] = []
    for time, middle, low, high in zip(times, found.expected, found.lower, found.upper, strict=True):
        if not math.isfinite(middle):
            continue
        far = _FAR * max(abs(middle), 1e-9)
        limits = [edge if math.isfinite(edge) and abs(edge) < far else middle for edge in (low, high)]
        values.append({"time": int(time * 1000), "expected": middle, "lower": limits[0], "upper": limits[1]})
    value = quantity(metric)
    return {
        **frame(values, height=170),
        "encoding": {"x": TIME},
        "layer": [
            {
                "mark": {"type": "area", "color": COLOURS[7], "opacity": 0.25, "tooltip": True},
                "encoding": {"y": {"field": "lower", **value}, "y2": {"field": "upper"}},
            },
            {
                "mark": {"type": "line", "color": COLOURS[0], "strokeWidth": 1.8, "tooltip": True},
                "encoding": {"y": {"field": "expected", **value}},
            },
        ],
    }


def usual_week(profile: Profile, place: int, metric: str) -> Spec | None:
    """Return the means of the last whole days, and of the same days a week before where they are known."""
    ramps = profile.fleet.ramps
    last = int(ramps.days[place].max())
    days = [day for day in range(last - WEEK + 1, last + 1) if ramps.days[place, day % WEEK] == day]
    if last < 0 or not days:
        return None
    values: list[Row] = [
        {"day": int(day * DAY * 1000), "value": float(ramps.means[place, day % WEEK]), "week": "last days"}
        for day in days
    ]
    # The newest comparison is that of the last day.
    for back, (rise, base) in enumerate(zip(ramps.rises[place, ::-1], ramps.bases[place, ::-1], strict=True)):
        if base > 0 and last - back in days:
            before = float(ramps.means[place, (last - back) % WEEK] - rise)
            values.append({"day": int((last - back) * DAY * 1000), "value": before, "week": "a week before"})
    return {
        **frame(values, height=150),
        "mark": {"type": "bar", "tooltip": True},
        "encoding": {
            "x": {
                "field": "day",
                "type": "ordinal",
                "timeUnit": "utcyearmonthdate",
                "title": None,
                "axis": {"format": "%a %d", "labelAngle": 0},
            },
            "xOffset": {"field": "week", "sort": ["a week before", "last days"]},
            "y": {"field": "value", **quantity(f"{metric}, mean of a day")},
            "color": {
                "field": "week",
                "type": "nominal",
                "scale": {"domain": ["a week before", "last days"], "range": [COLOURS[7], COLOURS[0]]},
                "legend": {"orient": "bottom", "title": None},
            },
        },
    }
