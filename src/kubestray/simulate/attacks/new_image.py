"""A pod of an image that the cluster never ran."""

from __future__ import annotations

from kubestray.simulate import names
from kubestray.simulate.attacks.scene import Kind, Scene
from kubestray.simulate.catalog import Program
from kubestray.simulate.cluster import Owner, Pod
from kubestray.simulate.labels import Attack
from kubestray.simulate.noise import key
from kubestray.simulate.stage import Footprint

_IMAGE = "docker.io/toolbox/netshell"
_PROGRAM = Program("netshell", "/usr/local/bin/netshell", "serve", "root", 0.02, 40, (0.0, 200.0), 6)


def plan(scene: Scene) -> Footprint:
    """Return the footprint; the size is in pods."""
    near, node = scene.pod.owner, scene.pod.machine
    own = key(scene.own, "owner")
    owner = Owner(own, near.namespace, "debug", "Pod", _IMAGE, "latest", _PROGRAM, (node.slot,), near.copy)
    pods = tuple(
        Pod(
            key(own, number), owner, number, f"debug-{number}", names.uid(key(own, number)), node, "latest",
            scene.begin, scene.last, (),
        )
        for number in range(max(round(scene.size), 1))
    )  # fmt: skip
    entity = owner.entity(scene.stage.cluster.name)
    step = scene.step(NEW_IMAGE.techniques, float(len(pods)), "{pods}", _PROGRAM.name, entity=entity)
    return Footprint(attacks=(Attack(scene.name, (step,)),), pods=pods)


NEW_IMAGE = Kind("A pod of an image that was never seen.", ("T1610",), "pods", 1.0, (1.0, 2.0), plan)
