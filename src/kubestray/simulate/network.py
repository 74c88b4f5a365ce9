"""Network edges as the OpenTelemetry network reducer reports them, at its zone-to-zone aggregation.

Everything is an attribute of the data point. Sums are deltas over one window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from kubestray.simulate import noise
from kubestray.simulate.edges import Edge
from kubestray.simulate.episode import TICK
from kubestray.simulate.noise import F64, I64, U64, Bool
from kubestray.simulate.series import Channel, Metric, Pairs, Resource, Shape, alive
from kubestray.simulate.stream import Streams

_AGENT: Final = "network-explorer"
_EDGES_A_RESOURCE: Final = 125
"""A request is not cut within a resource; the reducer sends about a thousand points at a time."""


@dataclass(frozen=True, slots=True)
class _Window:
    """What happened on some edges in the windows that end at some times; all f64[edges, n] or [edges, 1]."""

    bytes: F64
    load: F64
    """The bytes as a multiple of what is usual for the edge."""
    packet: F64
    sockets: F64
    open: F64
    rtt: F64
    failing: F64


Draw = tuple[F64, F64]
"""For every edge and time a standard normal and an independent uniform number."""
Formula = Callable[[_Window, Draw], F64]


def _bytes(window: _Window, _: Draw) -> F64:
    return window.bytes


def _packets(window: _Window, draw: Draw) -> F64:
    return np.ceil(window.bytes / window.packet * np.exp(0.08 * draw[0]))


def _some(mean: F64, draw: Draw, spread: float) -> F64:
    """Return whole numbers around a mean that is itself uncertain; small means give mostly zeros."""
    return np.floor(mean * np.exp(spread * draw[0]) + draw[1])


def _retrans(window: _Window, draw: Draw) -> F64:
    return _some(2.5e-4 * window.bytes / window.packet, draw, 1.0)


def _syn_timeouts(window: _Window, draw: Draw) -> F64:
    refused = 0.6 * window.failing * window.load
    return _some(window.sockets * (0.002 * np.minimum(window.load, 1.0) + refused), draw, 1.4)


def _new_sockets(window: _Window, draw: Draw) -> F64:
    return _some(window.sockets * (0.2 + 0.8 * window.load) * (window.load > 0), draw, 0.3)


def _resets(window: _Window, draw: Draw) -> F64:
    return _some((0.02 + 0.4 * window.failing) * window.sockets * window.load, draw, 1.0)


def _active(window: _Window, draw: Draw) -> F64:
    return np.rint(window.open * np.sqrt(np.minimum(window.load, 30.0)) * np.exp(0.1 * draw[0]))


def _rtt(window: _Window, draw: Draw) -> F64:
    # The reducer's metric says microseconds in its unit and holds seconds.
    return np.round(window.rtt * np.exp(0.18 * draw[0]) * (1.0 + 0.04 * np.sqrt(window.load)), 6)


def _drops(window: _Window, draw: Draw) -> F64:
    return _some(5e-5 * window.bytes / window.packet, draw, 1.2)


def _responses(window: _Window, draw: Draw) -> F64:
    return _some(0.97 * window.bytes / window.packet, draw, 0.02)


def _delta(name: str, unit: str = "1") -> Metric:
    return Metric(name, unit, Shape.DELTA, whole=True)


_TCP: Final[tuple[tuple[Metric, Formula], ...]] = (
    (_delta("tcp.bytes", "By"), _bytes),
    (_delta("tcp.packets"), _packets),
    (_delta("tcp.retrans"), _retrans),
    (_delta("tcp.syn_timeouts"), _syn_timeouts),
    (_delta("tcp.new_sockets"), _new_sockets),
    (_delta("tcp.resets"), _resets),
    (Metric("tcp.active", "1", Shape.GAUGE, whole=True), _active),
    (Metric("tcp.rtt.average", "us", Shape.GAUGE), _rtt),
)
_UDP: Final[tuple[tuple[Metric, Formula], ...]] = (
    (_delta("udp.bytes", "By"), _bytes),
    (_delta("udp.packets"), _packets),
    (_delta("udp.drops"), _drops),
    (Metric("udp.active", "1", Shape.GAUGE, whole=True), _active),
    (_delta("dns.responses"), _responses),
    (_delta("dns.timeouts"), _drops),
    (Metric("dns.active_sockets", "1", Shape.GAUGE, whole=True), _active),
    (Metric("dns.client.duration.average", "us", Shape.GAUGE), _rtt),
)
_FORMULAS: Final = (*_TCP, *_UDP)


class NetworkFamily:
    """The channels of all edges: for each edge the TCP metrics, or the UDP and DNS ones."""

    def __init__(self, cluster: str, edges: Sequence[Edge], begin: int, end: int, window: int) -> None:
        self._edges = tuple(edges)
        self._window = window
        self._streams = Streams([edge.stream for edge in edges])
        self._steady = _column([float(edge.steady) for edge in edges])
        self._typical = _Window(
            bytes=self._streams.base * window / TICK,
            load=np.ones((len(edges), 1)),
            packet=_column([edge.packet for edge in edges]),
            sockets=_column([edge.sockets * window / TICK for edge in edges]),
            open=_column([float(edge.open) for edge in edges]),
            rtt=_column([edge.rtt for edge in edges]),
            failing=_column([edge.failing for edge in edges]),
        )
        self._keys = [noise.derive(self._streams.keys, metric.name) for metric, _ in _FORMULAS]
        self.channels: Sequence[Channel] = list(_channels(cluster, edges))
        self._edge = np.repeat(np.arange(len(edges)), len(_TCP))
        metrics = [np.arange(len(_TCP)) + (len(_TCP) if edge.udp else 0) for edge in edges]
        self._metric = np.concatenate(metrics) if metrics else np.zeros(0, dtype=np.int64)
        self.born = np.array([_first(edge, begin) for edge in edges], dtype=np.int64)[self._edge]
        self.died = np.array([_last(edge, end) for edge in edges], dtype=np.int64)[self._edge]

    def values(self, rows: I64, seconds: I64) -> F64:
        """Return f64[rows, n]; see `Family`."""
        edges, place = np.unique(self._edge[rows], return_inverse=True)
        window = self._windows(edges, seconds)
        out = np.empty((len(rows), len(seconds)))
        for number, (_, formula) in enumerate(_FORMULAS):
            chosen = np.flatnonzero(self._metric[rows] == number)
            if len(chosen):
                at = place[chosen]
                draw = _draw(self._keys[number][edges[at]], seconds)
                out[chosen] = formula(_take(window, at), draw)
        return out

    def present(self, rows: I64, seconds: I64) -> Bool:
        """Return bool[rows, n]; see `Family`."""
        sent = alive(self.born[rows], self.died[rows], seconds)
        for row in np.flatnonzero(self._steady[self._edge[rows], 0] == 0.0):
            edge = self._edges[self._edge[rows[row]]]
            sent[row] &= _reported(edge, seconds)
        return sent

    def _windows(self, edges: I64, seconds: I64) -> _Window:
        usual = self._typical.bytes[edges]
        moved = np.zeros((len(edges), len(seconds)))
        steady = np.flatnonzero(self._steady[edges, 0])
        level = self._streams.take(edges[steady]).level(seconds)
        moved[steady] = np.rint(level * (self._window / TICK))
        for row, edge in enumerate(edges):
            for episode in self._edges[edge].episodes:
                if episode.begin < seconds[-1] and seconds[0] - self._window < episode.end:
                    moved[row] += episode.within(seconds, self._window)
        fixed = _take(self._typical, edges)
        return replace(fixed, bytes=moved, load=moved / usual)


def _column(values: Sequence[float]) -> F64:
    return np.array(values, dtype=np.float64).reshape(-1, 1)


def _take(window: _Window, rows: I64) -> _Window:
    return _Window(
        window.bytes[rows],
        window.load[rows],
        window.packet[rows],
        window.sockets[rows],
        window.open[rows],
        window.rtt[rows],
        window.failing[rows],
    )


def _draw(keys: U64, seconds: I64) -> Draw:
    random = noise.bits(keys, seconds)
    return noise.normal_of(random), noise.uniform_of(random)


def _first(edge: Edge, begin: int) -> int:
    return begin if edge.steady else min((first for first, _ in edge.spans()), default=begin)


def _last(edge: Edge, end: int) -> int:
    return end if edge.steady else max((last for _, last in edge.spans()), default=0)


def _reported(edge: Edge, seconds: I64) -> Bool:
    sent = np.zeros(len(seconds), dtype=bool)
    for first, last in edge.spans():
        sent |= (first < seconds) & (seconds <= last)
    return sent


def _channels(cluster: str, edges: Sequence[Edge]) -> Iterator[Channel]:
    resource = Resource(_AGENT, "", ())
    for number, edge in enumerate(edges):
        if number % _EDGES_A_RESOURCE == 0:
            resource = Resource(_AGENT, "", ())
        attributes = _attributes(cluster, edge)
        for metric, _ in _UDP if edge.udp else _TCP:
            yield Channel(resource, metric, attributes, 0)


def _attributes(cluster: str, edge: Edge) -> Pairs:
    same = edge.source.zone == edge.dest.zone
    shared: Pairs = (
        ("aggregation", "az_az"),
        ("az_equal", "true" if same else "false"),
        ("k8s.cluster.name", cluster),
        ("sf_product", "network-explorer"),
    )
    return edge.source.attributes("source") + edge.dest.attributes("dest") + shared
