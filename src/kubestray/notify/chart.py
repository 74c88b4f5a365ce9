"""A picture of a document: what happened when, and what was measured against what was expected."""

from __future__ import annotations

from typing import Any

from kubestray.model.finding import Document

_WIDTH = 640  # pixels, before scaling
_SCALE = 2
_STEPS = 40
_COLOURS = {"expected": "#8a8f98", "lower": "#d9a400", "upper": "#d9a400", "observed": "#c62828"}

Spec = dict[str, Any]


def png(document: Document) -> bytes | None:
    """Return a picture (PNG), or None if there is nothing to show in one."""
    spec = chart(document)
    if spec is None:
        return None
    import vl_convert  # heavy: it holds a JavaScript engine

    picture: bytes = vl_convert.vegalite_to_png(spec, scale=_SCALE)
    return picture


def chart(document: Document) -> Spec | None:
    """Return the picture in Vega-Lite."""
    parts = [part for part in (_steps(document), *_measures(document)) if part]
    if not parts:
        return None
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": "white",
        "title": {"text": document["title"], "anchor": "start"},
        "vconcat": parts,
    }


def _steps(document: Document) -> Spec | None:
    """What was noticed along time, a row a detection."""
    steps = (document.get("steps") or ())[:_STEPS]
    if not steps:
        return None
    values = [
        {
            "time": step["time"],
            "last": step.get("last") or step["time"],
            "detection": step["detection"],
            "score": step.get("score") or 0,
        }
        for step in steps
    ]
    return {
        "width": _WIDTH,
        "data": {"values": values},
        "encoding": {
            "x": {"field": "time", "type": "temporal", "title": "UTC", "scale": {"type": "utc"}},
            "y": {
                "field": "detection",
                "type": "nominal",
                "title": None,
                "sort": None,
                "axis": {"labelLimit": 260},
            },
        },
        "layer": [
            {"mark": {"type": "rule", "strokeWidth": 3}, "encoding": {"x2": {"field": "last"}}},
            {
                "mark": {"type": "circle", "opacity": 1, "color": _COLOURS["observed"]},
                "encoding": {"size": {"field": "score", "type": "quantitative", "title": "risk score"}},
            },
        ],
    }


def _measures(document: Document) -> list[Spec]:
    """Each thing that was measured, with its limits, on a scale of its own."""
    made = []
    for one in document.get("observed") or ():
        limits = [name for name in ("expected", "lower", "upper") if isinstance(one.get(name), int | float)]
        if not limits or not isinstance(one["value"], int | float):
            continue
        values = [{"what": name, "value": one[name]} for name in limits]
        values.append({"what": "observed", "value": one["value"]})
        colour = {"domain": list(_COLOURS), "range": list(_COLOURS.values())}
        made.append(
            {
                "width": _WIDTH,
                "height": 24,
                "data": {"values": values},
                "mark": {"type": "tick", "thickness": 4},
                "encoding": {
                    "x": {
                        "field": "value",
                        "type": "quantitative",
                        "title": one["field"],
                        "axis": {"format": "~s", "tickCount": 8},
                    },
                    "color": {"field": "what", "type": "nominal", "title": None, "scale": colour},
                },
            }
        )
    return made
