"""An attack in a cluster that is known for half a day is one incident; what begins there each day is none."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from helpers import HOUR, MINUTE, SECOND
from kubestray.config import load_config
from kubestray.detect.runner import Times
from kubestray.pipeline.assessing import Assessment
from kubestray.pipeline.detecting import Detector
from kubestray.pipeline.setting_up import content_of, searching
from kubestray.simulate import Simulation, SimulationConfig, simulate
from kubestray.store.ledger import Ledger
from kubestray.store.store import Store

END = int(datetime.fromisoformat("2026-11-26T00:00:00Z").timestamp()) * SECOND
START = END - 24 * HOUR
JOBS = START + 6 * HOUR
"""When the cron jobs of nodes and a job of a workload begin, of which nothing was seen before."""

METRICS = ("process.memory.usage", "process.cpu.time", "k8s.container.ready", "tcp.bytes")
SHELL, PROGRAM, FOLDER = "Shell in a running container", "New program", "Program from a writable path"
MINER, LOOKS, IMAGE = (
    "Steady computing by a new program",
    "Workload looks who is there",
    "New container image",
)
BY_STEP = {"foothold-shell": SHELL, "new-binary": FOLDER, "miner": MINER, "new-edges": LOOKS}


def nanoseconds(told: str) -> int:
    return int(datetime.fromisoformat(told).timestamp()) * SECOND


def fill(store: Store, simulation: Simulation, fine: list[int]) -> None:
    """Write a point in ten minutes, and two a minute for a quarter of an hour up to some times."""
    begin = START
    for time in fine:
        spans = ((begin, time - 15 * MINUTE, 600), (max(begin, time - 15 * MINUTE), time, 30))
        for since, until, step in spans:
            if since < until:
                for batch in simulation.batches(since, until, step, metrics=METRICS):
                    store.append(batch)
        begin = max(begin, time)


def test_an_attack_in_a_young_cluster_is_one_incident_and_its_daily_jobs_are_none(embedded):
    simulation = simulate(
        SimulationConfig(start_ns=START, end_ns=END, seed=3, scenario="attack-chain", processes=8)
    )
    (attack,) = simulation.labels["attacks"]
    steps: list[dict[str, Any]] = [one for one in attack["steps"] if one["kind"] in BY_STEP]
    # Each run takes a while, so not everything runs at every time.
    due = {JOBS + 10 * MINUTE: {PROGRAM, IMAGE, SHELL}}
    for one in steps:
        minutes = {MINER: 8, LOOKS: 10}.get(BY_STEP[one["kind"]], 5)
        time = nanoseconds(one["time"]) // MINUTE * MINUTE + minutes * MINUTE
        due[time] = {PROGRAM, FOLDER, BY_STEP[one["kind"]]}
    fill(embedded, simulation, sorted(due))

    content = content_of(load_config({}, {}, None))
    detector = Detector(embedded, content, searching(load_config({}, {}, None)))
    assessment = Assessment(embedded, content, START)
    for time in sorted(due):
        runs = [detector.run(content.detections[name], Times(time)) for name in sorted(due[time])]
        assert not [run.outcome.error for run in runs if run.outcome.error]
        assessment.advance(time)

    victim = steps[0]["entity"]
    risk = Ledger(embedded).risk(0, END)
    assert {event.fields["entity"] for event in risk} == {victim}
    (incident,) = (one.document for one in Ledger(embedded).latest(kind="incident"))
    assert incident["entities"] == [victim]
    found = [step["detection"] for step in incident["steps"]]
    assert PROGRAM in found
    in_order = [BY_STEP[one["kind"]] for one in steps]
    assert [name for name in found if name in in_order] == in_order
    assert {technique for one in steps for technique in one["techniques"]} <= set(incident["techniques"])
    for one in steps:
        (step,) = (told for told in incident["steps"] if told["detection"] == BY_STEP[one["kind"]])
        assert 0 <= nanoseconds(step["time"]) - nanoseconds(one["time"]) <= 2 * MINUTE
