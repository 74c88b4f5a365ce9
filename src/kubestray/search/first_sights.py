"""What `unseen` asks the catalog: the first sights of keys, and how often scopes meet new ones.

The facts come from what is held of a catalog (`Held`), or, where that is too much, from the catalog itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubestray.baseline.novelty import HALF_LIFE, PRIOR_SECONDS, WINDOW
from kubestray.model.errors import SearchError
from kubestray.search.catalogued import Sighting
from kubestray.search.plan import Column, Filter, Grouped, Limited
from kubestray.search.relation import Context, Relation
from kubestray.search.sightings import MOST_HELD, Held, Parts, Sight
from kubestray.search.values import Shape
from kubestray.store.trees import (
    Tree,
    all_of,
    any_of,
    call,
    column,
    either,
    lambda_,
    number,
    one_of,
    text,
)

MOST_KEYS = 100_000

News = tuple[Parts, Parts, float]
"""A scope, a key that is new in it, and when it was seen first (seconds)."""
Known = tuple[Parts, Parts, float]
"""A scope and a place that knew a key, and since when."""


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


@dataclass(frozen=True, slots=True)
class Fleet:
    """All scopes together: since when any is known, how many there are, and how many new keys they met: each
    for itself (``news``), all together (``anew``).
    """

    since: float
    news: float
    anew: float
    scopes: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known for all newcomers of a range: how often scopes meet new keys, and where keys are known.

    ``scopes``: since when each is known, and how many new keys it met before what is ``recent``, less what is
    forgotten. ``known``: who knew a key.
    """

    recent: list[News]
    scopes: Mapping[Parts, tuple[float, float]]
    fleet: Fleet
    known: Mapping[Parts, list[Known]]


def facts_of(seen: Seen, context: Context) -> Facts | None:
    """Return the facts about what is new in a range; None if nothing is."""
    held = context.sightings.get(seen.relation.node, lambda: _all_sights(seen, context))
    begin = seen.earliest - WINDOW
    recent = _recent(seen, context) if held is None else held.between(begin, seen.latest)
    news = [one for one in recent if one[2] >= seen.earliest]
    if not news:
        return None
    return _asked(seen, recent, news, context) if held is None else _held(seen, recent, news, held)


def _recent(seen: Seen, context: Context) -> list[News]:
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


def _held(seen: Seen, recent: list[News], news: list[News], held: Held) -> Facts:
    since, met, scopes = held.fleet(seen.earliest, seen.latest)
    return Facts(
        recent,
        {scope: held.scope(scope, seen.earliest) for scope in {scope for scope, _, _ in recent}},
        Fleet(since, met, held.anew(seen.earliest), scopes),
        {key: held.known(key, seen.latest) for _, key, _ in news},
    )


def _asked(seen: Seen, recent: list[News], news: list[News], context: Context) -> Facts:
    by_key = seen.grouped([*seen.scope, *seen.key], [seen.first_known()], context)
    scopes = [by_key.fields[f"g{place}"] for place in range(len(seen.scope))]
    keys = [by_key.fields[f"g{place + len(scopes)}"] for place in range(len(seen.key))]
    own = Seen(by_key, Sighting(by_key.fields["first"], 0), scopes, keys, [],
               seen.earliest, seen.latest, seen.history)  # fmt: skip
    wanted = dict.fromkeys(scope for scope, _, _ in recent)
    chosen = own if not own.scope else _chosen(own, own.scope, wanted)
    met = context.discover(_met(chosen, context))
    return Facts(
        recent,
        {_parts(row, len(own.scope)): (row["since"], row["news"]) for row in met},
        _asked_fleet(own, context),
        _asked_places(seen, news, context),
    )


def _asked_fleet(own: Seen, context: Context) -> Fleet:
    scopes = _met(own, context)
    since, news = (_column(scopes.fields[name]) for name in ("since", "news"))
    begun = call("less", since.copy(), number(own.latest))
    asked = {
        "since": call("min", since),
        "news": call("sum", news),
        "scopes": _double(call("countIf", begun)),
    }
    found = context.discover(_summed(scopes, asked, context))[0]
    by_fields = own.grouped(own.key, [("first", call("min", _column(own.sighting.first)))], context)
    times = call("groupArray", _column(by_fields.fields["first"]))
    anew = {"news": _decayed(times, number(found["since"]), own)}
    together = context.discover(_summed(by_fields, anew, context))[0]["news"]
    return Fleet(found["since"], found["news"], together, int(found["scopes"]))


def _met(own: Seen, context: Context) -> Relation:
    """Return for each scope since when it is known, and how many new keys it met after its first hour."""
    times = call("groupArray", _column(own.sighting.first))
    since = call("arrayMin", times)
    return own.grouped(own.scope, [("since", _double(since)), ("news", _decayed(times, since, own))], context)


def _summed(rows: Relation, asked: Mapping[str, Tree], context: Context) -> Relation:
    made = {name: context.column(Shape.NUMBER) for name in asked}
    return Relation(Grouped(rows.node, (), tuple((made[name], asked[name]) for name in asked)), made)


def _asked_places(seen: Seen, news: list[News], context: Context) -> dict[Parts, list[Known]]:
    chosen = _chosen(seen, seen.key, dict.fromkeys(key for _, key, _ in news))
    known: dict[Parts, list[Known]] = {}
    for one in _sights(chosen, MOST_KEYS * 10, context):
        if one.first < seen.latest:
            known.setdefault(one.key, []).append((one.scope, one.place, one.first))
    return known


def _all_sights(seen: Seen, context: Context) -> list[Sight] | None:
    """Return all first sights; None if they are too many to hold."""
    found = _sights(seen, MOST_HELD + 1, context)
    return None if len(found) > MOST_HELD else found


def _sights(seen: Seen, most: int, context: Context) -> list[Sight]:
    """Return the first sights of keys, at each place of their scopes."""
    by = [*seen.scope, *seen.key, *seen.places]
    asked = seen.grouped(by, [seen.first_known()], context)
    scopes, keys = len(seen.scope), len(seen.scope) + len(seen.key)
    return [
        Sight(parts[:scopes], parts[scopes:keys], parts[keys:], row["first"])
        for row in context.discover(asked.with_node(Limited(asked.node, (), most)))
        for parts in [_parts(row, len(by))]
    ]


def _decayed(times: Tree, since: Tree, own: Seen) -> Tree:
    """Return how many of some first sights were news before what is recent, as `sightings.decayed` does."""
    one, before = call("assumeNotNull", column("t")), number(own.earliest - WINDOW)
    weight = call("exp2", call("divide", call("minus", one, number(own.earliest)), number(HALF_LIFE)))
    settled = call("plus", since.copy(), number(PRIOR_SECONDS))
    counts = all_of([call("greaterOrEquals", one.copy(), settled), call("less", one.copy(), before)])
    summed = call("arraySum", lambda_("t", either(counts, weight, number(0.0))), times.copy())
    return _double(summed)


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


def _same(value: Tree, wanted: str) -> Tree:
    return call("equals", value.copy(), text(wanted))


def _column(one: Column) -> Tree:
    return column(one.name)


def _double(value: Tree) -> Tree:
    return call("toNullable", call("toFloat64", value))
