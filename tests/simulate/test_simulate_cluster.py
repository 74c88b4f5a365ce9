"""The cluster: names, lives, and what runs where."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest
from simulate_oracle import DAY, END, HOUR, SECOND, small

from kubestray.model.metric import Batch, Series
from kubestray.simulate import Simulation, calendar, labels
from kubestray.simulate.noise import key

SUFFIX = "[bcdfghjklmnpqrstvwxz2456789]{5}"
NAMES = {
    "Deployment": re.compile(rf"[a-z-]+-[456789bcdf]{{8,10}}-{SUFFIX}"),
    "DaemonSet": re.compile(rf"[a-z-]+-{SUFFIX}"),
    "StatefulSet": re.compile(r"[a-z-]+-\d"),
    "CronJob": re.compile(rf"[a-z-]+-\d{{8}}-{SUFFIX}"),
}
MONTH = small(days=30)


def processes(simulation: Simulation, time: int) -> Batch:
    return Batch.concat(list(simulation.batches(time, time + SECOND, 10, {"process"}, {"process.threads"})))


def per_node(series: Iterable[Series]) -> Counter[str]:
    return Counter(dict(one.attributes)["host.name"] for one in series)


def test_pods_are_named_as_their_controllers_name_them() -> None:
    for pod in MONTH.cluster.pods:
        assert NAMES[pod.owner.kind].fullmatch(pod.name), pod.name
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", pod.uid)
    assert len({pod.uid for pod in MONTH.cluster.pods}) == len(MONTH.cluster.pods)


def test_a_rollout_renames_pods_and_keeps_the_hash_among_replicas() -> None:
    owner = MONTH.cluster.owner("checkout")
    hashes: dict[str, set[int]] = {}
    for pod in MONTH.cluster.pods_of(owner):
        hashes.setdefault(pod.name.split("-")[1], set()).add(pod.slot)
    assert len(hashes) >= 2, "some rollout in a month"
    assert {0, 1} in hashes.values()


@pytest.mark.parametrize(("nodes", "count"), [(1, 5), (3, 20), (4, 60), (7, 33)])
def test_exactly_so_many_processes_run_on_a_node(nodes: int, count: int) -> None:
    night = END - 7 * HOUR + 600 * SECOND  # 02:10, when nothing is autoscaled
    simulation = small(nodes=nodes, processes=count, days=1)
    batch = processes(simulation, night)
    regular = [
        one for one in batch.series.values() if "restic" not in dict(one.attributes)["process.command"]
    ]
    assert per_node(regular) == {
        machine.name: count for machine in simulation.cluster.machines if alive(machine, night)
    }


def alive(machine: object, time: int) -> bool:
    return machine.born * SECOND <= time < machine.died * SECOND  # type: ignore[attr-defined]


def test_pids_are_unique_on_a_node_and_parents_exist() -> None:
    batch = processes(small(processes=120), END - HOUR)
    seen = [
        (dict(s.attributes)["host.name"], dict(s.attributes)["process.pid"]) for s in batch.series.values()
    ]
    assert len(set(seen)) == len(seen)
    children = [
        dict(s.attributes) for s in batch.series.values() if "nginx" in dict(s.attributes)["process.command"]
    ]
    assert children
    assert all((one["host.name"], one["process.parent_pid"]) in set(seen) for one in children)


def test_a_restart_gives_a_new_process_in_the_same_pod() -> None:
    pod = next(pod for pod in MONTH.cluster.pods if pod.restarts and pod.restarts[0] * SECOND < END - HOUR)
    crash = pod.restarts[0] * SECOND
    span = (crash - crash % (60 * SECOND) - 120 * SECOND, crash + 180 * SECOND)
    batch = Batch.concat(list(MONTH.batches(*span, 10, {"process"}, {"process.cpu.time"})))
    ids = {
        number
        for number, one in batch.series.items()
        if dict(one.attributes)["host.name"] == pod.machine.name
    }
    starts = {
        int(start) for number, start in zip(batch.series_id, batch.start, strict=True) if int(number) in ids
    }
    assert pod.restarts[0] * SECOND in starts
    first = batch.where(batch.start == np.uint64(crash))
    assert (first.value[np.argsort(first.time)] < 60.0).all(), "its counter begins again"
    assert (first.time > np.uint64(crash - SECOND)).all()
    network = Batch.concat(list(MONTH.batches(*span, 10, {"pod"})))
    mine = [n for n, one in network.series.items() if dict(one.attributes)["k8s.pod.uid"] == pod.uid]
    assert len(mine) == 2, "the pod's own counters go on"


def test_machines_are_replaced_and_pods_move() -> None:
    machines = [machine for machine in MONTH.cluster.machines if machine.born * SECOND > END - 30 * DAY]
    assert machines, "the seed should replace a machine within the month"
    for machine in machines:
        moved = [pod for pod in MONTH.cluster.pods if pod.machine is machine]
        assert len(moved) >= 5
        assert min(pod.born for pod in moved) > machine.born


def test_large_clusters_run_more_of_the_same() -> None:
    simulation = small(nodes=12, days=1)
    assert {"shop", "shop-2", "shop-4", "kube-system"} <= {
        owner.namespace for owner in simulation.cluster.owners
    }
    spread = Counter(
        pod.machine.slot for pod in simulation.cluster.pods if pod.born * SECOND < END < pod.died * SECOND
    )
    assert len(spread) == 12
    assert max(spread.values()) < 3 * min(spread.values())
    edges = {(edge.source, edge.dest, edge.udp) for edge in simulation.edges}
    assert len(edges) == len(simulation.edges), "no edge is there twice"


def test_the_calendar_does_not_depend_on_the_range() -> None:
    begin, end = END // SECOND - 60 * 86_400, END // SECOND
    owner = key("somebody")
    whole = calendar.rollouts(owner, 0.4, begin, end)
    part = calendar.rollouts(owner, 0.4, end - 20 * 86_400, end)
    assert part == whole[-len(part) :]
    assert part[0] < end - 20 * 86_400, "and the one before, which explains what runs at the start"
    runs = calendar.runs(owner, 2, 40, begin, end)
    assert len(runs) in (60, 61)
    assert all(first % 86_400 // 3600 == 2 for first, _ in runs)


def test_benign_twins_are_labelled_and_in_the_data() -> None:
    events = MONTH.labels["benign"]
    assert isinstance(events, list)
    kinds = Counter(event["kind"] for event in events)
    assert {"job backup": 30, "job reports": 30, "job reindex": 30}.items() <= kinds.items()
    assert {"rollout", "autoscaling", "container restart", "node replacement"} <= set(kinds)
    backups = [event for event in events if event["kind"] == "job backup"]
    assert {event["twin_of"] for event in backups} == {"exfiltration"}
    assert {event["entity"] for event in backups} == {"workload:demo/data/backup"}

    pod = max(
        (pod for pod in MONTH.cluster.pods if pod.owner.name == "backup" and pod.died * SECOND < END),
        key=lambda pod: pod.born,
    )
    event = next(one for one in backups if one["time"] == labels.rfc3339((pod.born + 20) // 10 * 10))
    span = (pod.born * SECOND - HOUR // 2, pod.died * SECOND + HOUR // 2)
    batch = Batch.concat(list(MONTH.batches(*span, 10, {"network"}, {"tcp.bytes"})))
    sent = [n for n, one in batch.series.items() if _leaves(one, "backup", "backups.s3.example.com")]
    assert batch.where(np.isin(batch.series_id, np.array(sent, dtype=np.uint64))).value.sum() == event["size"]
    assert event["size"] > 5e9


def _leaves(series: Series, source: str, dest: str) -> bool:
    attributes = dict(series.attributes)
    return attributes["source.workload.name"] == source and attributes["dest.workload.name"] == dest
