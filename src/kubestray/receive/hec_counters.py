"""Which metrics of Splunk's HTTP Event Collector are counters.

The collector's exporter sends the raw value of a sum, and says ``"metric_type": "Sum"`` of counters
and of sums that rise and fall alike. A counter taken for a gauge has an average that climbs for
ever; so its name has to tell.

The names are ``counters`` of the mapping (`naming/mapping.yml`), which users can add to.
"""

from __future__ import annotations

from collections.abc import Mapping

from kubestray.model.metric import CLIMBING, Kind

Counters = Mapping[str, Kind]
"""Metrics that count, by name; all others are gauges."""


def kind_of(metric: str, metric_type: str, counters: Counters) -> Kind:
    """Return the kind of a metric by its name, and by its field ``metric_type``, empty if it has none.

    >>> counters = {"k8s.pod.network.io": Kind.CUMULATIVE}
    >>> kind_of("k8s.pod.network.io", "Sum", counters), kind_of("process.threads", "Sum", counters)
    (<Kind.CUMULATIVE: 'cumulative'>, <Kind.GAUGE: 'gauge'>)
    """
    if metric_type == "Gauge":
        return Kind.GAUGE
    known = counters.get(metric, Kind.GAUGE)
    if known is Kind.CUMULATIVE or metric.endswith(CLIMBING):
        return Kind.CUMULATIVE
    return known if metric_type == "Sum" else Kind.GAUGE
