"""A simulation: configuration in, labelled telemetry out, as batches, as requests, or as files."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Final

import orjson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from kubestray.model.errors import UsageError
from kubestray.model.metric import Batch
from kubestray.simulate import cluster as clusters
from kubestray.simulate import edges, labels, twins
from kubestray.simulate.families import FAMILIES, World
from kubestray.simulate.noise import I64
from kubestray.simulate.otlp import JsonLayout, ProtobufLayout
from kubestray.simulate.rhythm import DAY
from kubestray.simulate.scenarios import SCENARIOS
from kubestray.simulate.sender import MakeLayout, Sender
from kubestray.simulate.series import NANOS, Family
from kubestray.simulate.stage import Stage
from kubestray.simulate.table import Table, pages

LIVE_S: Final = DAY
"""How long a simulation goes on after its end, in seconds, for a demonstration that keeps sending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationConfig:
    """What to simulate.

    ``start_ns`` and ``end_ns`` (nanoseconds since the epoch, taken to the second) bound the history
    that the labels describe; scenarios count back from the end. ``processes`` run on a node, besides
    those of autoscaled replicas, jobs and attackers. ``window_s`` is the interval of delta sums. With
    ``size`` each attack is that many times as large as the smallest that detections promise to find.
    """

    start_ns: int
    end_ns: int
    seed: int = 7
    scenario: str = "calm"
    cluster: str = "demo"
    nodes: int = 3
    processes: int = 20
    window_s: int = 10
    size: float | None = None

    def __post_init__(self) -> None:
        if self.scenario not in SCENARIOS:
            raise UsageError(f"no scenario {self.scenario!r}: there are {', '.join(SCENARIOS)}")
        if not 0 < self.start_ns < self.end_ns:
            raise UsageError("a simulation must start before it ends, and after 1970")
        if min(self.nodes, self.processes, self.window_s) < 1:
            raise UsageError("nodes, processes and the window must be at least 1")
        if self.size is not None and not self.size > 0:
            raise UsageError("a size is a multiple of the smallest attack that is promised to be found")


class Simulation:
    """A simulated cluster over a time; made by `simulate`.

    All outputs give the same points. Any part of the time can be asked for alone and equals the same
    part of the whole; times run from ``start_ns`` to `LIVE_S` after ``end_ns``.

    A step, a multiple of the window, thins the collections and changes no value: at a step of 60 s a
    delta sum is still over ``window_s`` (10 s) and one window out of six is emitted, so that levels are
    comparable with those of live points.
    """

    def __init__(self, config: SimulationConfig) -> None:
        self.config = config
        self._begin = config.start_ns // NANOS
        self._end = config.end_ns // NANOS
        until = self._end + LIVE_S
        clocks = twins.clock_change(self._end)
        self.cluster = clusters.build(config.cluster, config.seed, config.nodes, self._begin, until, clocks)
        usual = tuple(edges.benign(self.cluster))
        stage = Stage(self.cluster, usual, self._end, config.size)
        self.footprint = twins.plan(stage) + SCENARIOS[config.scenario].plan(stage)
        self.edges = edges.combined(usual, self.footprint.edges)
        self._families: dict[str, Family] = {}

    @cached_property
    def labels(self) -> dict[str, object]:
        """What really happened between start and end, as labels.json has it."""
        return {
            "cluster": self.config.cluster,
            "from": labels.rfc3339(self._begin),
            "to": labels.rfc3339(self._end),
            "seed": self.config.seed,
            "scenario": self.config.scenario,
            "attacks": [attack.as_json() for attack in self.footprint.attacks],
            "benign": labels.benign(self.cluster, self._begin, self._end, self.footprint.twins),
        }

    def batches(
        self,
        start_ns: int,
        end_ns: int,
        step_s: int,
        families: Collection[str] = FAMILIES,
        metrics: Collection[str] | None = None,
    ) -> Iterator[Batch]:
        """Yield the points at the multiples of ``step_s`` seconds in [start, end).

        A batch has at most a million points, of one day; within it points are ordered by series.
        ``metrics`` restricts to these names. Raises `UsageError` for a range, step or family that the
        simulation does not have.
        """
        tables = self._tables(families, metrics)
        for seconds in self._pages(start_ns, end_ns, step_s, tables):
            for table in tables:
                yield from table.batches(seconds)

    def requests(
        self,
        start_ns: int,
        end_ns: int,
        step_s: int,
        families: Collection[str] = FAMILIES,
        metrics: Collection[str] | None = None,
        max_points: int = 5_000,
    ) -> Iterator[ExportMetricsServiceRequest]:
        """Yield what the agents send, in the order of time: a request is one agent's, of one collection.

        An agent with more than ``max_points`` sends several, never splitting a resource. The arguments
        are those of `batches`, and so are the points.
        """
        for _, payload in self.payloads(start_ns, end_ns, step_s, families, metrics, max_points):
            yield ExportMetricsServiceRequest.FromString(payload)

    def payloads(
        self,
        start_ns: int,
        end_ns: int,
        step_s: int,
        families: Collection[str] = FAMILIES,
        metrics: Collection[str] | None = None,
        max_points: int = 5_000,
    ) -> Iterator[tuple[int, bytes]]:
        """Yield (nanoseconds, serialized request): the same as `requests`, several times faster."""
        sender = Sender(self._tables(families, metrics), self._layout(ProtobufLayout), max_points)
        yield from self._sent(sender, start_ns, end_ns, step_s)

    def write(
        self,
        directory: Path,
        start_ns: int,
        end_ns: int,
        step_s: int,
        families: Collection[str] = FAMILIES,
    ) -> list[Path]:
        """Write ``otlp/DAY.jsonl``, as the collector's file exporter would, and ``labels.json``.

        Makes the directory if it is missing, and returns the files written.
        """
        (directory / "otlp").mkdir(parents=True, exist_ok=True)
        sender = Sender(self._tables(families, None), self._layout(JsonLayout), 5_000)
        lines = self._sent(sender, start_ns, end_ns, step_s)
        written = list(_write_days(directory / "otlp", lines))
        path = directory / "labels.json"
        path.write_bytes(orjson.dumps(self.labels, option=orjson.OPT_INDENT_2) + b"\n")
        return [*written, path]

    def _layout(self, kind: type[ProtobufLayout] | type[JsonLayout]) -> MakeLayout:
        return lambda channels: kind(channels, self.config.window_s)

    def _sent(self, sender: Sender, start_ns: int, end_ns: int, step_s: int) -> Iterator[tuple[int, bytes]]:
        for seconds in self._pages(start_ns, end_ns, step_s, sender.tables):
            for second, request in sender.requests(seconds):
                yield second * NANOS, request

    def _pages(self, start_ns: int, end_ns: int, step_s: int, tables: list[Table]) -> Iterator[I64]:
        if start_ns < self.config.start_ns or end_ns > (self._end + LIVE_S) * NANOS:
            raise UsageError(
                "the simulation does not reach that far: give it an earlier start or a later end"
            )
        if step_s < 1 or step_s % self.config.window_s:
            raise UsageError(f"a step must be a multiple of the window, {self.config.window_s} s")
        # The first whole second in the range, and the first beyond it.
        first, last = -(-start_ns // NANOS), -(-end_ns // NANOS)
        return pages(first, last, step_s, sum(table.size for table in tables))

    def _tables(self, families: Collection[str], metrics: Collection[str] | None) -> list[Table]:
        unknown = set(families) - set(FAMILIES)
        if unknown:
            raise UsageError(f"no family {min(unknown)!r}: there are {', '.join(FAMILIES)}")
        chosen = [self._family(name) for name in FAMILIES if name in families]
        return [Table(family, self.config.window_s, metrics) for family in chosen]

    def _family(self, name: str) -> Family:
        if name not in self._families:
            config = self.config
            world = World(self.cluster, self.edges, self.footprint, config.processes, config.window_s)
            self._families[name] = FAMILIES[name](world)
        return self._families[name]


def _write_days(folder: Path, lines: Iterator[tuple[int, bytes]]) -> Iterator[Path]:
    for day, members in groupby(lines, key=lambda line: labels.rfc3339(line[0] // NANOS)[:10]):
        path = folder / f"{day}.jsonl"
        with path.open("wb") as file:
            file.writelines(line for _, line in members)
        yield path


def simulate(config: SimulationConfig) -> Simulation:
    """Return the simulation of a configuration: nothing is generated before it is asked for."""
    return Simulation(config)
