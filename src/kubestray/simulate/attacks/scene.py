"""Where an attack takes place, and how large it is: what every attack is planned from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kubestray.simulate import edges
from kubestray.simulate.catalog import Program
from kubestray.simulate.cluster import Pod
from kubestray.simulate.edges import Endpoint
from kubestray.simulate.episode import Episode
from kubestray.simulate.labels import Step
from kubestray.simulate.noise import key
from kubestray.simulate.stage import UNDER_WAY, Footprint, Intruder, Stage

APPLICATIONS: Final = ("checkout", "cart", "recommendations", "catalog", "worker")


@dataclass(frozen=True, slots=True)
class Scene:
    """An attack's pod and time; ``until`` is None while it is under way when the labels end.

    ``size`` is in the unit of the attack.
    """

    stage: Stage
    name: str
    pod: Pod
    begin: int
    until: int | None
    size: float

    @property
    def own(self) -> int:
        """The key of all chance in this attack."""
        return key(self.stage.cluster.seed, self.name, self.begin)

    @property
    def last(self) -> int:
        """When the traces end: for an attack that is under way long after the labels do."""
        return self.stage.end + UNDER_WAY if self.until is None else self.until

    @property
    def node(self) -> str:
        """The entity of the pod's node."""
        return self.stage.node(self.pod)

    def at(self, process: str = "") -> Endpoint:
        """Return the pod's side of an edge; ``process`` if it is not the usual program that talks."""
        return edges.inside(self.pod.owner, self.pod.machine.zone, process)

    def near(self, name: str) -> Endpoint:
        """Return a workload's side of an edge, in the pod's zone if it is there."""
        return edges.near(self.stage.cluster.owner(name, self.copy_of(name)), self.pod.machine.zone)

    def copy_of(self, name: str) -> int:
        """Return in which copy of the catalog this attack finds a workload: the pod's own, if it has one."""
        copies = [owner.copy for owner in self.stage.cluster.owners if owner.name == name]
        return self.pod.owner.copy if self.pod.owner.copy in copies else min(copies)

    def intruder(
        self, program: Program, begin: int | None = None, end: int | None = None, busy: Episode | None = None
    ) -> Intruder:
        """Return a process that the attacker starts in the pod."""
        born = self.begin if begin is None else begin
        own = key(self.own, "process", program.command_line, born)
        return Intruder(own, self.pod, program, born, self.last if end is None else end, busy)

    def step(
        self, techniques: tuple[str, ...], size: float, unit: str, process: str = "", *, kind: str = "",
        time: int | None = None, entity: str = "", also: tuple[str, ...] = (),
    ) -> Step:  # fmt: skip
        """Return a label of this attack; its entity is the workload unless another is given.

        ``also`` are entities that it touches beside those of its pod.
        """
        begin = self.begin if time is None else time
        own = entity or self.pod.owner.entity(self.stage.cluster.name)
        touched = tuple(dict.fromkeys((own, *self.stage.entities(self.pod), *also)))
        return Step(begin, self.until, kind or self.name, own, touched, techniques, size, unit, process)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of attack.

    ``minimum`` is the smallest size that the built-in detections promise to find, ``usual`` the range that
    scenarios draw from, both in ``unit``. It lasts for ``minutes`` where it ends at all.
    """

    summary: str
    techniques: tuple[str, ...]
    unit: str
    minimum: float
    usual: tuple[float, float]
    plan: Callable[[Scene], Footprint]
    minutes: int = 45
    victims: tuple[str, ...] = APPLICATIONS
