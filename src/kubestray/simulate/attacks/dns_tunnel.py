"""Data leave in the names that a workload asks for: many questions, long ones, and long answers."""

from __future__ import annotations

from dataclasses import replace

from kubestray.simulate.attacks.scene import Kind, Scene
from kubestray.simulate.edges import Edge, episodic
from kubestray.simulate.episode import transfer
from kubestray.simulate.labels import Attack
from kubestray.simulate.noise import key
from kubestray.simulate.scenarios.base import Footprint

_USUAL = 6_000.0
"""Bytes of questions in ten seconds, of a workload that asks a lot."""


def plan(scene: Scene) -> Footprint:
    """Return the footprint; the size is in multiples of the questions of a workload that asks a lot."""
    asked = transfer(key(scene.own, "asked"), scene.begin, scene.last, _USUAL * scene.size, pauses=0.05)
    told = asked.scaled(1.4)
    here, server = scene.at(), replace(scene.near("coredns"), workload="DNS")
    step = scene.step(
        DNS_TUNNEL.techniques, float(asked.by(scene.stage.end)), "By", scene.pod.owner.program.name
    )
    return Footprint(
        attacks=(Attack(scene.name, (step,)),),
        edges=(
            _over_udp(episodic(key(scene.own, "question"), here, server, _USUAL, (asked,), 0.0), 190.0),
            _over_udp(episodic(key(scene.own, "answer"), server, here, _USUAL, (told,), 0.0), 270.0),
        ),
    )


def _over_udp(edge: Edge, packet: float) -> Edge:
    return replace(edge, udp=True, packet=packet, rtt=4e-4)


DNS_TUNNEL = Kind(
    "A workload asks for far more names than it ever did.",
    ("T1071.004",), "times the questions of a workload that asks a lot", 8.0, (25.0, 50.0), plan, minutes=60,
)  # fmt: skip
