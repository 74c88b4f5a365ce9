"""A workload's own process sends data to the internet, as fast as the other side takes it.

The attacker runs inside the application (a poisoned dependency, say): the process has the name it always
has. It sends what it has collected to an address that has no name.
"""

from __future__ import annotations

from kubestray.simulate import edges
from kubestray.simulate.attacks.scene import Kind, Scene
from kubestray.simulate.episode import transfer
from kubestray.simulate.labels import Attack
from kubestray.simulate.noise import key
from kubestray.simulate.stage import Footprint, crossing, upload


def plan(scene: Scene) -> Footprint:
    """Return the footprint; the size is in multiples of what the workload usually sends."""
    volume = scene.stage.usual_volume(scene.pod) * scene.size
    stolen = transfer(key(scene.own, "transfer"), scene.begin, scene.last, volume)
    moved = float(stolen.by(scene.stage.end))
    step = scene.step(EXFILTRATION.techniques, moved, "By", scene.pod.owner.program.name)
    return Footprint(
        attacks=(Attack(scene.name, (step,)),),
        edges=upload(scene.own, (scene.at(), edges.outside(edges.INTERNET)), stolen),
        traffic=(crossing(scene.pod, stolen),),
    )


EXFILTRATION = Kind(
    "A workload sends data out, tens of times what it usually sends.",
    ("T1048",), "times the usual volume", 5.0, (25.0, 45.0), plan,
    victims=("checkout", "cart", "recommendations"),
)  # fmt: skip
