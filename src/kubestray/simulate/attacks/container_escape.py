"""From a container to its node: nsenter in the pod, then a shell among the processes of the machine."""

from __future__ import annotations

from kubestray.simulate import edges
from kubestray.simulate.attacks.scene import Kind, Scene
from kubestray.simulate.catalog import Program
from kubestray.simulate.edges import Endpoint
from kubestray.simulate.episode import transfer
from kubestray.simulate.labels import Attack
from kubestray.simulate.noise import key
from kubestray.simulate.stage import Footprint, Intruder, conversation

_NSENTER = Program("nsenter", "/usr/bin/nsenter", "--target 1 --mount --net --pid", cpu=0.001, memory=2)
_SHELL = Program("bash", "/usr/bin/bash", "-il", cpu=0.002, memory=4, threads=1)


def plan(scene: Scene) -> Footprint:
    """Return the footprint; the size is in shells on the node."""
    machine, later = scene.pod.machine, scene.begin + 30
    count = max(round(scene.size), 1)
    shells = tuple(
        Intruder(
            key(scene.own, "shell", number), None, _SHELL, later + 11 * number, scene.last, machine=machine,
            cgroup="0::/system.slice/ssh.service",
        )
        for number in range(count)
    )  # fmt: skip
    typed = transfer(key(scene.own, "typed"), later, scene.last, 900.0, pauses=0.5)
    ends = Endpoint(_SHELL.name, "PROCESS", machine.zone, process=_SHELL.name), edges.outside(edges.INTERNET)
    step = scene.step(
        CONTAINER_ESCAPE.techniques, float(count), "{processes}", _SHELL.name, entity=scene.node
    )
    return Footprint(
        attacks=(Attack(scene.name, (step,)),),
        edges=conversation(scene.own, ends, typed, typed.scaled(2.0)),
        intruders=(scene.intruder(_NSENTER), *shells),
    )


CONTAINER_ESCAPE = Kind(
    "A container's process gets a shell on its node.",
    ("T1611",), "shells on the node", 1.0, (1.0, 2.0), plan,
)  # fmt: skip
