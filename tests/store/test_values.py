"""Values come back to the last bit however a table holds them, and counters take little of a disk."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import parse_one

from helpers import DAY, HOUR, NOW, SECOND, batch, examples, series
from kubestray.model.metric import Batch, Kind
from kubestray.store.store import Store
from kubestray.store.values import ABOVE, BITS, BYTES, COUNTED, F64, NUMBER, WHOLE, value_columns

NAMES = ["process.cpu.time", "http_requests_total", "rpc_seconds_total", "tcp.bytes"]
hundredths = st.integers(0, 10**10).map(lambda number: number / 100)
nanoseconds = st.integers(0, 10**16).map(lambda number: number / 1e9)
whole = st.integers(-(2**63), 2**63).map(float)
rounded = st.builds(round, st.floats(-1e12, 1e12), st.integers(0, 12))
numbers = st.one_of(hundredths, nanoseconds, whole, rounded, st.floats(allow_nan=True, allow_infinity=True))
points = st.tuples(st.integers(0, len(NAMES) - 1), st.sampled_from([0, NOW - DAY, NOW, NOW + HOUR]), numbers)


def bits(value: float) -> int:
    return int.from_bytes(struct.pack(">d", value), "big")


def held(
    drawn: list[tuple[int, int, float]], holding: tuple[str, ...] = (*BYTES, ABOVE)
) -> list[tuple[int, int, int]]:
    """The rows of points as the number that the columns of ``holding`` are of, `COUNTED` and `BITS`."""
    which, starts, values = zip(*drawn, strict=True)
    made = Batch(
        {},
        np.array(which, np.uint64),
        np.full(len(drawn), NOW, np.uint64),
        np.array(starts, np.uint64),
        np.array(values),
    )
    columns = value_columns(made, np.array(which, np.int32), NAMES, [*holding, COUNTED, BITS])
    assert set(columns) == {*holding, COUNTED, BITS}
    parts = zip(*(columns[name].tolist() for name in holding), strict=True)
    numbers = [sum(part << 8 * place for place, part in enumerate(row)) for row in parts]
    return list(zip(numbers, columns[COUNTED].tolist(), columns[BITS].tolist(), strict=True))


def value_of(number: int, counted: int, pattern: int) -> float:
    """What the module says of the columns, in Python's own numbers."""
    assert not (number and counted)
    steps = number + counted
    if not pattern:
        return float(steps)
    (double,) = struct.unpack(">d", pattern.to_bytes(8, "big"))
    return steps / double if steps else double


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(points, min_size=1, max_size=20))
@example([(0, NOW - DAY, value) for value in (1e307, -1e307, math.inf, -math.inf, math.nan, 5e-324, -0.0)])
@example([(0, NOW - DAY, value) for value in (0.01, 1.0, 0.07, 2.0**53, 2.0**53 / 100, 2.0**63, -(2.0**63))])
def test_a_value_is_what_its_columns_say(drawn: list[tuple[int, int, float]]) -> None:
    rows = held(drawn)
    for (_, _, value), row in zip(drawn, rows, strict=True):
        assert bits(value_of(*row)) == bits(value + 0.0)
    assert rows == held(drawn, (NUMBER,))
    for (_, _, value), row in zip(drawn, held(drawn, (WHOLE,)), strict=True):
        assert bits(value_of(*row)) == bits(value + 0.0)
        assert row[0] == 0 or row[2] == 0  # as tables made before say it


def test_what_is_rounded_is_a_number_of_steps() -> None:
    thousandths, millionths, billionths = map(bits, (1e3, 1e6, 1e9))
    rows = held(
        [
            (3, NOW, 0.5),
            (3, NOW, 12.34),
            (3, NOW, -0.001),
            (3, NOW, 0.0625),
            (3, NOW, 0.012345678),
            (3, NOW, 2.0),
            (3, NOW, 1 / 3),
            (1, 0, 0.25),
            (3, NOW - DAY, 1.5),
        ]
    )
    assert rows == [
        (500, 0, thousandths),
        (12340, 0, thousandths),
        (-1, 0, thousandths),
        (62500, 0, millionths),
        (12345678, 0, billionths),
        (2, 0, 0),
        (0, 0, bits(1 / 3)),
        (0, 250, thousandths),
        (0, 1500, thousandths),
    ]


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
        (12340, 0, bits(1e3)),  # what was counted since a second ago may be a difference
        (12, 0, 0),
        (0, 7, 0),
        (0, 700, of_hundredths),
        (0, 7, 0),
        (7, 0, 0),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_counters_come_back_from_every_engine(store: Store, name: str) -> None:
    dice = np.random.default_rng(7)
    values = [
        0.0,
        0.01,
        0.5,
        -0.001,
        0.012345678,
        7.0,
        123456.78,
        0.1 + 0.2,
        math.pi,
        1e15,
        2.0**53,
        1e300,
        -3.25,
        5e-324,
    ]
    values += np.cumsum(dice.integers(0, 10**9, 40)).tolist()
    values += (np.cumsum(dice.integers(0, 10**9, 40)) / 1e9).tolist()
    counter = series(name, Kind.CUMULATIVE)
    sent = [(counter, NOW + number * SECOND, NOW - DAY, value) for number, value in enumerate(values)]
    for _ in range(2):
        store.append(batch(sent))
    rows = store.query(parse_one("SELECT value FROM samples ORDER BY time", dialect="clickhouse"))
    assert rows.column("value").to_pylist() == values


@pytest.mark.parametrize(
    ("name", "kind", "most", "values"),
    [
        ("process.cpu.time", Kind.CUMULATIVE, 1.0, lambda dice: np.cumsum(dice.poisson(30, 40_000)) / 100),
        ("system.cpu.load_average.1m", Kind.GAUGE, 2.5, lambda dice: np.round(dice.normal(5, 1, 40_000), 2)),
        ("k8s.pod.cpu.usage", Kind.GAUGE, 3.7, lambda dice: np.round(dice.lognormal(-4, 0.5, 40_000), 9)),
        (
            "k8s.pod.memory.rss",
            Kind.GAUGE,
            2.6,
            lambda dice: 3e8 + np.rint(np.cumsum(dice.normal(0, 5e4, 40_000))),
        ),
    ],
)
def test_numbers_take_little_of_a_disk(
    embedded: Store, name: str, kind: Kind, most: float, values: Callable[[np.random.Generator], F64]
) -> None:
    """As doubles these take 3.6, 3.9 and 7 bytes, bytes of memory as whole numbers 3.2."""
    steps, start = 40_000, NOW - 2 * DAY
    one = series(name, kind)
    embedded.append(
        Batch(
            {one.id: one},
            np.full(steps, one.id, np.uint64),
            (NOW // DAY * DAY + np.arange(steps) * 2 * SECOND).astype(np.uint64),
            np.full(steps, start if kind is Kind.CUMULATIVE else 0, np.uint64),
            values(np.random.default_rng(11)),
        )
    )
    embedded.engine.execute("OPTIMIZE TABLE samples_local FINAL")
    asked = (
        "SELECT sum(data_compressed_bytes) / sum(rows) AS size FROM system.parts "
        "WHERE active AND database = currentDatabase() AND table = 'samples_local'"
    )
    (row,) = embedded.query(parse_one(asked, dialect="clickhouse")).to_pylist()
    assert row["size"] < most
