"""Plan to one sqlglot tree: each step of the plan is one named subquery of the statement."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from kubestray.search.accelerated import edges, kept, long_rows, merged, states_of
from kubestray.search.alike import written_once
from kubestray.search.chain import is_of_row_alone, read, replaced
from kubestray.search.columns import TYPES, some
from kubestray.search.metric_points import catalogued, measure, received
from kubestray.search.plan import (
    Accelerated,
    Catalogued,
    Column,
    Decomposed,
    Events,
    Extend,
    Filter,
    Grouped,
    Joined,
    Limited,
    LookupRows,
    Measure,
    Node,
    Received,
    Rows,
    Stacked,
    nodes,
)
from kubestray.search.relation import Relation
from kubestray.search.rewrite import rewritten
from kubestray.search.stored_rows import given_rows, lookup_rows, stored_events
from kubestray.search.values import Shape
from kubestray.store.beside import apart
from kubestray.store.point_tables import ACCELERATED
from kubestray.store.points import Span
from kubestray.store.trees import (
    Tree,
    all_of,
    call,
    column,
    named,
    number,
    select,
    table,
)


def compile_relation(relation: Relation) -> exp.Select:
    """Return the statement for a relation: its fields as ``f0, f1, …`` in order, the rows ordered."""
    return compile_rewritten(rewritten_relation(relation))


def rewritten_relation(relation: Relation) -> Relation:
    """Return a relation whose plan is rewritten; the times that it reads are the same in both."""
    wanted = (*relation.fields.values(), *(order.column for order in relation.order))
    node = rewritten(relation.node, frozenset(made.name for made in wanted))
    return relation.with_node(written_once(node))


def compile_rewritten(relation: Relation) -> exp.Select:
    """Return the statement for a relation whose plan is rewritten already."""
    steps = _Steps()
    shown = [named(column(made.name), f"f{index}") for index, made in enumerate(relation.fields.values())]
    node, terms = _with_order(relation)
    statement = steps.reading(some(shown), node)
    if terms:
        statement = statement.order_by(*terms, copy=False)
    for name, query in steps.queries:
        statement = statement.with_(name, as_=query, copy=False)
    return statement


def _with_order(relation: Relation) -> tuple[Node, list[Tree]]:
    """Return the rows and the terms of their order, without a last step that makes nothing else."""
    terms = [order.term() for order in relation.order]
    last = relation.node.source if isinstance(relation.node, Filter) else relation.node
    if not isinstance(last, Extend) or not all(is_of_row_alone(tree) for _, tree in last.assignments):
        return relation.node, terms
    asked = [relation.node.condition] if isinstance(relation.node, Filter) else []
    used = read(*asked) | {made.name for made in relation.fields.values()}
    made = {made.name: tree for made, tree in last.assignments}
    if not used.isdisjoint(made):
        return relation.node, terms
    rows = last.source
    if asked and isinstance(rows, Filter):
        asked, rows = [rows.condition, *asked], rows.source
    return Filter(rows, all_of(asked)) if asked else rows, [replaced(term, made) for term in terms]


def compile_states(
    parts: Decomposed, spans: Sequence[Span], names: Sequence[str] = ACCELERATED
) -> exp.Select:
    """Return the statement for the states of each hour of some ranges: rows as ``accelerated`` has them,
    without the columns that are the same in all of them.
    """
    steps = _Steps()
    statement = steps.states(parts, parts.over_all(spans), hourly=True, names=names)
    for name, query in steps.queries:
        statement = statement.with_(name, as_=query, copy=False)
    return statement


class _Steps:
    """Subqueries in the order in which they are needed; each plan node becomes one."""

    def __init__(self) -> None:
        self.queries: list[tuple[str, exp.Query]] = []

    def add(self, node: Node) -> str:
        """Add a node and what it reads; return the name of its subquery."""
        query = self._query(node)
        name = f"s{len(self.queries)}"
        self.queries.append((name, query))
        return name

    def reading(self, query: exp.Select, node: Node) -> exp.Select:
        """Let a query read a node; a filter becomes its WHERE, as each step costs by all steps below it."""
        if isinstance(node, Filter):
            return query.from_(self.add(node.source), copy=False).where(node.condition.copy(), copy=False)
        return query.from_(self.add(node), copy=False)

    def _query(self, node: Node) -> exp.Query:
        match node:
            case Measure():
                return measure(node)
            case Received():
                return received(node)
            case Catalogued():
                return catalogued(node)
            case Rows():
                return given_rows(node)
            case Extend(source=Measure() as source) if _of_keys(node, source):
                return _with_columns(measure(source), node)
            case Extend(source=Joined() as source):
                return self._joined(source, node)
            case Extend(source=Filter(source=Joined() as source, condition=condition)):
                return self._joined(source, node).where(_of_join(condition, source), copy=False)
            case Extend():
                made = [named(tree, column_.name) for column_, tree in node.assignments]
                before = [exp.Star()] if node.kept is None else [column(name) for name in sorted(node.kept)]
                return self.reading(select(*before, *made), node.source)
            case Stacked():
                return self._stacked(node)
            case LookupRows():
                return lookup_rows(node)
            case Events():
                return stored_events(node)
            case Filter():
                return (
                    select(exp.Star()).from_(self.add(node.source)).where(node.condition.copy(), copy=False)
                )
            case Grouped():
                return self._grouped(node)
            case Accelerated():
                return self._accelerated(node)
            case Limited():
                return self._limited(node)
            case Joined():
                return self._joined(node)
        raise AssertionError(f"no statement for {type(node).__name__}")

    def _grouped(self, node: Grouped) -> exp.Query:
        made = [named(tree, column_.name) for column_, tree in (*node.groups, *node.aggregates)]
        query = self.reading(select(*made), node.source)
        return query.group_by(*(tree.copy() for _, tree in node.groups), copy=False) if node.groups else query

    def states(
        self, parts: Decomposed, rows: Node, *, hourly: bool, names: Sequence[str] = ACCELERATED
    ) -> exp.Select:
        """Select the states of items by group (and hour), a row for each item that has a value."""
        grouped = states_of(parts, rows, hourly=hourly, names=names)
        made = frozenset(one.name for one, _ in (*grouped.groups, *grouped.aggregates))
        return long_rows(parts, self.reading(select(), rewritten(grouped, made)), hourly=hourly, names=names)

    def _accelerated(self, node: Accelerated) -> exp.Query:
        rows: list[exp.Query] = [kept(node)]
        rows += [self.states(node.parts, each, hourly=False) for each in edges(node)]
        return merged(node, rows[0] if len(rows) == 1 else exp.union(*rows, distinct=False))

    def _limited(self, node: Limited) -> exp.Query:
        query = self.reading(select(exp.Star()), node.source)
        if node.order:
            query = query.order_by(*(order.term() for order in node.order), copy=False)
        if not node.per:
            return query.limit(node.count, copy=False)
        # LIMIT n BY keeps the first n rows of each group.
        limit = exp.Limit(expression=number(node.count), expressions=[column(c.name) for c in node.per])
        query.set("limit", limit)
        return query

    def _stacked(self, node: Stacked) -> exp.Query:
        selects = [
            some(
                [named(tree, c.name) for tree, c in zip(trees, node.columns, strict=True)],
            ).from_(self.add(part))
            for part, trees in node.parts
        ]
        return selects[0] if len(selects) == 1 else exp.union(*selects, distinct=False)

    def _joined(self, node: Joined, more: Extend | None = None) -> exp.Select:
        """Join, and make what ``more`` makes of the rows in the same step."""
        left, right = self.add(node.left), self.add(node.right)
        theirs = [*node.carried, node.matched]
        if more is None or more.kept is None:
            shown: list[Tree] = [exp.Column(this=exp.Star(), table=exp.to_identifier("ours"))]
            shown += [_whole(made) for made in theirs]
        else:
            known = {made.name: made for made in theirs}
            kept = sorted(more.kept)
            shown = [_whole(known[name]) if name in known else column(name) for name in kept]
        shown += [named(_of_join(tree, node), made.name) for made, tree in (more.assignments if more else ())]
        on = all_of([exp.EQ(this=column(a.name), expression=column(b.name)) for a, b in node.keys])
        query = some(shown).from_(exp.alias_(exp.to_table(left), "ours", table=True), copy=False)
        kind = "left" if node.outer else "inner"
        return query.join(table(_matching(node, right), "theirs"), on=on, join_type=kind, copy=False)


def _matching(node: Joined, right: str) -> exp.Select:
    """Select what a join reads of its right side."""
    keys = [key for _, key in node.keys]
    shown = [part for made in node.carried for part in _parts(made)]
    matched = named(call("toNullable", number(1)), node.matched.name)
    query = select(*shown, *(column(key.name) for key in keys), matched).from_(right)
    if not _is_small_measure(node.right) or any(made.shape is Shape.DYNAMIC for made in node.carried):
        return query
    types = {made.name: TYPES[made.shape] for made in (*node.carried, *keys)}
    return apart(query, types | {node.matched.name: "Nullable(UInt8)"})


def _of_join(tree: Tree, node: Joined) -> Tree:
    """Return a tree over the rows of a join as one over its two sides, where tuples are in parts."""
    tuples = {made.name: _tuple(made) for made in node.carried if made.shape is Shape.DYNAMIC}
    return replaced(tree, tuples)


def _of_keys(node: Extend, source: Measure) -> bool:
    """Tell whether what is made reads only what points are grouped by: then it needs no step of its own."""
    keys = {attribute.column.name for attribute in source.by}
    return bool(source.kinds) and read(*(tree for _, tree in node.assignments)) <= keys


def _with_columns(query: exp.Query, node: Extend) -> exp.Query:
    """Add columns to those of a query, of which those that are kept stay."""
    before = [one for one in query.selects if node.kept is None or one.alias_or_name in node.kept]
    query.set("expressions", [*before, *(named(tree, made.name) for made, tree in node.assignments)])
    return query


def _is_small_measure(node: Node) -> bool:
    """Tell whether a step gives a row for each of some keys, out of points and summaries."""
    match node:
        case Extend() | Filter() | Limited():
            return _is_small_measure(node.source)
        case Grouped():
            return bool(node.groups) and any(isinstance(found, Measure) for found in nodes(node))
        case Measure():
            return node.bin is None and bool(node.kinds)
    return False


def _parts(made: Column) -> list[Tree]:
    """Return a column on the right of a join; a tuple by its parts, as a row without a match has no tuple."""
    if made.shape is not Shape.DYNAMIC:
        return [column(made.name)]
    parts = [call("tupleElement", column(made.name), number(index)) for index in (1, 2)]
    return [named(part, f"{made.name}_{index}") for index, part in enumerate(parts, 1)]


def _whole(made: Column) -> Tree:
    """Return a column of the right side of a join after it."""
    if made.shape is not Shape.DYNAMIC:
        return exp.column(made.name, table="theirs")
    return named(_tuple(made), made.name)


def _tuple(made: Column) -> Tree:
    return call("tuple", *(exp.column(f"{made.name}_{index}", table="theirs") for index in (1, 2)))
