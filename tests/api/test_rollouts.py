"""When a workload was rolled out or scaled, told by what the catalog has of its pods and images."""

from __future__ import annotations

import pytest

from console import running_on
from helpers import HOUR, MINUTE, NOW, batch, series
from kubestray.api.finding_charts import band_chart
from kubestray.api.rollouts import marks
from kubestray.model.entity import Entity
from kubestray.model.finding import rfc3339
from kubestray.model.metric import Kind
from kubestray.pipeline.needing import Need
from kubestray.store.points import Span

PODS = (
    ("cart-7d9f8b5c6d-2xkzt", 30),
    ("cart-7d9f8b5c6d-9wqtn", 30),
    ("cart-7d9f8b5c6d-bbbbb", 20),  # one more of the same
    ("cart-6c5b8d7d9f-zz2bk", 10),  # another template, two pods
    ("cart-6c5b8d7d9f-x2k4z", 10),
    ("cart-extra-7d9f8b5c6d-2xkzt", 5),  # of another workload
)
ENDS = {"cart-7d9f8b5c6d-2xkzt": 10, "cart-7d9f8b5c6d-9wqtn": 10, "cart-7d9f8b5c6d-bbbbb": 4}
"""Hours ago; the first two make room for the new template."""
ENTITY = Entity("workload", "prod", "shop", "cart")


def _end(pod: str) -> int:
    return NOW - ENDS[pod] * HOUR if pod in ENDS else NOW


@pytest.fixture
def running(embedded, tmp_path):
    points = []
    for place, (pod, hours) in enumerate(PODS):
        where = {"k8s.cluster.name": "prod", "k8s.namespace.name": "shop", "k8s.pod.name": pod}
        image = {"container.image.tag": "2" if hours <= 10 else "1", "k8s.deployment.name": "cart"}
        made = series("k8s.pod.cpu.usage", Kind.GAUGE, **where, **image)
        since = NOW - hours * HOUR + place * 20 * 10**9
        points += [(made, time, 0, 1.0 + place) for time in range(since, _end(pod), 2 * MINUTE)]
    embedded.append(batch(points))
    return running_on(embedded, tmp_path)


def test_a_rollout_and_more_of_the_same_are_told_apart(running):
    found = marks(running, ENTITY, Span(NOW - 40 * HOUR, NOW))
    told = [(round((NOW / 1e6 - one["time"]) / 3.6e6), one["what"].split(":")[0]) for one in found]
    assert sorted(told, reverse=True) == [
        (20, "scaled up from 2 to 3"),
        (10, "rollout, new template"),
        (10, "first seen with the image 2"),
        (4, "scaled down from 3 to 2"),
    ]
    down = found[-1]
    assert down["what"].endswith("cart-7d9f8b5c6d-bbbbb gone")
    assert NOW // 10**6 - down["time"] in range(4 * 3600_000, 4 * 3600_000 + 2 * 60_000 + 1)
    rollout = next(one["what"] for one in found if one["what"].startswith("rollout"))
    assert rollout.endswith("cart-6c5b8d7d9f-zz2bk, cart-6c5b8d7d9f-x2k4z")
    assert marks(running, ENTITY, Span(NOW - 9 * HOUR, NOW)) == [down]
    assert marks(running, ENTITY, Span(NOW - 9 * HOUR, NOW - 5 * HOUR)) == []
    assert marks(running, Entity("node", "prod", "", "n1"), Span(0, NOW)) == []
    of_a_pod = Entity("pod", "prod", "shop", PODS[0][0])
    assert marks(running, of_a_pod, Span(NOW - 40 * HOUR, NOW)) == found


def test_the_chart_has_pods_of_the_workload_and_marks(running):
    name = "Pods moving far more than usual"
    row = {"k8s.cluster.name": "prod", "k8s.namespace.name": "shop", "k8s.pod.name": PODS[0][0]}
    when = rfc3339(NOW - 8 * HOUR)
    step = {"time": when, "last": when, "detection": name, "message": "much"}
    evidence = {"detection": name, "entity": f"pod:prod/shop/{PODS[0][0]}", "row": row}
    document = {"first_seen": when, "last_seen": when, "steps": [step], "evidence": [evidence]}
    needed = Need(("k8s.pod.cpu.usage",), ("k8s.cluster.name", "k8s.namespace.name", "k8s.pod.name"))
    running.kept["needs"] = {name: [needed]}
    spec = band_chart(running, document)
    layers = {layer["mark"]["type"] + layer["mark"].get("color", ""): layer for layer in spec["layer"]}
    pods = {
        value["replica"]
        for layer in layers.values()
        for value in layer["data"]["values"]
        if "replica" in value
    }
    assert pods == {pod for pod, _ in PODS if not pod.startswith("cart-extra")}
    told = [
        value["what"] for layer in layers.values() for value in layer["data"]["values"] if "what" in value
    ]
    assert {one.split(":")[0] for one in told} == {"rollout, new template", "first seen with the image 2"}
