"""What `unseen` finds: keys that the catalog first saw in a time range, and how much news each of them is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubestray.baseline.novelty import (
    HALF_LIFE,
    PRIOR_SECONDS,
    WINDOW,
    own_rate,
    rarity,
    remembered,
    usual_rate,
)
from kubestray.baseline.stray import LEARNING, READY
from kubestray.model.errors import SearchError
from kubestray.search.catalogued import Sighting, over_catalog
from kubestray.search.plan import Catalogued, Column, Filter, Grouped, Limited, nodes
from kubestray.search.relation import Context, Relation
from kubestray.search.times import SECOND_NS
from kubestray.search.values import NULL, Shape, as_text
from kubestray.store.trees import Tree, all_of, any_of, call, column, number, one_of, text

Parts = tuple[str, ...]
MOST_KEYS = 100_000
MOST_PLACES = 10
_LAG = 3600.0  # seconds by which last_seen may lag


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which keys: the fields of a key, of its scope, of other places; ``history`` in seconds."""

    fields: tuple[str, ...]
    scope: tuple[str, ...]
    places: tuple[str, ...]
    history: float


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A key that was first seen in the range; times in seconds, ``novelty`` from 0 to 1.

    ``elsewhere`` are other places where the fields were known before.
    """

    scope: Parts
    key: Parts
    first: float
    elsewhere: tuple[str, ...]
    novelty: float
    state: str


@dataclass(slots=True)
class Seen:
    """The catalog by text columns of scope, key and places, and the range that is asked about (seconds)."""

    relation: Relation
    sighting: Sighting
    scope: list[Column]
    key: list[Column]
    places: list[Column]
    earliest: float
    latest: float
    history: float

    def grouped(
        self, by: Sequence[Column], aggregates: Sequence[tuple[str, Tree]], context: Context
    ) -> Relation:
        """Return aggregates of sightings by some columns, as fields ``g0``, … and as they are named."""
        made = {name: context.column(Shape.NUMBER) for name, _ in aggregates}
        groups = {f"g{place}": context.column(Shape.TEXT) for place in range(len(by))}
        node = Grouped(
            self.relation.node,
            tuple((own, column(one.name)) for own, one in zip(groups.values(), by, strict=True)),
            tuple((made[name], tree) for name, tree in aggregates),
        )
        return Relation(node, {**groups, **made})

    def first_known(self) -> tuple[str, Tree]:
        """Return the first sight of a group as an aggregate."""
        return "first", call("min", _column(self.sighting.first))


def seen_by(wanted: Wanted, relation: Relation, context: Context) -> Seen:
    """Return the catalog as these rows see it; rows without one of the fields are left out."""
    names = [*wanted.scope, *wanted.fields, *wanted.places]
    since = max(0, context.span.earliest - round((wanted.history + _LAG) * SECOND_NS))
    known, sighting = over_catalog(relation, names, since, context)
    made = [(context.column(Shape.TEXT), as_text(known.value(name) or NULL)) for name in names]
    known = known.computed(made)
    must = [call("isNotNull", column(own.name)) for own, _ in made[: len(wanted.scope) + len(wanted.fields)]]
    known = known.with_node(Filter(known.node, all_of(must)))
    columns = [own for own, _ in made]
    scopes, keys = len(wanted.scope), len(wanted.scope) + len(wanted.fields)
    latest = context.now if context.span.latest is None else context.span.latest
    return Seen(
        known, sighting, columns[:scopes], columns[scopes:keys], columns[keys:],
        context.span.earliest / SECOND_NS, latest / SECOND_NS, wanted.history,
    )  # fmt: skip


def newcomers(seen: Seen, context: Context) -> list[Newcomer]:
    """Return the keys that were first seen in the range, in the order of their times; most runs find none."""
    if not context.catalog.began(_metrics(seen.relation), context.span):
        return []  # no series is new, so no key is
    recent = _recent(seen, context)
    news = [one for one in recent if one[2] >= seen.earliest]
    if not news:
        return []
    facts = _Facts(seen, recent, news, context)
    return [facts.judged(*one) for one in news]


def _metrics(relation: Relation) -> set[str]:
    """Return the metrics whose series the rows come from."""
    read = (node.measure for node in nodes(relation.node) if isinstance(node, Catalogued))
    return {metric for measure in read for metric in measure.metrics}


def _recent(seen: Seen, context: Context) -> list[tuple[Parts, Parts, float]]:
    """Return scope, key and first sight of what was first seen in the range or just before."""
    by = [*seen.scope, *seen.key]
    grouped = seen.grouped(by, [seen.first_known()], context)
    first = grouped.fields["first"]
    holds = [
        call("greaterOrEquals", column(first.name), number(seen.earliest - WINDOW)),
        call("less", column(first.name), number(seen.latest)),
    ]
    node = Limited(Filter(grouped.node, all_of(holds)), (), MOST_KEYS + 1)
    rows = context.discover(grouped.with_node(node))
    if len(rows) > MOST_KEYS:
        raise SearchError(f"more than {MOST_KEYS} keys are new in this range", hint="look at less time")
    scopes = len(seen.scope)
    found = [(p[:scopes], p[scopes:], row["first"]) for row in rows for p in [_parts(row, len(by))]]
    return sorted(found, key=lambda one: (one[2], one[0], one[1]))


def _parts(row: Mapping[str, Any], count: int) -> Parts:
    return tuple(row.get(f"g{place}", "") for place in range(count))


@dataclass(slots=True)
class _Facts:
    """What is asked once for all newcomers of a range: how often scopes meet new keys, and where keys are
    known.
    """

    seen: Seen
    recent: list[tuple[Parts, Parts, float]]
    news: list[tuple[Parts, Parts, float]]
    context: Context
    _scopes: dict[Parts, tuple[float, float]] = field(default_factory=dict)
    _known: dict[Parts, list[tuple[Parts, Parts, float]]] = field(default_factory=dict)
    _all: dict[str, float] = field(default_factory=dict)
    _anew: float = 0.0
    _by_scope: dict[Parts, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seen, context = self.seen, self.context
        by_key = seen.grouped([*seen.scope, *seen.key], [seen.first_known()], context)
        scopes = [by_key.fields[f"g{place}"] for place in range(len(seen.scope))]
        keys = [by_key.fields[f"g{place + len(scopes)}"] for place in range(len(seen.key))]
        own = Seen(by_key, Sighting(by_key.fields["first"], 0), scopes, keys, [],
                   seen.earliest, seen.latest, seen.history)  # fmt: skip
        self._ask_scopes(own)
        self._ask_fleet(own)
        self._ask_places()
        for scope, _, first in self.recent:
            self._by_scope.setdefault(scope, []).append(first)

    def _ask_scopes(self, own: Seen) -> None:
        wanted = dict.fromkeys(scope for scope, _, _ in self.news)
        chosen = own if not own.scope else _chosen(own, own.scope, wanted)
        first = _column(own.sighting.first)
        asked = chosen.grouped(
            own.scope, [("since", call("min", first)), ("news", self._decayed(first))], self.context
        )
        for row in self.context.discover(asked):
            self._scopes[_parts(row, len(own.scope))] = (row["since"], row["news"])

    def _ask_fleet(self, own: Seen) -> None:
        first = _column(own.sighting.first)
        scopes = (
            call("uniqExact", *(_column(one) for one in own.scope))
            if own.scope
            else call("toUInt64", number(1))
        )
        asked = own.grouped(
            [],
            [("since", call("min", first)), ("news", self._decayed(first)), ("scopes", _double(scopes))],
            self.context,
        )
        self._all = self.context.discover(asked)[0]
        by_fields = own.grouped(own.key, [("first", call("min", first.copy()))], self.context)
        anew = by_fields.fields["first"]
        made = self.context.column(Shape.NUMBER)
        node = Grouped(by_fields.node, (), ((made, self._decayed(_column(anew))),))
        self._anew = self.context.discover(Relation(node, {"news": made}))[0]["news"]

    def _ask_places(self) -> None:
        seen = self.seen
        chosen = _chosen(seen, seen.key, dict.fromkeys(key for _, key, _ in self.news))
        by = [*seen.scope, *seen.key, *seen.places]
        asked = chosen.grouped(by, [seen.first_known()], self.context)
        rows = self.context.discover(asked.with_node(Limited(asked.node, (), MOST_KEYS * 10)))
        scopes, keys = len(seen.scope), len(seen.scope) + len(seen.key)
        for row in rows:
            parts = _parts(row, len(by))
            self._known.setdefault(parts[scopes:keys], []).append(
                (parts[:scopes], parts[keys:], row["first"])
            )

    def _decayed(self, first: Tree) -> Tree:
        """Return how many keys were first seen before what is `recent`, less what is forgotten."""
        before = number(self.seen.earliest - WINDOW)
        weight = call(
            "exp2", call("divide", call("minus", first.copy(), number(self.seen.earliest)), number(HALF_LIFE))
        )
        return call("ifNull", call("sumIf", weight, call("less", first.copy(), before)), number(0.0))

    def _news_at(self, time: float, older: float, recent: Iterable[float]) -> float:
        """Return how many keys were news by a time, less the last ten minutes: a burst must not explain
        itself.
        """
        counted = [first for first in recent if first <= time - WINDOW]
        older *= math.exp2(-(time - self.seen.earliest) / HALF_LIFE)
        return older + sum(math.exp2(-(time - first) / HALF_LIFE) for first in counted)

    def judged(self, scope: Parts, key: Parts, first: float) -> Newcomer:
        """Return how much news a key is in its scope."""
        since, older = self._scopes[scope]
        age = first - since
        elsewhere, share = self._elsewhere(scope, key, first)
        state = READY if age >= self.seen.history else LEARNING
        if age < PRIOR_SECONDS:
            novelty = 0.0 if elsewhere else self._in_fleet(first)
        else:
            times = self._by_scope[scope]
            recent = sum(first - WINDOW < one <= first for one in times)
            everywhere = self._news_at(first, self._all["news"], (one for _, _, one in self.recent))
            usual = usual_rate(everywhere, remembered(first - self._all["since"]), int(self._all["scopes"]))
            rate = own_rate(self._news_at(first, older, times), remembered(age), usual)
            youth = math.exp2(-age / HALF_LIFE)
            novelty = _likely(rarity(recent, rate)) * (1.0 - youth * share)
        return Newcomer(scope, key, first, elsewhere, novelty, state)

    def _in_fleet(self, first: float) -> float:
        """Return how much news a key is in a scope that has just begun: how rarely the fleet meets new
        ones.
        """
        seconds = first - self._all["since"]
        if seconds < PRIOR_SECONDS:
            return 0.0  # everything begins
        rate = usual_rate(self._news_at(first, self._anew, ()), remembered(seconds), 1)
        return _likely(rarity(1, rate))

    def _elsewhere(self, scope: Parts, key: Parts, first: float) -> tuple[tuple[str, ...], float]:
        """Return some other places that knew a key before, and the share of other scopes that did."""
        known = self._known.get(key, [])
        own = {place for other, place, _ in known if other == scope}
        earlier = [(other, place) for other, place, time in known if time < first]
        others = {other for other, _ in earlier if other != scope}
        places = {place for _, place in earlier if place and place not in own}
        named = sorted({":".join(one) for one in (*others, *places)})
        share = len(others) / max(1, int(self._all["scopes"]))
        return tuple(named[:MOST_PLACES]), min(1.0, share)


def _chosen(seen: Seen, columns: Sequence[Column], wanted: Iterable[Parts]) -> Seen:
    """Return the sightings in which some columns have one of these values."""
    own = [_column(one) for one in columns]
    options = list(wanted)
    if len(own) == 1:
        holds: Tree = one_of(own[0], [text(option[0]) for option in options])
    else:
        holds = any_of(
            [all_of([_same(a, b) for a, b in zip(own, option, strict=True)]) for option in options]
        )
    relation = seen.relation.with_node(Filter(seen.relation.node, holds))
    return Seen(
        relation, seen.sighting, seen.scope, seen.key, seen.places, seen.earliest, seen.latest, seen.history
    )


def _likely(score: float) -> float:
    """Return 1 less the probability of which a score is -log10."""
    return -math.expm1(-score * math.log(10.0))


def _same(value: Tree, wanted: str) -> Tree:
    return call("equals", value.copy(), text(wanted))


def _column(one: Column) -> Tree:
    return column(one.name)


def _double(value: Tree) -> Tree:
    return call("toNullable", call("toFloat64", value))
