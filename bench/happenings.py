"""A small fleet of workloads, and things that happen in it: each makes one finding of one detection.

Every workload has a pod and a node of its own, a program, and an edge to a database and one to the outside.
What happens is written as requests and the seconds at which they are sent; one of them makes the finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service

from kubestray.model.metric import Batch, Kind, Series

SECOND = 10**9
CLUSTER = "bench"
STEP = 10  # seconds between two collections
Attributes = dict[str, str]
_EACH = 2  # things of each kind


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a series at a time of its sending; cumulative ones began at ``start`` (ns)."""

    metric: str
    kind: Kind
    value: float
    attributes: Attributes
    start: int = 0


@dataclass(frozen=True, slots=True)
class Happening:
    """What happens: its sendings by their second, and which of them makes the finding of ``detection``."""

    detection: str
    entity: str
    sendings: tuple[tuple[float, tuple[Point, ...]], ...]
    made_by: int = -1


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload of the fleet, by its number."""

    number: int

    @property
    def name(self) -> str:
        """Its name."""
        return f"app{self.number}"

    @property
    def entity(self) -> str:
        """What findings call it."""
        return f"workload:{CLUSTER}/shop/{self.name}"

    @property
    def node(self) -> str:
        """The node of its pod."""
        return f"bench-node-{self.number}"

    def container(self, image: str, name: str = "") -> Attributes:
        """Return the attributes of a container, of a workload of another name if that is given."""
        return {
            **self._place(),
            "k8s.namespace.name": "shop",
            "k8s.pod.name": f"{name or self.name}-768dbfff7-vg4s9",
            "k8s.pod.uid": self._uid(1 if name else 0),
            "container.id": f"{'x' if name else 'c'}{self.number}",
            "container.image.name": image,
        }

    def process(self, path: str, pid: int, command: str = "") -> Attributes:
        """Return the attributes of a process in the pod."""
        uid = self._uid(0).replace("-", "_")
        slice_ = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid}.slice"
        return {
            **self._place(),
            "process.pid": str(pid),
            "process.executable.name": path.rpartition("/")[2],
            "process.executable.path": path,
            "process.command_line": command or path,
            "process.cgroup": f"0::{slice_}/cri-containerd-{self.number:016x}.scope",
        }

    def edge(self, to: str, *, process: str = "app", outside: bool = False) -> Attributes:
        """Return the attributes of an edge to a workload ``namespace/name``, or to a host outside."""
        namespace, _, name = ("", "", to) if outside else to.partition("/")
        kind = "DNS" if outside else "K8S_CONTAINER"
        there = {} if outside else {"dest.namespace.name": namespace}
        return {
            "k8s.cluster.name": CLUSTER,
            "source.namespace.name": "shop",
            "source.workload.name": self.name,
            "source.process.name": process,
            "source.resolution_type": "K8S_CONTAINER",
            "dest.workload.name": name,
            "dest.resolution_type": kind,
            **there,
        }

    def usual(self, dice: np.random.Generator) -> tuple[Point, ...]:
        """Return what is sent of it in every collection."""
        return (
            gauge("k8s.container.ready", 1.0, self.container("example.com/app")),
            gauge("process.memory.usage", 1e8, self.process("/opt/app", 1)),
            delta("tcp.bytes", float(dice.integers(4000, 6000)), self.edge("data/db")),
            delta("tcp.bytes", float(dice.integers(8000, 12000)), self.edge("cdn.example.net", outside=True)),
        )

    def _place(self) -> Attributes:
        return {"k8s.cluster.name": CLUSTER, "k8s.node.name": self.node}

    def _uid(self, part: int) -> str:
        return f"{self.number:08d}-{part:04d}-4333-8444-555555555555"


def gauge(metric: str, value: float, attributes: Attributes) -> Point:
    """Return a point of a gauge."""
    return Point(metric, Kind.GAUGE, value, attributes)


def delta(metric: str, value: float, attributes: Attributes) -> Point:
    """Return a point of a sum of the last collection."""
    return Point(metric, Kind.DELTA, value, attributes)


def request(points: Sequence[Point], time: int) -> bytes:
    """Return the OTLP request that sends points of a time (ns)."""
    made = service.ExportMetricsServiceRequest()
    for point in points:
        resource = made.resource_metrics.add()
        for name, value in point.attributes.items():
            resource.resource.attributes.add(key=name).value.string_value = value
        metric = resource.scope_metrics.add().metrics.add(name=point.metric)
        if point.kind is Kind.GAUGE:
            into = metric.gauge.data_points.add()
        else:
            metric.sum.is_monotonic = True
            metric.sum.aggregation_temporality = 1 if point.kind is Kind.DELTA else 2
            into = metric.sum.data_points.add()
            into.start_time_unix_nano = point.start or time - STEP * SECOND
        into.time_unix_nano, into.as_double = time, point.value
    return made.SerializeToString()


def past(points: Sequence[Point], times: np.ndarray, dice: np.random.Generator) -> Batch:
    """Return these points at many times (ns), up to a tenth more or less of them."""
    series = [Series.of(point.metric, point.kind, "", point.attributes) for point in points]
    share = dice.uniform(0.9, 1.1, (len(points), len(times)))
    return Batch(
        {one.id: one for one in series},
        np.repeat(np.array([one.id for one in series], np.uint64), len(times)),
        np.tile(times, len(series)),
        np.zeros(len(times) * len(series), np.uint64),
        (share * np.array([[point.value] for point in points])).ravel(),
    )


def happenings(workloads: Sequence[Workload], minute: float) -> Iterator[tuple[Happening, bool]]:
    """Yield what happens, and whether it is at its own time: others begin at second 0 of whenever they do.

    ``minute`` (epoch seconds) is the whole minute in which the slow ones are complete.
    """
    given = iter(workloads)
    for _ in range(_EACH):
        yield _at_once("New program", one := next(given), _process(one, f"/opt/odd-{one.number}")), False
    for _ in range(_EACH):
        yield (
            _at_once(
                "Program from a writable path", one := next(given), _process(one, f"/tmp/x{one.number}")
            ),
            False,
        )
    for _ in range(_EACH):
        one, name = next(given), "odd"
        ready = gauge(
            "k8s.container.ready", 1.0, one.container(f"example.com/odd{one.number}", f"{name}{one.number}")
        )
        entity = f"workload:{CLUSTER}/shop/{name}{one.number}"
        yield Happening("New container image", entity, ((0.0, (ready,)),)), False
    for _ in range(_EACH):
        one = next(given)
        swept = tuple(delta("tcp.bytes", 300.0, one.edge(f"data/quiet{n}")) for n in range(5))
        yield _at_once("Workload looks who is there", one, swept), False
    for _ in range(_EACH):
        one = next(given)
        sent = delta("tcp.bytes", 4e6, one.edge(f"drop{one.number}.example.org", outside=True))
        yield _at_once("Data to a new destination", one, (sent,)), False
    for _ in range(_EACH):
        one = next(given)
        shell = _process(one, "/bin/bash", 77)
        yield (
            Happening("Shell in a running container", one.entity, tuple((10.0 * n, shell) for n in range(3))),
            False,
        )
    for _ in range(_EACH):
        one = next(given)
        tool = _process(one, "/usr/bin/nsenter", 78)
        yield (
            Happening("Program that leaves its container", f"node:{CLUSTER}//{one.node}", ((0.0, tool),)),
            False,
        )
    for _ in range(_EACH):
        one = next(given)
        edge = one.edge("data/db", process="probe")
        counted = {"tcp.new_sockets": 90.0, "tcp.syn_timeouts": 80.0, "tcp.bytes": 700.0}
        tried = tuple(delta(metric, value, edge) for metric, value in counted.items())
        yield _at_once("Connections that nobody takes", one, tried), False
    for _ in range(_EACH):
        one = next(given)
        asked = one.edge("DNS", process="odd", outside=True)
        long = (delta("udp.bytes", 400_000.0, asked), delta("udp.packets", 1000.0, asked))
        yield _at_once("Questions too long for names", one, long), False
    one = next(given)
    call = (delta("tcp.bytes", 500.0, one.edge("orders.example.org", outside=True)),)
    yield (
        Happening(
            "Calls at even intervals", one.entity, tuple((minute - 100 + 20.0 * n, call) for n in range(6)), 4
        ),
        True,
    )
    for _ in range(_EACH):
        yield _slow("Steady computing by a new program", next(given), minute, 240), True
    yield _slow("Far more data leaves than usual", next(given), minute, 120), True


def _at_once(detection: str, one: Workload, points: tuple[Point, ...]) -> Happening:
    return Happening(detection, one.entity, ((0.0, points),))


def _process(one: Workload, path: str, pid: int = 50) -> tuple[Point, ...]:
    return (gauge("process.memory.usage", 1e7, one.process(path, pid)),)


def _slow(detection: str, one: Workload, minute: float, lasts: int) -> Happening:
    """Return what goes on for minutes, up to a whole one and a bit longer: its last point before makes it."""
    sendings = []
    for second in range(0, lasts + 3 * STEP, STEP):
        at = minute - lasts + second + one.number % STEP
        if detection.startswith("Steady"):
            begun = int(minute - lasts) * SECOND
            busy = {**one.process(f"/opt/kw-{one.number}", 90), "state": "user"}
            used = Point("process.cpu.time", Kind.CUMULATIVE, 2.0 * (at - minute + lasts), busy, begun)
            points = (used,)
        else:
            points = (delta("tcp.bytes", 3e6, one.edge("cdn.example.net", outside=True, process="odd")),)
        sendings.append((at, points))
    made_by = max(place for place, (at, _) in enumerate(sendings) if at < minute)
    return Happening(detection, one.entity, tuple(sendings), made_by)
