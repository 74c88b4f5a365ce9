"""The OpenTelemetry SDK as a client: one instrument of each kind, exported once."""

from __future__ import annotations

from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from kubestray.model.metric import Kind


def exported(exporter, receivers) -> None:
    """Export through ``exporter`` and assert that the store of ``receivers`` got it all."""
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    provider = MeterProvider(
        [reader], resource=Resource({"service.name": "checkout"}), shutdown_on_exit=False
    )
    meter = provider.get_meter("test")
    meter.create_counter("requests", unit="{request}").add(3, {"path": "/"})
    meter.create_up_down_counter("open").add(-2)
    meter.create_histogram("duration", unit="s").record(1.5)
    meter.create_observable_gauge("temperature", [lambda _: [Observation(21.5, {"room": 1})]])
    assert provider.force_flush(20_000)
    provider.shutdown()
    stored = {
        (series.metric, series.kind, value): dict(series.attributes)
        for batch in receivers.store.batches
        for series, value in zip(
            map(batch.series.get, batch.series_id.tolist()), batch.value.tolist(), strict=True
        )
    }
    assert set(stored) == {
        ("requests", Kind.CUMULATIVE, 3.0),
        ("open", Kind.GAUGE, -2.0),
        ("duration.count", Kind.CUMULATIVE, 1.0),
        ("duration.sum", Kind.CUMULATIVE, 1.5),
        ("duration.min", Kind.GAUGE, 1.5),
        ("duration.max", Kind.GAUGE, 1.5),
        ("temperature", Kind.GAUGE, 21.5),
    }
    assert stored["requests", Kind.CUMULATIVE, 3.0] == {"service.name": "checkout", "path": "/"}
    assert stored["temperature", Kind.GAUGE, 21.5]["room"] == "1"
