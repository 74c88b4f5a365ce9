"""Batches, requests and files hold the same points."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from simulate_oracle import (
    DAY,
    END,
    HOUR,
    SECOND,
    points_of_batches,
    points_of_files,
    points_of_requests,
    small,
)

from helpers import more
from kubestray.simulate import FAMILIES

CHAIN = small("attack-chain")
# Around the second in which the attacker's binary starts, so that the set of series changes.
BINARY = next(one.born for one in CHAIN.footprint.intruders if one.program.name == "sysupdated") * SECOND
SPAN = (BINARY - 90 * SECOND, BINARY + 90 * SECOND)


@pytest.mark.parametrize("family", [more(name) if name == "network" else name for name in FAMILIES])
def test_three_outputs_are_equal(family: str, tmp_path: Path) -> None:
    expected = Counter(points_of_batches(CHAIN.batches(*SPAN, 10, {family})))
    assert len(expected) > 300
    assert max(expected.values()) == 1, "no point twice"
    assert Counter(points_of_requests(CHAIN.requests(*SPAN, 10, {family}))) == expected
    written = CHAIN.write(tmp_path, *SPAN, 10, {family})
    assert Counter(points_of_files(path for path in written if path.suffix == ".jsonl")) == expected


def test_payloads_are_the_serialized_requests() -> None:
    payloads = [payload for _, payload in CHAIN.payloads(*SPAN, 60, {"container"})]
    assert payloads == [one.SerializeToString() for one in CHAIN.requests(*SPAN, 60, {"container"})]


def test_a_request_is_one_agents_of_one_collection_in_order_of_time() -> None:
    times = []
    for request in CHAIN.requests(*SPAN, 30):
        points = list(points_of_requests([request]))
        assert len({time for *_, time, _, _ in points}) == 1
        times.append(points[0][4])
        senders = {dict(attributes).get("host.name") for _, _, _, attributes, *_ in points}
        assert len(senders) == 1, "one node's agent, or one that is of no node"
    assert times == sorted(times)
    assert len(set(times)) == 6


def test_a_small_limit_splits_requests_between_resources() -> None:
    requests = list(CHAIN.requests(END - 60 * SECOND, END, 60, {"process"}, max_points=30))
    sizes = [len(list(points_of_requests([request]))) for request in requests]
    assert max(sizes) == 28, "two processes of fourteen points"
    expected = Counter(points_of_batches(CHAIN.batches(END - 60 * SECOND, END, 60, {"process"})))
    assert Counter(points_of_requests(requests)) == expected


def test_layout_of_requests_is_that_of_the_collectors() -> None:
    process = next(iter(CHAIN.requests(END - 60 * SECOND, END, 60, {"process"})))
    resource = process.resource_metrics[0]
    kinds = {pair.key: pair.value.WhichOneof("value") for pair in resource.resource.attributes}
    assert kinds["process.pid"] == kinds["process.parent_pid"] == "int_value"
    assert {kind for name, kind in kinds.items() if "pid" not in name} == {"string_value"}
    assert resource.scope_metrics[0].scope.name.endswith("processscraper")
    sums = {metric.name: metric.sum for metric in resource.scope_metrics[0].metrics if metric.HasField("sum")}
    assert sums["process.cpu.time"].is_monotonic
    assert not sums["process.memory.usage"].is_monotonic
    assert sums["process.memory.usage"].aggregation_temporality == 2
    assert [len(sums[name].data_points) for name in ("process.cpu.time", "process.threads")] == [3, 1]
    assert sums["process.disk.io"].data_points[0].WhichOneof("value") == "as_int"

    network = next(iter(CHAIN.requests(END - 60 * SECOND, END, 60, {"network"})))
    assert not network.resource_metrics[0].resource.attributes, "everything is on the data point"
    assert len(network.resource_metrics) == 1, "the reducer has one, and it is empty"


def test_files_are_one_a_day_with_a_message_a_line(tmp_path: Path) -> None:
    midnight = (END - HOUR) // DAY * DAY
    written = CHAIN.write(tmp_path, midnight - 2 * 600 * SECOND, midnight + 600 * SECOND, 600, {"container"})
    assert [path.name for path in written] == ["2025-10-08.jsonl", "2025-10-09.jsonl", "labels.json"]
    assert [path.read_bytes().count(b"\n") for path in written[:2]] == [2, 1]


def test_odd_text_survives_the_layouts(tmp_path: Path) -> None:
    odd = 'a "b" @time@ %d \\ é'
    one = small("calm", days=1, cluster=odd)
    span = (END - 60 * SECOND, END, 60, {"container"})
    expected = Counter(points_of_batches(one.batches(*span)))
    assert Counter(points_of_requests(one.requests(*span))) == expected
    assert Counter(points_of_files(one.write(tmp_path, *span)[:1])) == expected
