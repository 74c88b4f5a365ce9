"""A program in a container that the workload never ran, beside those of its image."""

from __future__ import annotations

from kubestray.simulate.attacks.scene import Kind, Scene
from kubestray.simulate.catalog import Program
from kubestray.simulate.labels import Attack
from kubestray.simulate.stage import Footprint

_PATH = "/usr/local/bin/healthd"
_PROGRAM = Program("healthd", _PATH, "-d", "1000", 0.012, 18, (30.0, 60.0), 5)


def plan(scene: Scene) -> Footprint:
    """Return the footprint; the size is in processes."""
    count = max(round(scene.size), 1)
    started = tuple(scene.intruder(_PROGRAM, scene.begin + 7 * number) for number in range(count))
    step = scene.step(NEW_BINARY.techniques, float(count), "{processes}", _PROGRAM.name)
    return Footprint(attacks=(Attack(scene.name, (step,)),), intruders=started)


NEW_BINARY = Kind(
    "A program runs in a workload that never ran it.", ("T1105",), "processes", 1.0, (1.0, 2.0), plan
)
