"""Every attack, one after the other, within the last day: each on another workload than the one before."""

from __future__ import annotations

from typing import Final

from kubestray.simulate import noise
from kubestray.simulate.attacks import ATTACKS
from kubestray.simulate.attacks.scene import Scene
from kubestray.simulate.rhythm import HOUR
from kubestray.simulate.scenarios.single import size_of
from kubestray.simulate.stage import Footprint, Stage

_FIRST: Final = 23 * HOUR
_APART: Final = 85 * 60
_TICK: Final = 10


def plan(stage: Stage) -> Footprint:
    """Return the footprint of all attacks, 85 minutes apart."""
    found = Footprint()
    for number, (name, kind) in enumerate(ATTACKS.items()):
        own = noise.key(stage.cluster.seed, "all-attacks", name, stage.end)
        begin = stage.end - _FIRST + number * _APART + noise.pick(own, 600)
        begin -= begin % _TICK
        until = min(begin + 60 * kind.minutes, stage.end)
        victim = kind.victims[number % len(kind.victims)]
        pod = stage.target((victim,), begin, until)
        found += kind.plan(Scene(stage, name, pod, begin, until, size_of(kind, stage, own)))
    return found
