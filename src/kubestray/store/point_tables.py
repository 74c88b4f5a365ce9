"""The tables of points, of the catalog, and of what is made of them; `store.schema` says what is in each."""

from __future__ import annotations

from kubestray.store.states import STATES
from kubestray.store.values import COLUMNS, KEY

HOUR_NS = 3600 * 10**9
DAY_NS = 86_400 * 10**9

BLOCK_NS = 2 * HOUR_NS
"""Points lie together by metric and such a length of time, and in it by series.

A search over the last hour then reads two hours, not the day of every series; shorter blocks make points
larger on disk (`docs/decisions/0008-summaries.md` has the figures).
"""

_LONG_BLOCKS = "SETTINGS (min_compress_block_size = 1048576, max_compress_block_size = 1048576)"
"""Of columns that compress a hundred times: to read some rows more costs nothing, what repeats is found."""

_SAMPLES = f"""
CREATE TABLE IF NOT EXISTS samples_local{{on}} (
    metric LowCardinality(String) CODEC(ZSTD(1)),
    series_id UInt64 CODEC(Delta, ZSTD(1)) {_LONG_BLOCKS},
    time UInt64 CODEC(Delta, ZSTD(1)) {_LONG_BLOCKS},
    start UInt64 CODEC(ZSTD(1)),
    {COLUMNS}
) ENGINE = ReplacingMergeTree
PARTITION BY intDiv(time, {DAY_NS})
PRIMARY KEY (metric, intDiv(time, {BLOCK_NS}), series_id, time)
ORDER BY (metric, intDiv(time, {BLOCK_NS}), series_id, time, {KEY})
SETTINGS {{settings}}, min_compress_block_size = 262144, min_bytes_for_wide_part = 8388608,
    vertical_merge_algorithm_min_columns_to_activate = 1
"""
"""Merges order the key first and take the one column along that is not of it: an eighth cheaper (0027)."""

_SERIES = """
CREATE TABLE IF NOT EXISTS series_local{on} (
    metric LowCardinality(String),
    series_id UInt64,
    kind LowCardinality(String),
    unit SimpleAggregateFunction(anyLast, String),
    attributes SimpleAggregateFunction(anyLast, Map(String, String)),
    first_seen SimpleAggregateFunction(min, UInt64),
    last_seen SimpleAggregateFunction(max, UInt64)
) ENGINE = AggregatingMergeTree
ORDER BY (metric, series_id, kind)
SETTINGS {settings}
"""

KEPT = {name: state.type for name, state in STATES.items() if state.kept}
_STATES = ",\n    ".join(f"{name} {kind}" for name, kind in KEPT.items())
MONTH = 31 * 24
"""Hours of summaries that are dropped together."""

ACCELERATED = ("n", "total", "least", "most", "spread", "near")
"""The states that are kept of each number that the last statistics of a search are made of."""


_SUMMARIES = f"""
CREATE TABLE IF NOT EXISTS summaries_local{{on}} (
    metric LowCardinality(String),
    hours UInt8,
    hour UInt32,
    group_id UInt64,
    {_STATES},
    began UInt64 CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(began)
PARTITION BY intDiv(hour, {MONTH})
ORDER BY (metric, hours, hour, group_id)
SETTINGS {{settings}}
"""

_GROUPS = """
CREATE TABLE IF NOT EXISTS groups_local{on} (
    metric LowCardinality(String),
    group_id UInt64,
    kind LowCardinality(String),
    attributes Map(String, String)
) ENGINE = ReplacingMergeTree
ORDER BY (metric, group_id)
SETTINGS {settings}
"""

_SUMMARISED = f"""
CREATE TABLE IF NOT EXISTS summarised_local{{on}} (
    hours UInt8,
    hour UInt32,
    metric LowCardinality(String),
    without Array(String),
    began UInt64
) ENGINE = ReplacingMergeTree(began)
PARTITION BY intDiv(hour, {MONTH})
ORDER BY (hours, hour, metric)
SETTINGS {{settings}}
"""

_SKETCHES = f"""
CREATE TABLE IF NOT EXISTS sketches_local{{on}} (
    metric LowCardinality(String),
    hours UInt8,
    hour UInt32,
    group_id UInt64,
    gaps Array(Int32) CODEC(T64, ZSTD(1)),
    counts Array(UInt64) CODEC(T64, ZSTD(1)),
    began UInt64 CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(began)
PARTITION BY intDiv(hour, {MONTH})
ORDER BY (metric, hours, hour, group_id)
SETTINGS {{settings}}
"""

_SKETCHED = f"""
CREATE TABLE IF NOT EXISTS sketched_local{{on}} (
    hours UInt8,
    hour UInt32,
    metric LowCardinality(String),
    began UInt64
) ENGINE = ReplacingMergeTree(began)
PARTITION BY intDiv(hour, {MONTH})
ORDER BY (hours, hour, metric)
SETTINGS {{settings}}
"""

_TOUCHED = f"""
CREATE TABLE IF NOT EXISTS touched_local{{on}} (
    hour UInt32,
    metric LowCardinality(String),
    written UInt64
) ENGINE = ReplacingMergeTree(written)
PARTITION BY intDiv(hour, {MONTH})
ORDER BY (hour, metric)
SETTINGS {{settings}}
"""

_EXPIRED = """
CREATE TABLE IF NOT EXISTS expired_local{on} (
    day UInt32,
    dropped UInt64
) ENGINE = ReplacingMergeTree(dropped)
ORDER BY day
SETTINGS {settings}
"""

_ACCELERATED_STATES = ",\n    ".join(f"{name} {KEPT[name]} CODEC(ZSTD(1))" for name in ACCELERATED)
_ACCELERATED = f"""
CREATE TABLE IF NOT EXISTS accelerated_local{{on}} (
    search UInt64,
    hours UInt8,
    hour UInt32,
    keys Array(String) CODEC(ZSTD(1)),
    item UInt16,
    {_ACCELERATED_STATES},
    began UInt64 CODEC(ZSTD(1))
) ENGINE = MergeTree
PARTITION BY intDiv(hour, {MONTH})
ORDER BY (search, hours, hour, keys, item, began)
SETTINGS {{settings}}
"""

_ACCELERATIONS = f"""
CREATE TABLE IF NOT EXISTS accelerations_local{{on}} (
    search UInt64,
    hours UInt8,
    hour UInt32,
    began UInt64
) ENGINE = ReplacingMergeTree(began)
PARTITION BY intDiv(hour, {MONTH})
ORDER BY (search, hours, hour)
SETTINGS {{settings}}
"""

TABLES = (
    *(_SAMPLES, _SERIES, _SUMMARIES, _GROUPS, _SUMMARISED, _TOUCHED, _EXPIRED),
    *(_SKETCHES, _SKETCHED, _ACCELERATED, _ACCELERATIONS),
)
"""Statements that make them, with places for ``on`` (a cluster) and ``settings``."""
