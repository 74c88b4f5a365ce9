"""What `unseen` finds: keys that the catalog first saw in a time range, and how much news each of them is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

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
from kubestray.search.catalogued import over_catalog
from kubestray.search.first_sights import Facts, Seen, facts_of
from kubestray.search.plan import Catalogued, Filter, Measure, nodes
from kubestray.search.relation import Context, Relation
from kubestray.search.sightings import Parts
from kubestray.search.times import SECOND_NS
from kubestray.search.values import NULL, Shape, as_text
from kubestray.store.points import Span
from kubestray.store.trees import all_of, call, column

MOST_PLACES = 10
ROUTINE = 25 * 3600.0
"""Seconds in which what happens once a day has happened, if an hour later than the day before."""

_LAG = 3600.0  # seconds by which last_seen may lag
_HOUR_NS = 3600 * SECOND_NS


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

    ``elsewhere`` are other places where the fields were known before; ``age`` is how long its scope was known
    by then.
    """

    scope: Parts
    key: Parts
    first: float
    elsewhere: tuple[str, ...]
    novelty: float
    state: str
    age: float


def seen_by(wanted: Wanted, relation: Relation, context: Context) -> Seen:
    """Return the catalog as these rows see it; rows without one of the fields are left out."""
    names = [*wanted.scope, *wanted.fields, *wanted.places]
    span = _range(relation, context)
    since = max(0, span.earliest - round((wanted.history + _LAG) * SECOND_NS))
    since = since // _HOUR_NS * _HOUR_NS  # the same for the runs of an hour
    known, sighting = over_catalog(relation, names, since, context)
    made = [(context.column(Shape.TEXT), as_text(known.value(name) or NULL)) for name in names]
    known = known.computed(made)
    must = [call("isNotNull", column(own.name)) for own, _ in made[: len(wanted.scope) + len(wanted.fields)]]
    known = known.with_node(Filter(known.node, all_of(must)))
    columns = [own for own, _ in made]
    scopes, keys = len(wanted.scope), len(wanted.scope) + len(wanted.fields)
    latest = context.now if span.latest is None else span.latest
    return Seen(
        known, sighting, columns[:scopes], columns[scopes:keys], columns[keys:],
        span.earliest / SECOND_NS, latest / SECOND_NS, wanted.history,
    )  # fmt: skip


def _range(relation: Relation, context: Context) -> Span:
    """Return the range that rows are of: that of the search, or less where `mstats` has one of its own."""
    spans = [node.span for node in nodes(relation.node) if isinstance(node, Measure)]
    whole, ends = context.span, [span.latest for span in spans if span.latest is not None]
    limits = [] if whole.latest is None else [whole.latest]
    if spans and len(ends) == len(spans):
        limits.append(max(ends))
    earliest = max(whole.earliest, min((span.earliest for span in spans), default=0))
    return Span(earliest, min(limits, default=None))


def newcomers(seen: Seen, context: Context) -> list[Newcomer]:
    """Return the keys that were first seen in the range, in the order of their times; most runs find none."""
    if not context.catalog.began(_metrics(seen.relation), context.span):
        return []  # no series is new, so no key is
    facts = facts_of(seen, context)
    if facts is None:
        return []
    judge = _Judge(seen, facts)
    return [judge.judged(*one) for one in facts.recent if one[2] >= seen.earliest]


def _metrics(relation: Relation) -> set[str]:
    """Return the metrics whose series the rows come from."""
    read = (node.measure for node in nodes(relation.node) if isinstance(node, Catalogued))
    return {metric for measure in read for metric in measure.metrics}


class _Judge:
    """Tells how much news keys are, from the facts about a range."""

    def __init__(self, seen: Seen, facts: Facts) -> None:
        self._seen, self._scopes = seen, facts.scopes
        self._fleet, self._known = facts.fleet, facts.known
        self._by_scope: dict[Parts, list[float]] = {}
        self._everywhere: list[float] = []
        for scope, _, first in facts.recent:
            if first >= facts.scopes[scope][0] + PRIOR_SECONDS:
                self._by_scope.setdefault(scope, []).append(first)
                self._everywhere.append(first)

    def _news_at(self, time: float, older: float, recent: Iterable[float]) -> float:
        """Return how many keys were news by a time, less the last ten minutes: a burst must not explain
        itself.
        """
        counted = [first for first in recent if first <= time - WINDOW]
        older *= math.exp2(-(time - self._seen.earliest) / HALF_LIFE)
        return older + sum(math.exp2(-(time - first) / HALF_LIFE) for first in counted)

    def judged(self, scope: Parts, key: Parts, first: float) -> Newcomer:
        """Return how much news a key is in its scope."""
        since, older = self._scopes[scope]
        age = first - since
        elsewhere, share = self._elsewhere(scope, key, first)
        state = READY if age >= self._seen.history else LEARNING
        if age < PRIOR_SECONDS:
            novelty = 0.0 if elsewhere else self._in_fleet(first)
        else:
            times = self._by_scope[scope]
            recent = sum(first - WINDOW < one <= first for one in times)
            everywhere = self._news_at(first, self._fleet.news, self._everywhere)
            fleet = _watched(first - self._fleet.since)
            usual = usual_rate(everywhere, fleet, self._fleet.scopes)
            rate = own_rate(self._news_at(first, older, times), _watched(age), usual)
            youth = math.exp2(-age / HALF_LIFE)
            novelty = _likely(rarity(recent, rate)) * (1.0 - youth * share)
        return Newcomer(scope, key, first, elsewhere, novelty, state, age)

    def _in_fleet(self, first: float) -> float:
        """Return how much news a key is in a scope that has just begun: how rarely the fleet meets new
        ones.

        Jobs bring scopes of their own once a day: before the fleet has seen a day it may well be one of them.
        """
        seconds = first - self._fleet.since
        if seconds < PRIOR_SECONDS:
            return 0.0  # everything begins
        rate = usual_rate(self._news_at(first, self._fleet.anew, ()), _watched(seconds), 1)
        return _likely(rarity(1, rate)) * (0.5 if seconds < ROUTINE else 1.0)

    def _elsewhere(self, scope: Parts, key: Parts, first: float) -> tuple[tuple[str, ...], float]:
        """Return some other places that knew a key before, and the share of other scopes that did."""
        known = self._known.get(key, [])
        own = {place for other, place, _ in known if other == scope}
        earlier = [(other, place) for other, place, time in known if time < first]
        others = {other for other, _ in earlier if other != scope}
        places = {place for _, place in earlier if place and place not in own}
        named = sorted({":".join(one) for one in (*others, *places)})
        share = len(others) / max(1, self._fleet.scopes)
        return tuple(named[:MOST_PLACES]), min(1.0, share)


def _watched(age: float) -> float:
    """Return for how long news could be told from what there is, of something that is known for some time."""
    return remembered(age - PRIOR_SECONDS)


def _likely(score: float) -> float:
    """Return 1 less the probability of which a score is -log10."""
    return -math.expm1(-score * math.log(10.0))
