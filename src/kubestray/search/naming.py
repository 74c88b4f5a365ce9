"""Adds the names of the mapping to what a statement reads: the one place where names are translated.

A statement that asks the catalog for an attribute gets what the mapping would take it from if a series lacks
it. One that asks for a metric gets, beside the series of that name, those of other metrics that are the same
by another name: its tables ``series`` and ``samples`` are replaced by what they hold with these added. Points
stay as they were received, and a changed mapping holds for old points too.

Only metrics that the store has are added; a statement that none of this concerns is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from kubestray.naming.mapping import (
    NOTHING,
    Lookup,
    MetricRule,
    NameMapping,
    OnlyRule,
    Reading,
    matching,
)
from kubestray.search.matching import wildcard
from kubestray.store.trees import (
    Tree,
    all_of,
    any_of,
    array,
    call,
    column,
    either,
    in_query,
    named,
    one_of,
    select,
    table,
    text,
)

Query = Callable[[exp.Expr], pa.Table]

_COLUMNS = {
    "samples": ("metric", "series_id", "time", "start", "value"),
    "series": ("metric", "series_id", "kind", "unit", "attributes", "first_seen", "last_seen"),
}

_TIMES = frozenset({"time", "first_seen", "last_seen"})


@dataclass(frozen=True, slots=True)
class Naming:
    """Translates names as a mapping says."""

    mapping: NameMapping = NOTHING

    def applied(self, tree: exp.Expr, query: Query) -> exp.Expr:
        """Return a statement with the names added; ``query`` asks the store what it has."""
        if self.mapping is NOTHING:
            return tree
        reads = [each for each in tree.find_all(exp.Table) if each.name in ("samples", "series", "groups")]
        if not reads:
            return tree
        asked = {id(each): _Asked.by(each) for each in reads}
        present = self._present(asked.values(), query)
        tree, copied = _copied(tree, reads)
        for old, new in zip(reads, copied, strict=True):
            self._translate(new, asked[id(old)], present)
        return tree

    def translates(self, metrics: Iterable[str], query: Query) -> bool:
        """Tell whether points of other metrics, or not all of its own, answer for one of these."""
        asked = _Asked(frozenset(metrics))
        present = self._present([asked], query)
        return bool(present.rules(asked) or present.only)

    def further_attributes(self, names: Iterable[str]) -> set[str]:
        """Return attributes that series with these get."""
        known = set(names)
        return {rule.name for rule in self.mapping.attributes if known.intersection(rule.sources)}

    def _present(self, asked: Iterable[_Asked], query: Query) -> _Present:
        """Find out which of the rules concern what the store has."""
        every = list(asked)
        rules = {rule.received: rule for one in every for rule in _wanted(self.mapping.metrics, one)}
        only = [rule for rule in self.mapping.only if any(one.concerns(rule.metrics) for one in every)]
        parts: list[exp.Query] = []
        if rules:
            listed = one_of(column("metric"), map(text, sorted(rules)))
            parts.append(select(column("metric")).from_("series_rows").where(listed).distinct())
        for number, rule in enumerate(only):
            parts.append(_others(rule, named(text(f" {number}"), "metric"), "series_rows").limit(1))
        if not parts:
            return _Present((), ())
        union = parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False)
        there = set(query(union).column("metric").to_pylist())
        return _Present(
            tuple(rule for rule in self.mapping.metrics if {rule.received, rule.name} & there),
            tuple(rule for number, rule in enumerate(only) if f" {number}" in there),
        )

    def _translate(self, read: exp.Table, asked: _Asked, present: _Present) -> None:
        """Put the names into one place that reads a table."""
        statement = read.find_ancestor(exp.Select)
        assert statement is not None
        if read.name != "samples":
            self._add_attributes(statement, asked)
        if read.name == "groups":
            return
        rules = present.rules(asked)
        only = [
            rule
            for rule in present.only
            if asked.concerns(rule.metrics) and rule.attribute not in asked.names
        ]
        if rules or only:
            made = self._replacement(read.name, rules, only, asked, _on_times(statement))
            read.replace(table(made, read.alias_or_name))

    def _replacement(
        self,
        name: str,
        rules: Sequence[MetricRule],
        only: Sequence[OnlyRule],
        asked: _Asked,
        times: Sequence[Tree],
    ) -> exp.Query:
        """Select the rows of a table, but for those with another name now, and these by that name."""
        columns = _COLUMNS[name]
        own: list[Tree] = [*times]
        if asked.metrics is not None:
            own.append(one_of(_of("metric"), map(text, sorted(asked.metrics))))
        own += [call("not", self._is_of(name, rule)) for rule in rules if asked.hides(rule)]
        own += [call("not", _is_among(name, rule)) for rule in only]
        parts = [select(*map(_of, columns)).from_(f"{name} AS t").where(all_of(own))]
        for rule in rules:
            shown = [self._shown(column_, rule) for column_ in columns]
            wanted = all_of([self._is_of(name, rule), *(time.copy() for time in times)])
            parts.append(select(*shown).from_(f"{name} AS t").where(wanted))
        return parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False)

    def _is_of(self, name: str, rule: MetricRule) -> Tree:
        """Return the condition that rows are of a rule's series; of several the first that fits counts."""
        is_named = exp.EQ(this=_of("metric"), expression=text(rule.received))
        conditions = _conditions(rule)
        for each in self.mapping.metrics:
            if each == rule or rule not in self.mapping.metrics:
                break
            if each.received == rule.received:
                conditions.append(call("not", all_of(_conditions(each))))
        if not conditions:
            return is_named
        if name == "series":
            return all_of([is_named, *conditions])
        ids = select(_of("series_id")).from_("series AS t").where(all_of([is_named, *conditions]))
        return all_of([is_named.copy(), in_query(_of("series_id"), ids)])

    def _shown(self, name: str, rule: MetricRule) -> Tree:
        if name == "metric":
            return named(call("toLowCardinality", text(rule.name)), name)
        if name == "kind" and rule.kind is not None:
            return named(call("toLowCardinality", text(rule.kind.value)), name)
        if name == "attributes":
            return named(self._attributes_of(rule), name)
        return _of(name)

    def _attributes_of(self, rule: MetricRule) -> Tree:
        """Return the map of a series' attributes with those that a rule adds."""
        own: Tree = _of("attributes")
        if rule.dotted:
            old = array(text(name.replace(".", "_")) for name in self.mapping.dotted)
            new = array(map(text, self.mapping.dotted))
            key = call("transform", column("k"), old, new, column("k"))
            own = call("mapApply", _pair_lambda(call("tuple", key, column("v"))), own)
        made: dict[str, Tree] = {}
        for name, sources, reading in rule.attributes:
            value = _first([_read(_of_map(source), reading) for source in sources])
            made[name] = _first([made[name], value]) if name in made else value
        for name, lookup in rule.lookups:
            by = [made.get(part, _of_map(part)) for part in lookup.by]
            value = _looked_up(by, lookup)
            made[name] = _first([made[name], value]) if name in made else value
        made |= {name: text(value) for name, value in rule.fixed}
        if not made:
            return own
        pairs = [part for name, value in made.items() for part in (text(name), value)]
        there = call("mapFilter", _pair_lambda(call("notEmpty", column("v"))), call("map", *pairs))
        return call("mapUpdate", own, there)

    def _add_attributes(self, statement: exp.Select, asked: _Asked) -> None:
        rules = {rule.name for rule in self.mapping.attributes if asked.concerns(rule.metrics or ("*",))}
        wanted = rules & asked.names
        if not wanted:
            return
        for node in list(statement.find_all(exp.Anonymous)):
            if node.find_ancestor(exp.Select) is not statement or not _is_of_attributes(node):
                continue
            name = node.expressions[1].this
            if name in wanted:
                further = self._further(name, asked, frozenset({name}))
                if further is not None:
                    holds = call("mapContains", column("attributes"), text(name))
                    if node.this == "mapContains":
                        node.replace(any_of([holds, call("notEmpty", further)]))
                    else:
                        node.replace(
                            either(holds, call("arrayElement", column("attributes"), text(name)), further)
                        )

    def _further(self, name: str, asked: _Asked, seen: frozenset[str]) -> Tree | None:
        """Return what an attribute is taken from if a series lacks it; the empty text if there is nothing."""
        values: list[Tree] = []
        for rule in self.mapping.attributes:
            if rule.name != name or not asked.concerns(rule.metrics or ("*",)):
                continue
            sources = [source for source in rule.sources if source not in seen]
            values += [_read(self._value(source, asked, seen), rule.reading) for source in sources]
            if rule.lookup is not None and not seen.intersection(rule.lookup.by):
                by = [self._value(part, asked, seen) for part in rule.lookup.by]
                values.append(_looked_up(by, rule.lookup))
        return _first(values) if values else None

    def _value(self, name: str, asked: _Asked, seen: frozenset[str]) -> Tree:
        own = call("arrayElement", column("attributes"), text(name))
        further = self._further(name, asked, seen | {name})
        return own if further is None else _first([own, further])


NO_NAMES = Naming()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a place that reads a table asks for: metrics by name (None: any), attributes by name."""

    metrics: frozenset[str] | None
    exact: frozenset[str] = frozenset()
    """Names that are compared with where ``metrics`` is None."""
    names: frozenset[str] = frozenset()

    @classmethod
    def by(cls, read: exp.Table) -> _Asked:
        statement = read.find_ancestor(exp.Select)
        assert statement is not None
        where = statement.args.get("where")
        names = frozenset(
            node.expressions[1].this for node in statement.find_all(exp.Anonymous) if _is_of_attributes(node)
        )
        exact: set[str] = set()
        for part in _conjuncts(where.this) if where is not None else ():
            if isinstance(part, exp.In) and part.this == column("metric") and not part.args.get("query"):
                return cls(frozenset(each.this for each in part.expressions), frozenset(), names)
        for equal in where.find_all(exp.EQ) if where is not None else ():
            if equal.this == column("metric") and isinstance(equal.expression, exp.Literal):
                exact.add(equal.expression.this)
        return cls(None, frozenset(exact), names)

    def concerns(self, patterns: Sequence[str]) -> bool:
        """Tell whether a metric may be asked for that fits one of the patterns."""
        return self.metrics is None or any(matching(patterns, name) for name in self.metrics)

    def hides(self, rule: MetricRule) -> bool:
        """Tell whether series are left out under the name they came with, to be counted once.

        Whoever asks for that name gets them under it too. (Where some of a metric's series are another's, a
        wildcard gives both names, and each series is counted under one.)
        """
        if self.metrics is None:
            return rule.received not in self.exact
        return rule.received in self.metrics and bool(rule.where or rule.not_where)


@dataclass(frozen=True, slots=True)
class _Present:
    """The rules that concern what is in the store."""

    metrics: tuple[MetricRule, ...]
    only: tuple[OnlyRule, ...]

    def rules(self, asked: _Asked) -> list[MetricRule]:
        return _wanted(self.metrics, asked)


def _wanted(rules: Iterable[MetricRule], asked: _Asked) -> list[MetricRule]:
    """Return the rules that give one of the metrics that are asked for.

    A metric that is another by name alone is found under both; the received name only if it is asked for.
    """
    found: list[MetricRule] = []
    for rule in rules:
        if asked.metrics is None or rule.name in asked.metrics:
            found.append(rule)
        elif rule.renamed and rule.received in asked.metrics:
            found.append(MetricRule(rule.received, rule.name, renamed=True))
        if asked.metrics is None and rule.renamed and rule.received in asked.exact:
            found.append(MetricRule(rule.received, rule.name, renamed=True))
    return found


def _is_of_attributes(node: exp.Anonymous) -> bool:
    return (
        node.this in ("mapContains", "arrayElement")
        and len(node.expressions) == 2
        and node.expressions[0] == column("attributes")
        and isinstance(node.expressions[1], exp.Literal)
    )


def _conjuncts(tree: Tree) -> list[Tree]:
    if isinstance(tree, exp.And):
        return [*_conjuncts(tree.this), *_conjuncts(tree.expression)]
    if isinstance(tree, exp.Paren):
        return _conjuncts(tree.this)
    if isinstance(tree, exp.Anonymous) and tree.this == "and":
        return [part for each in tree.expressions for part in _conjuncts(each)]
    return [tree]


def _on_times(statement: exp.Select) -> list[Tree]:
    """Return the conditions of a statement on times alone: they hold within its table just as well."""
    where = statement.args.get("where")
    found: list[Tree] = []
    for part in _conjuncts(where.this) if where is not None else ():
        columns = list(part.find_all(exp.Column))
        if columns and all(each.name in _TIMES for each in columns) and not part.find(exp.Query):
            inner = part.copy()
            for each in list(inner.find_all(exp.Column)):
                each.set("table", exp.to_identifier("t"))
            found.append(inner)
    return found


def _copied(tree: exp.Expr, reads: Sequence[exp.Table]) -> tuple[exp.Expr, list[exp.Table]]:
    """Return a copy of a statement, and in it the same places."""
    for number, read in enumerate(reads):
        read.meta["place"] = number
    copy = tree.copy()
    found = {node.meta["place"]: node for node in copy.find_all(exp.Table) if "place" in node.meta}
    return copy, [found[number] for number in range(len(reads))]


def _of(name: str) -> exp.Column:
    return exp.column(name, table="t")


def _of_map(name: str) -> Tree:
    return call("arrayElement", _of("attributes"), text(name))


def _pair_lambda(body: Tree) -> Tree:
    return exp.Lambda(this=body, expressions=[exp.to_identifier("k"), exp.to_identifier("v")])


def _first(values: Sequence[Tree]) -> Tree:
    """Return the first value that is not empty."""
    result = values[-1]
    for value in reversed(values[:-1]):
        result = either(call("notEmpty", value), value.copy(), result)
    return result


def _read(value: Tree, reading: Reading) -> Tree:
    """Return what is made of a value."""
    if reading.patterns:
        value = _first([call("extract", value.copy(), text(pattern)) for pattern in reading.patterns])
    for old, new in reading.replace:
        value = call("replaceAll", value, text(old), text(new))
    if reading.owner:
        value = _first([*(call("extract", value.copy(), text(form)) for form in reading.owner), value])
    return value


def _joined(values: Sequence[Tree]) -> Tree:
    if len(values) == 1:
        return values[0]
    parts = [part for value in values for part in (text("/"), value)][1:]
    return call("concat", *parts)


def _looked_up(by: Sequence[Tree], lookup: Lookup) -> Tree:
    """Return the value of another series' attribute, by a key that both have."""
    key = _joined([_of_map(name) for name in lookup.key])
    value = _of_map(lookup.take)
    like = any_of([call("match", _of("metric"), text(wildcard(pattern))) for pattern in lookup.metrics])
    pairs = (
        select(named(key, "key"), named(call("any", value), "value"))
        .from_("series AS t")
        .where(all_of([like, call("notEmpty", value.copy())]))
        .group_by(column("key"))
    )
    # Never empty, which the engine does not take for a table of values.
    listed = [call("arrayPushBack", call("groupArray", column(name)), text("")) for name in ("key", "value")]
    both = exp.Subquery(this=select(call("tuple", *listed)).from_(table(pairs, "pairs")))
    keys, values = (call("tupleElement", both.copy(), exp.Literal.number(at)) for at in (1, 2))
    return _read(call("transform", _joined(by), keys, values, text("")), lookup.reading)


def _conditions(rule: MetricRule) -> list[Tree]:
    having = [one_of(_of_map(name), map(text, values)) for name, values in rule.where]
    lacking = [call("not", one_of(_of_map(name), map(text, values))) for name, values in rule.not_where]
    return [*having, *lacking]


def _others(rule: OnlyRule, shown: Tree, name: str = "series") -> exp.Select:
    """Select from the series of a rule's metrics that do not count."""
    like = any_of([call("match", _of("metric"), text(wildcard(pattern))) for pattern in rule.metrics])
    value = _of_map(rule.attribute)
    counted = one_of(value, map(text, ("", *rule.values)))
    return select(shown).from_(f"{name} AS t").where(all_of([like, call("not", counted)]))


def _is_among(name: str, rule: OnlyRule) -> Tree:
    if name == "samples":
        return in_query(_of("series_id"), _others(rule, _of("series_id")))
    like = any_of([call("match", _of("metric"), text(wildcard(pattern))) for pattern in rule.metrics])
    counted = one_of(_of_map(rule.attribute), map(text, ("", *rule.values)))
    return all_of([like, call("not", counted)])
