"""What tells the rows of a result apart, whatever was measured of them.

Engines add numbers up in no fixed order, so the last digits of an average may differ when the same
search runs again. Who asks whether a row is one that was there before has to look at its keys, or,
where nothing says which fields those are, past these digits.
"""

from __future__ import annotations

from typing import Any

from kubestray.search.plan import (
    Accelerated,
    Column,
    Extend,
    Filter,
    Grouped,
    Joined,
    Limited,
    Measure,
    Node,
    Rows,
)
from kubestray.search.relation import Relation


def identifying(relation: Relation) -> tuple[str, ...] | None:
    """Return the fields by which the rows were last grouped, if all are still there; else None.

    Each group is one row then, unless a later step made several of it (``mvexpand``).
    """
    names = {column: name for name, column in relation.fields.items()}
    found = _keys(relation.node)
    if found is None or not names.keys() >= set(found):
        return None
    return tuple(names[column] for column in found)


def steady(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without the digits of its numbers in which sums over the same points may differ."""
    return {n: float(f"{v:.9g}") if isinstance(v, float) else v for n, v in row.items()}


def _keys(node: Node) -> list[Column] | None:
    while True:
        if isinstance(node, Extend | Filter | Limited):
            node = node.source
        elif isinstance(node, Joined) and isinstance(node.right, Limited) and node.right.count == 1:
            node = node.left  # with its first match, a row stays one
        else:
            break
    match node:
        case Rows() if node.keys:
            return list(node.keys)
        case Accelerated():
            return [column for column, _ in node.whole.groups]
        case Grouped():
            return [column for column, _ in node.groups]
        case Measure():
            return [*(attribute.column for attribute in node.by), *([node.bin] if node.bin else [])]
        case _:
            return None
