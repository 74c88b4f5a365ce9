"""Attacks of stated sizes: what the labels say is in the data, and twice the size is twice as much."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from simulate_oracle import END, HOUR, SECOND, small

from kubestray.model.errors import UsageError
from kubestray.model.metric import Batch
from kubestray.simulate import SCENARIOS, Simulation, SimulationConfig
from kubestray.simulate.attacks import ATTACKS
from kubestray.simulate.rhythm import DAY

Step = dict[str, object]
PROCESSES = (
    "miner", "reverse-shell", "scan", "dns-tunnel", "new-binary", "writable-path", "lotl-shell",
    "container-escape",
)  # fmt: skip


@cache
def attacked(name: str, size: float | None = None) -> tuple[Simulation, Step]:
    simulation = small(name, days=0.5, size=size)
    ((step,),) = [attack["steps"] for attack in simulation.labels["attacks"]]  # type: ignore[attr-defined]
    return simulation, step


def begin(step: Step) -> int:
    return int(np.datetime64(str(step["time"])[:-1], "s").astype(int)) * SECOND


def seen(simulation: Simulation, family: str, metric: str, start: int, end: int) -> Batch:
    return Batch.concat(list(simulation.batches(start, end, 10, {family}, {metric})))


def rows(batch: Batch) -> list[dict[str, str]]:
    return [dict(one.attributes) for one in batch.series.values()]


@pytest.mark.parametrize("name", list(ATTACKS))
def test_an_attack_is_a_scenario_and_labelled(name: str) -> None:
    _, step = attacked(name)
    assert name in SCENARIOS
    assert step["kind"] == name
    assert step["techniques"] == list(ATTACKS[name].techniques)
    assert END - 51 * 60 * SECOND < begin(step) < END - 44 * 60 * SECOND


@pytest.mark.parametrize("name", PROCESSES)
def test_its_process_is_there_from_then_on_and_names_its_pod(name: str) -> None:
    simulation, step = attacked(name)
    at = begin(step)
    names = [
        {
            one["process.executable.name"]
            for one in rows(seen(simulation, "process", "process.memory.usage", *span))
        }
        for span in ((at - 60 * SECOND, at), (at, at + 120 * SECOND))
    ]
    assert step["process"] not in names[0]
    assert step["process"] in names[1]
    if name == "container-escape":
        return
    pod = next(e for e in step["entities"] if e.startswith("pod:")).rpartition("/")[2]  # type: ignore[attr-defined]
    traffic = rows(seen(simulation, "pod", "k8s.pod.network.io", at, at + 10 * SECOND))
    uid = next(one["k8s.pod.uid"] for one in traffic if one["k8s.pod.name"] == pod)
    found = rows(seen(simulation, "process", "process.memory.usage", at, at + 120 * SECOND))
    groups = {one["process.cgroup"] for one in found if one["process.executable.name"] == step["process"]}
    assert all(f"pod{uid.replace('-', '_')}" in group for group in groups)


@pytest.mark.parametrize("name", ["exfiltration", "exfiltration-slow", "dns-tunnel"])
def test_twice_the_size_is_twice_as_much(name: str) -> None:
    sizes = [float(str(attacked(name, size)[1]["size"])) for size in (1.0, 2.0)]
    assert sizes[1] == pytest.approx(2 * sizes[0], rel=0.01)


def test_sizes_that_are_counts_are_multiples_of_the_smallest() -> None:
    for name, unit in (("miner", 1.2), ("sweep", 10), ("beacon", 10), ("scan", 300), ("new-image", 2)):
        assert attacked(name, 2.0)[1]["size"] == pytest.approx(unit, rel=0.01), name
    with pytest.raises(UsageError, match="size"):
        SimulationConfig(start_ns=END - HOUR, end_ns=END, size=0.0)


def test_a_sweep_reaches_as_many_as_it_says() -> None:
    simulation, step = attacked("sweep")
    at = begin(step)
    batch = seen(simulation, "network", "tcp.new_sockets", at, at + 600 * SECOND)
    before = seen(simulation, "network", "tcp.new_sockets", at - 600 * SECOND, at)
    own = str(step["entity"]).rpartition("/")[2]

    def reached(part: Batch) -> set[str]:
        return {one["dest.workload.name"] for one in rows(part) if one["source.workload.name"] == own}

    assert len(reached(batch) - reached(before)) >= float(str(step["size"])) - len(reached(before))
    assert len(reached(batch)) > len(reached(before))


def test_a_scan_meets_nobody() -> None:
    simulation, step = attacked("scan")
    at = begin(step)
    total = {}
    for metric in ("tcp.new_sockets", "tcp.syn_timeouts", "tcp.resets"):
        batch = seen(simulation, "network", metric, at, at + 600 * SECOND)
        ids = [
            number
            for number, one in batch.series.items()
            if dict(one.attributes).get("source.process.name") == step["process"]
        ]
        total[metric] = float(batch.value[np.isin(batch.series_id, np.array(ids, dtype=np.uint64))].sum())
    assert total["tcp.syn_timeouts"] + total["tcp.resets"] > 0.5 * total["tcp.new_sockets"] > 50


def test_a_beacon_is_even_and_a_silence_is_silent() -> None:
    simulation, step = attacked("beacon", 2.0)
    at = begin(step)
    batch = seen(simulation, "network", "tcp.bytes", at, at + 1200 * SECOND)
    calls = [
        number
        for number, one in batch.series.items()
        if dict(one.attributes)["dest.workload.name"] == "cdn.assets.example.net"
    ]
    own = batch.where(np.isin(batch.series_id, np.array(calls, dtype=np.uint64)))
    gaps = np.diff(np.sort(own.time[own.value > 0])) / SECOND
    assert abs(gaps.mean() - 60) < 5
    assert gaps.std() < 12

    simulation, step = attacked("silence")
    node, at = str(step["entity"]).rpartition("/")[2], begin(step)
    for family, metric in (("process", "process.memory.usage"), ("pod", "k8s.pod.network.io")):
        before = {
            one["k8s.node.name"] for one in rows(seen(simulation, family, metric, at - 60 * SECOND, at))
        }
        after = {one["k8s.node.name"] for one in rows(seen(simulation, family, metric, at, at + 60 * SECOND))}
        assert node in before - after
    ready = rows(seen(simulation, "container", "k8s.container.ready", at, at + 60 * SECOND))
    assert node in {one["k8s.node.name"] for one in ready}


def test_a_new_image_is_new() -> None:
    simulation, step = attacked("new-image")
    at = begin(step)
    images = [
        {
            one["container.image.name"]
            for one in rows(seen(simulation, "container", "k8s.container.ready", *span))
        }
        for span in ((END - 12 * HOUR, at), (at, at + 60 * SECOND))
    ]
    assert images[1] - images[0] == {"docker.io/toolbox/netshell"}


def test_all_attacks_come_one_after_the_other_and_end() -> None:
    labels = small("all-attacks", days=1).labels
    steps = [attack["steps"][0] for attack in labels["attacks"]]  # type: ignore[attr-defined]
    assert [step["kind"] for step in steps] == list(ATTACKS)
    times = [begin(step) for step in steps]
    assert times == sorted(times)
    assert times[0] > END - DAY * SECOND
    assert all(step["end"] for step in steps)


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_calm_week_has_all_the_twins(seed: int) -> None:
    labels = small("calm", days=7, seed=seed).labels
    kinds = {event["kind"] for event in labels["benign"]}  # type: ignore[attr-defined]
    assert {
        *(
            "job backup",
            "job reports",
            "job train",
            "rollout",
            "autoscaling",
            "node replacement",
            "health checks",
        ),
        *("cron", "daylight saving", "load test", "mailing", "entrypoint", "exec probe"),
    } <= kinds
