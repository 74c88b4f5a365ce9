"""How much news a key is that a scope was never seen with: that depends on how often the scope meets new
keys at all.

A first sight in a workload that never changes is news; one more in a node that meets new things all day is
not. Each scope has a rate of new keys (half of it forgotten in a day), known to some degree before it has
been seen: the rate of the whole fleet counts as an hour of its own. The score is -log10 of the probability
that the scope meets so many new keys in ten minutes, so a burst of them, as of a scan, is rarer with each.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

WINDOW = 600.0
HALF_LIFE = 86400.0
PRIOR_SECONDS = 3600.0
HIGHEST = 300.0
_LN10 = math.log(10.0)


@dataclass(slots=True)
class _Scope:
    """What is known of a scope. ``news`` is how many new keys it met, decayed, as of ``last``."""

    first: float
    last: float
    news: float = 0.0
    seconds: float = 0.0
    recent: deque[float] = field(default_factory=deque)


class Novelty:
    """The keys of scopes, such as (destination, port) of a source, in the order of time.

    ``longest`` bounds how many keys are kept; of more than that the oldest are forgotten, and are news again.
    """

    def __init__(self, longest: int = 1_000_000) -> None:
        self._longest = longest
        self._seen: dict[tuple[Hashable, Hashable], float] = {}
        self._scopes: dict[Hashable, _Scope] = {}
        self._all = _Scope(math.inf, -math.inf)

    def advance(self, scope: Hashable, key: Hashable, time: float) -> float:
        """Take a sight of a key at a time in seconds since 1970, and return its score; 0 if the key is
        known.
        """
        known = self._scopes.setdefault(scope, _Scope(time, time))
        _pass(known, time)
        _pass(self._all, time)
        again = self._seen.pop((scope, key), None) is not None
        self._seen[scope, key] = time
        if len(self._seen) > self._longest:
            del self._seen[next(iter(self._seen))]
        if again:
            return 0.0
        while known.recent and known.recent[0] <= time - WINDOW:
            known.recent.popleft()
        known.recent.append(time)
        score = rarity(len(known.recent), self._rate(known))
        known.news += 1.0
        self._all.news += 1.0
        return score

    def first_seen(self, scope: Hashable) -> float | None:
        """Return when a scope was seen first, None if it was not."""
        known = self._scopes.get(scope)
        return known.first if known else None

    def _rate(self, scope: _Scope) -> float:
        """Return new keys a second that the scope met, drawn to what scopes meet on average.

        What came in the last ten minutes is left out: a burst must not explain itself.
        """
        news = max(0.0, scope.news - (len(scope.recent) - 1))
        average = usual_rate(self._all.news, self._all.seconds, len(self._scopes))
        return own_rate(news, scope.seconds, average)


def usual_rate(news: float, seconds: float, scopes: int) -> float:
    """Return new keys a second that a scope meets on average, where ``scopes`` together met ``news`` in as
    many seconds each.
    """
    return (news + 0.5) / (scopes * (seconds + PRIOR_SECONDS))


def own_rate(news: float, seconds: float, usual: float) -> float:
    """Return new keys a second of a scope that met ``news`` in some seconds, drawn to the usual rate."""
    return (news + usual * PRIOR_SECONDS) / (seconds + PRIOR_SECONDS)


def remembered(seconds: float) -> float:
    """Return how long a stretch of time up to now is, of which half is forgotten in `HALF_LIFE`."""
    return HALF_LIFE / math.log(2.0) * (1.0 - math.exp2(-max(0.0, seconds) / HALF_LIFE))


def rarity(count: int, rate: float) -> float:
    """Return -log10 of the probability of ``count`` or more new keys in `WINDOW`, at a rate a second."""
    return min(-_ln_at_least(count, rate * WINDOW) / _LN10, HIGHEST)


def _pass(scope: _Scope, time: float) -> None:
    """Let time pass: what was met and how long it took are forgotten alike."""
    if time <= scope.last:
        return
    elapsed = time - scope.last if math.isfinite(scope.last) else 0.0
    share = 2.0 ** (-elapsed / HALF_LIFE)
    scope.news *= share
    scope.seconds = scope.seconds * share + elapsed
    scope.last = time


def _ln_at_least(count: int, expected: float) -> float:
    """Return the logarithm of the Poisson probability of ``count`` or more, ``expected`` being expected."""
    if count <= 0 or expected <= 0:
        return 0.0 if count <= 0 else -math.inf
    term = count * math.log(expected) - expected - math.lgamma(count + 1)
    if expected > count:
        below = sum(math.exp(k * math.log(expected) - expected - math.lgamma(k + 1)) for k in range(count))
        return math.log(max(1.0 - below, 1e-300))
    ratio, tail, k = 1.0, 1.0, count
    while ratio > 1e-12:
        k += 1
        ratio *= expected / k
        tail += ratio
    return term + math.log(tail)
