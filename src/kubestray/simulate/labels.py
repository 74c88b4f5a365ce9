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


def rfc3339(second: int) -> str:
    """Return a time in seconds since the epoch as text, such as ``2026-11-22T02:00:00Z``."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def benign(cluster: Cluster, begin: int, end: int) -> list[dict[str, object]]:
    """Return the benign events of [begin, end) in time order, each with the attack step it resembles."""
    events = [_run(cluster, pod) for pod in cluster.pods if pod.owner.job]
    events += [_surge(cluster, pod) for pod in cluster.pods if pod.is_extra]
    events += [_machine(cluster, machine) for machine in cluster.machines]
    events += [event for owner in cluster.owners for event in _rollouts(cluster, owner)]
    events += [_crash(cluster, pod, second) for pod in cluster.pods for second in pod.restarts]
    return [_as_json(event) for event in sorted(events) if begin <= event[0] < end]


_Event = tuple[int, int, str, str, str, float]
"""Time, end, kind, entity, twin, size."""


def _as_json(event: _Event) -> dict[str, object]:
    time, until, kind, entity, twin, size = event
    return {
        "time": rfc3339(time),
        "end": rfc3339(until),
        "kind": kind,
        "entity": entity,
        "twin_of": twin or None,
        "size": size,
    }


def _run(cluster: Cluster, pod: Pod) -> _Event:
    moved = job_transfer(pod.owner, pod.born, pod.died)
    entity = pod.owner.entity(cluster.name)
    return moved.begin, moved.end, f"job {pod.owner.name}", entity, "exfiltration", float(moved.totals[-1])


def _surge(cluster: Cluster, pod: Pod) -> _Event:
    return pod.born, pod.died, "autoscaling", pod.owner.entity(cluster.name), "new-binary", 1.0


def _machine(cluster: Cluster, machine: Machine) -> _Event:
    entity = f"node:{cluster.name}//{machine.name}"
    return machine.born, machine.born + 90, "node replacement", entity, "new-binary", 1.0


def _rollouts(cluster: Cluster, owner: Owner) -> list[_Event]:
    """Return a rollout for each pod of slot 0 that is not there because its machine is new."""
    if owner.job:
        return []
    pods = [pod for pod in cluster.pods_of(owner) if pod.slot == 0]
    rolled = [pod for pod in pods if pod.born != pod.machine.born + 90]
    lasted = 45 * len(owner.nodes)
    return [
        (
            pod.born,
            pod.born + lasted,
            "rollout",
            owner.entity(cluster.name),
            "new-binary",
            float(len(owner.nodes)),
        )
        for pod in rolled
    ]


def _crash(cluster: Cluster, pod: Pod, second: int) -> _Event:
    return second, second + 120, "container restart", pod.entity(cluster.name), "", 1.0
