"""Where running aggregates start anew: the resets of ``streamstats``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kubestray.model.errors import SearchError
from kubestray.search.cursor import Cursor, unescape
from kubestray.search.evaluate import condition
from kubestray.search.expressions import expression
from kubestray.search.plan import Column, Filter, Grouped
from kubestray.search.relation import Context, Relation
from kubestray.search.source import Source
from kubestray.search.syntax import Expression, Field, Pipeline
from kubestray.search.values import NULL, Shape, as_list, present
from kubestray.store.trees import (
    Tree,
    aggregate,
    all_of,
    any_of,
    array,
    call,
    column,
    lambda_,
    number,
    over,
)

_MOST = 200
"""How many resets can be looked for one by one."""


@dataclass(frozen=True, slots=True)
class Resets:
    """The conditions under which all aggregates start anew."""

    before: Expression | None
    after: Expression | None
    on_change: bool


def read_condition(cursor: Cursor) -> Expression:
    r"""Read ``(CONDITION)``, ``"(CONDITION)"`` or ``"("CONDITION")"``; in the last two ``\"`` is a quote."""
    at = cursor.skip()
    if cursor.take("("):
        found = expression(cursor)
        cursor.expect(")", "to close the condition")
        return found
    if cursor.take('"("'):
        end = cursor.source.text.find('")"', cursor.at)
        if end < 0:
            raise cursor.error("unclosed condition", at, 'add the closing ")"')
        written = cursor.source.text[cursor.at : end]
        cursor.at = end + 3
        return _inner(cursor, unescape(written), at)
    quoted = cursor.quoted()
    if quoted is None:
        raise cursor.error(f"expected (CONDITION), found {cursor.found()}")
    return _inner(cursor, quoted, at)


def _inner(cursor: Cursor, text: str, at: int) -> Expression:
    def refuse(inner: Cursor) -> Pipeline:
        raise inner.error("a condition has no subsearch")

    inner = Cursor(Source(text, []), refuse)
    try:
        found = expression(inner)
    except SearchError as error:
        raise cursor.error(f"in the condition {text!r}: {error.message}", at) from error
    if not inner.at_end():
        raise cursor.error(f"in the condition {text!r}: did not expect {inner.found()}", at)
    return found


def names_in(node: object) -> set[str]:
    """Return the fields that an expression mentions."""
    if isinstance(node, Field):
        return {node.name}
    if isinstance(node, tuple):
        return {name for item in node for name in names_in(item)}
    if dataclasses.is_dataclass(node):
        return {name for part in dataclasses.fields(node) for name in names_in(getattr(node, part.name))}
    return set()


def segments(
    resets: Resets, by: Sequence[str], relation: Relation, context: Context
) -> tuple[Relation, list[Tree]]:
    """Return the rows, and what tells apart those before a reset from those after it."""
    (place,) = relation.order
    starts: list[Tree] = []
    terms = [place.term()]
    if resets.before is not None:
        relation, holds = condition(resets.before, relation, context)
        starts.append(_running(_once(holds), terms, current=True))
    if resets.after is not None:
        relation, holds = condition(resets.after, relation, context)
        starts.append(_running(_once(holds), terms, current=False))
    if resets.on_change and by:
        relation, changed = _changes(by, relation, context)
        starts.append(_running(changed, terms, current=True))
    if not starts:
        return relation, []
    segment = context.column(Shape.NUMBER)
    total = starts[0] if len(starts) == 1 else call("arraySum", call("array", *starts))
    return relation.computed([(segment, total)]), [segment.value().tree]


def one_by_one(
    after: Expression,
    running: Callable[[list[Tree]], Relation],
    place: Column,
    context: Context,
    at: int,
) -> Relation:
    """Return the running aggregates that start anew after each row for which a condition on them holds.

    ``running`` makes them, from what more tells rows apart; ``place`` is where a row is, from 1. Where they
    start anew depends on what they were before, so a small search looks for the next reset each time.
    """
    resets: list[float] = []
    while True:
        made = running([_passed(resets, place)] if resets else [])
        found = _next(after, made, place, resets[-1] if resets else 0.0, context)
        if found is None:
            return made
        if len(resets) == _MOST:
            raise context.error(
                at, f"reset_after by a result of the command itself resets over {_MOST} times"
            )
        resets.append(found)


def _passed(resets: Sequence[float], place: Column) -> Tree:
    """Return how many resets there were before a row."""
    earlier = lambda_("x", call("less", column("x"), column(place.name)))
    return call("arrayCount", earlier, array(number(reset) for reset in resets))


def _next(after: Expression, made: Relation, place: Column, last: float, context: Context) -> float | None:
    """Ask for the first row after a place that meets the condition."""
    made, holds = condition(after, made, context)
    later = call("greater", column(place.name), number(last))
    rows = Filter(made.node, all_of([call("ifNull", holds, number(0)), later]))
    first = context.column(Shape.NUMBER)
    found = context.discover(
        Relation(Grouped(rows, (), ((first, aggregate("minOrNull", column(place.name))),)), {"place": first})
    )
    return found[0].get("place") if found else None


def _once(holds: Tree) -> Tree:
    return call("toFloat64", call("ifNull", holds, number(0)))


def _running(flag: Tree, terms: Sequence[Tree], *, current: bool) -> Tree:
    summed = over(call("sum", flag), terms=[term.copy() for term in terms], current=current)
    return call("ifNull", summed, number(0))


def _changes(by: Sequence[str], relation: Relation, context: Context) -> tuple[Relation, Tree]:
    """Return 1 for a row whose BY fields differ from those of the row before; only complete rows count."""
    values = [relation.value(name) or NULL for name in by]
    complete, key, changed = (context.column(Shape.NUMBER) for _ in range(3))
    lists = call("array", *(as_list(value) for value in values))
    whole = call("toUInt8", all_of([present(value) for value in values]))
    relation = relation.computed([(complete, whole), (key, lists)])
    (place,) = relation.order
    kind = [column(complete.name)]
    before = over(call("lagInFrame", column(key.name), number(1)), partition=kind, terms=[place.term()])
    first = over(call("row_number"), partition=[kind[0].copy()], terms=[place.term()])
    differs = any_of([call("equals", first, number(1)), call("notEquals", column(key.name), before)])
    is_change = call("toFloat64", all_of([call("equals", column(complete.name), number(1)), differs]))
    return relation.computed([(changed, is_change)]), column(changed.name)
