"""Prometheus' remote write to points, versions 1.0 and 2.0.

Labels are attributes, as they are; ``__name__`` is the metric's name, and a label without a value is
none. Times come in ms. What a sample is, counter or gauge: see `remote_write_kinds`. NaN is no value:
Prometheus marks the end of a series with one (0x7ff0000000000002), and a summary without
observations has them. A native histogram is stored as the same metric's ``.count`` and ``.sum``, as
histograms of OTLP are.

In 1.0 a sender repeats the labels of a series, byte by byte, with each sample: the bytes before a
single sample are looked up, and nothing is parsed. That they are labels and nothing else was proved
when they were remembered.

Source: "Prometheus Remote-Write 1.0 specification" and "2.0 [EXPERIMENTAL]".
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from kubestray.model.errors import MalformedRequest
from kubestray.model.metric import Kind, Series
from kubestray.receive.catalog import NO_RESOURCE, Limits, NewSeries, Reason, Rejected
from kubestray.receive.points import Bounds, Gathering
from kubestray.receive.remote_write_kinds import kind_of, type_of
from kubestray.receive.remote_write_samples import (
    NO_VALUE_FIELD,
    SAMPLE_BYTES,
    Known,
    LabelCache,
    Samples,
    Written,
)
from kubestray.receive.remote_write_wire import wire

Pairs = Sequence[tuple[str, str]]
"""Names and values of labels, as sent."""

Key = bytes | tuple[object, ...]
"""What a series is remembered by."""

_NAME = "__name__"

_NOTHING = "nothing in it is of remote write {}: its Content-Type (proto) names another version"
"""The versions share no field, so that a message of the other one is read as an empty one."""

_WITH_VALUE, _WITHOUT_VALUE = 2 + SAMPLE_BYTES, 2 + 7
"""Bytes of a sample in its field; the value 0 is left out by most senders."""


class _Metric(NamedTuple):
    name: str
    unit: str
    kind: Kind


def decode_v1(body: bytes, bounds: Bounds, limits: Limits, cache: LabelCache) -> Written:
    """Decode a `prometheus.WriteRequest`; raises MalformedRequest if the bytes are not such a message."""
    samples = Samples(Gathering(bounds), limits, cache)
    try:
        request = wire().request.FromString(body)
        _check_number(request.timeseries, limits)
        if body and not (request.timeseries or request.metadata):
            raise MalformedRequest(_NOTHING.format("1.0"))
        types = {each.metric_family_name: each.type for each in request.metadata}
        rest = request.timeseries if types else _take_known(request.timeseries, samples)
        for message in rest:
            _take(message, types, samples)
        return samples.finish()
    except DecodeError as error:
        raise MalformedRequest(f"not a remote write 1.0 message in protobuf: {error}") from error


def decode_v2(body: bytes, bounds: Bounds, limits: Limits, cache: LabelCache) -> Written:
    """Decode an `io.prometheus.write.v2.Request`; raises MalformedRequest if the bytes are none."""
    samples = Samples(Gathering(bounds), limits, cache)
    try:
        request = wire().request2.FromString(body)
        _check_number(request.timeseries, limits)
        if body and not (request.timeseries or request.symbols):
            raise MalformedRequest(_NOTHING.format("2.0"))
        symbols = list(request.symbols)
        if request.timeseries and symbols[:1] != [""]:
            raise MalformedRequest("remote write 2.0: the first symbol must be the empty text")
        for series in request.timeseries:
            _take2(series, symbols, samples)
        return samples.finish()
    except DecodeError as error:
        raise MalformedRequest(f"not a remote write 2.0 message in protobuf: {error}") from error


def _check_number(series: Sequence[Any], limits: Limits) -> None:
    if len(series) > limits.max_data_points:
        raise MalformedRequest(f"more than {limits.max_data_points} series in one request")


def _take_known(messages: Sequence[bytes], samples: Samples) -> list[bytes]:
    """Take the single samples of series that are known; return the other messages."""
    rest: list[bytes] = []
    recognised: list[bytes] = []
    ids: list[bytes] = []
    bodies, find = samples.bodies, samples.cache.ids.get
    found = samples.cache.ids.get_all([message[:-_WITH_VALUE] for message in messages])
    for message, whole in zip(messages, found, strict=True):
        # A `TimeSeries` that ends in one sample: 2 bytes of tag and length, then 16, or 7 without a value.
        if whole is not None and message[-_WITH_VALUE:-SAMPLE_BYTES] == b"\x12\x10":
            known: bytes | None = whole
            body = message[-SAMPLE_BYTES:]
        elif message[-_WITHOUT_VALUE:-7] == b"\x12\x07":
            known, body = find(message[:-_WITHOUT_VALUE]), NO_VALUE_FIELD + message[-7:]
        else:
            known, body = None, b""
        if known is None:
            rest.append(message)
        else:
            ids.append(known)
            bodies.append(body)
            recognised.append(message)
    samples.ids += ids
    samples.gathering.recognise(
        ids, recognised, partial(_read_series, limits=replace(samples.limits, budget=None))
    )
    return rest


def _read_series(message: bytes, limits: Limits) -> Iterable[Series]:
    """Return the series of a `TimeSeries` that was recognised by its labels."""
    pairs = [(label.name, label.value) for label in wire().labels.FromString(message).labels]
    name = next(value for label, value in pairs if label == _NAME)
    yield NewSeries(limits).make(name, "", kind_of(name, 0), lambda: (NO_RESOURCE, _attributes(pairs)))


def _take(message: bytes, types: Mapping[str, int], samples: Samples) -> None:
    """Take a `TimeSeries` of 1.0."""
    time_series = wire().time_series.FromString(message)
    labels = b"".join(b"\x0a" + _length(label) + label for label in time_series.labels)
    known = None if types else samples.cache.get(labels)
    if known is not None:
        _take_values(time_series, labels, known, samples)
        return
    pairs = [(label.name, label.value) for label in wire().labels.FromString(labels).labels]
    name = next((value for label, value in pairs if label == _NAME), "")
    kind = kind_of(name, type_of(name, types))
    # Under the labels alone lies the series of the kind that the name tells.
    key = labels if kind is kind_of(name, 0) else (kind, labels)
    _take_series(time_series, pairs, _Metric(name, "", kind), key, samples)


def _take2(time_series: Any, symbols: Sequence[str], samples: Samples) -> None:
    """Take a `TimeSeries` of 2.0."""
    metadata = time_series.metadata
    texts = _texts(time_series.labels_refs, symbols)
    unit, _ = _symbols((metadata.unit_ref, metadata.help_ref), symbols)
    for exemplar in time_series.exemplars:
        _texts(exemplar.labels_refs, symbols)
    pairs = list(zip(texts[::2], texts[1::2], strict=True))
    name = next((value for label, value in pairs if label == _NAME), "")
    kind = kind_of(name, metadata.type)
    metric = _Metric(name, unit, kind)
    if _take_series(time_series, pairs, metric, (kind, *texts), samples, time_series.created_timestamp):
        samples.exemplars += len(time_series.exemplars)


def _symbols(refs: Iterable[int], symbols: Sequence[str]) -> list[str]:
    try:
        return [symbols[ref] for ref in refs]
    except IndexError as error:
        raise MalformedRequest("remote write 2.0: a reference beyond the table of symbols") from error


def _texts(refs: Iterable[int], symbols: Sequence[str]) -> list[str]:
    """Return names and values of labels, each name before its value."""
    texts = _symbols(refs, symbols)
    if len(texts) % 2:
        raise MalformedRequest("remote write 2.0: a label without a value")
    return texts


def _take_series(
    time_series: Any, pairs: Pairs, metric: _Metric, key: Key, samples: Samples, start: int = 0
) -> bool:
    """Take the values of a series, known or new, and tell whether it may be stored; ``start`` in ms."""
    try:
        known = samples.cache.get(key)
        if known is None:
            known = samples.series(key, metric.name, metric.unit, metric.kind, _attributes(pairs))
    except Rejected as rejected:
        lost = len(time_series.samples) + len(time_series.histograms)
        samples.gathering.rejected[rejected.reason] += lost
        return False
    _take_values(time_series, key, known, samples, start)
    return True


def _take_values(time_series: Any, key: Key, known: Known, samples: Samples, start: int = 0) -> None:
    for sample in time_series.samples:
        samples.add(known, sample, start)
    for histogram in time_series.histograms:
        samples.add_histogram(key, known.series, histogram, start)


def _attributes(pairs: Pairs) -> dict[str, str]:
    """Return labels as attributes; raises Rejected if one has no name, or two have the same.

    Of two with one name neither is right.
    """
    names = {name for name, _ in pairs}
    if len(names) != len(pairs):
        raise Rejected(Reason.REPEATED_ATTRIBUTE)
    if "" in names:
        raise Rejected(Reason.NO_ATTRIBUTE_NAME)
    return {sys.intern(name): value for name, value in pairs if value and name != _NAME}


def _length(content: bytes) -> bytes:
    """Return the length of a field as protobuf writes it."""
    written, rest = bytearray(), len(content)
    while rest > 0x7F:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*written, rest])
