"""The simulated cluster: machines, workloads, pods and their lives, all from the seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kubestray.simulate import calendar, names
from kubestray.simulate.catalog import JOBS, WORKLOADS, Job, Program, Workload
from kubestray.simulate.noise import key, pick
from kubestray.simulate.rhythm import DAY

_NODES_A_COPY: Final = 3
"""The catalog fills three nodes; larger clusters run it several times, in numbered namespaces."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine in a node slot, from ``born`` to ``died``."""

    slot: int
    name: str
    zone: str
    born: int
    died: int


@dataclass(frozen=True, slots=True)
class Owner:
    """A workload or job as deployed: what pods belong to, in one numbered copy of the catalog."""

    key: int
    namespace: str
    name: str
    kind: str
    image: str
    tag: str
    program: Program
    nodes: tuple[int, ...]
    """The node slot of each regular replica, then of each replica that an autoscaler may add."""
    copy: int
    workload: Workload | None = None
    job: Job | None = None

    @property
    def regular(self) -> int:
        """How many replicas run at any time: none of a job, and not those an autoscaler adds."""
        return len(self.nodes) - self.workload.surge if self.workload else 0

    def entity(self, cluster: str) -> str:
        """Return the entity as labels name it."""
        return f"workload:{cluster}/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod, from ``born`` to ``died``; ``restarts`` are when its container was started again."""

    key: int
    owner: Owner
    slot: int
    name: str
    uid: str
    machine: Machine
    tag: str
    born: int
    died: int
    restarts: tuple[int, ...]

    @property
    def is_extra(self) -> bool:
        """Whether an autoscaler added it."""
        return self.owner.workload is not None and self.slot >= self.owner.regular

    def entity(self, cluster: str) -> str:
        """Return the entity as labels name it."""
        return f"pod:{cluster}/{self.owner.namespace}/{self.name}"


def container_key(pod: Pod, born: int) -> int:
    """Return the key of the pod's container that was started at ``born``."""
    return key(pod.key, "container", born)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything that exists between ``begin`` and ``end`` (seconds since the epoch)."""

    name: str
    seed: int
    begin: int
    end: int
    machines: tuple[Machine, ...]
    owners: tuple[Owner, ...]
    pods: tuple[Pod, ...]
    by_owner: Mapping[int, tuple[Pod, ...]]
    """The pods under the key of their owner."""
    clocks: int
    """When local time is put an hour forward, in seconds since the epoch."""

    def owner(self, name: str, copy: int = 1) -> Owner:
        """Return a workload or job by its name."""
        return next(one for one in self.owners if one.name == name and one.copy == copy)

    def pods_of(self, owner: Owner) -> list[Pod]:
        """Return the pods of a workload or job, in order of birth."""
        return sorted(self.by_owner.get(owner.key, ()), key=lambda pod: (pod.born, pod.slot))


def build(name: str, seed: int, nodes: int, begin: int, end: int, clocks: int) -> Cluster:
    """Lay out a cluster of ``nodes`` machines and everything that lived in it in [begin, end).

    Jobs that go by local time start an hour earlier from ``clocks`` on.
    """
    root = key(seed, name)
    machines = [_machines(root, slot, begin, end) for slot in range(nodes)]
    owners = _owners(root, nodes)
    by_owner = {owner.key: tuple(_pods(owner, machines, begin, end, clocks)) for owner in owners}
    pods = tuple(pod for members in by_owner.values() for pod in members)
    flat = tuple(machine for lives in machines for machine in lives)
    return Cluster(name, seed, begin, end, flat, tuple(owners), pods, by_owner, clocks)


def _machines(root: int, slot: int, begin: int, end: int) -> list[Machine]:
    slot_key = key(root, "machine", slot)
    times = calendar.replacements(slot_key, slot, begin, end)
    ends = [*times[1:], end + DAY]
    return [
        Machine(slot, names.node_name(key(slot_key, first)), names.zone(slot), first, last)
        for first, last in zip(times, ends, strict=True)
    ]


def _owners(root: int, nodes: int) -> list[Owner]:
    copies = max(1, round(nodes / _NODES_A_COPY))
    owners: list[Owner] = []
    place = 0
    for copy in range(1, copies + 1):
        for workload in WORKLOADS:
            if workload.kind == "DaemonSet":
                slots = tuple(range(nodes))
            else:
                slots = tuple((place + i) % nodes for i in range(workload.replicas + workload.surge))
                place += workload.replicas
            if copy == 1 or not _is_shared(workload):
                owners.append(_owner(root, workload, copy, slots))
        owners.extend(_job_owner(root, job, copy, nodes) for job in JOBS)
    return owners


def _is_shared(workload: Workload) -> bool:
    """Return whether a cluster has it once, however large it is."""
    return workload.kind == "DaemonSet" or workload.namespace == "kube-system"


def _namespace(namespace: str, copy: int) -> str:
    return namespace if copy == 1 else f"{namespace}-{copy}"


def _owner(root: int, workload: Workload, copy: int, nodes: tuple[int, ...]) -> Owner:
    namespace = _namespace(workload.namespace, copy)
    own = key(root, namespace, workload.name)
    return Owner(
        own, namespace, workload.name, workload.kind, workload.image, workload.tag, workload.program, nodes,
        copy, workload=workload,
    )  # fmt: skip


def _job_owner(root: int, job: Job, copy: int, nodes: int) -> Owner:
    namespace = _namespace(job.namespace, copy)
    own = key(root, namespace, job.name)
    place = (pick(own, nodes),)
    return Owner(own, namespace, job.name, "CronJob", job.image, job.tag, job.program, place, copy, job=job)


def job_runs(owner: Owner, begin: int, end: int, clocks: int) -> list[tuple[int, int]]:
    """Return when a job's pods live, as [first, last) seconds."""
    job = owner.job
    if job is None:
        return []
    return calendar.runs(owner.key, job.hour, job.minutes, begin, end, clocks if job.local else None)


def _pods(owner: Owner, machines: list[list[Machine]], begin: int, end: int, clocks: int) -> list[Pod]:
    if owner.job is not None:
        spans = job_runs(owner, begin, end, clocks)
        return [_pod(owner, 0, _machine_at(machines[owner.nodes[0]], a), a, b) for a, b in spans]
    if owner.workload is None:
        return []
    releases = calendar.rollouts(owner.key, owner.workload.churn, begin, end)
    pods: list[Pod] = []
    for slot, node in enumerate(owner.nodes):
        if slot < owner.regular:
            pods += _replica(owner, slot, machines[node], releases, end)
        else:
            pods += _extra(owner, slot, machines[node], releases, begin, end)
    return [pod for pod in pods if pod.died > begin]


def _replica(owner: Owner, slot: int, lives: list[Machine], releases: list[int], end: int) -> list[Pod]:
    """Return the pods of a regular replica: a new one at each rollout and on each new machine."""
    rolled = [second + 45 * slot for second in releases]
    moved = [machine.born + 90 for machine in lives]
    since = max(rolled[0], moved[0])
    times = sorted({since, *(second for second in rolled + moved if second > since)})
    ends = [*times[1:], end + DAY]
    return [
        _pod(owner, slot, _machine_at(lives, first), first, last, releases)
        for first, last in zip(times, ends, strict=True)
    ]


def _extra(
    owner: Owner, slot: int, lives: list[Machine], releases: list[int], begin: int, end: int
) -> list[Pod]:
    spans = calendar.surges(key(owner.key, slot), begin, end)
    return [_pod(owner, slot, _machine_at(lives, a), a, b, releases) for a, b in spans]


def _machine_at(lives: list[Machine], second: int) -> Machine:
    return next((machine for machine in reversed(lives) if machine.born <= second), lives[0])


def _pod(
    owner: Owner, slot: int, machine: Machine, born: int, died: int, releases: list[int] | None = None
) -> Pod:
    own = key(owner.key, "pod", slot, born)
    release = max((second for second in releases or () if second <= born), default=0)
    restarts = () if owner.job else tuple(calendar.crashes(key(owner.key, "slot", slot), born + 60, died))
    return Pod(
        own, owner, slot, _pod_name(owner, slot, own, release, born), names.uid(own), machine,
        _tag(owner, release), born, died, restarts,
    )  # fmt: skip


def _pod_name(owner: Owner, slot: int, own: int, release: int, born: int) -> str:
    suffix = names.pod_suffix(own)
    if owner.kind == "StatefulSet":
        return f"{owner.name}-{slot}"
    if owner.kind == "Deployment":
        return f"{owner.name}-{names.template_hash(key(owner.key, release))}-{suffix}"
    if owner.kind == "CronJob":
        return f"{owner.name}-{born // 60}-{suffix}"
    return f"{owner.name}-{suffix}"


def _tag(owner: Owner, release: int) -> str:
    """Return the image tag: our own software gets a new patch version with each rollout."""
    if not owner.image.startswith("registry.example.com") or not release:
        return owner.tag
    stem, _, _ = owner.tag.rpartition(".")
    return f"{stem}.{(release // DAY - 19_000) // 7}"
