"""What the process scraper of a node sends: a resource for each process, 14 points each.

Bodies are made once, and new numbers put into them by place: the sender costs little beside what it measures.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service
from opentelemetry.proto.common.v1 import common_pb2 as common
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics

from bench.wire import _time_series as time_series

PROCESSES = 300  # of a node
POINTS = 14  # of a process
STEP = 10**8  # ns between the times of two scrapes
_PROGRAMS = 97
_NEXT_PID = 4 * _PROGRAMS  # more than there are processes, and the same program again

_SOME_TIME = 1_700_000_000 * 10**9
_METRICS = (
    ("process.cpu.time", "s", "counter", "state", ("user", "system", "wait")),
    ("process.cpu.utilization", "1", "gauge", "state", ("user", "system", "wait")),
    ("process.memory.utilization", "1", "gauge", "", ("",)),
    ("process.memory.usage", "By", "sum", "", ("",)),
    ("process.memory.virtual", "By", "sum", "", ("",)),
    ("process.disk.io", "By", "counter", "direction", ("read", "write")),
    ("process.disk.operations", "{operations}", "counter", "direction", ("read", "write")),
    ("process.threads", "{threads}", "sum", "", ("",)),
)


def _attributes(node: int, pid: int) -> dict[str, str | int]:
    name = f"app{pid % _PROGRAMS}"
    return {
        "cloud.availability_zone": "eu-west-1a",
        "cloud.provider": "aws",
        "cloud.region": "eu-west-1",
        "host.id": f"i-{node:08x}",
        "host.name": f"node-{node}",
        "host.type": "m5.large",
        "k8s.cluster.name": "prod",
        "k8s.node.name": f"node-{node}",
        "os.type": "linux",
        "process.command": f"/usr/bin/{name}",
        "process.command_line": f"/usr/bin/{name} --listen 0.0.0.0:{pid} --config /etc/{name}/config.yaml",
        "process.executable.name": name,
        "process.executable.path": f"/usr/bin/{name}",
        "process.owner": "root",
        "process.parent_pid": 1,
        "process.pid": pid,
    }


def _pair(name: str, value: str | int) -> common.KeyValue:
    told = common.AnyValue(int_value=value) if isinstance(value, int) else common.AnyValue(string_value=value)
    return common.KeyValue(key=name, value=told)


def process(node: int, pid: int) -> bytes:
    """Return a request that holds one process."""
    found = metrics.ResourceMetrics()
    found.resource.attributes.extend(_pair(*pair) for pair in _attributes(node, pid).items())
    scope = found.scope_metrics.add()
    scope.scope.name = "github.com/open-telemetry/opentelemetry-collector-contrib/receiver/hostmetrics"
    for name, unit, shape, attribute, values in _METRICS:
        metric = scope.metrics.add(name=name, unit=unit)
        into = metric.gauge if shape == "gauge" else metric.sum
        if shape != "gauge":
            metric.sum.aggregation_temporality, metric.sum.is_monotonic = 2, shape == "counter"
        for value in values:
            times = {"time_unix_nano": _SOME_TIME, "start_time_unix_nano": _SOME_TIME - 10**12}
            point = into.data_points.add(**times, as_double=1)
            point.attributes.extend([_pair(attribute, value)] if attribute else [])
    return service.ExportMetricsServiceRequest(resource_metrics=[found]).SerializeToString()


@dataclass(frozen=True, slots=True)
class _Part:
    """What holds one process of a request, and where in it the times of its points are."""

    body: bytes
    times: npt.NDArray[np.int64]

    @staticmethod
    def of(node: int, pid: int) -> _Part:
        body = process(node, pid)
        tag = re.escape(b"\x19" + struct.pack("<Q", _SOME_TIME) + b"\x21")
        times = np.array([found.start() + 1 for found in re.finditer(tag, body)])
        assert len(times) == POINTS
        return _Part(body, times)


class OtlpNode:
    """The requests of one node, in OTLP protobuf; some of its processes are replaced when asked to."""

    headers: ClassVar = {"Content-Type": "application/x-protobuf"}
    path = "/v1/metrics"
    points = PROCESSES * POINTS

    def __init__(self, node: int) -> None:
        self._node, self._replaced = node, 0
        self._next: deque[_Part] = deque()
        self._parts = [_Part.of(node, 1000 + number) for number in range(PROCESSES)]
        self._random = np.random.default_rng(node)
        self._join()

    def _join(self) -> None:
        self._body = np.frombuffer(b"".join(part.body for part in self._parts), np.uint8).copy()
        self._starts = np.cumsum([0, *(len(part.body) for part in self._parts[:-1])])
        places = (np.stack([part.times for part in self._parts]) + self._starts[:, None]).reshape(-1)
        self._times = places[:, None] + np.arange(8)

    def prepare(self) -> None:
        """Make the next processes to begin, as many as there are: not while it is measured what they cost."""
        first = self._replaced + len(self._next)
        self._next += map(self._beginning, range(first, self._replaced + PROCESSES))

    def replace(self, processes: int) -> None:
        """End some processes and begin others of the same programs."""
        for _ in range(processes):
            part = self._next.popleft() if self._next else self._beginning(self._replaced)
            self._put(self._replaced % PROCESSES, part)
            self._replaced += 1

    def _beginning(self, number: int) -> _Part:
        turn, place = divmod(number, PROCESSES)
        return _Part.of(self._node, 1000 + place + (turn + 1) * _NEXT_PID)

    def _put(self, place: int, part: _Part) -> None:
        before, self._parts[place] = self._parts[place], part
        if len(part.body) == len(before.body) and (part.times == before.times).all():
            start = self._starts[place]
            self._body[start : start + len(part.body)] = np.frombuffer(part.body, np.uint8)
        else:  # its number has a digit more
            self._join()

    def body(self, time: int) -> bytes:
        """Return the request of a scrape."""
        made = self._body.copy()
        made[self._times] = np.frombuffer(struct.pack("<Q", time), np.uint8)
        made[self._times + 9] = self._random.random(self.points).view(np.uint8).reshape(-1, 8)
        return made.tobytes()


class RemoteWriteNode:
    """The same series by remote write 1.0, all attributes as labels."""

    headers: ClassVar = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    path = "/api/v1/write"
    points = PROCESSES * POINTS

    def __init__(self, node: int) -> None:
        self._random = np.random.default_rng(node)
        some = np.array([_SOME_TIME], np.uint64), np.array([1.0])
        parts = [time_series(labels, *some) for labels in _labels(node)]
        self._body = np.frombuffer(b"".join(parts), np.uint8)
        self._ends = np.cumsum([len(part) for part in parts])[:, None] - 15 + np.arange(15)

    def prepare(self) -> None:
        """Make none: churn is measured by OTLP."""

    def replace(self, processes: int) -> None:
        """Keep all processes: churn is measured by OTLP."""

    def body(self, time: int) -> bytes:
        """Return the request of a scrape."""
        ms = (time // 10**6 >> np.arange(6) * 7) & 0x7F
        ms[:-1] |= 0x80
        made = self._body.copy()
        made[self._ends[:, :8]] = self._random.random(self.points).view(np.uint8).reshape(-1, 8)
        made[self._ends[:, 9:]] = ms.astype(np.uint8)
        packed: bytes = pa.compress(made.tobytes(), codec="snappy", asbytes=True)
        return packed


def _labels(node: int) -> Iterator[list[tuple[str, str]]]:
    for number in range(PROCESSES):
        of_process = [
            (name.replace(".", "_"), str(value)) for name, value in _attributes(node, 1000 + number).items()
        ]
        for metric, _, _, attribute, values in _METRICS:
            for value in values:
                own = [(attribute, value)] if attribute else []
                yield sorted([("__name__", metric.replace(".", "_")), *of_process, *own])
