"""A workload's own process asks a server for orders, a few hundred bytes at even intervals."""

from __future__ import annotations

from kubestray.simulate import edges
from kubestray.simulate.attacks.scene import Kind, Scene
from kubestray.simulate.episode import pulses
from kubestray.simulate.labels import Attack
from kubestray.simulate.noise import between, key
from kubestray.simulate.stage import Footprint, conversation

_SERVER = "cdn.assets.example.net"


def plan(scene: Scene) -> Footprint:
    """Return the footprint; the size is in calls in ten minutes."""
    period = max(10, round(600 / scene.size / 10) * 10)
    volume = between(key(scene.own, "volume"), 300, 900)
    calls = pulses(key(scene.own, "calls"), scene.begin, scene.last, period, volume, jitter=0.15)
    step = scene.step(BEACON.techniques, 600 / period, "{calls}/10min", scene.pod.owner.program.name)
    ends = scene.at(), edges.outside(_SERVER)
    sent, answered = conversation(scene.own, ends, calls, calls.scaled(0.6), sockets=1.0)
    return Footprint(attacks=(Attack(scene.name, (step,)),), edges=(sent, answered))


BEACON = Kind(
    "A workload calls the same server at even intervals.",
    ("T1071",), "calls in ten minutes", 5.0, (10.0, 20.0), plan, minutes=90,
)  # fmt: skip
