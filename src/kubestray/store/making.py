"""Makes the tables of a layout. One look tells that nothing is missing, which is so nearly always.

A view says in its comment which statements it was made with, so a store that another version has made, before
or after this one, is told from one that has all that it should.
"""

from __future__ import annotations

import hashlib
import re

from sqlglot import exp

from kubestray.model.errors import StoreError
from kubestray.store.engine import Engine
from kubestray.store.schema import NEWER_SETTINGS, Layout
from kubestray.store.trees import Tree, all_of, call, column, one_of, select, text

_MADE = re.compile(r"\s*CREATE (?:TABLE IF NOT EXISTS|OR REPLACE (VIEW)) (\w+)")


def make(engine: Engine, layout: Layout) -> None:
    """Run the statements of a layout, unless each of its tables and views is there as they make it.

    Raises `StoreError` if the engine refuses one. Several processes may do so at once.
    """
    statements = layout.statements()
    mark = "kubestray " + hashlib.blake2b("\n".join(statements).encode(), digest_size=8).hexdigest()
    wanted = {
        found[2]: mark if found[1] else None for found in map(_MADE.match, statements) if found is not None
    }
    complete, there = look(engine, layout.cluster, wanted)
    for statement in [] if complete else layout.statements(_known_settings(engine)):
        found = _MADE.match(statement)
        if found is None or not found[1]:
            engine.execute(statement)
            continue
        # To replace takes much longer, and on a cluster this replica does not know of the others.
        new = not layout.cluster and found[2] not in there
        how = "VIEW IF NOT EXISTS" if new else "OR REPLACE VIEW"
        engine.execute(f"{statement.replace('OR REPLACE VIEW', how, 1)} COMMENT '{mark}'")


def look(engine: Engine, cluster: str | None, wanted: dict[str, str | None]) -> tuple[bool, set[str]]:
    """Tell whether tables of these names are there, on every replica, with the comment that is given.

    The names that are there at all are told too.
    """
    asked = select(column("name"), column("comment")).from_(_tables(cluster))
    # On a cluster the subquery is answered here: there, another database may be the current one.
    here = exp.Subquery(this=select(call("currentDatabase")))
    chosen = [call("equals", column("database"), here), one_of(column("name"), map(text, wanted))]
    try:
        found = engine.query(asked.where(all_of(chosen))).to_pylist()
        copies = _replicas(engine, cluster) if cluster else 1
    except StoreError:
        if cluster:  # a replica does not answer, or this user may not ask them all
            return False, set()
        raise
    right = [row["name"] for row in found if wanted[row["name"]] in (None, row["comment"])]
    complete = copies > 0 and sorted(right) == sorted([*wanted] * copies)
    return complete, {row["name"] for row in found}


def _known_settings(engine: Engine) -> list[str]:
    asked = select(column("name")).from_(exp.table_("merge_tree_settings", db="system"))
    known = engine.query(asked.where(one_of(column("name"), map(text, NEWER_SETTINGS))))
    return [row["name"] for row in known.to_pylist()]


def _tables(cluster: str | None) -> Tree:
    tables = exp.table_("tables", db="system")
    return exp.Table(this=call("clusterAllReplicas", text(cluster), tables)) if cluster else tables


def _replicas(engine: Engine, cluster: str) -> int:
    """Return how many servers a cluster has; one that stands for several replicas is asked once."""
    asked = select(column("host_name"), column("port")).from_(exp.table_("clusters", db="system")).distinct()
    return len(engine.query(asked.where(call("equals", column("cluster"), text(cluster)))).to_pylist())
