"""Lookups in the store: versions of rows, the newest of which counts.

A version is written rows first, so that whoever reads the current one always finds all of it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlglot import exp

from kubestray.search.lookup_files import read_rows, written_at
from kubestray.search.relation import LookupTable
from kubestray.search.values import Shape, common_shape
from kubestray.store.trees import column, select, text

Row = dict[str, Any]
Query = Callable[[exp.Expr], pa.Table]
Record = Callable[[str, pa.Table], None]
"""Appends rows to a table of the ledger: `Store.record`."""


class StoreLookups:
    """The lookups of a store. ``declared`` maps those that content defines to their listed fields.

    ``given`` are lookups that come with a search and stand before stored ones. Those in ``files`` have the
    rows of a file of CSV, until a search writes them later than the file was written.
    """

    def __init__(
        self,
        query: Query,
        record: Record,
        declared: Mapping[str, Sequence[str]],
        given: Mapping[str, list[Row]] | None = None,
        files: Mapping[str, Path] | None = None,
    ) -> None:
        self._query, self._record, self._declared = query, record, declared
        self._given, self._files = given or {}, files or {}

    def find(self, name: str) -> LookupTable | None:
        """Return the current version of a lookup; one that is only declared has no rows yet.

        Raise `LookupFileError` where its file is needed and cannot be read.
        """
        if name in self._given:
            return LookupTable(name, None, {}, self._given[name])
        found, path = self._written(name), self._files.get(name)
        if path is not None and not (found and found["version"] > written_at(path)):
            header, rows = read_rows(path)
            return LookupTable(name, None, dict.fromkeys(header, Shape.TEXT), rows, filed=True)
        if found:
            fields = {field: Shape(shape) for field, shape in json.loads(found["fields"])}
            return LookupTable(name, found["version"], fields)
        if name in self._declared:
            return LookupTable(name, None, dict.fromkeys(self._declared[name], Shape.TEXT))
        return None

    def names(self) -> list[str]:
        """Return the names of all lookups, written or declared."""
        written = self._query(select(column("name")).from_("lookups")).column("name").to_pylist()
        return sorted({*written, *self._declared, *self._given})

    def listed_fields(self, name: str) -> Sequence[str]:
        """Return the fields that content lists for a lookup; none if it lists none."""
        return self._declared.get(name, ())

    def write(self, name: str, fields: Mapping[str, Shape], rows: Sequence[Row]) -> None:
        """Make these rows the current version of a lookup.

        It is above the one before also where the clock was ahead then, or it would not be the current one.
        """
        before = self._written(name)
        version = max(time.time_ns(), before["version"] + 1 if before else 0)
        self._record("lookup_rows", _rows_table(name, version, rows))
        known = json.dumps([[field, shape.value] for field, shape in fields.items()])
        head = {"name": [name], "version": pa.array([version], pa.uint64()), "fields": [known]}
        self._record("lookups", pa.table({**head, "rows": pa.array([len(rows)], pa.uint64())}))

    def _written(self, name: str) -> dict[str, Any] | None:
        """Return version and fields of a lookup that somebody has written."""
        wanted = exp.EQ(this=column("name"), expression=text(name))
        tree = select(column("version"), column("fields")).from_("lookups").where(wanted)
        return next(iter(self._query(tree).to_pylist()), None)


def joined_fields(before: Mapping[str, Shape], after: Mapping[str, Shape]) -> dict[str, Shape]:
    """Return the fields of rows of two kinds together."""
    names = dict.fromkeys([*before, *after])
    return {n: common_shape(fields[n] for fields in (before, after) if n in fields) for n in names}


def _rows_table(name: str, version: int, rows: Sequence[Row]) -> pa.Table:
    numbers = [[(k, float(v)) for k, v in row.items() if _is_number(v)] for row in rows]
    texts = [
        [(k, v if isinstance(v, list) else [v]) for k, v in row.items() if not _is_number(v)] for row in rows
    ]
    return pa.table(
        {
            "name": pa.array([name] * len(rows), pa.string()),
            "version": pa.array([version] * len(rows), pa.uint64()),
            "place": pa.array(range(1, len(rows) + 1), pa.uint64()),
            "numbers": pa.array(numbers, pa.map_(pa.string(), pa.float64())),
            "texts": pa.array(texts, pa.map_(pa.string(), pa.list_(pa.string()))),
        }
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
