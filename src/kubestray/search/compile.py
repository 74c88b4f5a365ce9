"""Plan to one sqlglot tree: each step of the plan is one named subquery of the statement."""

from __future__ import annotations

from sqlglot import exp

from kubestray.search import measures
from kubestray.search.events import chosen, field_of
from kubestray.search.measures import METRIC, CalendarMeasure
from kubestray.search.plan import (
    Attribute,
    Column,
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
)
from kubestray.search.relation import Relation
from kubestray.search.rewrite import rewritten
from kubestray.search.values import Shape
from kubestray.store.coverage import Stretch
from kubestray.store.points import Selection, as_received, measured
from kubestray.store.schema import HOUR_NS
from kubestray.store.states import STATES
from kubestray.store.trees import (
    Tree,
    all_of,
    call,
    column,
    either,
    in_query,
    named,
    null,
    number,
    one_of,
    select,
    table,
    text,
    unsigned,
)

_TYPES = {
    Shape.NUMBER: "Nullable(Float64)",
    Shape.TEXT: "Nullable(String)",
    Shape.MULTI: "Array(String)",
    Shape.DYNAMIC: "Tuple(Nullable(Float64), Array(String))",
}


def compile_relation(relation: Relation) -> exp.Select:
    """Return the statement for a relation: its fields as ``f0, f1, …`` in order, the rows ordered."""
    steps = _Steps()
    wanted = (*relation.fields.values(), *(order.column for order in relation.order))
    last = steps.add(rewritten(relation.node, frozenset(made.name for made in wanted)))
    shown = [named(column(made.name), f"f{index}") for index, made in enumerate(relation.fields.values())]
    statement = _some(shown).from_(last)
    if relation.order:
        statement = statement.order_by(*(order.term() for order in relation.order))
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

    def _query(self, node: Node) -> exp.Query:
        match node:
            case Measure():
                return _measure(node)
            case Received():
                return _received(node)
            case Rows():
                return _rows(node)
            case Extend():
                made = [named(tree, column_.name) for column_, tree in node.assignments]
                before = [exp.Star()] if node.kept is None else [column(name) for name in sorted(node.kept)]
                return select(*before, *made).from_(self.add(node.source))
            case Stacked():
                return self._stacked(node)
            case LookupRows():
                return _lookup_rows(node)
            case Events():
                return _events(node)
            case Filter():
                return select(exp.Star()).from_(self.add(node.source)).where(node.condition)
            case Grouped():
                return self._grouped(node)
            case Limited():
                return self._limited(node)
            case Joined():
                return self._joined(node)
        raise AssertionError(f"no statement for {type(node).__name__}")

    def _grouped(self, node: Grouped) -> exp.Query:
        made = [named(tree, column_.name) for column_, tree in (*node.groups, *node.aggregates)]
        query = select(*made).from_(self.add(node.source))
        return query.group_by(*(tree.copy() for _, tree in node.groups)) if node.groups else query

    def _limited(self, node: Limited) -> exp.Query:
        query = select(exp.Star()).from_(self.add(node.source))
        if node.order:
            query = query.order_by(*(order.term() for order in node.order))
        if not node.per:
            return query.limit(node.count)
        # LIMIT n BY keeps the first n rows of each group.
        limit = exp.Limit(expression=number(node.count), expressions=[column(c.name) for c in node.per])
        query.set("limit", limit)
        return query

    def _stacked(self, node: Stacked) -> exp.Query:
        selects = [
            _some(
                [named(tree, c.name) for tree, c in zip(trees, node.columns, strict=True)],
            ).from_(self.add(part))
            for part, trees in node.parts
        ]
        return selects[0] if len(selects) == 1 else exp.union(*selects, distinct=False)

    def _joined(self, node: Joined) -> exp.Query:
        left, right = self.add(node.left), self.add(node.right)
        keys = [column(key.name) for _, key in node.keys]
        theirs = [part for c in node.carried for part in _parts(c)]
        matching = select(*theirs, *keys, named(call("toNullable", number(1)), node.matched.name)).from_(
            right
        )
        on = all_of([exp.EQ(this=column(a.name), expression=column(b.name)) for a, b in node.keys])
        shown: list[Tree] = [exp.Column(this=exp.Star(), table=exp.to_identifier("ours"))]
        shown += [_whole(c) for c in (*node.carried, node.matched)]
        query = select(*shown).from_(table(select(exp.Star()).from_(left), "ours"))
        kind = "left" if node.outer else "inner"
        return query.join(table(matching, "theirs"), on=on, join_type=kind, copy=False)


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
    parts = [exp.column(f"{made.name}_{index}", table="theirs") for index in (1, 2)]
    return named(call("tuple", *parts), made.name)


def _measure(node: Measure) -> exp.Query:
    """Aggregate by series and bin, join the few results to their attributes, then merge by attributes."""
    if not node.kinds:
        return _nothing([*_keys(node), *(a.column for a in node.aggregates)])
    carries = [_carries(a) for a in node.by if a.fallback is None and a.name != METRIC]
    series = [*carries, *([node.series] if node.series is not None else [])]
    chosen = Selection(node.metrics, node.kinds, all_of(series) if series else None, node.span)
    bins = [named(_bin_start(node), node.bin.name)] if node.bin else []
    values = [
        _aggregate(node, aggregate.function, aggregate.metric, aggregate.column)
        for aggregate in node.aggregates
    ]
    query = select(*(column(a.column.name) for a in node.by), *bins, *values)
    query = query.from_(table(_all_states(node, chosen), "states"))
    if node.by:
        on = exp.EQ(
            this=exp.column("series_id", table="states"), expression=exp.column("series_id", table="names")
        )
        query = query.join(table(_all_names(node, chosen), "names"), on=on, join_type="inner", copy=False)
    groups = [column(a.column.name) for a in node.by] + ([column("bin")] if node.bin else [])
    if groups:
        return query.group_by(*groups)
    return query.having(call("greater", call("count"), number(0)))


def _keys(node: Measure) -> list[Column]:
    return [*([node.bin] if node.bin else []), *(attribute.column for attribute in node.by)]


def _all_states(node: Measure, chosen: Selection) -> exp.Query:
    """Select one row a series or group, metric and bin: from summaries as far as they serve, and points."""
    if node.sources is None:
        return _states(node, chosen)
    parts: list[exp.Query] = [_summarised(node, chosen, stretch) for stretch in node.sources.summaries]
    parts += [
        _states(node, Selection(chosen.metrics, chosen.kinds, chosen.series, span))
        for span in node.sources.points
    ]
    return parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False)


def _summarised(node: Measure, chosen: Selection, stretch: Stretch) -> exp.Select:
    """Select the merged states of a stretch of summaries by group, metric and bin."""
    wanted = [
        call("equals", column("hours"), number(stretch.hours)),
        call("greaterOrEquals", column("hour"), number(stretch.first)),
        call("less", column("hour"), number(stretch.end)),
        one_of(column("metric"), [text(name) for name in chosen.metrics]),
    ]
    if chosen.series is not None:
        groups = select(column("group_id")).from_("groups").where(chosen.catalog())
        wanted.append(in_query(column("group_id"), groups))
    keys: list[Tree] = [column("metric"), column("group_id")]
    shown: list[Tree] = [column("metric"), named(column("group_id"), "series_id")]
    if node.bin:
        start = call("multiply", call("toUInt64", column("hour")), unsigned(HOUR_NS))
        shown.append(named(call("intDiv", start, unsigned(node.bin_ns)), "bin"))
        keys.append(column("bin"))
    states = [
        named(STATES[state].merged(exp.column(state, table="summaries")), state) for state in _needed(node)
    ]
    return select(*shown, *states).from_("summaries").where(all_of(wanted)).group_by(*keys)


def _needed(node: Measure) -> list[str]:
    """Return the states that the aggregates need, and what they need of series."""
    functions = (measures.function_of(aggregate.function) for aggregate in node.aggregates)
    return list(dict.fromkeys(state for function in functions for state in function.states))


def _states(node: Measure, chosen: Selection) -> exp.Select:
    """Select one row a series, metric and bin, with the states that the aggregates need."""
    states, made = measures.split_states(_needed(node))
    values = [named(STATES[state].of_points(), state) for state in states]
    query = _by_series(node, measured(chosen), values)
    if not made:
        return query
    shown = [
        named(measures.of_series(name, binned=node.bin is not None), name)
        for name in made
        if name != measures.SEEN
    ]
    if set(made) == {"pace"}:
        return select(exp.Star(), *shown).from_(table(query, "series_states"))
    both = select(exp.Star()).from_(table(query, "series_states"))
    keys: list[int | str | Tree] = ["metric", "series_id", *(["bin"] if node.bin else [])]
    both = both.join(table(_seen(node, chosen), "series_seen"), using=keys, join_type="inner", copy=False)
    return select(exp.Star(), *shown).from_(table(both, "series_points"))


def _seen(node: Measure, chosen: Selection) -> exp.Select:
    """Select when a series was seen in a bin, and last in the bin before."""
    ends = [(measures.SEEN, "min"), (measures.SEEN_LAST, "max")]
    times = [named(call(function, column("time")), name) for name, function in ends]
    last = measures.before(column(measures.SEEN_LAST), binned=node.bin is not None)
    query = table(_by_series(node, as_received(chosen), times), "series_times")
    return select(exp.Star(), named(last, measures.SEEN_BEFORE)).from_(query)


def _by_series(node: Measure, points: exp.Query, values: list[Tree]) -> exp.Select:
    """Select values of points by series, metric and bin."""
    keys: list[Tree] = [column("metric"), column("series_id")]
    shown: list[Tree] = list(keys)
    if node.bin:
        shown.append(named(_bin(node), "bin"))
        keys.append(column("bin"))
    return select(*shown, *values).from_(table(points, "points")).group_by(*(key.copy() for key in keys))


def _all_names(node: Measure, chosen: Selection) -> exp.Query:
    """Select the BY attributes of each series, and of each group where summaries are read."""
    if node.sources is None:
        return _names(node.by, chosen)
    groups = _names(node.by, chosen, of="groups", key="group_id")
    return exp.union(_names(node.by, chosen), groups, distinct=False) if node.sources.points else groups


def _names(
    by: tuple[Attribute, ...], chosen: Selection, *, of: str = "series", key: str = "series_id"
) -> exp.Select:
    """Select the BY attributes of each series, or of each group."""
    shown = [
        named(
            call("toNullable", column("metric") if a.name == METRIC else _attribute(a.name, a.fallback)),
            a.column.name,
        )
        for a in by
    ]
    return select(named(column(key), "series_id"), *shown).from_(of).where(chosen.catalog())


def _attribute(name: str, fallback: str | None) -> Tree:
    value = call("arrayElement", column("attributes"), text(name))
    if fallback is None:
        return value
    return either(call("mapContains", column("attributes"), text(name)), value, text(fallback))


def _carries(attribute: Attribute) -> Tree:
    return call("mapContains", column("attributes"), text(attribute.name))


def _bin(node: Measure) -> Tree:
    """Return what bin a point is in: its number, or where it starts if bins differ in length."""
    if isinstance(node, CalendarMeasure) and node.calendar:
        return node.calendar.start(call("toNullable", call("divide", column("time"), number(1e9))))
    return call("intDiv", column("time"), unsigned(node.bin_ns))


def _bin_start(node: Measure) -> Tree:
    if isinstance(node, CalendarMeasure) and node.calendar:
        return column("bin")
    start = call("multiply", column("bin"), unsigned(node.bin_ns))
    return call("toNullable", call("divide", start, number(1e9)))


def _aggregate(node: Measure, function: str, metric: str, made: Column) -> Tree:
    is_it = call("equals", column("metric"), text(metric)) if metric else exp.true()
    finish = measures.function_of(function).finish
    return named(finish(lambda state: measures.merged(state, is_it), node.stdev_single), made.name)


def _received(node: Received) -> exp.Query:
    columns = [node.time, node.metric, node.value, *(a.column for a in node.attributes)]
    if not node.metrics:
        return _nothing(columns)
    chosen = Selection(node.metrics, node.kinds, node.series, node.span)
    points = [
        named(call("toNullable", call("divide", column("time"), number(1e9))), node.time.name),
        named(call("toNullable", call("toString", exp.column("metric", table="points"))), node.metric.name),
        named(call("toNullable", column("value")), node.value.name),
    ]
    shown = [
        named(either(_carries(a), call("toNullable", _attribute(a.name, None)), null()), a.column.name)
        for a in node.attributes
    ]
    catalog = select(column("series_id"), column("attributes")).from_("series").where(chosen.catalog())
    on = exp.EQ(
        this=exp.column("series_id", table="points"), expression=exp.column("series_id", table="names")
    )
    query = select(*points, *shown).from_(table(as_received(chosen), "points"))
    return query.join(table(catalog, "names"), on=on, join_type="inner", copy=False)


def _rows(node: Rows) -> exp.Query:
    """Read given rows; the structure names our columns, the rows are one literal."""
    if not node.json:
        return _nothing(list(node.columns))
    structure = ", ".join(f"{c.name} {_TYPES[c.shape]}" for c in node.columns)
    return select(exp.Star()).from_(call("format", text("JSONEachRow"), text(structure), text(node.json)))


def _lookup_rows(node: LookupRows) -> exp.Query:
    shown = [named(_lookup_value(made, field), made.name) for made, field in node.columns]
    place = named(call("toNullable", call("toFloat64", column("place"))), node.place.name)
    wanted = [
        exp.EQ(this=column("name"), expression=text(node.name)),
        exp.EQ(this=column("version"), expression=unsigned(node.version)),
    ]
    return select(*shown, place).from_("lookup_rows").where(all_of(wanted))


def _lookup_value(made: Column, field: str) -> Tree:
    """Return a field of a lookup's row: numbers and texts are kept apart (`store.schema`)."""
    own, texts = column("numbers"), call("arrayElement", column("texts"), text(field))
    has = call("mapContains", own, text(field))
    own_value = either(has, call("toNullable", call("arrayElement", own, text(field))), null())
    if made.shape is Shape.NUMBER:
        return own_value
    if made.shape is Shape.TEXT:
        first = call("toNullable", call("arrayElement", texts, number(1)))
        return either(call("notEmpty", texts), first, null())
    return texts if made.shape is Shape.MULTI else call("tuple", own_value, texts)


def _events(node: Events) -> exp.Query:
    shown = [named(field_of(made, name), made.name) for made, name in node.columns]
    moment = named(call("toNullable", call("divide", column("time"), number(1e9))), node.time.name)
    key = named(call("toNullable", column("id")), node.id.name)
    return select(moment, key, *shown).from_(node.table).where(chosen(node.index, node.span))


def _nothing(columns: list[Column]) -> exp.Query:
    """Select no rows with these columns: what is asked for has never been seen."""
    empty = [named(call("CAST", _default(c), text(_TYPES[c.shape])), c.name) for c in columns]
    return _some(empty).where(exp.false())


def _some(shown: list[Tree]) -> exp.Select:
    """Select these, or something where nothing is asked for: the rows count all the same."""
    return select(*(shown or [named(number(1), "none")]))


def _default(made: Column) -> Tree:
    return call("array") if made.shape is Shape.MULTI else null()
