"""VictoriaMetrics over all edges of the estate: loaded once, kept beside the store, and asked later."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.estate import METRICS, NOW, SECOND, Shape
from bench.peers import (
    Absent,
    Answer,
    Filled,
    ask_victoria_metrics,
    fill_victoria_metrics,
    version_of,
    victoria_metrics_program,
)
from bench.served import Deadline
from bench.slices import MILLISECOND, Kept, Slice
from kubestray.store.point_tables import DAY_NS

_VERSION = 1  # of what is loaded, and how: with another one it is loaded again
_LOADING = 3 * 3600.0  # seconds
_NAME = "whole-victoria-metrics"
_NOT_INSTALLED = "its program is not installed"


@dataclass(frozen=True, slots=True)
class Whole:
    """VictoriaMetrics with all edges: its version, what loading took, how many points it has."""

    version: str
    points: int
    filled: Filled


def kept_whole(shape: Shape, made: Slice) -> Kept:
    """Return all edges of an estate as a slice that is made while it is read: on disk it would be 8 GB."""
    first, last = shape.start, NOW - shape.step * SECOND
    points = shape.keys * len(METRICS) * shape.days * DAY_NS // (shape.step * SECOND)
    return Kept(points, first // MILLISECOND, last // MILLISECOND, made)


def load_whole(folder: Path, shape: Shape, data: Kept) -> Whole | Absent:
    """Return what holds all edges in a folder; it is loaded where that has not been done yet."""
    program = victoria_metrics_program()
    if program is None:
        return Absent("VictoriaMetrics", _NOT_INSTALLED)
    if isinstance(there := whole(folder, shape), Whole):
        return there
    store = folder / _NAME
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir(parents=True)
    filled = fill_victoria_metrics(program, data, store, Deadline(_LOADING))
    made = Whole(version_of(program), data.points, filled)
    _note(folder).write_text(json.dumps(_identity(shape, made.version) | {"whole": asdict(made)}))
    return made


def whole(folder: Path, shape: Shape) -> Whole | Absent:
    """Return what holds all edges in a folder, if it does."""
    program = victoria_metrics_program()
    if program is None:
        return Absent("VictoriaMetrics", _NOT_INSTALLED)
    if _note(folder).exists():
        known = json.loads(_note(folder).read_text(encoding="utf-8"))
        of = known.pop("whole")
        if known == _identity(shape, version_of(program)):
            return Whole(of["version"], of["points"], Filled(**of["filled"]))
    return Absent("VictoriaMetrics", "it has not been loaded with these points yet: make bench-data does it")


def ask_whole(folder: Path, data: Kept, deadline: Deadline) -> Answer:
    """Ask VictoriaMetrics for the baseline of all edges; `whole` has said that it is there."""
    program = victoria_metrics_program()
    assert program is not None
    return ask_victoria_metrics(program, data, folder / _NAME, deadline)


def _note(folder: Path) -> Path:
    return folder / f"{_NAME}.json"


def _identity(shape: Shape, program: str) -> dict[str, object]:
    return {"shape": asdict(shape), "loading": _VERSION, "program": program}
