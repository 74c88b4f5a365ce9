"""The tables of what runs of searches and people leave behind; `store.schema` says what is in each."""

from __future__ import annotations

_RUNS = """
CREATE TABLE IF NOT EXISTS runs_local{on} (
    detection String,
    scheduled UInt64,
    finished UInt64,
    rows UInt64,
    error String,
    seconds Float64
) ENGINE = ReplacingMergeTree(finished)
ORDER BY (detection, scheduled)
"""

_RISK = """
CREATE TABLE IF NOT EXISTS risk_local{on} (
    id String,
    time UInt64,
    detection String,
    risk_object String,
    risk_object_type LowCardinality(String),
    risk_score Float64,
    fields String CODEC(ZSTD(3)),
    recorded UInt64
) ENGINE = ReplacingMergeTree(recorded)
ORDER BY (detection, id)
SETTINGS {settings}
"""

_FINDINGS = """
CREATE TABLE IF NOT EXISTS findings_local{on} (
    id String,
    kind LowCardinality(String),
    sequence UInt32,
    time UInt64,
    change LowCardinality(String),
    document String CODEC(ZSTD(3)),
    recorded UInt64
) ENGINE = ReplacingMergeTree
ORDER BY (id, sequence)
SETTINGS {settings}
"""

_DECISIONS = """
CREATE TABLE IF NOT EXISTS decisions_local{on} (
    id String,
    time UInt64,
    actor String,
    action LowCardinality(String),
    target String,
    detail String CODEC(ZSTD(3))
) ENGINE = ReplacingMergeTree
ORDER BY (target, time, id)
SETTINGS {settings}
"""

_DELIVERIES = """
CREATE TABLE IF NOT EXISTS deliveries_local{on} (
    output String,
    id String,
    sequence UInt32,
    decision String,
    event LowCardinality(String),
    time UInt64,
    server String,
    detail String CODEC(ZSTD(3))
) ENGINE = ReplacingMergeTree(time)
ORDER BY (output, id, sequence, decision, event, server)
SETTINGS {settings}
"""

_EVENTS = """
CREATE TABLE IF NOT EXISTS events_local{on} (
    index_name LowCardinality(String),
    id String,
    time UInt64,
    fields String CODEC(ZSTD(3)),
    recorded UInt64
) ENGINE = ReplacingMergeTree(recorded)
ORDER BY (index_name, time, id)
SETTINGS {settings}
"""

_LOOKUPS = """
CREATE TABLE IF NOT EXISTS lookups_local{on} (
    name String,
    version UInt64,
    fields String,
    rows UInt64
) ENGINE = ReplacingMergeTree(version)
ORDER BY name
SETTINGS {settings}
"""

_LOOKUP_ROWS = """
CREATE TABLE IF NOT EXISTS lookup_rows_local{on} (
    name LowCardinality(String),
    version UInt64,
    place UInt64,
    numbers Map(String, Float64),
    texts Map(String, Array(String))
) ENGINE = ReplacingMergeTree
ORDER BY (name, version, place)
SETTINGS {settings}
"""

_DOCUMENTS = """
CREATE TABLE IF NOT EXISTS documents_local{on} (
    kind LowCardinality(String),
    name String,
    fields String CODEC(ZSTD(3)),
    removed UInt8,
    changed UInt64
) ENGINE = ReplacingMergeTree(changed)
ORDER BY (kind, name)
SETTINGS {settings}
"""

_AUDIT = """
CREATE TABLE IF NOT EXISTS audit_local{on} (
    time UInt64,
    id String,
    actor String,
    action LowCardinality(String),
    target String,
    detail String CODEC(ZSTD(3))
) ENGINE = ReplacingMergeTree
ORDER BY (time, id)
SETTINGS {settings}
"""

_PROFILES = """
CREATE TABLE IF NOT EXISTS profiles_local{on} (
    profile String,
    slot LowCardinality(String),
    part UInt32,
    parts UInt32,
    until UInt64,
    state String CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(until)
ORDER BY (profile, slot, part)
SETTINGS {settings}
"""

TABLES = (
    *(_RUNS, _RISK, _FINDINGS, _DECISIONS, _DELIVERIES, _EVENTS, _LOOKUPS, _LOOKUP_ROWS, _PROFILES),
    *(_DOCUMENTS, _AUDIT),
)
"""Statements that make them, with places for ``on`` (a cluster) and ``settings``."""
