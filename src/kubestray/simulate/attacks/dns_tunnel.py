"""Data leave in the names that a tunnel's client asks for: many questions, long ones, and long answers."""

from __future__ import annotations

from dataclasses import replace

from kubestray.simulate.attacks.scene import Kind, Scene
from kubestray.simulate.catalog import Program
from kubestray.simulate.edges import Edge, episodic
from kubestray.simulate.episode import transfer
from kubestray.simulate.labels import Attack
from kubestray.simulate.noise import key
from kubestray.simulate.stage import Footprint

_CLIENT = Program("dnscat", "/usr/local/bin/dnscat", "t.example.org", "1000", 0.03, 9, (0.0, 0.0), 3)


def plan(scene: Scene) -> Footprint:
    """Return the footprint; the size is in bytes of questions in a second."""
    asked = transfer(key(scene.own, "asked"), scene.begin, scene.last, 10 * scene.size, pauses=0.05)
    told = asked.scaled(1.4)
    here, server = scene.at(_CLIENT.name), replace(scene.near("coredns"), workload="DNS")
    step = scene.step(DNS_TUNNEL.techniques, float(asked.by(scene.stage.end)), "By", _CLIENT.name)
    return Footprint(
        attacks=(Attack(scene.name, (step,)),),
        edges=(
            _over_udp(episodic(key(scene.own, "question"), here, server, asked.mean, (asked,), 0.0), 190.0),
            _over_udp(episodic(key(scene.own, "answer"), server, here, told.mean, (told,), 0.0), 270.0),
        ),
        intruders=(scene.intruder(_CLIENT),),
    )


def _over_udp(edge: Edge, packet: float) -> Edge:
    return replace(edge, udp=True, packet=packet, rtt=4e-4)


DNS_TUNNEL = Kind(
    "A program sends data in the names that it asks for.",
    ("T1071.004",), "bytes of questions a second", 700.0, (5_000.0, 15_000.0), plan, minutes=60,
)  # fmt: skip
