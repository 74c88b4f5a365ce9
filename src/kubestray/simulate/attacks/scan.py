"""Somebody tries the ports of one workload after the other: many connections that nobody takes."""

from __future__ import annotations

from dataclasses import replace

from kubestray.simulate.attacks.scene import Kind, Scene
from kubestray.simulate.catalog import Program
from kubestray.simulate.episode import transfer
from kubestray.simulate.labels import Attack
from kubestray.simulate.noise import key
from kubestray.simulate.stage import Footprint, conversation

_SCANNER = Program("probe", "/usr/local/bin/probe", "-p 1-65535", "1000", 0.08, 12, (0.0, 0.0), 4)
_TARGETS = ("postgres", "redis", "auth")
_BYTES = 60.0  # of a connection that is not taken


def plan(scene: Scene) -> Footprint:
    """Return the footprint; the size is in connections in ten minutes."""
    found = []
    for name in _TARGETS:
        own = key(scene.own, "scan", name)
        each = scene.size / 60 / len(_TARGETS)  # connections in ten seconds
        tried = transfer(own, scene.begin, scene.last, each * _BYTES, pauses=0.1)
        ends = scene.at(_SCANNER.name), scene.near(name)
        there, back = conversation(own, ends, tried, tried.scaled(0.3), each)
        found += [replace(there, failing=0.95), replace(back, sockets=0.0)]
    step = scene.step(SCAN.techniques, round(scene.size), "{connections}/10min", _SCANNER.name)
    return Footprint(
        attacks=(Attack(scene.name, (step,)),), edges=tuple(found), intruders=(scene.intruder(_SCANNER),)
    )


SCAN = Kind(
    "A process tries the ports of three workloads.",
    ("T1046",), "connections in ten minutes", 150.0, (1200.0, 3000.0), plan, minutes=25,
)  # fmt: skip
