"""How much went over each edge between workloads in a time, told by metrics of bytes."""

from __future__ import annotations

from kubestray.api.remembering import remembered
from kubestray.model.entity import Entity
from kubestray.model.errors import LimitExceeded
from kubestray.pipeline.running import Running
from kubestray.search.run import run_search
from kubestray.store.points import Span

Ends = tuple[Entity, Entity]

_MINUTE = 60 * 10**9
_HOUR = 60 * _MINUTE
_BYTES = ("tcp.bytes", "udp.bytes")
"""What senders of other names are found by too: `naming/mapping.yml`."""
_KEYS = (
    "k8s.cluster.name",
    "source.namespace.name",
    "source.workload.name",
    "dest.namespace.name",
    "dest.workload.name",
)


def volumes(running: Running, begin: int, end: int) -> dict[Ends, float]:
    """Return the bytes of each edge in a time range (ns), which is taken a little wider: summaries of whole
    hours answer long ones, and one answer serves for some minutes. Empty if it is more than a search may
    read: a map without is better than none.
    """
    size, step = (_HOUR, 5 * _MINUTE) if end - begin > 6 * _HOUR else (_MINUTE, _MINUTE)
    span = Span(begin // size * size, -(-end // step) * step)
    return remembered(running, ("volumes", span), step / 1e9, lambda: _volumes(running, span))


def _volumes(running: Running, span: Span) -> dict[Ends, float]:
    sums = " ".join(f"sum({name})" for name in _BYTES)
    text = f'| mstats {sums} where index=* BY {" ".join(_KEYS)} fillnull_value=""'
    try:
        found = run_search(running.request(text, span.latest or running.clock(), span), running.store.query)
    except LimitExceeded:
        return {}
    made: dict[Ends, float] = {}
    for row in found.rows:
        cluster, source_namespace, source, dest_namespace, dest = (row.get(name) or "" for name in _KEYS)
        ends = (
            Entity("workload", cluster, source_namespace, source),
            Entity("workload", cluster, dest_namespace, dest),
        )
        made[ends] = made.get(ends, 0.0) + sum(row.get(f"sum({name})") or 0.0 for name in _BYTES)
    return made
