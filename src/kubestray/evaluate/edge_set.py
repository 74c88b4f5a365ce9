"""A set of edges: flows between peers, with what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kubestray.baseline.arrays import Flags, Floats, Ints
from kubestray.evaluate.series_set import Events
from kubestray.evaluate.tables import read
from kubestray.model.errors import UsageError

GAP = 900.0
"""Labelled flows of a source that are further apart than this, in seconds, are two events."""
STEP = 60.0
EPHEMERAL = 32768
"""Ports from here on are one: a client's side of a connection has a new one each time."""


@dataclass(frozen=True, slots=True)
class EdgeSet:
    """Flows in the order of time: numbers of source and destination in ``names``, and the destination's
    port.
    """

    names: list[str]
    source: Ints
    destination: Ints
    port: Ints
    times: Floats
    tested: Flags
    events: Events | None

    @property
    def start(self) -> Floats:
        """When the test part of each entity begins; an entity is a source."""
        return np.full(len(self.names), self.times[self.tested].min() if self.tested.any() else np.inf)


def read_edges(directory: Path) -> EdgeSet | None:
    """Read a set of edges; None if the directory has none."""
    table = read(directory, "edges")
    if table is None:
        return None
    times = table.moments("ts")
    order = np.argsort(times, kind="stable")
    sources, source = table.texts("src")
    destinations, destination = table.texts("dst")
    names = list(dict.fromkeys(sources + destinations))
    number = {name: index for index, name in enumerate(names)}
    source = np.array([number[name] for name in sources], dtype=np.int64)[source]
    destination = np.array([number[name] for name in destinations], dtype=np.int64)[destination]
    port = np.nan_to_num(table.numbers("dst_port", missing=True), nan=-1.0).astype(np.int64)
    tested = np.ones(len(times), dtype=bool)
    if table.has("split"):
        tested = np.array([split == "test" for split in table.listed("split")], dtype=bool)
    if not tested.any():
        raise UsageError(f"{table.path}: no flow has the split 'test': there is no test part to judge")
    events = None
    if table.has("label"):
        label = np.nan_to_num(table.numbers("label", missing=True)) > 0
        events = _events(source[order], times[order], (label & tested)[order])
    return EdgeSet(names, source[order], destination[order], port[order], times[order], tested[order], events)


def _events(source: Ints, times: Floats, label: Flags) -> Events | None:
    """Make an event of labelled flows of one source that follow each other closely."""
    if not label.any():
        return None
    order = np.lexsort((times[label], source[label]))
    entity, moments = source[label][order], times[label][order]
    begins = np.r_[True, (np.diff(entity) != 0) | (np.diff(moments) > GAP)]
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(moments)) - 1
    return Events(entity[first], moments[first], moments[last])
