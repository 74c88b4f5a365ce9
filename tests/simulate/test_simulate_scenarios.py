"""Labels say what the data hold, and the data are not made easy."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime

import numpy as np
import pytest
from simulate_oracle import DAY, END, HOUR, SECOND, small

from kubestray.model.metric import Batch, Series
from kubestray.simulate import SCENARIOS, Simulation

ENTITY = re.compile(r"(workload|pod|node):demo/[a-z0-9-]*/[a-z0-9.-]+")


def steps(simulation: Simulation) -> list[dict[str, object]]:
    attacks = simulation.labels["attacks"]
    assert isinstance(attacks, list)
    return [step for attack in attacks for step in attack["steps"]]


def nanos(text: object) -> int:
    return int(datetime.fromisoformat(str(text)).timestamp()) * SECOND


def workload(step: dict[str, object]) -> str:
    return next(e for e in step["entities"] if e.startswith("workload:")).rpartition("/")[2]  # type: ignore[attr-defined]


def points(simulation: Simulation, start: int, end: int, family: str, metric: str) -> Batch:
    return Batch.concat(list(simulation.batches(start, end, 10, {family}, {metric})))


def total(batch: Batch, **wanted: str) -> float:
    """Return the sum over the series that have these attributes; ``_`` is written for a dot."""
    names = {name.replace("_", "."): value for name, value in wanted.items()}
    ids = [n for n, one in batch.series.items() if names.items() <= dict(one.attributes).items()]
    return float(batch.value[np.isin(batch.series_id, np.array(ids, dtype=np.uint64))].sum())


def processes_of(simulation: Simulation, time: int) -> list[dict[str, str]]:
    batch = points(simulation, time, time + 10 * SECOND, "process", "process.threads")
    return [dict(one.attributes) for one in batch.series.values()]


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_labels_have_their_shape(name: str) -> None:
    simulation = small(name)
    labels = simulation.labels
    assert list(labels) == ["cluster", "from", "to", "seed", "scenario", "attacks", "benign"]
    assert (labels["scenario"], labels["to"]) == (name, "2025-10-09T09:00:00Z")
    for step in steps(simulation):
        assert {"time", "end", "kind", "entity", "techniques", "size"} <= set(step)
        assert ENTITY.fullmatch(str(step["entity"]))
        assert step["entity"] in step["entities"]  # type: ignore[operator]
        assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", technique) for technique in step["techniques"])  # type: ignore[attr-defined]
        assert nanos(labels["from"]) <= nanos(step["time"]) < END
        assert step["end"] is None or nanos(step["time"]) < nanos(step["end"]) <= END
    for event in labels["benign"]:  # type: ignore[attr-defined]
        assert ENTITY.fullmatch(event["entity"])
        assert nanos(labels["from"]) <= nanos(event["time"]) < nanos(event["end"])


def test_nobody_attacks_a_calm_cluster() -> None:
    calm = small("calm")
    assert calm.labels["attacks"] == []
    batch = points(calm, END - DAY, END, "network", "tcp.bytes")
    assert not [one for one in batch.series.values() if "(internet)" in dict(one.attributes).values()]
    paths = {one["process.executable.path"] for one in processes_of(calm, END - HOUR)}
    assert not [path for path in paths if path.startswith(("/tmp", "/var/tmp", "/dev/shm"))]


@pytest.mark.parametrize("seed", range(1, 7))
def test_exfiltration_is_as_large_and_as_old_as_labelled(seed: int) -> None:
    theft = small("exfiltration", seed=seed)
    (step,) = steps(theft)
    begin = nanos(step["time"])
    assert step["end"] is None
    assert 45 * 60 <= (END - begin) // SECOND <= 50 * 60 + 10
    batch = points(theft, begin - HOUR, END + 10 * SECOND, "network", "tcp.bytes")
    out = {"source_workload_name": workload(step), "dest_workload_name": "(internet)"}
    assert total(batch, **out) == step["size"]
    assert total(batch.where(batch.time <= np.uint64(begin)), **out) == 0.0
    assert step["process"] in {
        dict(one.attributes).get("source.process.name") for one in batch.series.values()
    }


@pytest.mark.parametrize("seed", range(1, 7))
def test_exfiltration_is_tens_of_times_the_usual_level_and_irregular(seed: int) -> None:
    theft = small("exfiltration", seed=seed)
    (step,) = steps(theft)
    batch = points(theft, END - DAY - HOUR, END, "network", "tcp.bytes")
    mine = [
        n for n, one in batch.series.items() if dict(one.attributes)["source.workload.name"] == workload(step)
    ]
    own = batch.where(np.isin(batch.series_id, np.array(mine, dtype=np.uint64)))
    times, place = np.unique(own.time, return_inverse=True)
    level = np.bincount(place, own.value)
    before, during = level[times <= nanos(step["time"])], level[times > nanos(step["time"])]
    assert 8 < np.median(during) / before.mean() < 90
    assert 0.3 < during.std() / during.mean() < 2.0
    assert (during < 0.2 * np.median(during)).any(), "it pauses"
    hour_ago = level[(times > END - 2 * HOUR) & (times <= nanos(step["time"]))]
    assert hour_ago.mean() < 5 * before.mean(), "nothing gives it away before"


def test_exfiltration_crosses_the_pods_interface() -> None:
    theft, calm = small("exfiltration"), small("calm")
    (step,) = steps(theft)
    pod = next(e for e in step["entities"] if e.startswith("pod:")).rpartition("/")[2]  # type: ignore[attr-defined]
    values = [
        total(
            points(one, END, END + 10 * SECOND, "pod", "k8s.pod.network.io"),
            k8s_pod_name=pod,
            direction="transmit",
        )
        for one in (theft, calm)
    ]
    assert values[0] - values[1] == pytest.approx(float(str(step["size"])) * 1.04, rel=0.01)


def test_the_chain_is_in_order_within_a_day_on_one_workload() -> None:
    chain = steps(small("attack-chain"))
    assert [step["kind"] for step in chain] == [
        "foothold-shell",
        "new-binary",
        "miner",
        "new-edges",
        "exfiltration",
    ]
    times = [nanos(step["time"]) for step in chain]
    assert times == sorted(times)
    assert times[0] > END - DAY
    assert len({tuple(step["entities"]) for step in chain}) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(1, 3))
def test_a_container_that_somebody_gets_into_runs_something(seed: int) -> None:
    """However few processes run on a node: a shell with nothing beside it would be the container's own."""
    simulation = small("attack-chain", seed=seed, processes=1)
    shell = next(step for step in steps(simulation) if step["kind"] == "foothold-shell")
    begin = nanos(shell["time"])
    running = processes_of(simulation, begin + 60 * SECOND)
    shells = [one for one in running if one["process.command_line"].endswith("sh -i")]
    (group,) = {one["process.cgroup"] for one in shells}
    before = processes_of(simulation, begin - 10 * 60 * SECOND)
    assert [one for one in before if one["process.cgroup"] == group]


@pytest.mark.parametrize("seed", range(1, 5))
def test_every_step_of_the_chain_is_in_the_data(seed: int) -> None:
    simulation = small("attack-chain", seed=seed)
    by_kind = {step["kind"]: step for step in steps(simulation)}
    node = next(e for e in by_kind["miner"]["entities"] if e.startswith("node:")).rpartition("/")[2]  # type: ignore[attr-defined]
    for kind in ("foothold-shell", "new-binary", "miner"):
        begin = nanos(by_kind[kind]["time"])
        name = by_kind[kind]["process"]
        before, after = (
            processes_of(simulation, begin - 60 * SECOND),
            processes_of(simulation, begin + 60 * SECOND),
        )
        assert name not in {one["process.executable.name"] for one in before}
        assert node in {one["host.name"] for one in after if one["process.executable.name"] == name}

    cpu = points(simulation, END - 60 * SECOND, END, "process", "process.cpu.utilization")
    cores = total(cpu, process_executable_name="kdevtmpfsd") / 6 * 8
    assert cores == pytest.approx(float(str(by_kind["miner"]["size"])), rel=0.05)

    scan = by_kind["new-edges"]
    span = nanos(scan["time"]), nanos(scan["end"])
    edges = points(simulation, *span, "network", "tcp.bytes").series.values()
    assert len([one for one in edges if _from(one, workload(scan), "sysupdated")]) == scan["size"]

    theft = by_kind["exfiltration"]
    batch = points(
        simulation, nanos(theft["time"]), nanos(theft["end"]) + 60 * SECOND, "network", "tcp.bytes"
    )
    sent = total(batch, source_process_name="sysupdated", dest_workload_name="(internet)")
    read = total(batch, source_workload_name="postgres", dest_process_name="sysupdated")
    assert sent == read == theft["size"]


def _from(series: Series, name: str, process: str) -> bool:
    attributes = dict(series.attributes)
    return (attributes["source.workload.name"], attributes.get("source.process.name")) == (name, process)


def published_rule(simulation: Simulation) -> dict[tuple[str, str], int]:
    """Return how often each workload and process exceeds its mean plus three deviations in the last hour."""
    usual: dict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for batch in simulation.batches(END - 30 * DAY, END - HOUR, 60, {"network"}):
        ids, place = np.unique(batch.series_id, return_inverse=True)
        sums = [np.bincount(place), np.bincount(place, batch.value), np.bincount(place, batch.value**2)]
        for number, row in zip(ids.tolist(), np.stack(sums, axis=1), strict=True):
            total = usual[_group(batch.series[number])]
            total[:] = [a + b for a, b in zip(total, row, strict=True)]
    hits: dict[tuple[str, str], int] = defaultdict(int)
    recent = Batch.concat(list(simulation.batches(END - HOUR, END, 10, {"network"})))
    group = {number: _group(one) for number, one in recent.series.items()}
    for name in set(group.values()) & set(usual):
        ids = np.array([number for number, one in group.items() if one == name], dtype=np.uint64)
        own = recent.where(np.isin(recent.series_id, ids))
        _, place = np.unique(own.time, return_inverse=True)
        average = np.bincount(place, own.value) / np.bincount(place)
        count, total, squares = usual[name]
        mean = total / count
        # The published text takes an average where it means the deviation of UDP metrics.
        deviation = mean if name[0].startswith("udp.") else np.sqrt(max(squares / count - mean**2, 0.0))
        if name[2] and not name[0].startswith("dns."):
            hits[name[1:]] += int((average > mean + 3 * deviation).sum())
    return hits


def _group(series: Series) -> tuple[str, str, str]:
    attributes = dict(series.attributes)
    return series.metric, attributes["source.workload.name"], attributes.get("source.process.name", "")


def test_the_published_rule_finds_the_theft_first_and_cries_wolf_too() -> None:
    theft = small("exfiltration", days=30)
    hits = published_rule(theft)
    (step,) = steps(theft)
    fired = {name: count for name, count in hits.items() if count > 5}
    planted = (workload(step), step["process"])
    assert max(fired, key=fired.__getitem__) == planted
    assert fired[planted] > 300
    assert len(fired) >= 3, "benign workloads burst as well"
