"""A workload's own process looks who is there: a few connections to each of many workloads."""

from __future__ import annotations

from kubestray.simulate.attacks.scene import Kind, Scene
from kubestray.simulate.edges import Edge
from kubestray.simulate.episode import transfer
from kubestray.simulate.labels import Attack
from kubestray.simulate.noise import between, key
from kubestray.simulate.stage import Footprint, conversation

_TARGETS = (
    "auth", "prometheus", "payments", "search", "grafana", "metrics-server", "gateway", "storefront",
    "ci-runner", "kafka", "redis", "postgres", "worker", "catalog", "cart", "checkout",
)  # fmt: skip


def plan(scene: Scene) -> Footprint:
    """Return the footprint; the size is in workloads that are looked at."""
    names = [name for name in _TARGETS if name != scene.pod.owner.name][: max(round(scene.size), 1)]
    found: list[Edge] = []
    for number, name in enumerate(names):
        own = key(scene.own, "sweep", name)
        begin = scene.begin + 20 * number
        asked = transfer(own, begin, begin + 60, between(own, 300, 900), pauses=0.0)
        found += conversation(own, (scene.at(), scene.near(name)), asked, asked.scaled(1.3), 3.0)
    step = scene.step(SWEEP.techniques, float(len(names)), "{edges}", scene.pod.owner.program.name)
    return Footprint(attacks=(Attack(scene.name, (step,)),), edges=tuple(found))


SWEEP = Kind(
    "A workload connects to many workloads that it never spoke to.",
    ("T1046",), "workloads", 5.0, (8.0, 14.0), plan, minutes=10,
)  # fmt: skip
