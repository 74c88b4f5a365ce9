"""A condition asks what rows are once those with one key are collapsed, never one of them alone.

The engine may ask those before that are on the key (`optimize_move_to_prewhere_if_final`), and no others.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from sqlglot import exp

from helpers import NOW, batch, series
from kubestray.store.engine import Ready
from kubestray.store.store import Store
from kubestray.store.trees import Tree, all_of, call, column, number, select, text, unsigned

U8, U32, U64, WORD = pa.uint8(), pa.uint32(), pa.uint64(), pa.string()
TYPES = {
    "runs": {
        "detection": WORD,
        "scheduled": U64,
        "finished": U64,
        "rows": U64,
        "error": WORD,
        "seconds": pa.float64(),
    },
    "documents": {"kind": WORD, "name": WORD, "fields": WORD, "removed": U8, "changed": U64},
    "summarised": {"hours": U8, "hour": U32, "metric": WORD, "without": pa.list_(WORD), "began": U64},
    "series": {
        "metric": WORD,
        "series_id": U64,
        "kind": WORD,
        "unit": WORD,
        "attributes": pa.map_(WORD, WORD),
        "first_seen": U64,
        "last_seen": U64,
    },
}
VERSIONS: dict[str, list[tuple[Any, ...]]] = {
    "runs": [("d", 7, 100, 5, "failed", 0.5), ("d", 7, 200, 9, "", 0.25)],
    "documents": [("user", "ann", "{}", 0, 100), ("user", "ann", "{1}", 1, 200)],
    "summarised": [(1, 7, "m", ["pid"], 100), (1, 7, "m", [], 200)],
    "series": [
        ("m", 7, "gauge", "", [("k", "v")], 5000, 5000),
        ("m", 7, "gauge", "", [("k", "v")], 100, 100),
    ],
}
OF_NO_ROW: dict[str, list[tuple[Tree, Tree]]] = {
    # A condition on the key, and one that held only for the row that is gone.
    "runs": [
        (call("equals", column("detection"), text("d")), condition)
        for condition in (
            call("equals", column("error"), text("failed")),
            call("less", column("finished"), unsigned(200)),
            call("equals", column("rows"), unsigned(5)),
        )
    ],
    "documents": [
        (call("equals", column("name"), text("ann")), call("equals", column("removed"), number(0))),
        (call("equals", column("kind"), text("user")), call("less", column("changed"), unsigned(200))),
    ],
    "summarised": [
        (call("equals", column("hour"), number(7)), call("notEmpty", column("without"))),
        (call("equals", column("hours"), number(1)), call("less", column("began"), unsigned(150))),
    ],
    "series": [
        (
            call("equals", column("metric"), text("m")),
            call("greaterOrEquals", column("first_seen"), unsigned(4000)),
        ),
        (call("equals", column("series_id"), number(7)), call("less", column("last_seen"), unsigned(4000))),
    ],
}


@pytest.mark.parametrize("name", TYPES)
def test_a_row_that_is_gone_is_not_found(store: Store, name: str) -> None:
    types = TYPES[name]
    for row in VERSIONS[name]:  # each is a part of its own, as nothing has merged them yet
        store.record(
            name,
            pa.table({key: pa.array([value], types[key]) for key, value in zip(types, row, strict=True)}),
        )
    for on_key, condition in OF_NO_ROW[name]:
        found = store.query(select(*map(column, types)).from_(name).where(on_key.copy()))
        assert found.num_rows == 1
        both = all_of([on_key.copy(), condition.copy()])
        assert store.query(select(*map(column, types)).from_(name).where(both)).num_rows == 0


def test_conditions_on_points_are_asked_before(embedded: Store) -> None:
    embedded.append(batch([(series("m"), NOW, 0, 1.0)]))
    hour = [exp.GTE(this=column("time"), expression=unsigned(5)), call("equals", column("metric"), text("m"))]
    statement = select(column("value")).from_("samples").where(all_of(hour))
    plan = embedded.engine.query(Ready(f"EXPLAIN PLAN actions = 1 {statement.sql(dialect='clickhouse')}"))
    told = "\n".join(plan.column(0).to_pylist())
    assert "Prewhere" in told
