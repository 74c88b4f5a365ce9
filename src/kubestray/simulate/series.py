"""What a family of metrics hands out: channels, and values for any of them at any times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import numpy as np

from kubestray.model.metric import Kind, Series
from kubestray.simulate.noise import F64, I64, Bool

NANOS: Final = 1_000_000_000
Value = str | int
Pairs = tuple[tuple[str, Value], ...]


class Shape(StrEnum):
    """What OTLP calls a metric's data: a gauge, or a sum with its temporality and monotonicity."""

    GAUGE = "gauge"
    DELTA = "delta"
    CUMULATIVE = "cumulative"
    UP_DOWN = "cumulative, not monotonic"

    @property
    def kind(self) -> Kind:
        """The kind under which the store keeps it: a sum that may fall is a gauge."""
        kinds = {Shape.DELTA: Kind.DELTA, Shape.CUMULATIVE: Kind.CUMULATIVE}
        return kinds.get(self, Kind.GAUGE)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric's name, unit and shape; ``whole``: its values travel as integers."""

    name: str
    unit: str
    shape: Shape
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """An OTLP resource, the scope that observed it, and the agent that sends it."""

    agent: str
    scope: str
    attributes: Pairs


@dataclass(frozen=True, slots=True)
class Channel:
    """One series as its sender sees it; ``start`` is its start time in seconds, 0 if it sends none.

    A delta's start is not here: it is one window before each point.
    """

    resource: Resource
    metric: Metric
    attributes: Pairs
    start: int

    def series(self) -> Series:
        """Return the series as the store names it: all attributes together, as text."""
        pairs = dict(self.resource.attributes) | dict(self.attributes)
        text = {name: str(value) for name, value in pairs.items()}
        return Series.of(self.metric.name, self.metric.shape.kind, self.metric.unit, text)


class Family(Protocol):
    """One kind of telemetry. Rows number its channels, which are ordered by agent and resource."""

    channels: Sequence[Channel]
    born: I64
    """The second from which each channel has points, i64[channels]."""
    died: I64
    """The second at which it has none any more."""

    def values(self, rows: I64, seconds: I64) -> F64:
        """Return the values of ``rows`` (ascending) at ascending times, f64[rows, n]."""

    def present(self, rows: I64, seconds: I64) -> Bool:
        """Return which of those values are sent, bool[rows, n]."""


def alive(born: I64, died: I64, seconds: I64) -> Bool:
    """Return which rows live at which times, bool[rows, n]."""
    return (born[:, None] <= seconds) & (seconds < died[:, None])


def seconds_array(values: Sequence[int]) -> I64:
    """Return times as i64[n]."""
    return np.array(values, dtype=np.int64)
