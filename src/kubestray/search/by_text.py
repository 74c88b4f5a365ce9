"""Fields that are worked out here and not in the engine: once for each text, then joined to the rows.

For what the engine has no functions for, such as XML. The texts are asked for while the search is planned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kubestray.search.given import given_relation
from kubestray.search.joining import join_first
from kubestray.search.plan import Filter, Grouped, Limited
from kubestray.search.relation import Context, Relation
from kubestray.search.values import Shape, Value, as_text
from kubestray.store.trees import all_of, call, column, text

_TEXT = "text\x00"  # no field of a search is called so
_MOST_TEXTS = 100_000
_MOST_FIELDS = 1000


def fields_by_text(
    relation: Relation,
    value: Value,
    start: str,
    compute: Callable[[str], Mapping[str, Any]],
    context: Context,
    at: int,
) -> Relation:
    """Return the rows with the fields that ``compute`` gives for the text of a value.

    Only texts are taken that begin with ``start``, after white space. A field that there is already keeps its
    value where nothing is given.
    """
    own, shown = context.column(Shape.TEXT), context.column(Shape.TEXT)
    relation = relation.computed([(own, as_text(value))])
    begins = call("startsWith", call("trimLeft", call("ifNull", column(own.name), text(""))), text(start))
    distinct = Grouped(Filter(relation.node, all_of([begins])), ((shown, column(own.name)),), ())
    asked = Relation(distinct, {"text": shown})
    found = context.discover(asked.with_node(Limited(distinct, (), _MOST_TEXTS + 1)))
    if len(found) > _MOST_TEXTS:
        raise context.error(
            at, f"these are more than {_MOST_TEXTS} different texts", "search for fewer first"
        )
    rows = [{_TEXT: row["text"], **compute(row["text"])} for row in found if "text" in row]
    rows = [row for row in rows if len(row) > 1]
    if len({name for row in rows for name in row}) > _MOST_FIELDS:
        raise context.error(at, f"this makes more than {_MOST_FIELDS} fields", "name a path")
    if not rows:
        return relation
    theirs = given_relation(rows, context)
    key = theirs.value(_TEXT)
    shown_fields = {name: made for name, made in theirs.fields.items() if name != _TEXT}
    ours = relation.with_fields({**relation.fields, _TEXT: own})
    joined = join_first(
        ours, theirs.with_fields(shown_fields), [(_TEXT, key)], context, outer=True, overwrite=True
    )
    return joined.with_fields({name: made for name, made in joined.fields.items() if name != _TEXT})
