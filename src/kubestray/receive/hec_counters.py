"""Which metrics of Splunk's HTTP Event Collector are counters.

The collector's exporter sends the raw value of a sum, and says ``"metric_type": "Sum"`` of counters
and of sums that rise and fall alike. A counter taken for a gauge has an average that climbs for
ever; so its name has to tell.

Source: metadata.yaml of the OpenTelemetry Collector's hostmetrics, kubeletstats, k8scluster and docker
receivers: their cumulative monotonic sums; and network flows of OBI. Network Explorer's are deltas.
"""

from __future__ import annotations

from kubestray.model.metric import Kind

_COUNTERS = frozenset(
    """
    process.cpu.time process.disk.io process.disk.operations process.paging.faults process.context_switches
    process.network.io
    k8s.pod.cpu.time k8s.pod.network.io k8s.pod.network.errors
    k8s.node.cpu.time k8s.node.network.io k8s.node.network.errors
    container.cpu.time container.cpu.usage.total container.cpu.usage.system
    container.cpu.usage.usermode container.cpu.usage.kernelmode container.cpu.usage.percpu
    container.network.io.usage.rx_bytes container.network.io.usage.tx_bytes
    container.network.io.usage.rx_dropped container.network.io.usage.tx_dropped
    container.network.io.usage.rx_errors container.network.io.usage.tx_errors
    container.network.io.usage.rx_packets container.network.io.usage.tx_packets
    container.blockio.io_service_bytes_recursive container.blockio.io_serviced_recursive
    system.cpu.time system.disk.io system.disk.io_time system.disk.merged system.disk.operation_time
    system.disk.operations system.disk.weighted_io_time system.network.dropped system.network.errors
    system.network.io system.network.packets system.paging.faults system.paging.operations
    system.processes.created
    obi.network.flow.bytes obi.network.flow.packets beyla.network.flow.bytes
    """.split()
)

_DELTAS = frozenset(
    """
    tcp.bytes tcp.packets tcp.retrans tcp.syn_timeouts tcp.new_sockets tcp.resets udp.bytes udp.packets
    udp.drops dns.responses dns.timeouts http.status_code
    """.split()
)

_CLIMBING = ("_total", "_bucket", "_count", "_sum")
"""Ends of the names that Prometheus and the exporter give to counters and to parts of histograms."""


def kind_of(metric: str, metric_type: str) -> Kind:
    """Return the kind of a metric by its name, and by its field ``metric_type``, empty if it has none.

    >>> kind_of("k8s.pod.network.io", "Sum"), kind_of("process.threads", "Sum")
    (<Kind.CUMULATIVE: 'cumulative'>, <Kind.GAUGE: 'gauge'>)
    """
    if metric_type == "Gauge":
        return Kind.GAUGE
    if metric in _COUNTERS or metric.endswith(_CLIMBING):
        return Kind.CUMULATIVE
    if metric_type == "Sum" and metric in _DELTAS:
        return Kind.DELTA
    return Kind.GAUGE
