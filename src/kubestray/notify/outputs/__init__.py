"""The outputs, one module each, named as the ``type`` in the configuration; a line here registers it."""

from __future__ import annotations

from importlib import import_module

from kubestray.notify.output import Output

OUTPUTS = {
    "ocsf_file": "OcsfFile",
    "ocsf_webhook": "OcsfWebhook",
    "alertmanager": "Alertmanager",
    "slack": "Slack",
    "pagerduty": "Pagerduty",
    "splunk_hec": "SplunkHec",
    "webhook": "Webhook",
    "falcosidekick": "Falcosidekick",
    "otlp_logs": "OtlpLogs",
    "ecs": "Ecs",
}
"""The class of each type."""


def output_class(kind: str) -> type[Output]:
    """Return the class of a type of output."""
    found: type[Output] = getattr(import_module(f"{__name__}.{kind}"), OUTPUTS[kind])
    return found
