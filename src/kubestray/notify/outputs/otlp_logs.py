"""Log records in OTLP over HTTP (protobuf), for any OpenTelemetry collector.

The body is the OCSF event as JSON. ``event_name`` is ``kubestray.finding`` or ``kubestray.incident``;
``kubestray.change.uid`` is the key of the change.
"""

from __future__ import annotations

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber

from kubestray import __version__
from kubestray.notify import ocsf, words
from kubestray.notify.http_output import Body, HttpOutput
from kubestray.notify.notice import Notice
from kubestray.notify.output import NotDelivered

_PROTOBUF = {"Content-Type": "application/x-protobuf"}
_SEVERITIES = (
    SeverityNumber.SEVERITY_NUMBER_INFO,
    SeverityNumber.SEVERITY_NUMBER_INFO2,
    SeverityNumber.SEVERITY_NUMBER_WARN,
    SeverityNumber.SEVERITY_NUMBER_ERROR,
    SeverityNumber.SEVERITY_NUMBER_FATAL,
)
_NAMES = {
    "cluster": "k8s.cluster.name",
    "namespace": "k8s.namespace.name",
    "node": "k8s.node.name",
    "pod": "k8s.pod.name",
    "container": "k8s.container.name",
    "process": "process.executable.name",
    "image": "container.image.name",
}


class OtlpLogs(HttpOutput):
    """Exports a log record a change."""

    path = "/v1/logs"
    announces = False

    def body(self, notice: Notice) -> Body:
        """Return the request."""
        return payload(notice)

    def deliver(self, notice: Notice) -> None:
        """Export the record; raise if the collector says that it rejected it."""
        answer = self._client.post(self._client.url(self.path), *self.body(notice)).body
        try:
            partial = ExportLogsServiceResponse.FromString(answer).partial_success
        except DecodeError:
            return  # it said 2xx; some say it in other words
        if partial.rejected_log_records:
            told = self._client.redacted(partial.error_message)
            raise NotDelivered(f"{self.where} rejected the log record: {told}", permanent=True)


def payload(notice: Notice) -> Body:
    """Return the request and its headers."""
    document = notice.document
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.extend(
        [_text("service.name", "kubestray"), _text("service.version", __version__)]
    )
    record = resource.scope_logs.add(
        scope={"name": "kubestray.notify", "version": __version__}
    ).log_records.add()
    record.time_unix_nano = record.observed_time_unix_nano = notice.change.time
    record.severity_number = _SEVERITIES[words.level(document)]
    record.severity_text = document["severity"]
    record.event_name = f"kubestray.{document['kind']}"
    record.body.string_value = ocsf.line(notice).decode()
    parts = words.parts_of(words.entity_of(document))
    told = {_NAMES[name]: value for name, value in parts.items() if name in _NAMES} | {
        "kubestray.id": notice.id,
        "kubestray.change": notice.change.change,
        "kubestray.change.uid": notice.uid,
        "kubestray.entity": document["entity"],
        "kubestray.state": document["state"],
    }
    record.attributes.extend(_text(name, value) for name, value in told.items())
    record.attributes.append(
        KeyValue(key="kubestray.score", value=AnyValue(double_value=float(document["score"])))
    )
    return request.SerializeToString(), _PROTOBUF


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))
