"""The parts of the benchmark, and how long each may take."""

from __future__ import annotations

import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from bench.decoding import decoding
from bench.estate import ESTATE, Shape, estate
from bench.latency import latency
from bench.receiving import receiving
from bench.sizes import sizes
from bench.thirty_days import PUBLISHED, history, passes, peers
from kubestray.store.store import Store

_RECEIVING = 60.0  # seconds of OTLP; of each further way a fifth
_PROMETHEUS_KEYS = 30
"""Of the estate's 500 workloads and processes: 31 million points. VictoriaMetrics has all of them."""

_PEER_SECONDS = 120.0  # for a peer to load and answer


@dataclass(frozen=True, slots=True)
class Part:
    """Something to measure, in a folder of its own that is empty, within some seconds."""

    name: str
    measure: Callable[[Path], dict[str, Any]]
    seconds: float


def _over_estate(measure: Callable[[Store], dict[str, Any]]) -> dict[str, Any]:
    """Measure over the data of 30 days, if it is there."""
    if not PUBLISHED.is_dir():
        return {"skipped": f"the published searches are not at {PUBLISHED.parent.name}/{PUBLISHED.name}"}
    if not (ESTATE / "loaded.json").exists():
        return {"skipped": "there is no data for this part yet: make bench-data makes it (half an hour)"}
    store, loaded = estate(ESTATE, Shape())
    try:
        return {"loaded": asdict(loaded), **measure(store)}
    finally:
        store.close()


def _peers(folder: Path) -> dict[str, Any]:
    return _over_estate(lambda store: peers(store, ESTATE, _PROMETHEUS_KEYS, folder, _PEER_SECONDS))


def _history(_: Path) -> dict[str, Any]:
    return _over_estate(lambda store: history(store) | _resident())


def _passes(_: Path) -> dict[str, Any]:
    return _over_estate(passes)


def _resident() -> dict[str, int]:
    return {"resident_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}


PARTS = (
    Part("decoding", lambda _: decoding(), 30),
    Part("receiving", lambda folder: receiving(folder, _RECEIVING), 230),
    Part("latency", lambda folder: latency(folder, 110.0), 120),
    Part("sizes", lambda folder: sizes(folder, 30.0), 60),
    Part("passes", _passes, 60),
    Part("history", _history, 160),
    Part("peers", _peers, 200),
)


def measured(name: str) -> dict[str, Any]:
    """Measure a part, and leave nothing behind, also when it is told to end."""

    def told_to_end(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, told_to_end)
    folder = Path(tempfile.mkdtemp(prefix="kubestray-bench-"))
    try:
        return next(part for part in PARTS if part.name == name).measure(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
