"""Somebody on a node ends its collector: nothing more is heard of its processes and pods, which go on."""

from __future__ import annotations

from kubestray.simulate.attacks.scene import Kind, Scene
from kubestray.simulate.labels import Attack
from kubestray.simulate.stage import Footprint, Silence


def plan(scene: Scene) -> Footprint:
    """Return the footprint; the size is in minutes of silence, all there are where it is under way."""
    until = scene.last if scene.until is None else scene.begin + round(scene.size * 60)
    step = scene.step(SILENCE.techniques, round(scene.size, 1), "min", "otelcol", entity=scene.node)
    return Footprint(
        attacks=(Attack(scene.name, (step,)),),
        silences=(Silence(scene.pod.machine.name, scene.begin, until),),
    )


SILENCE = Kind(
    "A node's collector is killed, the node goes on.",
    ("T1562.001",), "minutes", 5.0, (30.0, 44.0), plan,
)  # fmt: skip
