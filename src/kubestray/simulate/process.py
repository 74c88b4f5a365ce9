"""Processes as the collector's host metrics receiver reports them: a resource for each, 14 points."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np

from kubestray.simulate import noise
from kubestray.simulate.counter import Counters
from kubestray.simulate.noise import F64, I64, Bool
from kubestray.simulate.processes import Process
from kubestray.simulate.series import Channel, Metric, Resource, Shape, alive, seconds_array
from kubestray.simulate.stream import Stream

CORES: Final = 8
"""Cores of a machine; utilization is a share of all of them."""
MEMORY: Final = 32 * 2**30
"""Bytes of memory of a machine."""

_SCOPE: Final = (
    "github.com/open-telemetry/opentelemetry-collector-contrib/receiver/hostmetricsreceiver"
    "/internal/scraper/processscraper"
)
_STATES: Final = ("user", "system", "wait")
_DIRECTIONS: Final = ("read", "write")
_OPERATION: Final = {"read": 14_000.0, "write": 9_000.0}  # bytes

_PAGE: Final = 4096.0

_UTILIZATION: Final = Metric("process.cpu.utilization", "1", Shape.GAUGE)
_TIME: Final = Metric("process.cpu.time", "s", Shape.CUMULATIVE)
_MEMORY_SHARE: Final = Metric("process.memory.utilization", "1", Shape.GAUGE)
_USAGE: Final = Metric("process.memory.usage", "By", Shape.UP_DOWN, whole=True)
_VIRTUAL: Final = Metric("process.memory.virtual", "By", Shape.UP_DOWN, whole=True)
_IO: Final = Metric("process.disk.io", "By", Shape.CUMULATIVE, whole=True)
_OPERATIONS: Final = Metric("process.disk.operations", "{operations}", Shape.CUMULATIVE, whole=True)
_THREADS: Final = Metric("process.threads", "{threads}", Shape.UP_DOWN, whole=True)

_POINTS: Final = (
    *((_UTILIZATION, "state", state) for state in _STATES),
    *((_TIME, "state", state) for state in _STATES),
    (_MEMORY_SHARE, "", ""),
    (_USAGE, "", ""),
    (_VIRTUAL, "", ""),
    *((_IO, "direction", direction) for direction in _DIRECTIONS),
    *((_OPERATIONS, "direction", direction) for direction in _DIRECTIONS),
    (_THREADS, "", ""),
)
"""Each point of a process: metric, and the one attribute it has, if any."""


class ProcessFamily:
    """The channels of all processes, `_POINTS` for each."""

    def __init__(self, cluster: str, processes: Sequence[Process], window: int) -> None:
        self._processes = tuple(processes)
        self._window = window
        self._born = seconds_array([one.born for one in processes])
        self._died = seconds_array([one.died for one in processes])
        self._keys = noise.keys([one.key for one in processes])
        self._memory: F64 = np.array([[one.program.memory * one.share * 2**20] for one in processes])
        self._threads: F64 = np.array([[float(one.program.threads)] for one in processes])
        self._shares = _shares(processes)
        self._counters = {
            name: self._counter(name) for name in ("cpu", "read", "write", "read ops", "write ops")
        }
        self.channels: Sequence[Channel] = [
            channel for one in processes for channel in _channels(cluster, one)
        ]
        self._process = np.repeat(np.arange(len(processes)), len(_POINTS))
        self._point = np.tile(np.arange(len(_POINTS)), len(processes))
        # The scraper needs two readings for a utilization, so the first one is missing.
        late = np.array([metric is _UTILIZATION for metric, _, _ in _POINTS])[self._point]
        self.born = self._born[self._process] + np.where(late, window, 0)
        self.died = self._died[self._process]

    def values(self, rows: I64, seconds: I64) -> F64:
        """Return f64[rows, n]; see `Family`."""
        chosen, place = np.unique(self._process[rows], return_inverse=True)
        reading = _Reading(self, chosen, seconds)
        out = np.empty((len(rows), len(seconds)))
        for number, (metric, _, value) in enumerate(_POINTS):
            at = np.flatnonzero(self._point[rows] == number)
            if len(at):
                out[at] = reading.of(metric, value)[place[at]]
        return out

    def present(self, rows: I64, seconds: I64) -> Bool:
        """Return bool[rows, n]; see `Family`."""
        return alive(self.born[rows], self.died[rows], seconds)

    def count(self, name: str, chosen: I64, seconds: I64) -> I64:
        """Return a counter of some processes: "cpu" in microseconds, bytes or operations."""
        values = self._counters[name].at(chosen, seconds)
        if name == "cpu":
            for row, number in enumerate(chosen.tolist()):
                busy = self._processes[number].busy
                if busy is not None:
                    values[row] += busy.until(seconds) - busy.by(int(self._born[number]))
        return values

    def memory(self, chosen: I64, seconds: I64) -> F64:
        """Return the resident bytes: a process fills up after its start, leaks a little, and breathes."""
        age = np.maximum(seconds - self._born[chosen, None], 0)
        keys = self._keys[chosen]
        leak = 0.012 * noise.uniform_of(noise.bits(noise.derive(keys, "leak"), np.zeros(1, dtype=np.int64)))
        level: F64 = (1.0 - 0.45 * np.exp(-age / 1_500.0)) * (1.0 + leak * np.minimum(age / 86_400.0, 20.0))
        level *= 1.0 + 0.06 * noise.smooth(noise.derive(keys, "memory"), seconds, 3_600)
        level *= 1.0 + 0.006 * noise.normal_of(noise.bits(noise.derive(keys, "pages"), seconds))
        level *= self._memory[chosen]
        return _whole_pages(level)

    def threads(self, chosen: I64, seconds: I64) -> F64:
        """Return how many threads run."""
        level = 1.0 + 0.07 * noise.smooth(noise.derive(self._keys[chosen], "threads"), seconds, 900)
        return np.maximum(np.rint(self._threads[chosen] * level), 1.0)

    def share(self, chosen: I64, state: str) -> F64:
        """Return the part of the CPU time that is spent in a state, f64[processes, 1]."""
        return self._shares[state][chosen]

    @property
    def window(self) -> int:
        """The seconds that a utilization is measured over."""
        return self._window

    def _counter(self, name: str) -> Counters:
        streams = [
            Stream(noise.key(one.key, name), _rate(one, name), one.rhythm, 0.8, 0.5, 0.02)
            for one in self._processes
        ]
        return Counters(streams, self._born, self._died)


class _Reading:
    """What some processes show at some times; nothing is computed unless a metric asks for it."""

    def __init__(self, family: ProcessFamily, chosen: I64, seconds: I64) -> None:
        self._family = family
        self._chosen = chosen
        self._seconds = seconds

    def of(self, metric: Metric, value: str) -> F64:
        """Return one point's values, f64[processes, n]; ``value`` is its state or direction."""
        if metric is _TIME:
            return self._cpu_time(value)[0]
        if metric is _UTILIZATION:
            now, before = self._cpu_time(value)
            return (now - before) / (self._family.window * CORES)
        if metric is _IO:
            return self._count(value)
        if metric is _OPERATIONS:
            return self._count(f"{value} ops")
        return self._steady(metric)

    def _steady(self, metric: Metric) -> F64:
        if metric is _THREADS:
            return self._family.threads(self._chosen, self._seconds)
        if metric is _VIRTUAL:
            # Address space grows by whole arenas, so it hardly ever changes.
            return np.ceil(self._memory * 1.6 / 2**26) * 2**26 + 2**28
        return self._memory if metric is _USAGE else 100.0 * self._memory / MEMORY

    def _count(self, name: str) -> F64:
        return self._family.count(name, self._chosen, self._seconds).astype(np.float64)

    @cached_property
    def _memory(self) -> F64:
        return self._family.memory(self._chosen, self._seconds)

    @cached_property
    def _cpu(self) -> tuple[I64, I64]:
        """Microseconds of CPU now, and one window before."""
        before = self._seconds - self._family.window
        both = np.union1d(before, self._seconds)
        values = self._family.count("cpu", self._chosen, both)
        return values[:, np.searchsorted(both, self._seconds)], values[:, np.searchsorted(both, before)]

    def _cpu_time(self, state: str) -> tuple[F64, F64]:
        now, before = self._cpu
        share = self._family.share(self._chosen, state)
        return _clock(now, share), _clock(before, share)


def _clock(microseconds: I64, share: F64) -> F64:
    """Return a share of microseconds as seconds, in the hundredths that the kernel counts."""
    hundredths: F64 = np.floor(microseconds.astype(np.float64) * (share / 10_000.0))
    return hundredths / 100.0


def _whole_pages(volume: F64) -> F64:
    pages: F64 = np.floor(volume / _PAGE)
    return pages * _PAGE


def _shares(processes: Sequence[Process]) -> dict[str, F64]:
    """Return for each state the part of each process's CPU time: busy ones compute, others wait too."""
    system = [
        0.01 if one.busy else noise.between(noise.key(one.key, "system"), 0.1, 0.4) for one in processes
    ]
    wait = [0.0 if one.busy else noise.between(noise.key(one.key, "wait"), 0.0, 0.06) for one in processes]
    columns = {"system": np.array(system).reshape(-1, 1), "wait": np.array(wait).reshape(-1, 1)}
    return {"user": 1.0 - columns["system"] - columns["wait"], **columns}


def _rate(one: Process, name: str) -> float:
    if name == "cpu":
        return one.program.cpu * one.share * 1e6
    direction, _, operations = name.partition(" ")
    volume = one.program.disk[_DIRECTIONS.index(direction)] * one.share
    return volume / _OPERATION[direction] if operations else volume


def _channels(cluster: str, one: Process) -> list[Channel]:
    resource = _resource(cluster, one)
    return [
        Channel(resource, metric, ((name, value),) if name else (), one.born)
        for metric, name, value in _POINTS
    ]


def _resource(cluster: str, one: Process) -> Resource:
    node = one.machine.name
    attributes = (
        ("process.pid", one.pid),
        ("process.parent_pid", one.parent),
        ("process.executable.name", one.program.name),
        ("process.executable.path", one.program.path),
        ("process.command", one.program.path),
        ("process.command_line", one.program.command_line),
        ("process.owner", one.program.owner),
        ("process.cgroup", one.cgroup),
        ("host.name", node),
        ("k8s.node.name", node),
        ("k8s.cluster.name", cluster),
    )
    return Resource(f"agent/{node}", _SCOPE, attributes)
