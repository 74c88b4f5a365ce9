"""What really happened: attacks, and benign events that resemble them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from kubestray.simulate.cluster import Cluster, Machine, Owner, Pod
from kubestray.simulate.edges import job_transfer


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an attack, in seconds since the epoch; ``until`` is None while it is under way.

    ``entity`` is the one that this step's telemetry names, ``entities`` are all it touches, ``size``
    says how much happened, in ``unit``.
    """

    time: int
    until: int | None
    kind: str
    entity: str
    entities: tuple[str, ...]
    techniques: tuple[str, ...]
    size: float
    unit: str
    process: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the step as labels.json has it."""
        return {
            "time": rfc3339(self.time),
            "end": None if self.until is None else rfc3339(self.until),
            "kind": self.kind,
            "entity": self.entity,
            "entities": list(self.entities),
            "techniques": list(self.techniques),
            "size": self.size,
            "unit": self.unit,
            "process": self.process,
        }


@dataclass(frozen=True, slots=True)
class Attack:
    """A named attack and its steps in time order."""

    name: str
    steps: tuple[Step, ...]

    def as_json(self) -> dict[str, object]:
        """Return the attack as labels.json has it."""
        return {"name": self.name, "steps": [step.as_json() for step in self.steps]}


@dataclass(frozen=True, slots=True)
class Twin:
    """A benign event, in seconds since the epoch, and the kind of attack step that it resembles."""

    time: int
    until: int
    kind: str
    entity: str
    twin_of: str
    size: float

    def as_json(self) -> dict[str, object]:
        """Return the event as labels.json has it."""
        return {
            "time": rfc3339(self.time),
            "end": rfc3339(self.until),
            "kind": self.kind,
            "entity": self.entity,
            "twin_of": self.twin_of or None,
            "size": self.size,
        }


def rfc3339(second: int) -> str:
    """Return a time in seconds since the epoch as text, such as ``2026-11-22T02:00:00Z``."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def benign(cluster: Cluster, begin: int, end: int, planned: tuple[Twin, ...] = ()) -> list[dict[str, object]]:
    """Return the benign events of [begin, end) in time order: those of the calendar, and those planned."""
    events = [_run(cluster, pod) for pod in cluster.pods if pod.owner.job]
    events += [_surge(cluster, pod) for pod in cluster.pods if pod.is_extra]
    events += [_machine(cluster, machine) for machine in cluster.machines]
    events += [event for owner in cluster.owners for event in _rollouts(cluster, owner)]
    events += [_crash(cluster, pod, second) for pod in cluster.pods for second in pod.restarts]
    events += planned
    ordered = sorted(events, key=lambda event: (event.time, event.until, event.kind, event.entity))
    return [event.as_json() for event in ordered if begin <= event.time < end]


_RESEMBLES = {"train": "miner"}
"""What a job resembles; the others move data."""


def _run(cluster: Cluster, pod: Pod) -> Twin:
    moved = job_transfer(pod.owner, pod.born, pod.died)
    name = pod.owner.name
    twin_of = _RESEMBLES.get(name, "exfiltration")
    size = float(moved.totals[-1])
    return Twin(moved.begin, moved.end, f"job {name}", pod.owner.entity(cluster.name), twin_of, size)


def _surge(cluster: Cluster, pod: Pod) -> Twin:
    return Twin(pod.born, pod.died, "autoscaling", pod.owner.entity(cluster.name), "new-binary", 1.0)


def _machine(cluster: Cluster, machine: Machine) -> Twin:
    entity = f"node:{cluster.name}//{machine.name}"
    return Twin(machine.born, machine.born + 90, "node replacement", entity, "new-binary", 1.0)


def _rollouts(cluster: Cluster, owner: Owner) -> list[Twin]:
    """Return a rollout for each pod of slot 0 that is not there because its machine is new."""
    if owner.job:
        return []
    pods = [pod for pod in cluster.pods_of(owner) if pod.slot == 0]
    rolled = [pod for pod in pods if pod.born != pod.machine.born + 90]
    entity, count = owner.entity(cluster.name), len(owner.nodes)
    return [
        Twin(pod.born, pod.born + 45 * count, "rollout", entity, "new-binary", float(count)) for pod in rolled
    ]


def _crash(cluster: Cluster, pod: Pod, second: int) -> Twin:
    return Twin(second, second + 120, "container restart", pod.entity(cluster.name), "", 1.0)
