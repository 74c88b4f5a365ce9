"""Names that are added when points are read: by what senders send, as their documentation has it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as m

import remote_write_messages as write
from helpers import HOUR, MINUTE, NOW, SECOND, batch, more, search, series
from kubestray.model.metric import Kind
from kubestray.naming.mapping import MetricRule, NameMapping, read_mapping
from kubestray.receive.catalog import Limits
from kubestray.receive.otlp import Bounds, OtlpCache, decode_protobuf
from kubestray.receive.remote_write import decode_v1
from kubestray.receive.remote_write_samples import label_cache
from kubestray.search.naming import Naming
from kubestray.store.store import Store

BUILT_IN = Naming(read_mapping())
TIMES = [NOW - 3 * MINUTE + step * 30 * SECOND for step in range(4)]
CLIMBING = (1000.0, 1500.0, 1500.0, 4000.0)  # grows by 3000 in all


def rows(store: Store, text: str, naming: Naming = BUILT_IN) -> list[dict[str, Any]]:
    return search(store, text, naming=naming).rows


def put(store: Store, metric: str, kind: Kind, values: Iterable[float], /, **attributes: str) -> None:
    made = series(metric, kind, **attributes)
    store.append(batch((made, at, 1, value) for at, value in zip(TIMES, values, strict=False)))


def otlp(store: Store, metric: str, **attributes: str) -> None:
    """Send a cumulative sum by OTLP, as OBI does."""
    pairs = [KeyValue(key=name, value=AnyValue(string_value=text)) for name, text in attributes.items()]
    points = [
        m.NumberDataPoint(start_time_unix_nano=1, time_unix_nano=at, as_int=int(value), attributes=pairs)
        for at, value in zip(TIMES, CLIMBING, strict=True)
    ]
    sums = m.Sum(data_points=points, is_monotonic=True, aggregation_temporality=2)
    scope = m.ScopeMetrics(metrics=[m.Metric(name=metric, unit="{bytes}", sum=sums)])
    request = ExportMetricsServiceRequest(resource_metrics=[m.ResourceMetrics(scope_metrics=[scope])])
    store.append(decode_protobuf(request.SerializeToString(), Bounds.everything(), cache=OtlpCache()).batch)


def prometheus(store: Store, metric: str, values: Iterable[float] = CLIMBING, /, **labels: str) -> None:
    """Send samples by remote write."""
    samples = [write.sample(at // 10**6, value) for at, value in zip(TIMES, values, strict=False)]
    body = write.request(write.series(write.labels_of(metric, **labels), *samples))
    store.append(decode_v1(body, Bounds.everything(), Limits(), label_cache()).batch)


EDGES = (
    "| mstats sum(tcp.bytes) AS bytes WHERE index=* BY k8s.cluster.name source.namespace.name "
    "source.workload.name dest.namespace.name dest.workload.name"
)
EDGE = {
    "k8s.cluster.name": "prod",
    "source.namespace.name": "shop",
    "source.workload.name": "web",
    "dest.namespace.name": "data",
    "dest.workload.name": "db",
    "bytes": 3000,
}


def from_network_explorer(store: Store) -> None:
    put(
        store,
        "tcp.bytes",
        Kind.DELTA,
        (0.0, 500.0, 0.0, 2500.0),
        **{name: value for name, value in EDGE.items() if name != "bytes"},
    )


def from_network_explorer_by_remote_write(store: Store) -> None:
    """Its increases, added up by the collector, with the names and labels that its exporter makes."""
    labels = {name.replace(".", "_"): value for name, value in EDGE.items() if isinstance(value, str)}
    for aggregation in ("az_az", "id_id"):
        prometheus(store, "tcp_bytes_total", **labels, aggregation=aggregation)
    prometheus(store, "tcp_bytes_total", device="eth0")  # of somebody else


def from_obi(store: Store) -> None:
    ends = {"k8s.src.owner.name": "web", "k8s.src.namespace": "shop"}
    ends |= {"k8s.dst.owner.name": "db", "k8s.dst.namespace": "data", "k8s.cluster.name": "prod"}
    otlp(store, "obi.network.flow.bytes", **ends, transport="TCP")
    otlp(store, "obi.network.flow.bytes", **ends, transport="UDP")


def from_netobserv(store: Store) -> None:
    ends = {"SrcK8S_OwnerName": "web", "SrcK8S_Namespace": "shop", "K8S_ClusterName": "prod"}
    ends |= {"DstK8S_OwnerName": "db", "DstK8S_Namespace": "data"}
    prometheus(store, "netobserv_workload_egress_bytes_total", **ends)
    prometheus(store, "netobserv_workload_ingress_bytes_total", **ends)


def from_retina(store: Store) -> None:
    ends = {"source_workload": "web", "source_namespace": "shop", "cluster": "prod"}
    ends |= {"destination_workload": "db", "destination_namespace": "data"}
    for direction in ("egress", "ingress"):
        prometheus(store, "networkobservability_adv_forward_bytes", **ends, direction=direction)


def from_coroot(store: Store) -> None:
    info = {"pod": "db-0", "namespace": "data", "pod_ip": "10.1.2.3", "cluster": "prod"}
    prometheus(store, "kube_pod_info", (1.0,), **info)
    source = {"container_id": "/k8s/shop/web-7d4b9c6f5-x2x4z/main", "cluster": "prod"}
    ends = {"destination": "10.9.0.1:5432", "actual_destination": "10.1.2.3:5432"}
    prometheus(store, "container_net_tcp_bytes_sent_total", **source, **ends)


def assert_edge(store: Store) -> None:
    assert rows(store, EDGES) == [EDGE]
    # A wildcard counts it once, and by the name that searches use.
    assert rows(store, EDGES.replace("tcp.bytes", "tcp.*").replace("AS bytes", "AS *")) == [EDGE]


@pytest.mark.parametrize(
    "send",
    [from_network_explorer, from_network_explorer_by_remote_write, from_netobserv, from_retina, from_coroot],
)
def test_the_same_traffic_gives_the_same_edges(embedded: Store, send: Any) -> None:
    send(embedded)
    assert_edge(embedded)


@pytest.mark.more("http")
def test_the_same_traffic_gives_the_same_edges_on_every_engine(store: Store) -> None:
    from_obi(store)
    assert_edge(store)


def test_hubble_tells_of_edges_without_bytes(embedded: Store) -> None:
    ends = {"source_workload": "web", "destination_workload": "db", "source_namespace": "shop"}
    for flag in ("SYN", "FIN"):
        prometheus(embedded, "hubble_tcp_flags_total", **ends, flag=flag)
    text = "| mstats sum(tcp.new_sockets) AS n WHERE index=* BY source.workload.name dest.workload.name"
    assert rows(embedded, text) == [{"source.workload.name": "web", "dest.workload.name": "db", "n": 3000}]
    assert rows(embedded, "| mstats sum(hubble_tcp_flags_total) AS n WHERE index=*") == [{"n": 6000}]


@pytest.mark.more("distributed")
@pytest.mark.more("http")
def test_either_name_finds_the_points_and_a_wildcard_counts_them_once(store: Store) -> None:
    put(store, "process.thread.count", Kind.GAUGE, (5.0,), **{"host.name": "new"})
    put(store, "process.threads", Kind.GAUGE, (7.0,), **{"host.name": "old"})
    for name in ("process.threads", "process.thread.count"):
        assert rows(store, f"| mstats sum({name}) AS n WHERE index=* BY host.name") == [
            {"host.name": "new", "n": 5},
            {"host.name": "old", "n": 7},
        ]
    assert rows(store, "| mstats sum(process.*) AS * WHERE index=*") == [{"threads": 12}]
    assert rows(store, "| mcatalog values(metric_name) AS n WHERE index=*") == [{"n": "process.threads"}]


def test_attributes_have_both_names_in_rows_and_in_clauses(store: Store) -> None:
    put(store, "process.cpu.utilization", Kind.GAUGE, (0.5,), **{"cpu.mode": "user", "k8s.node.name": "n1"})
    put(store, "process.cpu.utilization", Kind.GAUGE, (0.25,), state="user", **{"node": "n1"})
    assert rows(
        store,
        "| mstats count(process.cpu.utilization) AS n WHERE index=* AND state=user AND cpu.mode=us* "
        "BY k8s.node.name state",
    ) == [{"k8s.node.name": "n1", "state": "user", "n": 2}]
    assert rows(store, "| mstats count(process.cpu.utilization) AS n WHERE index=* state=wait") == []


UID = "1f0e9cdb-57a2-4f4e-9a6b-0c7a3d1e2b4f"
ID = "0123456789abcdef" * 4


POD = f"pod{UID.replace('-', '_')}.slice"


CGROUPS = [
    ("docker", f"11:memory:/docker/{ID}\n1:name=systemd:/docker/{ID}", False),  # v1, no pod
    (None, f"11:memory:/kubepods/burstable/pod{UID}/{ID}\n1:name=systemd:/", True),  # v1, cgroupfs
    ("docker", f"/kubepods.slice/kubepods-{POD}/docker-{ID}.scope", True),
    ("containerd", f"0::/kubepods.slice/kubepods-besteffort-{POD}/cri-containerd-{ID}.scope", True),
    ("crio", f"0::/kubepods.slice/kubepods-burstable-{POD}/crio-{ID}.scope/container", True),
    ("containerd", f"/system.slice/containerd.service/kubepods-{POD}:cri-containerd:{ID}", True),
    # A node that is a container itself, as those of kind are.
    (
        "containerd",
        f"0::/docker/{'9' * 64}/kubelet.slice/kubelet-kubepods-{POD}/cri-containerd-{ID}.scope",
        True,
    ),
]
NO_CONTAINERS = [
    f"/kubepods.slice/crio-conmon-{ID}.scope",  # what watches over it
    "0::/user.slice/user-1.slice",
    f"0::/x/{ID[:40]}",
]


def test_a_process_has_its_container_and_pod_from_its_cgroup(embedded: Store) -> None:
    known = {"container.id": ID, "k8s.pod.uid": UID, "k8s.pod.name": "web-7d4b9c6f5-x2x4z"}
    known |= {"k8s.namespace.name": "shop", "k8s.container.name": "main"}
    put(embedded, "k8s.container.ready", Kind.GAUGE, (1.0,), **known)
    for pid, cgroup in enumerate([*(each for _, each, _ in CGROUPS), *NO_CONTAINERS]):
        names = {"process.cgroup": cgroup, "process.pid": str(pid)}
        put(embedded, "process.threads", Kind.GAUGE, (3.0,), **names)
    by = "process.pid container.id"
    found = rows(embedded, f"| mstats max(process.threads) AS n WHERE index=* BY {by}")
    assert {(int(row["process.pid"]), row["container.id"]) for row in found} == {
        (pid, ID) for pid in range(len(CGROUPS))
    }
    by = " ".join([*known, "k8s.workload.name", "process.pid"])
    found = rows(embedded, f"| mstats max(process.threads) AS n WHERE index=* BY {by}")
    in_pods = [str(pid) for pid, (_, _, in_pod) in enumerate(CGROUPS) if in_pod]
    assert sorted(found, key=lambda row: row["process.pid"]) == [
        {**known, "k8s.workload.name": "web", "process.pid": pid, "n": 3} for pid in in_pods
    ]
    by = "process.pid container.runtime"
    found = rows(embedded, f"| mstats max(process.threads) AS n WHERE index=* BY {by}")
    assert {int(row["process.pid"]): row["container.runtime"] for row in found} == {
        pid: runtime for pid, (runtime, _, _) in enumerate(CGROUPS) if runtime
    }


def test_a_process_of_the_host_has_none_of_a_pod_that_lacks_its_id(embedded: Store) -> None:
    """Two series that both lack an id are not of one pod, container or address."""
    put(embedded, "k8s.pod.network.io", Kind.CUMULATIVE, CLIMBING, **{"k8s.pod.name": "db-0"})
    names = {"k8s.container.name": "main", "container.image.name": "shop/db", "k8s.namespace.name": "shop"}
    put(embedded, "k8s.container.ready", Kind.GAUGE, (1.0,), **names)
    for of_host in ({"process.cgroup": "0::/system.slice/sshd.service"}, {"process.pid": "7"}):
        put(embedded, "process.threads", Kind.GAUGE, (3.0,), **of_host)
    for name in ("k8s.pod.name", "k8s.workload.name", *names):
        assert rows(embedded, f"| mstats max(process.threads) AS n WHERE index=* BY {name}") == []


def test_another_end_without_an_address_is_of_no_pod(embedded: Store) -> None:
    """A pod that is not placed yet has no address, and neither has what it is asked about."""
    put(embedded, "kube_pod_info", Kind.GAUGE, (1.0,), pod="waiting-0", namespace="shop")
    ends = {"container_id": "/k8s/shop/cart-0/cart", "actual_destination": ""}
    put(embedded, "container_net_tcp_bytes_sent_total", Kind.CUMULATIVE, CLIMBING, **ends)
    by = "source.workload.name dest.workload.name"
    assert rows(embedded, f"| mstats sum(tcp.bytes) AS n WHERE index=* BY {by}") == []
    assert rows(embedded, "| mstats sum(tcp.bytes) AS n WHERE index=* BY source.workload.name") == [
        {"source.workload.name": "cart", "n": 3000}
    ]


def test_an_end_that_retina_does_not_know_is_no_workload(embedded: Store) -> None:
    ends = {"source_workload_name": "unknown-web", "source_namespace": "shop", "cluster": "prod"}
    ends |= {"destination_workload_name": "unknown", "destination_namespace": "unknown"}
    prometheus(embedded, "networkobservability_adv_forward_bytes", **ends, direction="egress")
    text = "| mstats sum(tcp.bytes) AS n WHERE index=* BY source.workload.name source.namespace.name"
    found = {"source.workload.name": "unknown-web", "source.namespace.name": "shop", "n": 3000}
    assert rows(embedded, text) == [found]
    assert rows(embedded, f"{text} dest.workload.name") == rows(embedded, f"{text} dest.namespace.name") == []


@pytest.mark.more("http")
def test_what_is_looked_up_is_of_the_same_cluster(store: Store) -> None:
    """Addresses and names of pods are used again in each cluster."""
    for cluster, pod in (("east", "db-0"), ("west", "cache-0")):
        of = {"namespace": "data", "cluster": cluster}
        prometheus(store, "kube_pod_info", (1.0,), **of, pod=pod, pod_ip="10.1.2.3")
        ends = {"container_id": "/k8s/shop/web-0/main", "actual_destination": "10.1.2.3:5432"}
        prometheus(store, "container_net_tcp_bytes_sent_total", **ends, cluster=cluster)
        one = {**of, "pod": "same-0", "container": "main"}
        prometheus(store, "kube_pod_container_status_ready", (1.0,), **one)
        prometheus(store, "kube_pod_container_info", (1.0,), **one, image=f"shop/{cluster}:1")
    by = "k8s.cluster.name dest.workload.name"
    assert rows(store, f"| mstats sum(tcp.bytes) AS n WHERE index=* BY {by}") == [
        {"k8s.cluster.name": "east", "dest.workload.name": "db", "n": 3000},
        {"k8s.cluster.name": "west", "dest.workload.name": "cache", "n": 3000},
    ]
    by = "k8s.cluster.name container.image.name"
    assert rows(store, f"| mstats max(k8s.container.ready) AS n WHERE index=* BY {by}") == [
        {"k8s.cluster.name": cluster, "container.image.name": f"shop/{cluster}", "n": 1}
        for cluster in ("east", "west")
    ]


@pytest.mark.parametrize(
    ("theirs", "ours", "found"),
    [
        ({}, {"cluster": "east"}, "db"),
        more({"cluster": "east"}, {}, "db"),
        ({"k8s_cluster_name": "east"}, {"cluster": "east"}, "db"),
        ({"cluster": "west"}, {"cluster": "east"}, None),
        ({"host_network": "true"}, {}, None),
    ],
)
def test_who_has_an_address(
    embedded: Store, theirs: dict[str, str], ours: dict[str, str], found: str | None
) -> None:
    """Whoever names no cluster may be of any; pods on a node's network have its address, as others do."""
    prometheus(embedded, "kube_pod_info", (1.0,), pod="db-0", pod_ip="10.1.2.3", **theirs)
    ends = {"container_id": "/k8s/shop/web-0/main", "actual_destination": "10.1.2.3:5432"}
    prometheus(embedded, "container_net_tcp_bytes_sent_total", **ends, **ours)
    got = rows(embedded, "| mstats sum(tcp.bytes) AS n WHERE index=* BY dest.workload.name")
    assert [row["dest.workload.name"] for row in got] == ([found] if found else [])


def test_of_two_pods_that_had_an_address_the_later_one_has_it(embedded: Store) -> None:
    for pod, times in (("new-0", 4), ("old-0", 1)):
        prometheus(embedded, "kube_pod_info", (1.0,) * times, pod=pod, pod_ip="10.1.2.3")
    for pod in ("a-0", "z-0"):
        prometheus(embedded, "kube_pod_info", (1.0,), pod=pod, pod_ip="10.1.2.3")
    ends = {"container_id": "/k8s/shop/web-0/main", "actual_destination": "10.1.2.3:5432"}
    prometheus(embedded, "container_net_tcp_bytes_sent_total", **ends)
    got = rows(embedded, "| mstats sum(tcp.bytes) AS n WHERE index=* BY dest.workload.name")
    assert [row["dest.workload.name"] for row in got] == ["new"]


def test_workloads_by_owner_or_by_the_names_that_are_made_up(embedded: Store) -> None:
    pods = {
        "web": {"k8s.deployment.name": "web", "k8s.pod.name": "other-1"},
        "cart": {"k8s.replicaset.name": "cart-7d4b9c6f5"},
        "report": {"k8s.job.name": "report-28543210"},
        "agent": {"k8s.pod.name": "agent-x2x4z"},
        "db": {"k8s.pod.name": "db-0"},
        "nginx-cache": {"k8s.pod.name": "nginx-cache"},  # a bare pod: such letters are in no generated name
    }
    for number, attributes in enumerate(pods.values()):
        put(embedded, "k8s.pod.phase", Kind.GAUGE, (2.0,), **attributes, number=str(number))
    found = rows(embedded, "| mstats count(k8s.pod.phase) AS n WHERE index=* BY k8s.workload.name")
    assert {row["k8s.workload.name"] for row in found} == set(pods)


def test_remote_write_gives_dots_and_units_back(embedded: Store) -> None:
    labels = {"process_executable_name": "curl", "state": "user", "host_name": "n1"}
    prometheus(embedded, "process_cpu_time_seconds_total", **labels)
    prometheus(embedded, "process_cpu_utilization_ratio", (0.5,), **labels)
    text = "| mstats sum(process.cpu.*) AS * WHERE index=* state=user BY process.executable.name host.name"
    assert rows(embedded, text) == [
        {"process.executable.name": "curl", "host.name": "n1", "time": 3000, "utilization": 0.5}
    ]
    # As the exporter of the Python SDK has them; and what ends in _count is a counter by its name alone.
    other = {"process_executable_name": "wget"}
    prometheus(embedded, "process_disk_io_By", **other)
    prometheus(embedded, "process_thread_count", (7.0, 5.0), **other)
    by = "process.executable.name"
    text = f"| mstats sum(process.disk.io) AS io max(process.threads) AS threads WHERE index=* BY {by}"
    assert rows(embedded, text) == [{"process.executable.name": "wget", "io": 3000, "threads": 7}]


@pytest.mark.parametrize(
    ("cpu", "network"),
    [
        ("process_cpu_time", "k8s_pod_network_io"),
        ("process.cpu.time_seconds_total", "k8s.pod.network.io_bytes_total"),
    ],
)
def test_remote_write_without_suffixes_and_with_dots(embedded: Store, cpu: str, network: str) -> None:
    """As an exporter told not to add suffixes has them, and one that keeps dots."""
    prometheus(embedded, cpu, k8s_cluster_name="prod")
    prometheus(embedded, network, k8s_cluster_name="prod")
    text = "| mstats sum(process.*) AS * sum(k8s.*) AS * WHERE index=* BY k8s.cluster.name"
    assert rows(embedded, text) == [{"k8s.cluster.name": "prod", "cpu.time": 3000, "pod.network.io": 3000}]


def test_remote_write_that_translates_nothing(embedded: Store) -> None:
    """Names come as OpenTelemetry has them (NoTranslation), without a suffix that tells of a counter."""
    for metric in ("process.cpu.time", "k8s.pod.network.io", "process.threads", "obi.network.flow.bytes"):
        prometheus(embedded, metric, (1000.0, 1000.0, 4000.0))
    sums = ("process.cpu.time", "k8s.pod.network.io", "tcp.bytes")
    asked = " ".join(f"sum({name}) AS {name}" for name in sums)
    text = f"| mstats {asked} max(process.threads) AS n WHERE index=*"
    assert rows(embedded, text) == [{**dict.fromkeys(sums, 3000), "n": 4000}]


def test_pod_traffic_and_containers_from_their_substitutes(embedded: Store) -> None:
    pod = {"namespace": "shop", "pod": "web-1", "interface": "eth0", "node": "n1", "cluster": "prod"}
    prometheus(embedded, "container_network_receive_bytes_total", **pod)
    prometheus(embedded, "container_network_transmit_bytes_total", **pod)
    prometheus(embedded, "container_network_receive_bytes_total", id="/", interface="eth0")  # the node's own
    text = "| mstats sum(k8s.pod.network.io) AS n WHERE index=* BY k8s.pod.name direction k8s.cluster.name"
    assert rows(embedded, text) == [
        {"k8s.pod.name": "web-1", "direction": direction, "k8s.cluster.name": "prod", "n": 3000}
        for direction in ("receive", "transmit")
    ]
    one = {"namespace": "shop", "pod": "web-1", "container": "main"}
    image = {"image": "registry:5000/shop/web:1.4@sha256:ab", "container_id": f"containerd://{ID}"}
    prometheus(embedded, "kube_pod_container_status_ready", (1.0,), **one, uid=UID)
    prometheus(embedded, "kube_pod_container_info", (1.0,), **one, **image)
    prometheus(embedded, "kube_pod_info", (1.0,), namespace="shop", pod="web-1", node="n7")
    names = "container.image.name container.image.tag container.id host.name k8s.container.name"
    assert rows(embedded, f"| mstats max(k8s.container.ready) AS n WHERE index=* BY {names}") == [
        {
            "container.image.name": "registry:5000/shop/web",
            "container.image.tag": "1.4",
            "container.id": ID,
            "host.name": "n7",
            "k8s.container.name": "main",
            "n": 1,
        }
    ]


@pytest.mark.more("distributed")
@pytest.mark.more("http")
def test_network_explorer_is_counted_by_zones_alone(store: Store) -> None:
    for aggregation in ("az_az", "id_id", "az_id"):
        put(store, "tcp.bytes", Kind.DELTA, (1.0, 2.0), aggregation=aggregation)
    assert rows(store, "| mstats sum(tcp.bytes) AS n WHERE index=*") == [{"n": 3}]
    assert rows(store, "| mstats sum(tcp.*) AS * WHERE index=*") == [{"bytes": 3}]
    # Whoever asks for others gets them.
    assert rows(store, "| mstats sum(tcp.bytes) AS n WHERE index=* aggregation=id_id") == [{"n": 3}]


def test_a_changed_mapping_holds_for_old_points(embedded: Store, tmp_path: Path) -> None:
    put(embedded, "our_bytes", Kind.GAUGE, CLIMBING, app="web", peer="db")
    assert rows(embedded, EDGES) == []
    mine = tmp_path / "mine.yml"
    mine.write_text(
        "metrics:\n"
        "  - name: tcp.bytes\n    from: our_bytes\n    kind: cumulative\n"
        "    set: {k8s.cluster.name: prod, source.namespace.name: shop, dest.namespace.name: data}\n"
        "    attributes: {source.workload.name: app, dest.workload.name: [nothing, peer]}\n",
        encoding="utf-8",
    )
    assert rows(embedded, EDGES, Naming(read_mapping((mine,)))) == [EDGE]
    assert rows(embedded, "| mstats max(our_bytes) AS n WHERE index=*") == [{"n": 4000}]


def test_what_no_rule_concerns_is_asked_as_before(embedded: Store) -> None:
    put(embedded, "tcp.bytes", Kind.DELTA, (1.0,), **{"source.workload.name": "web"})
    text = "| mstats sum(tcp.bytes) AS n WHERE index=* BY source.workload.name"
    plain, named = (search(embedded, text, naming=naming).rows for naming in (Naming(), BUILT_IN))
    assert plain == named


def test_summaries_do_not_answer_for_what_their_groups_cannot_tell(embedded: Store) -> None:
    """A cgroup is no part of a group, but pods may be taken from it; other names are in groups."""
    from kubestray.store.points import Span
    from kubestray.store.store import Store as Stores
    from kubestray.store.summarise import Summariser

    store = Stores(embedded.engine, embedded.layout, lambda: NOW + 30 * HOUR)
    known = {"container.id": ID, "k8s.pod.uid": UID, "k8s.pod.name": "web-1", "k8s.namespace.name": "shop"}
    put(store, "k8s.container.ready", Kind.GAUGE, (1.0,), **known)
    cgroup = {"process.cgroup": f"0::/kubepods.slice/kubepods-{POD}/crio-{ID}.scope"}
    put(store, "process.threads", Kind.GAUGE, (3.0, 5.0), **cgroup, **{"node": "n1"})
    put(store, "process.handles", Kind.GAUGE, (3.0, 5.0), **{"node": "n1"})
    summariser = Summariser(store, ("process.cgroup", "k8s.pod.uid"))
    while summariser.pass_once():
        pass
    span = Span(NOW - 2 * HOUR, NOW + 2 * HOUR)
    for metric, by, wanted in (
        ("process.threads", "k8s.namespace.name", [{"k8s.namespace.name": "shop", "n": 4}]),
        ("process.threads", "k8s.node.name", [{"k8s.node.name": "n1", "n": 4}]),
        ("process.handles", "k8s.node.name", [{"k8s.node.name": "n1", "n": 4}]),
    ):
        text = f"| mstats avg({metric}) AS n WHERE index=* BY {by}"
        for summaries in (True, False):
            found = search(store, text, naming=BUILT_IN, span=span, summaries=summaries).rows
            assert found == wanted, (metric, by, summaries)


@pytest.mark.parametrize("kind", [Kind.CUMULATIVE, Kind.GAUGE])
def test_who_asks_for_both_names_gets_a_series_once_under_each(store: Store, kind: Kind) -> None:
    """Received as another kind than it is by its other name: increases by one, by the other what was sent."""
    put(store, "flow_bytes", kind, CLIMBING, host="a")
    put(store, "flow.bytes", Kind.CUMULATIVE, CLIMBING, host="a", from_="elsewhere")
    named_so = Naming(NameMapping(metrics=(MetricRule("flow.bytes", "flow_bytes", Kind.CUMULATIVE),)))
    own, points = (3000, 3) if kind is Kind.CUMULATIVE else (8000, 4)
    measured = (
        "sum(flow.bytes) AS s count(flow.bytes) AS n sum(flow_bytes) AS own count(flow_bytes) AS points"
    )
    for span in ("", " span=30s"):
        for by in ("", " BY host"):
            found = rows(store, f"| mstats {measured} WHERE index=* earliest=-1h@h{by}{span}", named_so)
            sums = {name: sum(row.get(name, 0) for row in found) for name in ("s", "n", "own", "points")}
            assert sums == {"s": 6000, "n": 6, "own": own, "points": points}, (by, span)
    by_metric = rows(store, f"| mstats {measured} WHERE index=* BY metric_name", named_so)
    assert by_metric == [
        {"metric_name": "flow.bytes", "s": 6000, "n": 6},
        {"metric_name": "flow_bytes", "own": own, "points": points},
    ]
    text = '| mpreview index=* filter="metric_name IN (flow.bytes, flow_bytes)" | stats count BY metric_name'
    assert rows(store, text, named_so) == [
        {"metric_name": "flow.bytes", "count": 8},
        {"metric_name": "flow_bytes", "count": 4},
    ]
