"""A part of a statement that runs beside it, while the engine still plans the rest.

The engine plans a statement on one core, and what a search asks of summaries takes longer to plan than to
run. The right side of a join is a statement of its own: it is planned and run at the same time, and its rows
go through a pipe into the place where it stood. The statement reads them when it comes to the join.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from sqlglot import exp

from kubestray.store.trees import Tree, call, column, select, text

_MARK = f"beside-{secrets.token_hex(12)}"  # in no text of a user, as nobody knows it before
_META = "beside"


def apart(query: exp.Select, types: Mapping[str, str]) -> exp.Select:
    """Say of a query within a statement that it may run beside it; ``types`` are those of its columns."""
    query.meta[_META] = ", ".join(f"{name} {kind}" for name, kind in types.items())
    return query


def parted(statement: exp.Expr) -> tuple[exp.Select, exp.Select] | None:
    """Return a statement without the part that may run beside it, and that part; None if it has none.

    The first one reads the rows of the second from a file, see `with_path`.
    """
    if not isinstance(statement, exp.Select):
        return None
    main = statement.copy()
    part = next((found for found in main.find_all(exp.Select) if found.meta.get(_META)), None)
    if part is None or part is main:
        return None
    steps: dict[str, exp.Query] = {step.alias: step.this for step in main.ctes}
    main.set("with_", None)
    own = part.copy()
    rows = call("file", text(_MARK), text("ArrowStream"), text(part.meta[_META]))
    part.replace(select(*(column(one.alias_or_name) for one in part.selects)).from_(rows))
    return _with_steps(main, steps), _with_steps(own, steps)


def with_path(statement: str, path: str) -> str:
    """Return a statement that reads the rows of its part from a file: an Arrow stream."""
    return statement.replace(_MARK, path)


def fill(descriptor: int, rows: Callable[[], bytes]) -> None:
    """Write rows into a pipe, and close it in any case; nothing is wrong if nobody reads all of them."""
    with suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as pipe:
        pipe.write(rows())


def _with_steps(query: exp.Select, steps: Mapping[str, exp.Query]) -> exp.Select:
    """Put those of some named steps before a query that it needs."""
    needed: set[str] = set()
    waiting: list[Tree] = [query]
    while waiting:
        found = _read(waiting.pop(), steps) - needed
        needed |= found
        waiting += [steps[name] for name in found]
    for name, step in steps.items():
        if name in needed:
            query = query.with_(name, as_=step.copy(), copy=False)
    return query


def _read(tree: Tree, names: Iterable[str]) -> set[str]:
    return {found.name for found in tree.find_all(exp.Table)} & set(names)
