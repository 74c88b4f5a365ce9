"""One intrusion from the first shell to the theft, within the last day, in one pod.

Somebody makes the application run a command and gets a shell that calls back. An hour later a binary
is fetched and started from a temporary folder; it starts a miner, looks around the cluster for data
stores that the workload never speaks to, and some hours later reads one of them and sends it out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from kubestray.simulate import edges
from kubestray.simulate.attacks import ATTACKS
from kubestray.simulate.attacks.scene import Kind
from kubestray.simulate.catalog import Program
from kubestray.simulate.cluster import Owner, Pod
from kubestray.simulate.edges import Edge, Endpoint
from kubestray.simulate.episode import Episode, steady, transfer
from kubestray.simulate.labels import Attack, Step
from kubestray.simulate.noise import between, key
from kubestray.simulate.rhythm import HOUR
from kubestray.simulate.stage import (
    ACKNOWLEDGED,
    UNDER_WAY,
    Footprint,
    Intruder,
    Stage,
    conversation,
    crossing,
    upload,
)

VICTIMS: Final = ("checkout", "cart", "recommendations", "worker")
_MINUTE: Final = 60

# Where an attacker may write is where a detection looks, so the paths have to be these.
_HIDDEN: Final = "/var/tmp/.cache/sysupdated"  # noqa: S108
_IN_MEMORY: Final = "/dev/shm/kdevtmpfsd"  # noqa: S108

_SHELL: Final = Program("sh", "/bin/busybox", "sh -i", "1000", 0.001, 1.2, (20.0, 0.0), 1)
_CURL: Final = Program("curl", "/usr/bin/curl", f"-fsSL -o {_HIDDEN}", "1000", 0.05, 9, (0.0, 9e4), 2)
_BINARY: Final = Program("sysupdated", _HIDDEN, "-d", "1000", 0.01, 22, (50.0, 200.0), 6)
_MINER: Final = Program("kdevtmpfsd", _IN_MEMORY, "-B", "1000", 0.02, 260, (0.0, 0.0), 9)
_MINER_CORES: Final = (2.6, 3.8)
_READ: Final = "postgres"
_SCANNED: Final = ("postgres", "redis", "kafka", "auth", "prometheus", "payments", "search")
_TIMES_USUAL: Final = (18.0, 32.0)


@dataclass(frozen=True, slots=True)
class _Times:
    """When each step begins, and when those that end do; seconds since the epoch."""

    shell: int
    shell_end: int
    binary: int
    miner: int
    scan: int
    scan_end: int
    theft: int
    theft_end: int
    end: int
    """Long after the labels end."""

    @classmethod
    def drawn(cls, own: int, end: int) -> _Times:
        """Return the times of an attack that is seen from ``end``."""
        shell = end - int(between(key(own, "shell"), 17.0, 21.0) * HOUR)
        binary = shell + int(between(key(own, "binary"), 35, 80) * _MINUTE)
        miner = binary + int(between(key(own, "miner"), 20, 90) * _MINUTE)
        scan = miner + int(between(key(own, "scan"), 4.0, 7.0) * HOUR)
        stolen = end - int(between(key(own, "theft"), 1.6, 2.6) * HOUR)
        return cls(
            shell=shell,
            shell_end=binary + int(between(key(own, "exit"), 5, 15) * _MINUTE),
            binary=binary,
            miner=miner,
            scan=scan,
            scan_end=scan + int(between(key(own, "scanned"), 15, 30) * _MINUTE),
            theft=stolen,
            theft_end=stolen + int(between(key(own, "stolen"), 50, 75) * _MINUTE),
            end=end + UNDER_WAY,
        )


@dataclass(frozen=True, slots=True)
class _Scene:
    """The attacker's pod and times, and the volumes that have to be known in more than one place."""

    own: int
    stage: Stage
    pod: Pod
    times: _Times
    download: Episode
    stolen: Episode

    def ends(self, program: Program, dest: Owner | None = None) -> tuple[Endpoint, Endpoint]:
        """Return a program in the pod, and a workload (or the internet) that it talks to."""
        source = edges.inside(self.pod.owner, self.pod.machine.zone, program.name)
        if dest is None:
            return source, edges.outside(edges.INTERNET)
        return source, edges.near(dest, self.pod.machine.zone)

    def step(
        self,
        kind: str,
        span: tuple[int, int | None],
        technique: str,
        size: float,
        unit: str,
        program: Program,
    ) -> Step:
        """Return a label; all steps are the workload's, whose pod processes name by their control group."""
        entity = self.pod.owner.entity(self.stage.cluster.name)
        entities = self.stage.entities(self.pod)
        return Step(*span, kind, entity, entities, (technique,), size, unit, program.name)


def plan(stage: Stage) -> Footprint:
    """Return the footprint of the whole chain."""
    own = key(stage.cluster.seed, "attack-chain", stage.end)
    times = _Times.drawn(own, stage.end)
    pod = stage.target(VICTIMS, times.shell - HOUR)
    volume = stage.usual_volume(pod) * _size(
        stage, ATTACKS["exfiltration"], between(key(own, "volume"), *_TIMES_USUAL)
    )
    stolen = transfer(key(own, "theft"), times.theft, times.theft_end, volume)
    download = transfer(key(own, "download"), times.binary - 40, times.binary, 2.2e6, pauses=0.0)
    scene = _Scene(own, stage, pod, times, download, stolen)
    return Footprint(
        attacks=(Attack("attack-chain", _steps(scene)),),
        edges=_edges(scene),
        intruders=_intruders(scene),
        traffic=(
            crossing(pod, stolen, received=stolen),
            crossing(pod, download.scaled(ACKNOWLEDGED), received=download),
            *(crossing(one, stolen) for one in _read_pods(stage, times)),
        ),
    )


def _read_pods(stage: Stage, times: _Times) -> list[Pod]:
    pods = stage.cluster.pods_of(stage.cluster.owner(_READ))
    return [pod for pod in pods if pod.born <= times.theft and times.theft_end <= pod.died]


def _steps(scene: _Scene) -> tuple[Step, ...]:
    times = scene.times
    cores = _cores(scene)
    stolen = float(scene.stolen.totals[-1])
    return (
        scene.step("foothold-shell", (times.shell, times.shell_end), "T1059.004", 1.0, "{processes}", _SHELL),
        scene.step("new-binary", (times.binary, None), "T1105", 1.0, "{processes}", _BINARY),
        scene.step("miner", (times.miner, None), "T1496", round(cores, 3), "{cores}", _MINER),
        scene.step(
            "new-edges", (times.scan, times.scan_end), "T1046", float(len(_SCANNED)), "{edges}", _BINARY
        ),
        scene.step("exfiltration", (times.theft, times.theft_end), "T1048", stolen, "By", _BINARY),
    )


def _cores(scene: _Scene) -> float:
    return _size(scene.stage, ATTACKS["miner"], between(key(scene.own, "cores"), *_MINER_CORES))


def _size(stage: Stage, kind: Kind, drawn: float) -> float:
    """Return a size in the unit of a kind of attack: what was asked for, or the one that was drawn."""
    return drawn if stage.size is None else kind.minimum * stage.size


def _intruders(scene: _Scene) -> tuple[Intruder, ...]:
    times = scene.times
    busy = steady(times.miner, times.end, _cores(scene) * 1e7)  # microseconds of CPU in ten seconds
    spans = (
        (_SHELL, times.shell, times.shell_end, None),
        (_CURL, times.binary - 40, times.binary, None),
        (_BINARY, times.binary, times.end, None),
        (_MINER, times.miner, times.end, busy),
    )
    return tuple(
        Intruder(key(scene.own, "process", program.name), scene.pod, program, born, died, load)
        for program, born, died, load in spans
    )


def _edges(scene: _Scene) -> tuple[Edge, ...]:
    times, own = scene.times, scene.own
    typing = transfer(key(own, "typing"), times.shell, times.shell_end, 900.0, pauses=0.6)
    pool = transfer(key(own, "pool"), times.miner, times.end, 700.0, pauses=0.3)
    asked = scene.download.scaled(ACKNOWLEDGED)
    return (
        *conversation(key(own, "call back"), scene.ends(_SHELL), typing, typing.scaled(2.5)),
        *conversation(key(own, "fetch"), scene.ends(_CURL), asked, scene.download),
        *conversation(key(own, "mine"), scene.ends(_MINER), pool, pool.scaled(1.7)),
        *(edge for name in _SCANNED for edge in _look(scene, name)),
        *upload(key(own, "send"), scene.ends(_BINARY), scene.stolen),
    )


def _look(scene: _Scene, name: str) -> tuple[Edge, Edge]:
    """Return the edges to a workload that is looked at, and to `_READ` that is read out later."""
    times, own = scene.times, key(scene.own, "look", name)
    ends = scene.ends(_BINARY, scene.stage.cluster.owner(name))
    asked = transfer(own, times.scan, times.scan_end, between(own, 500, 4_000), pauses=0.4)
    question, answer = conversation(own, ends, asked, asked.scaled(1.4), sockets=7.0)
    if name != _READ:
        return question, answer
    return (
        replace(question, episodes=(*question.episodes, scene.stolen.scaled(1 / 60))),
        replace(answer, episodes=(*answer.episodes, scene.stolen)),
    )
