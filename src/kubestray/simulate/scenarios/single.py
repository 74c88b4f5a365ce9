"""One attack that has been under way for most of an hour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kubestray.simulate import noise
from kubestray.simulate.attacks.scene import Kind, Scene
from kubestray.simulate.stage import Footprint, Scenario, Stage

_AGE: Final = (45 * 60, 50 * 60)
_TICK: Final = 10


def single(name: str, kind: Kind) -> Scenario:
    """Return the scenario of one kind of attack."""
    return Scenario(kind.summary, _planned(name, kind))


def _planned(name: str, kind: Kind) -> Callable[[Stage], Footprint]:
    def plan(stage: Stage) -> Footprint:
        own = noise.key(stage.cluster.seed, name, stage.end)
        begin = stage.end - int(noise.between(noise.key(own, "age"), *_AGE))
        begin -= begin % _TICK
        pod = stage.target(kind.victims, begin)
        return kind.plan(Scene(stage, name, pod, begin, None, size_of(kind, stage, own)))

    return plan


def size_of(kind: Kind, stage: Stage, own: int) -> float:
    """Return an attack's size in its unit: what was asked for, or one of the usual sizes."""
    if stage.size is not None:
        return kind.minimum * stage.size
    return noise.between(noise.key(own, "size"), *kind.usual)
