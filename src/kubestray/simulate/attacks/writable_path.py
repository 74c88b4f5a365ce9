"""A program that runs from a folder that anybody may write to, such as memory."""

from __future__ import annotations

from kubestray.simulate.attacks.scene import Kind, Scene
from kubestray.simulate.catalog import Program
from kubestray.simulate.labels import Attack
from kubestray.simulate.stage import Footprint

_PATH = "/dev/shm/.sysd"  # noqa: S108 (where attackers write is the point)
_PROGRAM = Program(".sysd", _PATH, "--daemon", "1000", 0.012, 18, (30.0, 60.0), 5)


def plan(scene: Scene) -> Footprint:
    """Return the footprint; the size is in processes."""
    count = max(round(scene.size), 1)
    started = tuple(scene.intruder(_PROGRAM, scene.begin + 7 * number) for number in range(count))
    step = scene.step(WRITABLE_PATH.techniques, float(count), "{processes}", _PROGRAM.name)
    return Footprint(attacks=(Attack(scene.name, (step,)),), intruders=started)


WRITABLE_PATH = Kind(
    "A program runs from a folder that anybody may write to.", ("T1105",), "processes", 1.0, (1.0, 2.0), plan
)
