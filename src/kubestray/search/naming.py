"""Adds the names of the mapping to what a statement reads: the one place where names are translated.

A statement that asks the catalog for an attribute gets what the mapping would take it from if a series lacks
it. One that asks for a metric gets, beside the series of that name, those of other metrics that are the same
by another name: its tables ``series`` and ``samples`` are replaced by what they hold with these added. Points
stay as they were received, and a changed mapping holds for old points too.

Only metrics that the store has are added; a statement that none of this concerns is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from sqlglot import exp

from kubestray.naming.mapping import (
    NOTHING,
    AttributeRule,
    MetricRule,
    NameMapping,
    OnlyRule,
    matching,
)
from kubestray.search.naming_trees import (
    conditions,
    conjuncts,
    copied,
    first,
    is_among,
    is_of_attributes,
    looked_up,
    of,
    of_map,
    of_pairs,
    on_times,
    others,
    read_value,
)
from kubestray.store.trees import (
    Tree,
    all_of,
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


@dataclass(frozen=True, slots=True)
class Naming:
    """Translates names as a mapping says."""

    mapping: NameMapping = NOTHING
    found: dict[Hashable, tuple[exp.Query, frozenset[str]]] | None = field(default=None, compare=False)
    """What the store was found to have, while one search is made; None to ask each time."""

    def for_search(self) -> Naming:
        """Return the same for one search: the store is asked once for the same names."""
        return self if self.mapping is NOTHING else Naming(self.mapping, {})

    def holds(self, query: Query) -> bool:
        """Tell whether the store still has what it was found to have."""
        return all(_listed(asked, query) == there for asked, there in (self.found or {}).values())

    def applied(self, tree: exp.Expr, query: Query) -> exp.Expr:
        """Return a statement with the names added; ``query`` asks the store what it has."""
        if self.mapping is NOTHING:
            return tree
        reads = [each for each in tree.find_all(exp.Table) if each.name in ("samples", "series", "groups")]
        if not reads:
            return tree
        asked = {id(each): _Asked.by(each) for each in reads}
        present = self._present(asked.values(), query)
        tree, places = copied(tree, reads)
        for old, new in zip(reads, places, strict=True):
            self._translate(new, asked[id(old)], present)
        return tree

    def translates(self, metrics: Iterable[str], query: Query) -> bool:
        """Tell whether points of other metrics, or not all of its own, answer for one of these."""
        asked = _Asked(frozenset(metrics))
        present = self._present([asked], query)
        return bool(present.rules(asked) or present.only)

    def further_attributes(self, names: Iterable[str], metric: str | None = None) -> set[str]:
        """Return the attributes that series (of a metric) with these may get."""
        known = set(names)
        fitting = [
            rule
            for rule in self.mapping.attributes
            if metric is None or not rule.metrics or matching(rule.metrics, metric)
        ]
        size = -1
        while size != len(known):
            size = len(known)
            known |= {rule.name for rule in fitting if known.intersection(_taken_from(rule))}
        return known.difference(names)

    def taken_from(self, names: Iterable[str], metrics: Iterable[str]) -> set[str]:
        """Return the attributes that these are taken from where series of the metrics lack them."""
        asked = _Asked(frozenset(metrics))
        fitting = [rule for rule in self.mapping.attributes if asked.concerns(rule.metrics or ("*",))]
        found, size = set(names), -1
        while size != len(found):
            size = len(found)
            found |= {part for rule in fitting if rule.name in found for part in _taken_from(rule)}
        return found.difference(names)

    def _present(self, asked: Iterable[_Asked], query: Query) -> _Present:
        """Find out which of the rules concern what the store has."""
        every = list(asked)
        rules = {rule.received for one in every for rule in _wanted(self.mapping.metrics, one)}
        only = [rule for rule in self.mapping.only if any(one.concerns(rule.metrics) for one in every)]
        there = self._there(rules, only, _all_metrics(every), query) if rules or only else frozenset()
        return _Present(
            tuple(rule for rule in self.mapping.metrics if {rule.received, rule.name} & there),
            tuple(rule for number, rule in enumerate(only) if f" {number}" in there),
        )

    def _there(
        self, rules: set[str], only: Sequence[OnlyRule], metrics: frozenset[str] | None, query: Query
    ) -> frozenset[str]:
        """Return which of some metrics the store has, and the places of the rules that it has series for."""
        key = frozenset(rules), tuple(only), metrics
        if self.found is not None and key in self.found:
            return self.found[key][1]
        parts: list[exp.Query] = []
        if rules:
            listed = one_of(column("metric"), map(text, sorted(rules)))
            parts.append(select(column("metric")).from_("series_rows").where(listed).distinct())
        for number, rule in enumerate(only):
            told = named(text(f" {number}"), "metric")
            parts.append(others(rule, told, "series_rows", metrics).limit(1))
        union = parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False)
        there = _listed(union, query)
        if self.found is not None:
            self.found[key] = (union, there)
        return there

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
            made = self._replacement(read.name, rules, only, asked, on_times(statement))
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
            own.append(one_of(of("metric"), map(text, sorted(asked.metrics))))
        own += [call("not", self._is_of(name, rule)) for rule in rules if asked.hides(rule)]
        own += [call("not", is_among(name, rule)) for rule in only]
        parts = [select(*map(of, columns)).from_(f"{name} AS t").where(all_of(own))]
        for rule in rules:
            shown = [self._shown(column_, rule) for column_ in columns]
            wanted = all_of([self._is_of(name, rule), *(time.copy() for time in times)])
            parts.append(select(*shown).from_(f"{name} AS t").where(wanted))
        return parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False)

    def _is_of(self, name: str, rule: MetricRule) -> Tree:
        """Return the condition that rows are of a rule's series; of several the first that fits counts."""
        is_named = exp.EQ(this=of("metric"), expression=text(rule.received))
        wanted = conditions(rule)
        for each in self.mapping.metrics:
            if each == rule or rule not in self.mapping.metrics:
                break
            if each.received == rule.received:
                wanted.append(call("not", all_of(conditions(each))))
        if not wanted:
            return is_named
        if name == "series":
            return all_of([is_named, *wanted])
        ids = select(of("series_id")).from_("series AS t").where(all_of([is_named, *wanted]))
        return all_of([is_named.copy(), in_query(of("series_id"), ids)])

    def _shown(self, name: str, rule: MetricRule) -> Tree:
        if name == "metric":
            return named(call("toLowCardinality", text(rule.name)), name)
        if name == "kind" and rule.kind is not None:
            return named(call("toLowCardinality", text(rule.kind.value)), name)
        if name == "attributes":
            return named(self._attributes_of(rule), name)
        return of(name)

    def _attributes_of(self, rule: MetricRule) -> Tree:
        """Return the map of a series' attributes with those that a rule adds."""
        own: Tree = of("attributes")
        if rule.dotted:
            old = array(text(name.replace(".", "_")) for name in self.mapping.dotted)
            new = array(map(text, self.mapping.dotted))
            key = call("transform", column("k"), old, new, column("k"))
            own = call("mapApply", of_pairs(call("tuple", key, column("v"))), own)
        made: dict[str, Tree] = {}
        for name, sources, reading in rule.attributes:
            value = first([read_value(of_map(source), reading) for source in sources])
            made[name] = first([made[name], value]) if name in made else value
        for name, lookup in rule.lookups:
            by = [made.get(part, of_map(part)) for part in lookup.by]
            value = looked_up(by, lookup, first([of_map(part) for part in lookup.within or lookup.by]))
            made[name] = first([made[name], value]) if name in made else value
        made |= {name: text(value) for name, value in rule.fixed}
        if not made:
            return own
        pairs = [part for name, value in made.items() for part in (text(name), value)]
        there = call("mapFilter", of_pairs(call("notEmpty", column("v"))), call("map", *pairs))
        return call("mapUpdate", own, there)

    def _add_attributes(self, statement: exp.Select, asked: _Asked) -> None:
        rules = {rule.name for rule in self.mapping.attributes if asked.concerns(rule.metrics or ("*",))}
        wanted = rules & asked.names
        if not wanted:
            return
        for node in list(statement.find_all(exp.Anonymous)):
            if node.find_ancestor(exp.Select) is not statement or not is_of_attributes(node):
                continue
            name = node.expressions[1].this
            if name in wanted:
                further = self._further(name, asked, frozenset({name}))
                if further is not None:
                    holds = call("mapContains", column("attributes"), text(name))
                    if node.this == "mapContains":
                        node.replace(call("or", holds, call("notEmpty", further)))
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
            values += [read_value(self._value(source, asked, seen), rule.reading) for source in sources]
            if rule.lookup is not None and not seen.intersection(rule.lookup.by):
                by = [self._value(part, asked, seen) for part in rule.lookup.by]
                places = [self._value(part, asked, seen) for part in rule.lookup.within or rule.lookup.by]
                values.append(looked_up(by, rule.lookup, first(places)))
        return first(values) if values else None

    def _value(self, name: str, asked: _Asked, seen: frozenset[str]) -> Tree:
        own = call("arrayElement", column("attributes"), text(name))
        further = self._further(name, asked, seen | {name})
        return own if further is None else first([own, further])


NO_NAMES = Naming()


def _listed(asked: exp.Query, query: Query) -> frozenset[str]:
    return frozenset(query(asked).column("metric").to_pylist())


def _taken_from(rule: AttributeRule) -> tuple[str, ...]:
    return rule.sources if rule.lookup is None else (*rule.sources, *rule.lookup.by, *rule.lookup.within)


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
            node.expressions[1].this for node in statement.find_all(exp.Anonymous) if is_of_attributes(node)
        )
        exact: set[str] = set()
        for part in conjuncts(where.this) if where is not None else ():
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


def _all_metrics(asked: Iterable[_Asked]) -> frozenset[str] | None:
    """Return the metrics that are asked for by name, None if not all are."""
    found: set[str] = set()
    for each in asked:
        if each.metrics is None:
            return None
        found |= each.metrics
    return frozenset(found)


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
