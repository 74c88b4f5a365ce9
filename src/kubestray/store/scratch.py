"""A store to try things on: points and catalog are those of another store, what is recorded is kept apart.

What a search or a detection leaves behind (runs, risk events, findings, lookups …) goes to tables of its
own, which are gone when it is closed. So a replay cannot touch what really happened.
"""

from __future__ import annotations

import uuid
from types import TracebackType
from typing import Self

import pyarrow as pa
from sqlglot import exp

from kubestray.store.engine import UNLIMITED, Limits, Ready, Statement, is_scratch
from kubestray.store.schema import LEDGERS, unique_rows
from kubestray.store.store import Store
from kubestray.store.stream import Stream


class Scratch(Store):
    """A store over another one's points; a context manager that makes and drops its tables."""

    def __init__(self, base: Store) -> None:
        super().__init__(base.engine, base.layout, base.clock)
        self._prefix = f"scratch_{uuid.uuid4().hex[:12]}_"
        assert is_scratch(f"CREATE TABLE {self._prefix}")

    def __enter__(self) -> Self:
        self.create()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in LEDGERS:
            self.engine.execute(f"DROP VIEW IF EXISTS {self._prefix}{name}")
            self.engine.execute(f"DROP TABLE IF EXISTS {self._prefix}{name}_local")

    def create(self) -> None:
        """Make its tables."""
        for name in LEDGERS:
            local = f"{self._prefix}{name}_local"
            self.engine.execute(f"CREATE TABLE {local} AS {name}_local")
            self.engine.execute(f"CREATE VIEW {self._prefix}{name} AS {unique_rows(name, local)}")

    def query(self, tree: Statement, limits: Limits = UNLIMITED) -> pa.Table:
        """Run a SELECT; what was recorded is read from here."""
        return super().query(self._own(tree), limits)

    def stream(self, tree: Statement, limits: Limits = UNLIMITED) -> Stream:
        """Run a SELECT whose rows are read as they come."""
        return super().stream(self._own(tree), limits)

    def copy(self, base: Store, name: str, rows: exp.Select) -> None:
        """Take over rows of a table of the other store."""
        found = base.query(rows)
        if found.num_rows:
            self._insert(name, found)

    def _insert(self, name: str, rows: pa.Table) -> None:
        if name not in LEDGERS:
            raise AssertionError(f"{name} belongs to the other store")
        self.engine.insert(f"{self._prefix}{name}_local", rows)

    def _own(self, tree: Statement) -> Statement:
        """Return the tree with the names of tables that are kept here. Statements are made to be run once."""
        if isinstance(tree, Ready):
            return tree  # of points alone: plans that read what is kept here are not kept
        for node in tree.find_all(exp.Table):
            if node.name in LEDGERS and not node.db:
                node.this.set("this", f"{self._prefix}{node.name}")
        return tree
