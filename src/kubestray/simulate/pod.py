"""Pods and containers as the kubelet and cluster receivers report them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kubestray.simulate import names, noise
from kubestray.simulate.cluster import Cluster, Owner, Pod, container_key, job_runs
from kubestray.simulate.counter import Counters
from kubestray.simulate.edges import job_transfer
from kubestray.simulate.noise import F64, I64, Bool, between, key
from kubestray.simulate.series import Channel, Metric, Resource, Shape, alive, seconds_array
from kubestray.simulate.stage import PodTraffic
from kubestray.simulate.stream import Stream

_RECEIVERS: Final = "github.com/open-telemetry/opentelemetry-collector-contrib/receiver"
_IO: Final = Metric("k8s.pod.network.io", "By", Shape.CUMULATIVE, whole=True)
_READY: Final = Metric("k8s.container.ready", "", Shape.GAUGE, whole=True)
_DIRECTIONS: Final = ("receive", "transmit")
_ON_HOST_NETWORK: Final = ("kube-proxy",)
_QUIET: Final = 400.0
"""Bytes a second that a pod moves beside its work: probes, names, tokens."""


class PodFamily:
    """``k8s.pod.network.io`` of every pod, received and transmitted on its default interface.

    A pod's usual traffic is a stream of its own, not the sum of its workload's edges (edges join the
    replicas of a zone); jobs and attacks move the same bytes on both.
    """

    def __init__(self, cluster: Cluster, guests: Iterable[Pod], traffic: Iterable[PodTraffic]) -> None:
        pods = sorted(
            (pod for pod in (*cluster.pods, *guests) if pod.owner.name not in _ON_HOST_NETWORK),
            key=lambda pod: (pod.machine.slot, pod.machine.born, pod.born, pod.key),
        )
        self.born = np.repeat(seconds_array([pod.born for pod in pods]), len(_DIRECTIONS))
        self.died = np.repeat(seconds_array([pod.died for pod in pods]), len(_DIRECTIONS))
        streams = [_stream(pod, direction) for pod in pods for direction in _DIRECTIONS]
        self._counters = Counters(streams, self.born, self.died)
        self.channels: Sequence[Channel] = [
            channel for pod in pods for channel in _network_channels(cluster.name, pod)
        ]
        numbers = {pod.key: number for number, pod in enumerate(pods)}
        self._extra: dict[int, list[PodTraffic]] = {}
        for one in (*traffic, *_job_traffic(cluster)):
            self._extra.setdefault(numbers[one.pod.key], []).append(one)

    def values(self, rows: I64, seconds: I64) -> F64:
        """Return f64[rows, n]; see `Family`."""
        values = self._counters.at(rows, seconds)
        for place, row in enumerate(rows.tolist()):
            number, direction = divmod(row, len(_DIRECTIONS))
            for one in self._extra.get(number, ()):
                values[place] += (one.received, one.sent)[direction].until(seconds)
        return values.astype(np.float64)

    def present(self, rows: I64, seconds: I64) -> Bool:
        """Return bool[rows, n]; see `Family`."""
        return alive(self.born[rows], self.died[rows], seconds)


def _stream(pod: Pod, direction: str) -> Stream:
    own = key(pod.key, direction)
    if pod.owner.workload is None:
        return Stream(own, _QUIET, spread=0.3, burst=0.0)
    work = pod.owner.workload
    return Stream(own, work.traffic * between(own, 0.7, 1.4), work.rhythm, 0.9, 0.5, 0.02)


def _job_traffic(cluster: Cluster) -> Iterator[PodTraffic]:
    """Yield what jobs move: at the job's pod, and at the pod it reads from."""
    for owner in cluster.owners:
        if owner.job is None:
            continue
        for pod in cluster.pods_of(owner):
            moved = job_transfer(owner, pod.born, pod.died)
            yield PodTraffic(pod, sent=moved, received=moved)
        for pod in cluster.pods_of(cluster.owner(owner.job.reads, owner.copy)):
            yield from _read_by(owner, pod, cluster)


def _read_by(owner: Owner, pod: Pod, cluster: Cluster) -> Iterator[PodTraffic]:
    # All runs since the pod's birth, also those before the simulation begins: its counter holds them.
    for born, died in job_runs(owner, pod.born, min(pod.died, cluster.end), cluster.clocks):
        if pod.born <= born and died <= pod.died:
            moved = job_transfer(owner, born, died)
            yield PodTraffic(pod, sent=moved, received=moved.scaled(1 / 60))


def _network_channels(cluster: str, pod: Pod) -> Iterator[Channel]:
    node = pod.machine.name
    attributes = (
        ("k8s.pod.name", pod.name),
        ("k8s.pod.uid", pod.uid),
        ("k8s.namespace.name", pod.owner.namespace),
        ("host.name", node),
        ("k8s.node.name", node),
        ("k8s.cluster.name", cluster),
    )
    resource = Resource(f"agent/{node}", f"{_RECEIVERS}/kubeletstatsreceiver", attributes)
    for direction in _DIRECTIONS:
        yield Channel(resource, _IO, (("direction", direction), ("interface", "eth0")), pod.born)


@dataclass(frozen=True, slots=True)
class _Container:
    pod: Pod
    born: int
    died: int

    @property
    def key(self) -> int:
        return container_key(self.pod, self.born)


class ContainerFamily:
    """``k8s.container.ready`` of every container: 0 until its probe has passed, and 1 from then on."""

    def __init__(self, cluster: Cluster, guests: Iterable[Pod]) -> None:
        containers = [one for pod in (*cluster.pods, *guests) for one in _containers(pod)]
        self.born = seconds_array([one.born for one in containers])
        self.died = seconds_array([one.died for one in containers])
        self._ready = self.born + seconds_array([_until_ready(one) for one in containers])
        self._keys = noise.keys([one.key for one in containers])
        self.channels: Sequence[Channel] = [
            Channel(_container_resource(cluster.name, one), _READY, (), 0) for one in containers
        ]

    def values(self, rows: I64, seconds: I64) -> F64:
        """Return f64[rows, n]; see `Family`."""
        slow = noise.smooth(noise.derive(self._keys[rows], "probe"), seconds, 90)
        ready = (self._ready[rows, None] <= seconds) & (slow < 3.6)  # a probe fails now and then
        return ready.astype(np.float64)

    def present(self, rows: I64, seconds: I64) -> Bool:
        """Return bool[rows, n]; see `Family`."""
        return alive(self.born[rows], self.died[rows], seconds)


def _containers(pod: Pod) -> Iterator[_Container]:
    """Yield the pod's container, and the one that replaced it after each crash."""
    for born, died in zip((pod.born, *pod.restarts), (*pod.restarts, pod.died), strict=True):
        yield _Container(pod, born, died)


def _until_ready(one: _Container) -> int:
    slowest = 75.0 if one.pod.owner.program.name == "java" else 25.0
    return int(between(key(one.key, "ready"), 4.0, slowest))


def _container_resource(cluster: str, one: _Container) -> Resource:
    pod = one.pod
    attributes = (
        ("container.id", names.hexadecimal(one.key, 64)),
        ("container.image.name", pod.owner.image),
        ("container.image.tag", pod.tag),
        ("k8s.container.name", pod.owner.name),
        ("k8s.namespace.name", pod.owner.namespace),
        ("k8s.node.name", pod.machine.name),
        ("k8s.pod.name", pod.name),
        ("k8s.pod.uid", pod.uid),
        ("k8s.cluster.name", cluster),
    )
    return Resource("cluster-receiver", f"{_RECEIVERS}/k8sclusterreceiver", attributes)
