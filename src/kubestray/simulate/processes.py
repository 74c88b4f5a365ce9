"""The processes of every machine: of the system, of containers, of an attacker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from kubestray.simulate import names
from kubestray.simulate.catalog import SHIM, SYSTEM, Program
from kubestray.simulate.cluster import Cluster, Machine, Pod, container_key
from kubestray.simulate.episode import Episode, steady
from kubestray.simulate.noise import between, key, pick
from kubestray.simulate.stage import Intruder

_HIGHEST_PID: Final = 4_194_304
_FIRST_PID: Final = 300  # below are the kernel's own threads


@dataclass(frozen=True, slots=True, eq=False)
class Process:
    """One process, from ``born`` (which is its start time) to ``died``.

    ``share`` scales its program's appetite; ``busy`` is CPU time in microseconds beside it. ``cgroup`` is the
    control group that the kernel accounts it to, which names the pod and the container.
    """

    key: int
    machine: Machine
    program: Program
    pid: int
    parent: int
    born: int
    died: int
    cgroup: str
    rhythm: str = "steady"
    share: float = 1.0
    busy: Episode | None = None


@dataclass(slots=True)
class _Place:
    """What of a replica is seen on its node."""

    main: bool = False
    shim: bool = False
    workers: int = 0


def processes(
    cluster: Cluster,
    per_node: int,
    intruders: Iterable[Intruder],
    guests: Iterable[Pod] = (),
    work: Iterable[tuple[Pod, Episode]] = (),
) -> list[Process]:
    """Return all processes, those of a machine together.

    Exactly ``per_node`` run on a machine at any time: the system's, then a main process for each
    replica, then their shims, then workers of the containers. Replicas that an autoscaler adds, jobs,
    pods that are ``guests``, intruders and the main process of the container that one gets into come on top.
    ``work`` is CPU time that a pod has beside its usual.
    """
    intruders = list(intruders)
    places = _places(cluster, per_node)
    for one in intruders:  # nobody gets into a container in which nothing runs
        if one.pod and not one.by_runtime and (place := places.get((one.pod.owner.key, one.pod.slot))):
            place.main = True
    extra = {pod.key: busy for pod, busy in work}
    found = [one for machine in cluster.machines for one in _system(machine, per_node)]
    for pod in (*cluster.pods, *guests):
        found += _of_pod(pod, places.get((pod.owner.key, pod.slot), _Place(main=True)), extra)
    found += [_intruder(one) for one in intruders]
    return sorted(found, key=lambda one: (one.machine.slot, one.machine.born, one.born, one.key))


def _places(cluster: Cluster, per_node: int) -> dict[tuple[int, int], _Place]:
    by_node: dict[int, list[_Place]] = {}
    places: dict[tuple[int, int], _Place] = {}
    for owner in cluster.owners:
        for slot in range(owner.regular):
            place = places[owner.key, slot] = _Place()
            by_node.setdefault(owner.nodes[slot], []).append(place)
    for members in by_node.values():
        _share_out(members, max(per_node - len(SYSTEM), 0))
    return places


def _share_out(members: list[_Place], room: int) -> None:
    for number in range(room):
        round_, position = divmod(number, len(members))
        place = members[position]
        place.main = True
        place.shim = round_ >= 1
        place.workers = max(round_ - 1, 0)


def _system(machine: Machine, per_node: int) -> Iterator[Process]:
    for number, program in enumerate(SYSTEM[:per_node]):
        own = key("process", machine.name, machine.born, program.name)
        pid, parent = (1, 0) if number == 0 else (_FIRST_PID + 37 * number + pick(own, 37), 1)
        group = "0::/init.scope" if number == 0 else service(program.name)
        yield Process(own, machine, program, pid, parent, machine.born, machine.died, group)


def _of_pod(pod: Pod, place: _Place, work: Mapping[int, Episode]) -> Iterator[Process]:
    shim = _pid(key(pod.key, "shim"))
    if place.shim:
        own = key(pod.key, "shim")
        yield Process(own, pod.machine, SHIM, shim, 1, pod.born, pod.died, service("containerd"))
    if not place.main:
        return
    rhythm = pod.owner.workload.rhythm if pod.owner.workload else "steady"
    lives = list(zip((pod.born, *pod.restarts), (*pod.restarts, pod.died), strict=True))
    for number in range(1 + place.workers):
        for born, died in lives:
            main = key(pod.key, "main", born)
            own = main if number == 0 else key(pod.key, "worker", number, born)
            share = between(own, 0.75, 1.3) * (1.0 if number == 0 else 0.3)
            parent = shim if number == 0 else _pid(main)
            group, busy = control_group(pod, born), work.get(pod.key)
            program = pod.owner.program
            if pod.owner.job and pod.owner.job.flat_out:
                busy = steady(born, died, program.cpu * 1e7)
                program = replace(program, cpu=0.002)
            yield Process(
                own, pod.machine, program, _pid(own), parent, born, died, group, rhythm, share,
                busy if number == 0 else None,
            )  # fmt: skip


def service(name: str) -> str:
    """Return the control group of a service of the machine."""
    return f"0::/system.slice/{name}.service"


def control_group(pod: Pod, born: int) -> str:
    """Return the control group of a pod's container, started at ``born``, as containerd names it."""
    container = names.hexadecimal(container_key(pod, born), 64)
    slices = "0::/kubepods.slice/kubepods-burstable.slice"
    return (
        f"{slices}/kubepods-burstable-pod{pod.uid.replace('-', '_')}.slice/cri-containerd-{container}.scope"
    )


def _intruder(one: Intruder) -> Process:
    pid = _pid(one.key)
    if one.machine is not None:
        group = one.cgroup or service(one.program.name)
        return Process(one.key, one.machine, one.program, pid, 1, one.born, one.died, group, busy=one.busy)
    pod = one.pod
    assert pod is not None  # an intruder has a pod or a machine
    started = max(second for second in (pod.born, *pod.restarts) if second <= max(one.born, pod.born))
    parent = _pid(key(pod.key, "shim" if one.by_runtime else "main", *(() if one.by_runtime else (started,))))
    group = control_group(pod, started)
    return Process(one.key, pod.machine, one.program, pid, parent, one.born, one.died, group, busy=one.busy)


def _pid(own: int) -> int:
    # Above everything that the system starts first, so that a pid is unlikely to be used twice at once.
    return 1_000 + pick(own, _HIGHEST_PID - 1_000)
