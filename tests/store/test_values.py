"""Values come back to the last bit however a table holds them, and counters take little of a disk."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import parse_one

from helpers import DAY, HOUR, NOW, SECOND, batch, examples, series
from kubestray.model.metric import Batch, Kind
from kubestray.store.store import Store
from kubestray.store.values import BITS, COUNTED, WHOLE, value_columns

NAMES = ["process.cpu.time", "http_requests_total", "rpc_seconds_total", "tcp.bytes"]
hundredths = st.integers(0, 10**10).map(lambda number: number / 100)
nanoseconds = st.integers(0, 10**16).map(lambda number: number / 1e9)
whole = st.integers(-(2**63), 2**63).map(float)
numbers = st.one_of(hundredths, nanoseconds, whole, st.floats(allow_nan=True, allow_infinity=True))
points = st.tuples(st.integers(0, len(NAMES) - 1), st.sampled_from([0, NOW - DAY, NOW, NOW + HOUR]), numbers)


def bits(value: float) -> int:
    return int.from_bytes(struct.pack(">d", value), "big")


def held(drawn: list[tuple[int, int, float]]) -> list[tuple[int, int, int]]:
    """The rows of points in the columns, in the order of `WHOLE`, `COUNTED`, `BITS`."""
    which, starts, values = zip(*drawn, strict=True)
    made = Batch(
        {},
        np.array(which, np.uint64),
        np.full(len(drawn), NOW, np.uint64),
        np.array(starts, np.uint64),
        np.array(values),
    )
    columns = value_columns(made, np.array(which, np.int32), NAMES, [WHOLE, COUNTED, BITS])
    return list(zip(*(columns[name].tolist() for name in (WHOLE, COUNTED, BITS)), strict=True))


def value_of(whole: int, counted: int, pattern: int) -> float:
    """What the module says of the columns, in Python's own numbers."""
    assert not (whole and counted)
    if not pattern:
        return float(whole + counted)
    (double,) = struct.unpack(">d", pattern.to_bytes(8, "big"))
    return counted / double if counted else double


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(points, min_size=1, max_size=20))
@example([(0, NOW - DAY, value) for value in (1e307, -1e307, math.inf, -math.inf, math.nan, 5e-324, -0.0)])
@example([(0, NOW - DAY, value) for value in (0.01, 1.0, 0.07, 2.0**53, 2.0**53 / 100, 2.0**63, -(2.0**63))])
def test_a_value_is_what_its_columns_say(drawn: list[tuple[int, int, float]]) -> None:
    rows = held(drawn)
    for (_, _, value), row in zip(drawn, rows, strict=True):
        assert bits(value_of(*row)) == bits(value + 0.0)


def test_what_grows_is_counted_in_steps() -> None:
    of_hundredths, of_nanoseconds = bits(100.0), bits(1e9)
    rows = held(
        [
            (0, NOW - DAY, 12.34),
            (0, NOW - DAY, 12.0),
            (0, NOW - DAY, 0.123456789),
            (0, NOW - DAY, math.pi),
            (0, NOW - SECOND, 12.34),
            (0, 0, 12.0),
            (1, 0, 7.0),
            (2, 0, 7.0),
            (3, NOW - DAY, 7.0),
            (3, NOW - SECOND, 7.0),
        ]
    )
    assert rows == [
        (0, 1234, of_hundredths),
        (0, 1200, of_hundredths),  # as the points beside it
        (0, 123456789, of_nanoseconds),
        (0, 0, bits(math.pi)),
        (0, 0, bits(12.34)),  # what was counted since a second ago may be a difference
        (12, 0, 0),
        (0, 7, 0),
        (0, 700, of_hundredths),
        (0, 7, 0),
        (7, 0, 0),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_counters_come_back_from_every_engine(store: Store, name: str) -> None:
    dice = np.random.default_rng(7)
    values = [0.0, 0.01, 7.0, 123456.78, 0.1 + 0.2, math.pi, 1e15, 2.0**53, 1e300, -3.25, 5e-324]
    values += np.cumsum(dice.integers(0, 10**9, 40)).tolist()
    values += (np.cumsum(dice.integers(0, 10**9, 40)) / 1e9).tolist()
    counter = series(name, Kind.CUMULATIVE)
    sent = [(counter, NOW + number * SECOND, NOW - DAY, value) for number, value in enumerate(values)]
    for _ in range(2):
        store.append(batch(sent))
    rows = store.query(parse_one("SELECT value FROM samples ORDER BY time", dialect="clickhouse"))
    assert rows.column("value").to_pylist() == values


def test_a_counter_of_hundredths_takes_less_than_a_byte(embedded: Store) -> None:
    steps, start = 40_000, NOW - 2 * DAY
    dice = np.random.default_rng(11)
    counter = series("process.cpu.time", Kind.CUMULATIVE)
    embedded.append(
        Batch(
            {counter.id: counter},
            np.full(steps, counter.id, np.uint64),
            (NOW // DAY * DAY + np.arange(steps) * 2 * SECOND).astype(np.uint64),
            np.full(steps, start, np.uint64),
            np.cumsum(dice.poisson(30, steps)) / 100,
        )
    )
    embedded.engine.execute("OPTIMIZE TABLE samples_local FINAL")
    asked = (
        "SELECT sum(data_compressed_bytes) / sum(rows) AS size FROM system.parts "
        "WHERE active AND database = currentDatabase() AND table = 'samples_local'"
    )
    (row,) = embedded.query(parse_one(asked, dialect="clickhouse")).to_pylist()
    assert row["size"] < 1
