"""`collector-config`: for every chart and protocol YAML that holds together, and no secret."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from product import run

from kubestray.collectors.values import CHARTS, PROTOCOLS, Wanted, values
from kubestray.model.errors import UsageError

PROCESS = {
    "process.cpu.utilization",
    "process.memory.utilization",
    "process.disk.operations",
    "process.threads",
}
FROM_CHART = {"memory_limiter", "batch", "otlp"}
"""What the charts define themselves, as their templates have it."""

every = pytest.mark.parametrize("chart", CHARTS), pytest.mark.parametrize("protocol", PROTOCOLS)


def on_every(test):
    for mark in every:
        test = mark(test)
    return test


def made(chart: str, protocol: str, **more: str) -> dict[str, Any]:
    return yaml.safe_load(values(Wanted(chart, protocol, **more)))


def configs(chart: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the collectors' own configurations in a chart's values."""
    match chart:
        case "splunk":
            return [values["agent"]["config"], values["clusterReceiver"]["config"]]
        case "upstream":
            return [values["config"]]
    return [values]


def receivers(chart: str, protocol: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for config in configs(chart, made(chart, protocol)):
        found |= {name.partition("/")[0]: value for name, value in config["receivers"].items()}
    return found


@on_every
def test_pipelines_name_only_what_there_is(chart, protocol):
    for config in configs(chart, made(chart, protocol)):
        for name, pipeline in config["service"]["pipelines"].items():
            for kind in ("receivers", "processors", "exporters"):
                known = set(config[kind]) | (set() if chart == "plain" else FROM_CHART)
                assert set(pipeline.get(kind, ())) <= known, (name, kind)
            assert PROTOCOLS[protocol] in pipeline["exporters"]
            assert re.match(r"batch", pipeline.get("processors", ["batch"])[-1])


@on_every
def test_the_process_scraper_is_on(chart, protocol):
    host = receivers(chart, protocol)["hostmetrics"]
    scraper = host["scrapers"]["process"]
    assert {name for name, setting in scraper["metrics"].items() if setting["enabled"]} == PROCESS
    assert all(scraper[f"mute_process_{what}_error"] for what in ("name", "exe", "io", "user", "cgroup"))
    assert host["collection_interval"] == "10s"


@pytest.mark.parametrize("chart", ["splunk", "upstream"])
def test_processes_of_all_users_can_be_read(chart):
    values = made(chart, "otlp")
    context = (values["agent"] if chart == "splunk" else values)["securityContext"]
    assert context == {"runAsUser": 0, "runAsGroup": 0, "capabilities": {"add": ["SYS_PTRACE"]}}


@on_every
def test_the_kubelet_is_asked_for_pods(chart, protocol):
    kubelet = receivers(chart, protocol)["kubeletstats"]
    assert kubelet["metric_groups"] == ["pod"]
    assert kubelet["auth_type"] == "serviceAccount"


def test_who_watches_the_cluster():
    assert receivers("splunk", "otlp")["k8s_cluster"]["auth_type"] == "serviceAccount"
    assert made("upstream", "otlp")["presets"]["clusterMetrics"]["enabled"] is True
    plain = made("plain", "otlp")
    elector = plain["receivers"]["k8s_cluster"]["k8s_leader_elector"]
    assert elector in plain["extensions"]
    assert elector in plain["service"]["extensions"]


@on_every
def test_what_container_ready_lacks_is_added(chart, protocol):
    config = configs(chart, made(chart, protocol))[-1]
    order = config["service"]["pipelines"]["metrics"]["processors"]
    statement = config["processors"]["transform/kubestray_host"]["metric_statements"][0]["statements"][0]
    assert statement.startswith('set(attributes["host.name"], attributes["k8s.node.name"])')
    later = [name for name in order if re.match(r"resourcedetection|resource/kubestray_node", name)]
    assert all(order.index("transform/kubestray_host") < order.index(name) for name in later)


@on_every
def test_every_point_gets_the_cluster(chart, protocol):
    for config in configs(chart, made(chart, protocol, cluster="prod-1")):
        added = config["processors"]["resource/kubestray_cluster"]["attributes"]
        assert added == [{"action": "insert", "key": "k8s.cluster.name", "value": "prod-1"}]
        for name, pipeline in config["service"]["pipelines"].items():
            if name in ("metrics", "metrics/kubestray_edges"):
                assert "resource/kubestray_cluster" in pipeline["processors"]


@on_every
def test_the_token_is_named_and_not_there(chart, protocol):
    text = values(Wanted(chart, protocol, variable="MY_TOKEN"))
    found = yaml.safe_load(text)
    for config in configs(chart, found):
        exporter = config["exporters"][PROTOCOLS[protocol]]
        assert "${env:MY_TOKEN}" in str(exporter)
    if chart == "splunk":
        assert found["secret"] == {"create": False, "name": "kubestray-token"}
    if chart != "plain":
        given = (found["agent"] if chart == "splunk" else found)["extraEnvs"]
        assert next(one for one in given if one["name"] == "MY_TOKEN")["valueFrom"]["secretKeyRef"]


@pytest.mark.parametrize(
    ("protocol", "key", "url"),
    [
        ("otlp", "endpoint", "stray.example:4000"),
        ("otlphttp", "endpoint", "http://stray.example:4000"),
        ("remotewrite", "endpoint", "http://stray.example:4000/api/v1/write"),
        ("signalfx", "ingest_url", "http://stray.example:4000"),
        ("splunkhec", "endpoint", "http://stray.example:4000/services/collector"),
    ],
)
def test_where_it_is_sent(protocol, key, url):
    plain = made("plain", protocol, endpoint="stray.example:4000")
    assert plain["exporters"] == {PROTOCOLS[protocol]: plain["exporters"][PROTOCOLS[protocol]]}
    assert plain["exporters"][PROTOCOLS[protocol]][key] == url
    secure = made("plain", protocol, endpoint="https://stray.example:4000")["exporters"][PROTOCOLS[protocol]]
    assert secure[key] == url.replace("http:", "https:")
    assert secure.get("tls", {"insecure": False}) == {"insecure": False}


@pytest.mark.parametrize("chart", CHARTS)
def test_remote_write_keeps_resources_apart_and_adds_increases_up(chart):
    config = configs(chart, made(chart, "remotewrite"))[0]
    assert (
        config["exporters"][PROTOCOLS["remotewrite"]]["resource_to_telemetry_conversion"]["enabled"] is True
    )
    assert (
        "deltatocumulative/kubestray"
        in config["service"]["pipelines"]["metrics/kubestray_edges"]["processors"]
    )
    assert "deltatocumulative/kubestray" not in str(made(chart, "otlp"))


@pytest.mark.parametrize("chart", CHARTS)
def test_every_setting_says_why(chart):
    text = values(Wanted(chart, "otlp"))
    assert "@" not in re.sub(r"#.*", "", text)
    for why in ("helm install edges", "images never seen before", "network IO of pods", "shells on nodes"):
        assert why in text


@pytest.mark.parametrize("endpoint", ["", "host:99999", "a b:1", "http://x:1/path", "user:pw@host:1"])
def test_a_wrong_endpoint_is_told(endpoint):
    if endpoint:
        with pytest.raises(UsageError, match="--endpoint"):
            values(Wanted(endpoint=endpoint))
    else:
        assert "kubestray.kubestray.svc:4317" in values(Wanted(endpoint=endpoint))


def test_the_command():
    told = run("collector-config", "--chart", "upstream", "--protocol", "otlphttp", "--cluster", "c1")
    assert told.code == 0
    assert told.out == values(Wanted("upstream", "otlphttp", cluster="c1"))
    run("collector-config", "--token-env", "s3cret token").failed(2, "not the token")
    run("collector-config", "--cluster", 'x"').failed(2, "--cluster")
    run("collector-config", "--chart", "other").failed(2, "splunk")
