"""What each stage of a point's way in takes of the processor, measured alone, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from bench.scrapes import STEP, OtlpNode, RemoteWriteNode
from kubestray.model.metric import Batch
from kubestray.receive.catalog import Limits
from kubestray.receive.compression import SNAPPY_BLOCK, decompress
from kubestray.receive.otlp import OtlpCache, decode_protobuf
from kubestray.receive.points import Bounds
from kubestray.receive.remote_write import decode_v1
from kubestray.receive.remote_write_samples import LabelCache, label_cache
from kubestray.store.journal import Journal
from kubestray.store.open import open_store
from kubestray.store.ordering import in_order, received

_NODES, _SCRAPES = 16, 8
T = TypeVar("T")


def stages(folder: Path) -> dict[str, float]:
    """Return microseconds of processor time a point, by stage; merges are of one level."""
    times = [time.time_ns() - (_SCRAPES - number) * STEP for number in range(_SCRAPES)]
    found: dict[str, float] = {}

    def timed(name: str, points: int, work: Callable[[], T]) -> T:
        began = time.process_time()
        result = work()
        found[name] = round(1e6 * (time.process_time() - began) / points, 3)
        return result

    nodes = [OtlpNode(number) for number in range(_NODES)]
    bodies = [[node.body(at) for node in nodes] for at in times]
    points = _NODES * nodes[0].points
    cache, everything = OtlpCache(), Bounds.everything()

    def decoded(requests: list[bytes]) -> list[Batch]:
        return [decode_protobuf(body, everything, None, cache).batch for body in requests]

    first = timed("decode, series never seen", points, lambda: decoded(bodies[0]))
    timed("decode, series seen once", points, lambda: decoded(bodies[1]))
    scrapes = timed("decode", (_SCRAPES - 2) * points, lambda: [decoded(each) for each in bodies[2:]])
    groups = timed("join", (_SCRAPES - 2) * points, lambda: [Batch.concat(scrape) for scrape in scrapes])
    store = open_store(str(folder))
    store.engine.execute("SYSTEM STOP MERGES")
    timed("append, series never seen", points, lambda: store.append(Batch.concat(first)))
    timed("append", (_SCRAPES - 2) * points, lambda: [store.append(group) for group in groups])
    metric, _ = store._entries(groups[0])
    names = list(store._metrics)
    timed("append: catalog", points, lambda: store._entries(groups[0]))
    values = store.value_columns()
    journal = Journal(folder / "trial")
    waiting = received(groups[0], metric, names)
    timed("append: journal", points, lambda: journal.append([("samples", waiting)]))
    journal.remove(journal.files())
    (rows,) = timed("append: sort", points, lambda: list(in_order(groups[0], metric, names, values)))
    timed(
        "append: insert (the floor)",
        points,
        lambda: store.engine.insert("samples_local", rows, in_order=True),
    )
    store.engine.execute("SYSTEM START MERGES")
    merge = "OPTIMIZE TABLE samples_local FINAL"
    timed("merge", _SCRAPES * points, lambda: store.engine.execute(merge))
    store.close()
    senders = [RemoteWriteNode(number) for number in range(4)]
    written = [[node.body(at) for node in senders] for at in times[:3]]
    labels, limits = label_cache(), Limits()
    names = ("remote write: decode, series never seen", "remote write: decode again", "remote write: decode")
    for name, packed in zip(names, written, strict=True):
        points = len(packed) * senders[0].points
        plain = [decompress(one, SNAPPY_BLOCK, 1 << 26) for one in packed]
        timed(name, points, partial(_written, plain, labels, limits))
    timed(
        "remote write: snappy", points, lambda: [decompress(one, SNAPPY_BLOCK, 1 << 26) for one in written[0]]
    )
    return found


def _written(bodies: list[bytes], labels: LabelCache, limits: Limits) -> None:
    for body in bodies:
        decode_v1(body, Bounds.everything(), limits, labels)
