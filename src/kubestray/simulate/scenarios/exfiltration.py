"""A workload's own process sends data to the internet.

The attacker runs inside the application (a poisoned dependency, say): the process has the name it
always has. Some 45 to 50 minutes before the end it begins to send what it has collected to an
address that has no name, as fast as the other side takes it, and it has not finished.
"""

from __future__ import annotations

from typing import Final

from kubestray.simulate import edges, noise
from kubestray.simulate.episode import transfer
from kubestray.simulate.labels import Attack, Step
from kubestray.simulate.scenarios.base import UNDER_WAY, Footprint, Stage, crossing, upload

VICTIMS: Final = ("checkout", "cart", "recommendations")
_TIMES_USUAL: Final = (25.0, 45.0)
_AGE: Final = (45 * 60, 50 * 60)


def plan(stage: Stage) -> Footprint:
    """Return the footprint of a theft that is under way at the end."""
    own = noise.key(stage.cluster.seed, "exfiltration", stage.end)
    begin = stage.end - int(noise.between(noise.key(own, "age"), *_AGE))
    pod = stage.target(VICTIMS, begin)
    volume = stage.usual_volume(pod) * noise.between(noise.key(own, "volume"), *_TIMES_USUAL)
    stolen = transfer(noise.key(own, "transfer"), begin, stage.end + UNDER_WAY, volume)
    step = Step(
        time=stolen.begin,
        until=None,
        kind="exfiltration",
        entity=pod.owner.entity(stage.cluster.name),
        entities=stage.entities(pod),
        techniques=("T1048",),
        size=float(stolen.by(stage.end)),
        unit="By",
        process=pod.owner.program.name,
    )
    ends = (edges.inside(pod.owner, pod.machine.zone), edges.outside(edges.INTERNET))
    return Footprint(
        attacks=(Attack("exfiltration", (step,)),),
        edges=upload(own, ends, stolen),
        traffic=(crossing(pod, stolen),),
    )
