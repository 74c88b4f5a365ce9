"""Parts of tables that the embedded engine could not read when it was opened, and left out without a word."""

from __future__ import annotations

import logging
from pathlib import Path

from sqlglot import exp

from kubestray.model.counted import counted
from kubestray.store.engine import Engine
from kubestray.store.trees import all_of, call, column, named, select, text

log = logging.getLogger(__name__)


def tell_broken(engine: Engine) -> None:
    """Log which tables lack parts that are broken: what they held is in no answer.

    It is told each time a store is opened, until the parts are deleted from the folder they were moved to.
    """
    rows = (
        select(
            column("table"),
            named(call("count"), "parts"),
            named(call("min", column("path")), "path"),
        )
        .from_(exp.table_("detached_parts", db="system"))
        .where(
            all_of(
                [
                    exp.EQ(this=column("database"), expression=call("currentDatabase")),
                    call("startsWith", column("reason"), text("broken")),
                ]
            ),
            copy=False,
        )
        .group_by(column("table"), copy=False)
        .order_by(column("table"), copy=False)
    )
    for row in engine.query(rows).to_pylist():
        log.error(
            "%s of the table %s cannot be read and left out, what they held is missing: %s; "
            "look at the disk, then restore the store from a backup, or delete them there to go on without",
            *(counted(row["parts"], "part"), row["table"], Path(row["path"]).parent),
        )
