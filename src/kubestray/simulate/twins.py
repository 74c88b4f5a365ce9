"""Benign events that look like attacks, besides those of the calendar: they happen in every scenario.

What recurs (health checks, probes, entrypoints, cron) does so all the time, from before the labels begin.
What happens once (a load test, a mailing, the change of clocks) does so in the week before they end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from kubestray.simulate import edges
from kubestray.simulate.catalog import Program
from kubestray.simulate.cluster import Cluster, Owner, Pod
from kubestray.simulate.edges import Edge
from kubestray.simulate.episode import Episode, pulses, steady, transfer
from kubestray.simulate.labels import Twin
from kubestray.simulate.noise import key, pick
from kubestray.simulate.rhythm import DAY, HOUR
from kubestray.simulate.stage import Footprint, Intruder, PodTraffic, Stage

_STATUS: Final = "status.uptime.example.com"
CHECKED_EVERY: Final = 60
CHECK: Final = 420.0
"""Bytes of one check."""
PROBES_A_DAY: Final = 6
"""Of a probe that runs every few seconds for some milliseconds these are there when processes are read."""
LOAD_TEST: Final = (79 * HOUR, 40 * 60, 7.0)
MAILING: Final = (53 * HOUR, 20 * 60, 9.0)
"""How long before the end, for how many seconds, and how many times the usual in addition."""

_PROBE: Final = Program("sh", "/bin/busybox", "sh -c redis-cli ping", "999", 0.001, 1, (0.0, 0.0), 1)
_REPORTS: Final = Program("sh", "/bin/dash", "-c /app/reports.py --all", "1000", 0.0002, 1, (0.0, 0.0), 1)
_TRAIN: Final = Program("bash", "/bin/bash", "/app/train.sh", "1000", 0.0002, 3, (0.0, 0.0), 1)
_CRON: Final = (
    Program("sh", "/usr/bin/dash", "-c run-parts /etc/cron.daily", "root", 0.001, 1, (0.0, 0.0), 1),
    Program("logrotate", "/usr/sbin/logrotate", "/etc/logrotate.conf", "root", 0.08, 6, (4e4, 6e4), 1),
)


def clock_change(end: int) -> int:
    """Return when the clocks change in a simulation whose labels end at ``end``: at one in the night."""
    return (end - 7 * DAY // 2) // DAY * DAY + HOUR


def plan(stage: Stage) -> Footprint:
    """Return the footprint of all benign events that the calendar does not have."""
    return (
        _health_checks(stage)
        + _shells(stage)
        + _cron(stage)
        + _load_test(stage)
        + _mailing(stage)
        + _clocks(stage.cluster)
    )


def _owners(cluster: Cluster, name: str) -> list[Owner]:
    return [owner for owner in cluster.owners if owner.name == name]


def _health_checks(stage: Stage) -> Footprint:
    """A gateway tells a service outside that it is there, at even intervals."""
    cluster = stage.cluster
    found = Footprint()
    for owner in _owners(cluster, "gateway"):
        own = key(cluster.seed, "health check", owner.namespace)
        first = (cluster.begin - HOUR) // CHECKED_EVERY * CHECKED_EVERY
        calls = pulses(own, first, cluster.end, CHECKED_EVERY, CHECK, jitter=0.05)
        answers = pulses(own, first, cluster.end, CHECKED_EVERY, CHECK / 2, jitter=0.05)
        ends = edges.inside(owner, edges.zones(owner)[0]), edges.outside(_STATUS)
        entity = owner.entity(cluster.name)
        found += Footprint(
            twins=(Twin(cluster.begin, stage.end, "health checks", entity, "beacon", 10.0),),
            # What is usual is stated, not averaged: it must not depend on how long the simulation is.
            edges=(
                edges.episodic(own, *ends, CHECK / 6, (calls,), 1.0),
                edges.episodic(key(own, "back"), *ends[::-1], CHECK / 12, (answers,), 1.0),
            ),
        )
    return found


def _shells(stage: Stage) -> Footprint:
    """Entrypoints that are shell scripts, for as long as the container lives, and probes that are."""
    cluster = stage.cluster
    found = Footprint()
    for name, kind, program in (
        ("reports", "entrypoint", _REPORTS),
        ("train", "entrypoint", _TRAIN),
        ("redis", "exec probe", _PROBE),
    ):
        for owner in _owners(cluster, name):
            started = _probes if kind == "exec probe" else _entrypoints
            shells = tuple(one for pod in cluster.pods_of(owner) for one in started(pod, program, cluster))
            twin = Twin(cluster.begin, stage.end, kind, owner.entity(cluster.name), "reverse-shell", 1.0)
            found += Footprint(twins=(twin,), intruders=shells)
    return found


def _entrypoints(pod: Pod, program: Program, _cluster: Cluster) -> Iterator[Intruder]:
    for born, died in zip((pod.born, *pod.restarts), (*pod.restarts, pod.died), strict=True):
        yield Intruder(key(pod.key, "entrypoint", born), pod, program, born, died, by_runtime=True)


def _probes(pod: Pod, program: Program, cluster: Cluster) -> Iterator[Intruder]:
    first, last = pod.born, min(pod.died, cluster.end)
    for day in range(max(first, cluster.begin - DAY) // DAY, last // DAY + 1):
        for number in range(PROBES_A_DAY):
            own = key(pod.key, "probe", day, number)
            at = day * DAY + pick(own, DAY // 10) * 10
            if first < at < last:
                yield Intruder(own, pod, program, at, at + 1, by_runtime=True)


def _cron(stage: Stage) -> Footprint:
    """What every machine does each day at 06:00."""
    cluster = stage.cluster
    found: list[Intruder] = []
    twins: list[Twin] = []
    for machine in cluster.machines:
        begin, end = machine.born, min(machine.died, cluster.end)
        for day in range(max(begin, cluster.begin - DAY) // DAY, end // DAY + 1):
            at = day * DAY + 6 * HOUR + pick(key(machine.name, "cron", day), 30)
            if not begin < at < end - HOUR:
                continue
            for number, program in enumerate(_CRON):
                own = key(machine.name, "cron", day, program.name)
                until = at + 70 + pick(own, 60) - 20 * number
                group = "0::/system.slice/cron.service"
                found.append(Intruder(own, None, program, at + number, until, machine=machine, cgroup=group))
            entity = f"node:{cluster.name}//{machine.name}"
            twins.append(Twin(at, at + 130, "cron", entity, "container-escape", 2.0))
    return Footprint(twins=tuple(twins), intruders=tuple(found))


def _load_test(stage: Stage) -> Footprint:
    """Somebody sends the shop many times its usual customers, for most of an hour."""
    cluster = stage.cluster
    before, seconds, times = LOAD_TEST
    begin = (stage.end - before) // HOUR * HOUR
    names = {"gateway": "storefront", "storefront": "catalog", "catalog": "postgres"}
    spaces = {name: cluster.owner(name).namespace for name in (*names, "postgres")}
    more: list[Edge] = []
    for edge in stage.edges:
        for source, dest in names.items():
            pair = {(source, spaces[source]), (dest, spaces[dest])}
            if not edge.udp and {_side(edge, "source"), _side(edge, "dest")} == pair:
                volume = times * edge.stream.base
                more.append(
                    _boosted(edge, transfer(key(edge.stream.key, "load"), begin, begin + seconds, volume))
                )
    traffic: list[PodTraffic] = []
    work: list[tuple[Pod, Episode]] = []
    for name in names:
        for pod in cluster.pods_of(cluster.owner(name)):
            if pod.born < begin and begin + seconds < pod.died and pod.owner.workload:
                volume = times * 10 * pod.owner.workload.traffic
                moved = transfer(key(pod.key, "load"), begin, begin + seconds, volume)
                traffic.append(PodTraffic(pod, sent=moved, received=moved.scaled(0.8)))
                busy = 4 * pod.owner.program.cpu * 1e7
                work.append((pod, transfer(key(pod.key, "work"), begin, begin + seconds, busy)))
    entity = cluster.owner("storefront").entity(cluster.name)
    twin = Twin(begin, begin + seconds, "load test", entity, "exfiltration", times)
    return Footprint(twins=(twin,), edges=tuple(more), traffic=tuple(traffic), work=tuple(work))


def _side(edge: Edge, side: str) -> tuple[str, str]:
    end = edge.source if side == "source" else edge.dest
    return end.workload, end.namespace


def _boosted(edge: Edge, episode: Episode) -> Edge:
    """Return an edge of the same ends that carries the episode alone."""
    return replace(edge, steady=False, episodes=(episode,))


def _mailing(stage: Stage) -> Footprint:
    """A mailing: a worker asks for many names, and sends many letters."""
    cluster = stage.cluster
    before, seconds, times = MAILING
    begin = (stage.end - before) // HOUR * HOUR
    worker = cluster.owner("worker")
    more = [
        _boosted(edge, steady(begin, begin + seconds, times * edge.stream.base))
        for edge in stage.edges
        if (edge.source.workload, edge.source.namespace) == (worker.name, worker.namespace)
        and edge.dest.workload in ("DNS", "smtp.mail.example.com")
    ]
    entity = worker.entity(cluster.name)
    return Footprint(
        twins=(Twin(begin, begin + seconds, "mailing", entity, "dns-tunnel", times),), edges=tuple(more)
    )


def _clocks(cluster: Cluster) -> Footprint:
    """The clocks change: jobs that go by local time run an hour earlier than on the day before."""
    at = cluster.clocks
    local = [owner.entity(cluster.name) for owner in cluster.owners if owner.job and owner.job.local]
    twins = (Twin(at, at + DAY, "daylight saving", name, "exfiltration", 1.0) for name in local)
    return Footprint(twins=tuple(twins))
