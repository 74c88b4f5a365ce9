"""A workload's own process sends data to a file sharing service, a little all the time, for hours."""

from __future__ import annotations

from kubestray.simulate import edges
from kubestray.simulate.attacks.scene import Kind, Scene
from kubestray.simulate.episode import transfer
from kubestray.simulate.labels import Attack
from kubestray.simulate.noise import key
from kubestray.simulate.stage import Footprint, crossing, upload

_SHARE = "files.share.example.net"


def plan(scene: Scene) -> Footprint:
    """Return the footprint; the size is in multiples of what the workload usually sends."""
    volume = scene.stage.usual_volume(scene.pod) * scene.size
    stolen = transfer(key(scene.own, "transfer"), scene.begin, scene.last, volume, pauses=0.02)
    moved = float(stolen.by(scene.stage.end))
    step = scene.step(EXFILTRATION_SLOW.techniques, moved, "By", scene.pod.owner.program.name)
    return Footprint(
        attacks=(Attack(scene.name, (step,)),),
        edges=upload(scene.own, (scene.at(), edges.outside(_SHARE)), stolen),
        traffic=(crossing(scene.pod, stolen),),
    )


EXFILTRATION_SLOW = Kind(
    "A workload sends data out, not more than it usually sends, for hours.",
    ("T1048", "T1030"), "times the usual volume", 0.2, (0.5, 1.5), plan, minutes=240,
)  # fmt: skip
