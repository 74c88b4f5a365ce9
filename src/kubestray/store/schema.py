"""The tables. One layout for a single node, one for a cluster; searches read the same names on both.

===============  ===================================================================================
read             what
===============  ===================================================================================
``samples``      metric, series_id, time (ns), start (ns), value: as received, each point once
``series``       series_id, metric, kind, unit, attributes, first_seen, last_seen: the catalog
``series_rows``  the same as it is written: a series may have several rows; to see what there is at all
``summaries``    states of the points of a metric and group in an hour or a day (`store.summaries`)
``groups``       group_id, metric, kind, attributes: series alike but for attributes that churn
``summarised``   which hours and days are summarised, and when that began
``sketches``     how many points of a metric and group lie where, in an hour or a day (`store.sketches`)
``sketched``     which hours and days have sketches, by metric, and when these were begun
``touched``      hours to which points came late, by metric, and when
``expired``      days whose points were dropped
``accelerated``  states of the last statistics of searches in an hour or a day (`store.accelerations`)
``accelerations``  which hours and days are accelerated, by search, and when that began
``runs``         which detection ran for which scheduled time, and how it ended
``risk``         risk events: JSON of all fields beside the columns that searches filter by
``findings``     what became of findings and incidents, each change with the document as it stood then (JSON)
``decisions``    what people decided about them, and what is to be hidden (JSON)
``deliveries``   what became of changes at each output, and which server sends to it (`notify.ledger`; JSON)
``events``       rows that searches have collected into indexes, the fields as JSON
``lookups``      each lookup's current version, its fields and their shapes (JSON)
``lookup_rows``  the rows of all versions of lookups, numbers and texts apart
``documents``    what people have set: accounts, tokens, detections switched off; the fields as JSON
``audit``        who did what, and when; only ever added to
``profiles``     what searches have learned of what is normal: states as of some times, in parts
===============  ===================================================================================

Points are written to ``samples_local`` and read through a view that collapses repeated ones: the
key is (metric, series, time, value), so a resend adds nothing and two different values that claim
the same moment are both kept. On a cluster the read names are Distributed tables over those views,
sharded by series.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from kubestray.store import ledger_tables, point_tables
from kubestray.store.cells import NOT_A_NUMBER
from kubestray.store.engine import render
from kubestray.store.point_tables import ACCELERATED, KEPT

_DURABLE = "fsync_after_insert = 1, fsync_part_directory = 1"

NEWER_SETTINGS = {"auto_statistics_types": "''"}
"""Settings that not all engines know.

Statistics of columns are made anew in each merge and help nothing here, where keys say what is to be read.
"""

_NEAR = f"near {KEPT['near']} DEFAULT {render(NOT_A_NUMBER)}"
_ADDED = (("runs", "seconds Float64"), ("summaries", _NEAR), ("accelerated", _NEAR))
"""Columns that stores made by earlier versions lack."""

_UNIQUE = {
    "samples": "SELECT metric, series_id, time, start, value FROM samples_local FINAL",
    "series": (
        "SELECT metric, series_id, kind, anyLast(unit) AS unit, anyLast(attributes) AS attributes, "
        "min(first_seen) AS first_seen, max(last_seen) AS last_seen "
        "FROM series_local GROUP BY metric, series_id, kind"
    ),
    "series_rows": "SELECT metric, series_id, kind, attributes FROM series_local",
    "summaries": (
        f"SELECT metric, hours, hour, group_id, {', '.join(KEPT)}, began FROM summaries_local FINAL"  # noqa: S608 (names of ours)
    ),
    "groups": "SELECT metric, group_id, kind, attributes FROM groups_local FINAL",
    "summarised": "SELECT hours, hour, metric, without, began FROM summarised_local FINAL",
    "sketches": "SELECT metric, hours, hour, group_id, gaps, counts, began FROM sketches_local FINAL",
    "sketched": "SELECT hours, hour, metric, began FROM sketched_local FINAL",
    "touched": "SELECT hour, metric, written FROM touched_local FINAL",
    "expired": "SELECT day, dropped FROM expired_local FINAL",
    "accelerated": (
        f"SELECT search, hours, hour, keys, item, {', '.join(ACCELERATED)}, began FROM accelerated_local"  # noqa: S608 (names of ours)
    ),
    "accelerations": "SELECT search, hours, hour, began FROM accelerations_local FINAL",
    "runs": "SELECT detection, scheduled, finished, rows, error, seconds FROM runs_local FINAL",
    "lookups": "SELECT name, version, fields, rows FROM lookups_local FINAL",
    "lookup_rows": "SELECT name, version, place, numbers, texts FROM lookup_rows_local FINAL",
    "profiles": "SELECT profile, slot, part, parts, until, state FROM profiles_local FINAL",
    "risk": (
        "SELECT id, time, detection, risk_object, risk_object_type, risk_score, fields, recorded "
        "FROM risk_local FINAL"
    ),
    "findings": "SELECT id, kind, sequence, time, change, document, recorded FROM findings_local FINAL",
    "decisions": "SELECT id, time, actor, action, target, detail FROM decisions_local FINAL",
    "deliveries": (
        "SELECT output, id, sequence, decision, event, time, server, detail FROM deliveries_local FINAL"
    ),
    "events": "SELECT index_name, id, time, fields, recorded FROM events_local FINAL",
    "documents": "SELECT kind, name, fields, removed, changed FROM documents_local FINAL",
    "audit": "SELECT time, id, actor, action, target, detail FROM audit_local FINAL",
}

LEDGERS = ("runs", "risk", "findings", "decisions", "events", "lookups", "lookup_rows", "profiles")
"""What runs of searches and people leave behind, as against points and what is made of them."""


def unique_rows(name: str, local: str) -> str:
    """Return the query for the rows of a table, each once, read from ``local``, a table of its kind."""
    return _UNIQUE[name].replace(f"{name}_local", local)


_VIEWS_ONLY = ("series_rows",)
"""What is read only: another name has its table."""

_SHARD_BY = {
    "samples": "series_id",
    "series": "series_id",
    "series_rows": "series_id",
    "summaries": "group_id",
    "groups": "group_id",
    "summarised": "hour",
    "sketches": "group_id",
    "sketched": "hour",
    "touched": "hour",
    "expired": "day",
    "accelerated": "cityHash64(keys)",
    "accelerations": "hour",
    "lookups": "cityHash64(name)",
    "lookup_rows": "place",
    "profiles": "cityHash64(profile)",
    "runs": "cityHash64(detection)",
    "risk": "cityHash64(detection)",
    "findings": "cityHash64(id)",
    "decisions": "cityHash64(target)",
    "deliveries": "cityHash64(output, id)",
    "events": "cityHash64(id)",
    "documents": "cityHash64(kind, name)",
    "audit": "cityHash64(id)",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where rows are written, and the statements that make the tables."""

    cluster: str | None = None

    def write_table(self, name: str) -> str:
        """Return the table that rows of ``name`` are inserted into."""
        return f"{name}_write" if self.cluster else f"{name}_local"

    def statements(self, known: Collection[str] = ()) -> list[str]:
        """Return the statements in order; each may run again without harm.

        ``known`` are those of `NEWER_SETTINGS` that the engine knows.
        """
        on = f" ON CLUSTER {self.cluster}" if self.cluster else ""
        settings = ", ".join([_DURABLE, *(f"{name} = {NEWER_SETTINGS[name]}" for name in known)])
        tables = [
            text.format(on=on, settings=settings) for text in (*point_tables.TABLES, *ledger_tables.TABLES)
        ]
        tables += [f"ALTER TABLE {name}_local{on} ADD COLUMN IF NOT EXISTS {new}" for name, new in _ADDED]
        if not self.cluster:
            return tables + [f"CREATE OR REPLACE VIEW {name} AS {body}" for name, body in _UNIQUE.items()]
        for name, body in _UNIQUE.items():
            tables += [
                f"CREATE OR REPLACE VIEW {name}_unique{on} AS {body}",
                self._distributed(name, f"{name}_unique", on),
                *(
                    [self._distributed(f"{name}_write", f"{name}_local", on)]
                    if name not in _VIEWS_ONLY
                    else []
                ),
            ]
        for name, new in _ADDED:
            tables += [
                f"ALTER TABLE {target}{on} ADD COLUMN IF NOT EXISTS {new}"
                for target in (name, f"{name}_write")
            ]
        return tables

    def _distributed(self, name: str, local: str, on: str) -> str:
        key = _SHARD_BY[name.removesuffix("_write")]
        return (
            f"CREATE TABLE IF NOT EXISTS {name}{on} AS {local} "
            f"ENGINE = Distributed({self.cluster}, currentDatabase(), {local}, {key})"
        )
