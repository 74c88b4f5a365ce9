"""Risk: one scored observation about one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RiskEvent:
    """What one result row says of one risk object.

    ``id`` is made of the detection, the window, the row and the risk object, so running again adds
    nothing. ``time`` in nanoseconds. ``fields`` are all fields as Splunk names them, the row's included.
    """

    id: str
    time: int
    detection: str
    risk_object: str
    risk_object_type: str
    risk_score: float
    fields: dict[str, Any]
