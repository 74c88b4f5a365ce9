"""Names, units, kinds, attributes and start times, as the collectors' components define them."""

from __future__ import annotations

import numpy as np
import pytest
from simulate_oracle import END, HOUR, SECOND, small

from kubestray.model.metric import Batch, Kind, Series

SIMULATION = small("attack-chain")
BATCH = Batch.concat(list(SIMULATION.batches(END - 24 * HOUR, END, 60)))

STATE, DIRECTION = ("state",), ("direction",)
EXPECTED = {
    "tcp.bytes": (Kind.DELTA, "By"),
    "tcp.packets": (Kind.DELTA, "1"),
    "tcp.retrans": (Kind.DELTA, "1"),
    "tcp.syn_timeouts": (Kind.DELTA, "1"),
    "tcp.new_sockets": (Kind.DELTA, "1"),
    "tcp.resets": (Kind.DELTA, "1"),
    "tcp.active": (Kind.GAUGE, "1"),
    "tcp.rtt.average": (Kind.GAUGE, "us"),
    "udp.bytes": (Kind.DELTA, "By"),
    "udp.packets": (Kind.DELTA, "1"),
    "udp.drops": (Kind.DELTA, "1"),
    "udp.active": (Kind.GAUGE, "1"),
    "dns.responses": (Kind.DELTA, "1"),
    "dns.timeouts": (Kind.DELTA, "1"),
    "dns.active_sockets": (Kind.GAUGE, "1"),
    "dns.client.duration.average": (Kind.GAUGE, "us"),
    "process.cpu.utilization": (Kind.GAUGE, "1"),
    "process.cpu.time": (Kind.CUMULATIVE, "s"),
    "process.memory.utilization": (Kind.GAUGE, "1"),
    "process.memory.usage": (Kind.GAUGE, "By"),
    "process.memory.virtual": (Kind.GAUGE, "By"),
    "process.disk.io": (Kind.CUMULATIVE, "By"),
    "process.disk.operations": (Kind.CUMULATIVE, "{operations}"),
    "process.threads": (Kind.GAUGE, "{threads}"),
    "k8s.pod.network.io": (Kind.CUMULATIVE, "By"),
    "k8s.container.ready": (Kind.GAUGE, ""),
}
PROCESS = {
    "process.pid",
    "process.parent_pid",
    "process.executable.name",
    "process.executable.path",
    "process.command",
    "process.command_line",
    "process.owner",
    "process.cgroup",
    "host.name",
    "k8s.node.name",
    "k8s.cluster.name",
}
POD = {"k8s.pod.name", "k8s.pod.uid", "k8s.namespace.name", "host.name", "k8s.node.name", "k8s.cluster.name"}
CONTAINER = {
    "container.id",
    "container.image.name",
    "container.image.tag",
    "k8s.container.name",
    "k8s.namespace.name",
    "k8s.node.name",
    "k8s.pod.name",
    "k8s.pod.uid",
    "k8s.cluster.name",
}
SIDE = {
    "workload.name",
    "availability_zone",
    "resolution_type",
    "image_version",
    "environment",
    "namespace.name",
    "process.name",
    "container.name",
}


def of(metric: str) -> list[Series]:
    return [series for series in BATCH.series.values() if series.metric == metric]


def points(metric: str) -> Batch:
    ids = np.array([series.id for series in of(metric)], dtype=np.uint64)
    return BATCH.where(np.isin(BATCH.series_id, ids))


def test_exactly_these_metrics() -> None:
    seen = {(series.metric, (series.kind, series.unit)) for series in BATCH.series.values()}
    assert seen == set(EXPECTED.items())


@pytest.mark.parametrize("metric", [name for name in EXPECTED if name.startswith("process.")])
def test_attributes_of_processes(metric: str) -> None:
    extra = set()
    if ".cpu." in metric:
        extra = {"state"}
    elif ".disk." in metric:
        extra = {"direction"}
    for series in of(metric):
        assert set(dict(series.attributes)) == PROCESS | extra
        assert int(dict(series.attributes)["process.pid"]) > int(
            dict(series.attributes)["process.parent_pid"] == "-1"
        )


def test_every_process_has_fourteen_points() -> None:
    at_end = BATCH.where(BATCH.time == BATCH.time.max())
    names = [s for s in at_end.series.values() if s.metric.startswith("process.")]
    pids = {(dict(s.attributes)["host.name"], dict(s.attributes)["process.pid"]) for s in names}
    assert len(names) == 14 * len(pids)


def test_states_directions_and_interfaces() -> None:
    def values(metric: str, name: str) -> set[str]:
        return {dict(series.attributes)[name] for series in of(metric)}

    assert values("process.cpu.time", "state") == {"user", "system", "wait"}
    assert values("process.cpu.utilization", "state") == {"user", "system", "wait"}
    assert values("process.disk.operations", "direction") == {"read", "write"}
    assert values("k8s.pod.network.io", "direction") == {"receive", "transmit"}
    assert values("k8s.pod.network.io", "interface") == {"eth0"}


def test_attributes_of_pods_and_containers() -> None:
    for series in of("k8s.pod.network.io"):
        assert set(dict(series.attributes)) == POD | {"direction", "interface"}
    for series in of("k8s.container.ready"):
        assert set(dict(series.attributes)) == CONTAINER
        assert ":" not in dict(series.attributes)["container.image.name"], "no tag in the image's name"


def test_attributes_of_edges() -> None:
    fixed = {"aggregation": "az_az", "sf_product": "network-explorer", "k8s.cluster.name": "demo"}
    allowed = {f"{side}.{name}" for side in ("source", "dest") for name in SIDE}
    for series in of("tcp.bytes") + of("udp.bytes"):
        attributes = dict(series.attributes)
        assert fixed.items() <= attributes.items()
        assert set(attributes) - set(fixed) - {"az_equal"} <= allowed
        assert all(attributes.values()), "an unknown attribute is not sent"
        zones = [attributes.get(f"{side}.availability_zone") for side in ("source", "dest")]
        assert attributes["az_equal"] == ("true" if zones[0] == zones[1] else "false")
        if attributes["source.resolution_type"] == "K8S_CONTAINER":
            assert {f"source.{name}" for name in SIDE} <= set(attributes)


def test_edges_go_both_ways_and_out_of_the_cluster() -> None:
    ends = {
        tuple(dict(series.attributes)[f"{side}.workload.name"] for side in ("source", "dest"))
        for series in of("tcp.bytes")
    }
    assert ("checkout", "payments") in ends
    assert all((dest, source) in ends for source, dest in ends)
    types = {dict(series.attributes)["dest.resolution_type"] for series in of("tcp.bytes")}
    assert {"K8S_CONTAINER", "DNS", "IP"} <= types


def test_deltas_start_one_window_before_their_time() -> None:
    for metric, (kind, _) in EXPECTED.items():
        if kind is Kind.DELTA:
            batch = points(metric)
            assert (batch.time - batch.start == np.uint64(10 * SECOND)).all()


def test_the_window_is_configurable_and_levels_scale_with_it() -> None:
    thirty = small(window_s=30)
    batch = Batch.concat(list(thirty.batches(END - 6 * HOUR, END, 30, {"network"}, {"tcp.bytes"})))
    assert (batch.time - batch.start == np.uint64(30 * SECOND)).all()
    ten = Batch.concat(list(small().batches(END - 6 * HOUR, END, 10, {"network"}, {"tcp.bytes"})))
    assert batch.value.mean() == pytest.approx(3 * ten.value.mean(), rel=0.1)


def test_starts_of_gauges_and_cumulative_sums() -> None:
    assert (points("tcp.active").start == 0).all()
    assert (points("k8s.container.ready").start == 0).all()
    for metric in (
        "process.cpu.utilization",
        "process.cpu.time",
        "process.memory.usage",
        "k8s.pod.network.io",
    ):
        batch = points(metric)
        assert (batch.start > 0).all()
        assert (batch.start <= batch.time).all()


def test_cumulative_values_never_fall_within_a_start() -> None:
    for metric, (kind, _) in EXPECTED.items():
        if kind is not Kind.CUMULATIVE:
            continue
        batch = points(metric)
        order = np.lexsort((batch.time, batch.start, batch.series_id))
        same = (np.diff(batch.series_id[order]) == 0) & (np.diff(batch.start[order].astype(np.int64)) == 0)
        assert same.any()
        assert (np.diff(batch.value[order])[same] >= 0).all(), metric


def test_values_are_in_their_range() -> None:
    cpu, memory = points("process.cpu.utilization").value, points("process.memory.utilization").value
    assert cpu.min() >= 0.0
    assert cpu.max() <= 1.0
    assert memory.min() >= 0.0
    assert 1.0 < memory.max() <= 100.0, "percent"
    assert set(np.unique(points("k8s.container.ready").value)) == {0.0, 1.0}
    assert points("process.threads").value.min() >= 1
    rtt = points("tcp.rtt.average").value
    assert 1e-4 < np.median(rtt) < 1e-2, "seconds"
    for metric, (kind, _) in EXPECTED.items():
        batch = points(metric)
        assert np.isfinite(batch.value).all()
        assert (batch.value >= 0).all()
        if kind is Kind.DELTA:
            assert np.array_equal(batch.value, np.rint(batch.value))


def test_utilization_is_the_increase_of_cpu_time() -> None:
    batch = Batch.concat(list(small().batches(END - HOUR, END, 10, {"process"})))
    name = {
        (series.metric, tuple(pair for pair in series.attributes)): series.id
        for series in batch.series.values()
    }
    checked = 0
    for (metric, attributes), number in name.items():
        if metric == "process.cpu.utilization":
            share = batch.where(batch.series_id == np.uint64(number))
            total = batch.where(batch.series_id == np.uint64(name["process.cpu.time", attributes]))
            increase = np.diff(total.value) / 10 / 8
            assert share.value[-len(increase) :] == pytest.approx(increase, abs=1e-9)
            checked += 1
    assert checked == 3 * len({number for metric, number in name if metric == "process.threads"})
