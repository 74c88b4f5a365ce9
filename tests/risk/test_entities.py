"""What a risk object is: published names, ours, and what they are part of."""

from __future__ import annotations

import pytest
from riskful import HOUR, START, WHO, event

from kubestray.model.content import RiskFactor
from kubestray.model.entity import Entity
from kubestray.model.workload import workload_of_pod, workload_of_replica_set
from kubestray.risk.entities import place
from kubestray.risk.placing import Circumstances


@pytest.mark.parametrize(
    ("pod", "workload"),
    [
        ("cart-7d9f6c5b8d-x2k4z", "cart"),
        ("db-0", "db"),
        ("fluent-bit-bcd56", "fluent-bit"),
        ("backup-29384756-zx4cv", "backup"),
        ("nginx-cache", "nginx-cache"),  # bare: cache has vowels
        ("kube-proxy-w5z7k", "kube-proxy"),
        ("api-server", "api-server"),
        ("x", "x"),
    ],
)
def test_a_workload_is_told_from_the_name_of_its_pod(pod, workload):
    assert workload_of_pod(pod) == workload


def test_a_deployment_is_told_from_the_name_of_its_replica_set():
    assert workload_of_replica_set("cart-7d9f6c5b8d") == "cart"
    assert workload_of_replica_set("cart-service") == "cart-service"


@pytest.mark.parametrize(
    "text", ["", "workload", "workload:prod", "what:prod/shop/cart", "workload:prod/shop"]
)
def test_what_is_no_entity_is_none(text):
    assert Entity.parse(text) is None


def test_names_are_read_as_they_are_written():
    for text in ("node:prod//n1", "process:prod/shop/cart//usr/bin/sh", "cluster:prod//", "edge:c/a/x>b/y"):
        assert str(Entity.parse(text)) == text


@pytest.mark.parametrize(
    ("name", "field", "kind", "row", "entity", "parents"),
    [
        ("prod", "host", "system", {}, "cluster:prod//", []),
        ("n1.internal", "host", "system", {}, "node:prod//n1", ["cluster:prod//"]),
        ("n1", "host.name", "system", {}, "node:prod//n1", ["cluster:prod//"]),
        ("new-node", "host", "system", {"k8s.cluster.name": "dev"}, "node:dev//new-node", ["cluster:dev//"]),
        (
            "cart-7d9f6c5b8d-x2k4z",
            "k8s.pod.name",
            "other",
            {"k8s.cluster.name": "prod", "k8s.namespace.name": "shop"},
            "pod:prod/shop/cart-7d9f6c5b8d-x2k4z",
            ["workload:prod/shop/cart", "node:prod//n1", "namespace:prod/shop/", "cluster:prod//"],
        ),
        (
            "curl",
            "source.process.name",
            "other",
            {"k8s.cluster.name": "prod", "source.namespace.name": "shop", "source.workload.name": "cart"},
            "process:prod/shop/cart/curl",
            ["workload:prod/shop/cart", "namespace:prod/shop/", "cluster:prod//"],
        ),
        (
            "xmrig",
            "process.executable.name",
            "other",
            {"host.name": "n2.internal"},
            "process:prod//n2/xmrig",
            ["node:prod//n2", "cluster:prod//"],
        ),
    ],
)
def test_a_risk_object_is_what_its_field_its_row_and_the_catalog_say(name, field, kind, row, entity, parents):
    found = place(name, field, kind, row, WHO, START)
    assert str(found.entity) == entity
    assert [str(parent) for parent in found.parents] == parents


def test_a_pod_that_is_gone_is_on_no_node_any_more():
    found = place("pod:prod/shop/db-0", "entity", "other", {}, WHO, START + 200 * HOUR)
    assert [str(parent) for parent in found.parents] == [
        "workload:prod/shop/db",
        "namespace:prod/shop/",
        "cluster:prod//",
    ]


def test_factors_multiply_the_scores_of_what_fits_in_all_they_say():
    factors = (
        RiskFactor("critical", "", (("entity", ("workload:prod/shop/*",)),), 2.0, ""),
        RiskFactor("known", "", (("entity", ("*",)), ("known_elsewhere", ("?*",))), 0.25, ""),
    )
    around = Circumstances(WHO, factors)
    process = "process:prod/shop/cart/sh"
    plain = event("a", process, START, 40, around=around)
    known = event("a", process, START, 40, around=around, known_elsewhere=["dev"])
    other = event("a", "process:prod/data/db/sh", START, 40, around=around)
    scores = [e.fields["calculated_risk_score"] for e in (plain, known, other)]
    assert scores == [80, 20, 40]
    assert known.fields["risk_factor"] == ["critical", "known"]
