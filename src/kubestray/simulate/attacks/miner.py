"""Somebody mines coins in a pod: a process that keeps cores busy, evenly, and talks a little to its pool."""

from __future__ import annotations

from kubestray.simulate import edges
from kubestray.simulate.attacks.scene import Kind, Scene
from kubestray.simulate.catalog import Program
from kubestray.simulate.episode import steady, transfer
from kubestray.simulate.labels import Attack
from kubestray.simulate.noise import key
from kubestray.simulate.stage import Footprint, conversation

_MINER = Program("kworkerds", "/usr/local/share/kworkerds", "-o pool:443", "1000", 0.002, 240, threads=9)
_POOL = "pool.coins.example.net"


def plan(scene: Scene) -> Footprint:
    """Return the footprint; the size is in cores."""
    busy = steady(scene.begin, scene.last, scene.size * 1e7)  # microseconds of CPU in ten seconds
    asked = transfer(key(scene.own, "pool"), scene.begin, scene.last, 700.0, pauses=0.3)
    step = scene.step(MINER.techniques, round(scene.size, 3), "{cores}", _MINER.name)
    ends = scene.at(_MINER.name), edges.outside(_POOL)
    return Footprint(
        attacks=(Attack(scene.name, (step,)),),
        edges=conversation(scene.own, ends, asked, asked.scaled(1.7)),
        intruders=(scene.intruder(_MINER, busy=busy),),
    )


MINER = Kind(
    "A process in a pod keeps cores busy and talks to a mining pool.",
    ("T1496",), "cores", 0.6, (2.0, 3.8), plan, minutes=120,
)  # fmt: skip
