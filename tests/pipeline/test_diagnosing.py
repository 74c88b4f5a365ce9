"""`doctor` on simulated stores: what each detection lacks, and the setting that is named for it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from helpers import HOUR, MINUTE, NOW, SECOND, batch, series, shared
from kubestray.collectors.registry import read_registry
from kubestray.config import load_config
from kubestray.detect.loader import load_content
from kubestray.model.content import Content
from kubestray.model.errors import UsageError
from kubestray.model.metric import BatchBuilder, Kind, Series
from kubestray.pipeline.diagnosing import Diagnosis, Sort, arrived, diagnose, sources_of
from kubestray.pipeline.needing import needs_of, running
from kubestray.pipeline.setting_up import built_in
from kubestray.simulate import SimulationConfig, simulate
from kubestray.store.points import Span
from kubestray.store.store import Store

FAMILIES = ("network", "process", "pod", "container")
LAST_HOUR = Span(NOW - HOUR, NOW)
REGISTRY = read_registry()
CONFIG = load_config({}, {}, None)

SEARCHES = {
    "shells": """| mstats avg(process.cpu.utilization) AS cpu avg(process.memory.utilization) AS memory
        WHERE index=* process.executable.name IN ("sh", "bash") BY host.name k8s.cluster.name process.pid""",
    "ratios": """| mstats avg(process.*) AS process.* WHERE index=*
        BY host.name process.executable.name span=10s
        | eval ratio = 'process.cpu.utilization' / 'process.threads'""",
    "resources": """| mstats avg(process.*) AS process.* WHERE index=*
        BY host.name k8s.node.name process.executable.name""",
    "pods": """| mstats avg(k8s.pod.network.io) AS io WHERE index=*
        BY k8s.cluster.name k8s.pod.name direction span=10s""",
    "images": """| mstats count(k8s.container.ready) AS n WHERE index=*
        BY host.name k8s.node.name container.image.name""",
    "edges": """| mstats avg(tcp.*) AS tcp.* avg(udp.*) AS udp.* WHERE index=*
        BY k8s.cluster.name source.workload.name dest.process.name
        | append [ mstats count(tcp.packets) AS n WHERE index=* BY dest.workload.name ]""",
    "filled": "| mstats sum(tcp.bytes) AS n WHERE index=* BY source.process.name fillnull_value=unknown",
    "spread": "| mstats avg(process.*) AS avg_process.* stdev(*) AS stdev_* WHERE index=* BY host.name",
    "anything": "| mstats count(*) AS * WHERE index=* | rename 'a.b' AS c",
    "calm": "| makeresults",
}


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> Content:
    folder = tmp_path_factory.mktemp("content")
    for number, (name, text) in enumerate(SEARCHES.items()):
        detection = {
            "name": name,
            "id": f"11111111-1111-1111-1111-{number:012}",
            "type": "Baseline" if name == "pods" else "Anomaly",
            "search": text,
        }
        if name != "pods":
            rba = {"message": "x", "risk_objects": [{"field": "host", "type": "system", "score": 5}]}
            detection |= {"rba": rba}
        (folder / f"{name}.yml").write_text(yaml.safe_dump(detection))
    return load_content([folder])


def fill(store: Store, families: Collection[str], without: Collection[str] = ()) -> None:
    """Put ten minutes of a simulated cluster into a store, without some attributes."""
    start, end = NOW - 10 * MINUTE, NOW
    made = simulate(SimulationConfig(start_ns=start, end_ns=end, nodes=1, processes=5))
    for part in made.batches(start, end, 600, families):
        builder = BatchBuilder()
        for key, time, begun, value in zip(part.series_id, part.time, part.start, part.value, strict=True):
            known = part.series[int(key)]
            kept = {name: text for name, text in known.attributes if name not in without}
            builder.add(Series.of(known.metric, known.kind, known.unit, kept), int(time), int(begun), value)
        store.append(builder.build())


def diagnosed(content: Content, sorts: list[Sort]) -> dict[str, Diagnosis]:
    return {
        search.name: diagnose(search, needs_of(search, CONFIG, content), sorts, REGISTRY)
        for search in running(content)
    }


def fixes(one: Diagnosis) -> dict[str, list[str]]:
    return {fix["setting"]: fix["brings"] for fix in one.as_json()["fixes"]}


def test_what_searches_need_is_read_from_them(content):
    found = {search.name: needs_of(search, CONFIG, content) for search in running(content)}
    shells, ratios, pods, edges = (found[name][0] for name in ("shells", "ratios", "pods", "edges"))
    assert shells.metrics == ("process.cpu.utilization", "process.memory.utilization")
    assert shells.attributes == ("host.name", "k8s.cluster.name", "process.pid", "process.executable.name")
    assert set(ratios.metrics) == {"process.*", "process.cpu.utilization", "process.threads"}
    assert pods.attributes == ("k8s.cluster.name", "k8s.pod.name", "direction")
    assert edges.metrics == ("tcp.*", "udp.*", "tcp.packets")
    assert found["edges"][1].attributes == ("dest.workload.name",)
    assert found["filled"][0].required == frozenset()
    assert found["spread"][0].metrics == ("process.*",)
    assert found["anything"][0].metrics == ("*",)
    assert found["calm"] == []


def test_attributes_that_a_clause_holds_without_are_not_required(content):
    clauses = {
        "a=1 b!=1 c IN (1, 2)": {"a", "b", "c"},
        "NOT a IN (1, 2) NOT b=1": set(),
        "(a=1 OR b=1)": set(),
        "((a=1 b=1) OR a=2) c=3": {"a", "c"},
        "(a IN (1, 2) OR (NOT a=* NOT b=*))": set(),
    }
    for clause, required in clauses.items():
        text = f"| mstats sum(tcp.bytes) WHERE index=* {clause} BY k8s.cluster.name"
        search = replace(content.detections["edges"], search=text, where=None)
        (need,) = needs_of(search, CONFIG, content)
        assert need.required == required | {"k8s.cluster.name"}, clause


def test_everything_arrives_but_what_no_collector_sends(embedded, content):
    fill(embedded, FAMILIES)
    found = diagnosed(content, arrived(embedded, LAST_HOUR))
    assert {name for name, one in found.items() if one.status == "ready"} == set(SEARCHES) - {"images"}
    images = found["images"]
    assert (images.status, images.gives_rows) == ("partial", False)
    assert images.as_json()["attributes"] == {
        "found": ["k8s.node.name", "container.image.name"],
        "missing": ["host.name"],
    }
    (fix,) = images.as_json()["fixes"]
    assert fix["setting"].startswith("transform processor, host.name")
    (statement,) = yaml.safe_load(fix["yaml"])["processors"]["transform/host"]["metric_statements"][0][
        "statements"
    ]
    assert 'set(attributes["host.name"], attributes["k8s.node.name"])' in statement


def test_processes_left_out(embedded, content):
    fill(embedded, set(FAMILIES) - {"process"})
    found = diagnosed(content, arrived(embedded, LAST_HOUR))
    assert {name for name, one in found.items() if one.status == "missing"} == {
        "shells",
        "ratios",
        "resources",
        "spread",
    }
    (fix,) = (fix for fix in found["shells"].as_json()["fixes"] if "process.cpu.utilization" in fix["brings"])
    scraper = yaml.safe_load(fix["yaml"])["receivers"]["hostmetrics"]["scrapers"]["process"]
    assert scraper["metrics"] == {name: {"enabled": True} for name in found["shells"].metrics}
    assert all(scraper[f"mute_process_{what}_error"] for what in ("name", "exe", "io", "user", "cgroup"))
    assert found["resources"].metrics == {"process.*": False}
    assert found["resources"].more[:2] == ["process.cpu.utilization", "process.memory.utilization"]
    assert "hostmetrics receiver, process scraper" in fixes(found["resources"])
    # Nobody sends process.pid; other sources have host.name, so what brings it is there.
    assert [name for names in fixes(found["shells"]).values() for name in names] == [
        *found["shells"].metrics,
        "process.pid",
        "process.executable.name",
    ]


@pytest.mark.parametrize(
    ("left_out", "name", "setting", "key"),
    [
        ("pod", "pods", "kubeletstats receiver, metric group pod", "receivers.kubeletstats.metric_groups"),
        ("container", "images", "k8s_cluster receiver", "receivers.k8s_cluster.auth_type"),
        ("network", "edges", "OpenTelemetry Network", "endpoint.address"),
    ],
)
def test_a_source_left_out(embedded, content, left_out, name, setting, key):
    fill(embedded, set(FAMILIES) - {left_out})
    one = diagnosed(content, arrived(embedded, LAST_HOUR))[name]
    assert one.status == "missing"
    fix = one.as_json()["fixes"][0]
    assert fix["setting"].startswith(setting)
    value = yaml.safe_load(fix["yaml"])
    for part in key.split("."):
        value = value[part]


@pytest.mark.parametrize(
    ("attribute", "name", "setting"),
    [
        ("host.name", "shells", "resourcedetection processor, detector system"),
        ("k8s.cluster.name", "pods", "resource processor, k8s.cluster.name"),
        ("k8s.node.name", "resources", "resource processor, k8s.node.name"),
        ("k8s.pod.name", "pods", "k8sattributes processor, extraction rules"),
        ("process.pid", "shells", "hostmetrics receiver, process scraper"),
        ("dest.process.name", "edges", "OpenTelemetry Network"),
    ],
)
def test_an_attribute_left_out(embedded, content, attribute, name, setting):
    fill(embedded, FAMILIES, without={attribute})
    one = diagnosed(content, arrived(embedded, LAST_HOUR))[name]
    assert one.status == "partial"
    assert not one.gives_rows
    assert one.as_json()["attributes"]["missing"] == [attribute]
    ((named, brought),) = fixes(one).items()
    assert named.startswith(setting)
    assert brought == [attribute]


def test_a_stand_in_serves_but_is_told(content):
    one = diagnosed(content, [Sort("tcp.bytes", frozenset({"source.workload.name"}), 3)])["filled"]
    assert (one.status, one.gives_rows) == ("partial", True)
    assert one.attributes == {"source.process.name": False}


def test_series_that_lack_an_attribute_are_counted(content):
    whole = frozenset({"k8s.cluster.name", "k8s.pod.name", "direction"})
    sorts = [Sort("k8s.pod.network.io", whole, 5), Sort("k8s.pod.network.io", whole - {"direction"}, 2)]
    one = diagnosed(content, sorts)["pods"]
    assert one.status == "ready"
    assert one.series == {"arrived": 7, "usable": 5, "lacking": ["direction"]}


def test_a_wildcard_takes_metrics_that_can_serve(content):
    whole = frozenset({"host.name", "k8s.node.name", "process.executable.name"})
    sorts = [Sort("process.cpu.time", whole, 5), Sort("process.runtime.gc", frozenset({"service.name"}), 1)]
    one = diagnosed(content, sorts)["resources"]
    assert one.status == "ready"
    assert one.metrics == {"process.cpu.time": True}
    assert "process.threads" in one.more
    assert any("process.threads" in brings for brings in fixes(one).values())


def test_what_a_sender_lacks_will_be_lacking_on_its_other_metrics(content):
    """The kubelet's collector knows the host; that of processes does not."""
    sorts = [
        Sort("process.cpu.time", frozenset({"process.executable.name", "process.pid"}), 5),
        Sort("k8s.pod.network.io", frozenset({"host.name", "k8s.cluster.name"}), 5),
    ]
    found = fixes(diagnosed(content, sorts)["shells"])
    assert found["resourcedetection processor, detector system"] == ["host.name"]
    assert found["resource processor, k8s.cluster.name"] == ["k8s.cluster.name"]


def test_remote_write_is_recognised(content):
    sorts = [Sort("process_cpu_utilization_ratio", frozenset({"state"}), 3)]
    one = diagnosed(content, sorts)["shells"]
    assert one.status == "missing"
    assert fixes(one)["otlp exporter instead of prometheusremotewrite"] == ["process.cpu.utilization"]
    (source,) = (source.as_json() for source in sources_of(sorts, REGISTRY))
    assert source["attributes"]["missing"] == ["process_pid", "k8s_cluster_name"]
    (fix,) = source["fixes"]
    exporter = yaml.safe_load(fix["yaml"])["exporters"]["prometheusremotewrite"]
    assert exporter == {"resource_to_telemetry_conversion": {"enabled": True}}


@pytest.mark.parametrize(
    ("source", "metric", "has", "lacks", "setting"),
    [
        (
            "NetObserv",
            "netobserv_workload_egress_bytes_total",
            {"SrcK8S_OwnerName", "DstK8S_OwnerName"},
            ["K8S_ClusterName"],
            "NetObserv, metrics by workload and the cluster's name",
        ),
        (
            "Retina",
            "networkobservability_adv_forward_bytes",
            {"namespace", "podname", "direction"},
            ["source_namespace", "destination_namespace"],
            "Retina, remote context",
        ),
        (
            "cAdvisor",
            "container_network_receive_bytes_total",
            {"id", "interface"},
            ["pod", "namespace"],
            "cAdvisor, as the kubelet has it",
        ),
    ],
)
def test_what_a_substitute_lacks_and_what_brings_it(source, metric, has, lacks, setting):
    (one,) = (each.as_json() for each in sources_of([Sort(metric, frozenset(has), 2)], REGISTRY))
    assert (one["name"], one["attributes"]["missing"]) == (source, lacks)
    assert [(fix["setting"], fix["brings"]) for fix in one["fixes"]] == [(setting, lacks)]


def test_sources_by_what_they_send(embedded):
    fill(embedded, FAMILIES)
    sources = {one.source.name: one for one in sources_of(arrived(embedded, LAST_HOUR), REGISTRY)}
    assert list(sources) == [
        "hostmetrics receiver, process scraper",
        "k8s_cluster receiver",
        "kubeletstats receiver",
        "OpenTelemetry Network (eBPF)",
    ]
    assert sources["k8s_cluster receiver"].metrics == ["k8s.container.ready"]
    assert all(one.series and not one.as_json()["attributes"]["missing"] for one in sources.values())


def test_only_the_time_range_counts(store):
    old, new = (series(name, Kind.GAUGE, pod="a") for name in ("old", "new"))
    store.append(batch([(old, NOW - HOUR - SECOND, 0, 1), (new, NOW - HOUR, 0, 1), (old, NOW, 0, 1)]))
    assert arrived(store, LAST_HOUR) == [Sort("new", frozenset({"pod"}), 1)]


def test_settings_of_the_users_come_first(tmp_path, content):
    file = tmp_path / "own.yml"
    file.write_text("settings: [{name: ours, metrics: ['process.*'], why: because, yaml: 'a: {name}'}]")
    registry = read_registry([file])
    search = content.detections["shells"]
    one = diagnose(search, needs_of(search, CONFIG, content), [], registry)
    assert one.as_json()["fixes"][0] == {
        "setting": "ours",
        "brings": ["process.cpu.utilization", "process.memory.utilization"],
        "why": "because",
        "yaml": "a: process.cpu.utilization\na: process.memory.utilization\n",
    }
    for wrong in ("settings: [{metrics: [a]}]", "sources: [{name: a, metric: b}]", "- a", "a: ["):
        file.write_text(wrong)
        with pytest.raises(UsageError, match=r"own\.yml"):
            read_registry([file])


def test_what_nobody_knows_is_told():
    assert REGISTRY.for_metric("made.up") is None
    assert REGISTRY.for_attribute("made.up", "process.threads") is None


def test_every_entry_is_valid_yaml():
    for setting in REGISTRY.settings:
        assert yaml.safe_load(setting.written(["a.b", "c.d"])), setting.name
        assert setting.why


def test_the_published_story_and_ours(embedded):
    """Its searches find what they need in a simulated cluster, and a setting for all they lack."""
    everything = load_content([built_in(), Path(shared("escu"))])
    fill(embedded, FAMILIES)
    found = diagnosed(everything, arrived(embedded, LAST_HOUR))
    assert len(found) >= 19
    assert {name for name, one in found.items() if one.status != "ready"} == {
        "Kubernetes Previously Unseen Container Image Name"
    }
    over_risk = {name for name, one in everything.detections.items() if one.type == "Correlation"}
    for name, one in diagnosed(everything, []).items():
        assert one.status == ("ready" if name in over_risk else "missing"), name
        assert "not known here" not in fixes(one), (name, fixes(one))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("settings: 5", "settings: expected a list"),
        ("settings:\n  - {why: x}", "settings: entry 1: it has a name"),
        (
            "settings:\n  - {name: a, metrics: [b]}\n  - {name: a, metric: b}",
            "settings: entry 2: it has a name",
        ),
        ("sources:\n  - {name: a, metrics: 5}", "metrics: expected a list of texts"),
        ("setting: []", "expected the keys settings and sources"),
    ],
)
def test_what_is_wrong_with_a_settings_file_is_told(tmp_path, text, told):
    file = tmp_path / "own.yml"
    file.write_text(text)
    with pytest.raises(UsageError, match=told):
        read_registry([file])


def test_the_example_of_the_page_is_a_settings_file(tmp_path):
    page = (built_in().parent / "docs/collectors.md").read_text()
    file = tmp_path / "own.yml"
    file.write_text(page.split("```yaml\n")[1].split("```")[0])
    registry = read_registry([file])
    setting = registry.for_attribute("peer.name", "flow.bytes")
    assert setting is not None
    assert setting.name == "our agent, option flows"
    assert registry.source_of("flow.bytes", ()).name == "our agent"
