"""Ready configurations of collectors: a template for each chart, and the parts that they share.

In a template ``@part NAME`` stands for a file of ``parts/`` at the same indentation, ``@part? NAME`` for one
that only some protocols need, and ``@{name}`` for a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kubestray.model.errors import UsageError

_HERE = Path(__file__).parent
_PART = re.compile(r"( *)@part(\?)? (\S+)")
_VALUE = re.compile(r"@\{(\w+)\}")

CHARTS = {
    "splunk": "collector-splunk-otel-collector-agent",
    "upstream": "collector-opentelemetry-collector",
    "plain": "ADDRESS-OF-THE-COLLECTOR",
}
"""The charts, and where the collectors that they install take OTLP."""

PROTOCOLS = {
    "otlp": "otlp/kubestray",
    "otlphttp": "otlphttp/kubestray",
    "remotewrite": "prometheusremotewrite/kubestray",
    "signalfx": "signalfx/kubestray",
    "splunkhec": "splunk_hec/kubestray",
}
"""The protocols, and the exporter of each."""

_GRPC_PORT, _HTTP_PORT = 4317, 4318
_HOST = "kubestray.kubestray.svc"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a configuration is for. ``endpoint`` is HOST:PORT, with https:// before it for TLS."""

    chart: str = "splunk"
    protocol: str = "otlp"
    endpoint: str = ""
    cluster: str = "my-cluster"
    variable: str = "KUBESTRAY_TOKEN"
    """The environment variable that holds the token."""


def values(wanted: Wanted) -> str:
    """Return a configuration as YAML with comments; raise `UsageError` where something cannot be in one."""
    filled = _filled(wanted)
    lines = _lines(_HERE / "templates" / f"{wanted.chart}.yaml", filled, "")
    return "\n".join(lines) + "\n"


def _filled(wanted: Wanted) -> dict[str, str]:
    """Return what the templates' values stand for; an optional part is there if its name is a value."""
    scheme, host, port = _endpoint(wanted)
    _checked("--cluster", wanted.cluster, r"[\w.-]+", "letters, digits, dots, dashes and underscores")
    _checked(
        "--token-env", wanted.variable, r"[A-Za-z_]\w*", "the name of an environment variable, not the token"
    )
    batch = "batch/kubestray" if wanted.chart == "splunk" else "batch"
    sums = wanted.protocol == "remotewrite"
    return {
        "protocol": wanted.protocol,
        "exporter": PROTOCOLS[wanted.protocol],
        "endpoint": f"{host}:{port}",
        "http_endpoint": f"{host}:{_HTTP_PORT if wanted.protocol == 'otlp' else port}",
        "scheme": scheme,
        "insecure": "false" if scheme == "https" else "true",
        "cluster": wanted.cluster,
        "token": wanted.variable,
        "node_name": "KUBESTRAY_NODE_NAME" if wanted.chart == "upstream" else "K8S_NODE_NAME",
        "node_ip": "K8S_NODE_IP",
        "otlp_service": CHARTS[wanted.chart],
        "edge_processors": f"deltatocumulative/kubestray, {batch}" if sums else batch,
        **({"delta": ""} if sums else {}),
    }


def _endpoint(wanted: Wanted) -> tuple[str, str, str]:
    """Return scheme, host and port."""
    usual = _GRPC_PORT if wanted.protocol == "otlp" else _HTTP_PORT
    text = wanted.endpoint or f"{_HOST}:{usual}"
    found = re.fullmatch(r"(?:(https?)://)?([\w.-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?/?", text)
    if not found or int(found[3] or 0) > 65535:
        raise UsageError(f"--endpoint {text}: expected HOST:PORT, for example {_HOST}:{usual}")
    return found[1] or "http", found[2], found[3] or str(usual)


def _checked(flag: str, value: str, pattern: str, expected: str) -> None:
    if not re.fullmatch(pattern, value):
        raise UsageError(f"{flag}: expected {expected}")  # not what was given: it may be a secret


def _lines(path: Path, filled: Mapping[str, str], indent: str) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        text = _VALUE.sub(lambda found: filled[found[1]], line)
        part = _PART.fullmatch(text)
        if part is None:
            yield (indent + text).rstrip()
        elif not part[2] or part[3] in filled:
            yield from _lines(_HERE / "parts" / f"{part[3]}.yaml", filled, indent + part[1])
