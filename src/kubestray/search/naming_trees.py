"""Trees that translate names: values of attributes, conditions of rules, places in a statement.

They are for statements in which a table is called ``t``, so that a column of the result may have the name of
one of the table.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlglot import exp

from kubestray.naming.mapping import Lookup, MetricRule, OnlyRule, Reading, matching
from kubestray.search.matching import wildcard
from kubestray.store.trees import (
    Tree,
    all_of,
    any_of,
    array,
    call,
    column,
    in_query,
    lambda_,
    named,
    one_of,
    select,
    table,
    text,
)

TIMES = frozenset({"time", "first_seen", "last_seen"})


def is_of_attributes(node: exp.Anonymous) -> bool:
    """Tell whether a call looks for an attribute by name."""
    return (
        node.this in ("mapContains", "arrayElement")
        and len(node.expressions) == 2
        and node.expressions[0] == column("attributes")
        and isinstance(node.expressions[1], exp.Literal)
    )


def conjuncts(tree: Tree) -> list[Tree]:
    """Return the conditions of which all have to hold."""
    if isinstance(tree, exp.And):
        return [*conjuncts(tree.this), *conjuncts(tree.expression)]
    if isinstance(tree, exp.Paren):
        return conjuncts(tree.this)
    if isinstance(tree, exp.Anonymous) and tree.this == "and":
        return [part for each in tree.expressions for part in conjuncts(each)]
    return [tree]


def on_times(statement: exp.Select) -> list[Tree]:
    """Return the conditions of a statement on times alone: they hold within its table just as well."""
    where = statement.args.get("where")
    found: list[Tree] = []
    for part in conjuncts(where.this) if where is not None else ():
        columns = list(part.find_all(exp.Column))
        if columns and all(each.name in TIMES for each in columns) and not part.find(exp.Query):
            inner = part.copy()
            for each in list(inner.find_all(exp.Column)):
                each.set("table", exp.to_identifier("t"))
            found.append(inner)
    return found


def copied(tree: exp.Expr, reads: Sequence[exp.Table]) -> tuple[exp.Expr, list[exp.Table]]:
    """Return a copy of a statement, and in it the same places."""
    for number, read in enumerate(reads):
        read.meta["place"] = number
    copy = tree.copy()
    found = {node.meta["place"]: node for node in copy.find_all(exp.Table) if "place" in node.meta}
    return copy, [found[number] for number in range(len(reads))]


def of(name: str) -> exp.Column:
    """Refer to a column of the table."""
    return exp.column(name, table="t")


def of_map(name: str) -> Tree:
    """Return the value of an attribute of the table's row, the empty text if it has none."""
    return call("arrayElement", of("attributes"), text(name))


def of_pairs(body: Tree) -> Tree:
    """Write ``(k, v) -> body``."""
    return exp.Lambda(this=body, expressions=[exp.to_identifier("k"), exp.to_identifier("v")])


def first(values: Sequence[Tree]) -> Tree:
    """Return the first value that is not empty, the empty text if all are."""
    if len(values) == 1:
        return values[0]
    return call("arrayFirst", lambda_("x", call("notEmpty", column("x"))), array(values))


def read_value(value: Tree, reading: Reading) -> Tree:
    """Return what is made of a value."""
    if reading.patterns:
        value = first([call("extract", value.copy(), text(pattern)) for pattern in reading.patterns])
    for old, new in reading.replace:
        value = call("replaceAll", value, text(old), text(new))
    if reading.owner:
        value = first([*(call("extract", value.copy(), text(form)) for form in reading.owner), value])
    return value


def joined(values: Sequence[Tree]) -> Tree:
    """Return values as one, with ``/`` between them."""
    if len(values) == 1:
        return values[0]
    parts = [part for value in values for part in (text("/"), value)][1:]
    return call("concat", *parts)


def looked_up(by: Sequence[Tree], lookup: Lookup, place: Tree) -> Tree:
    """Return the value of another series' attribute, by a key that both have.

    ``place`` is the value of the first attribute of ``lookup.within`` that the asking series has. A series in
    a place takes from those of the same place, else from those that tell of none. One that tells of none
    takes from its like, else from any place if the key is of one place alone. Of several the series seen
    last counts.
    """
    if not lookup.within:
        return read_value(_translated(joined(by), _pairs(lookup, joined(_key(lookup)))), lookup.reading)
    there = first([of_map(name) for name in lookup.within])
    places = call("arrayJoin", array([there.copy(), text(_ANYWHERE)]))
    of_one_place = exp.EQ(this=call("uniqExact", there), expression=exp.Literal.number(1))
    of_a_place = call("not", call("startsWith", column("key"), text(f"{_ANYWHERE}\n")))
    pairs = _pairs(lookup, _at(places, joined(_key(lookup)))).having(any_of([of_a_place, of_one_place]))
    otherwise = call("if", call("empty", place.copy()), text(_ANYWHERE), text(""))
    asked = array([_at(where, joined(by).copy()) for where in (place.copy(), otherwise)])
    found = call("arrayMap", lambda_("y", _translated(column("y"), pairs)), asked)
    return read_value(call("arrayFirst", lambda_("x", call("notEmpty", column("x"))), found), lookup.reading)


_ANYWHERE = "*"
"""Stands where the name of a place does, for all places."""


def _key(lookup: Lookup) -> list[Tree]:
    return [of_map(name) for name in lookup.key]


def _at(place: Tree, key: Tree) -> Tree:
    return call("concat", place, text("\n"), key)


def _pairs(lookup: Lookup, key: Tree) -> exp.Select:
    """Select keys with the value of the series that was seen last, as ``key`` and ``value``."""
    value = of_map(lookup.take)
    like = any_of([call("match", of("metric"), text(wildcard(pattern))) for pattern in lookup.metrics])
    told = [call("notEmpty", each) for each in (value, *_key(lookup))]
    left_out = [call("not", one_of(of_map(name), map(text, values))) for name, values in lookup.not_where]
    return (
        select(named(key, "key"), named(call("argMax", value.copy(), of("last_seen")), "value"))
        .from_("series AS t")
        # Series that lack a part of the key are not alike in it.
        .where(all_of([like, *told, *left_out]))
        .group_by(column("key"))
    )


def _translated(value: Tree, pairs: exp.Query) -> Tree:
    """Return what pairs of ``key`` and ``value`` have for a value, the empty text if they have nothing."""
    # Never empty, which the engine does not take for a table of values.
    listed = [call("arrayPushBack", call("groupArray", column(name)), text("")) for name in ("key", "value")]
    both = exp.Subquery(this=select(call("tuple", *listed)).from_(table(pairs.copy(), "pairs"), copy=False))
    keys, values = (call("tupleElement", both.copy(), exp.Literal.number(at)) for at in (1, 2))
    return call("transform", value, keys, values, text(""))


def conditions(rule: MetricRule) -> list[Tree]:
    """Return the conditions of a rule on a series of the metric that it is of."""
    having = [one_of(of_map(name), map(text, values)) for name, values in rule.where]
    lacking = [call("not", one_of(of_map(name), map(text, values))) for name, values in rule.not_where]
    return [*having, *lacking]


def others(
    rule: OnlyRule, shown: Tree, name: str = "series", metrics: Collection[str] | None = None
) -> exp.Select:
    """Select from the series of a rule's metrics (of some, by name, if they are given) that do not count."""
    if metrics is None:
        like = any_of([call("match", of("metric"), text(wildcard(pattern))) for pattern in rule.metrics])
    else:
        like = one_of(of("metric"), map(text, sorted(one for one in metrics if matching(rule.metrics, one))))
    value = of_map(rule.attribute)
    counted = one_of(value, map(text, ("", *rule.values)))
    return select(shown).from_(f"{name} AS t").where(all_of([like, call("not", counted)]))


def is_among(name: str, rule: OnlyRule) -> Tree:
    """Return the condition that rows are of series that do not count."""
    if name == "samples":
        return in_query(of("series_id"), others(rule, of("series_id")))
    like = any_of([call("match", of("metric"), text(wildcard(pattern))) for pattern in rule.metrics])
    counted = one_of(of_map(rule.attribute), map(text, ("", *rule.values)))
    return all_of([like, call("not", counted)])
