"""A shell in a container that calls back: somebody outside types, the shell answers."""

from __future__ import annotations

from kubestray.simulate import edges
from kubestray.simulate.attacks.scene import Kind, Scene
from kubestray.simulate.catalog import Program
from kubestray.simulate.episode import transfer
from kubestray.simulate.labels import Attack
from kubestray.simulate.noise import key
from kubestray.simulate.stage import Footprint, conversation

_SHELL = Program("bash", "/bin/bash", "-i", "1000", 0.001, 3.4, (40.0, 0.0), 1)


def plan(scene: Scene) -> Footprint:
    """Return the footprint; the size is in bytes a second that are typed and answered."""
    typed = transfer(key(scene.own, "typing"), scene.begin, scene.last, 10 * scene.size, pauses=0.6)
    step = scene.step(REVERSE_SHELL.techniques, 1.0, "{processes}", _SHELL.name)
    ends = scene.at(_SHELL.name), edges.outside(edges.INTERNET)
    return Footprint(
        attacks=(Attack(scene.name, (step,)),),
        edges=conversation(scene.own, ends, typed, typed.scaled(2.5)),
        intruders=(scene.intruder(_SHELL),),
    )


REVERSE_SHELL = Kind(
    "A shell in a container is connected to the internet.",
    ("T1059.004",), "bytes a second", 20.0, (60.0, 120.0), plan,
)  # fmt: skip
