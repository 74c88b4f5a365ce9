"""First sights of keys, kept in this process: what `unseen` asks the catalog, once for each state of it.

A key that is new is looked at again and again while it is new, and each time the same is asked of a catalog
that is the same. So all first sights of a search are fetched at once, if they are not many, and kept until
the catalog changes. Sums are exact (`math.fsum`), so what comes later than a range changes nothing in it.
"""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
import numpy.typing as npt

from kubestray.baseline.novelty import HALF_LIFE, PRIOR_SECONDS, WINDOW
from kubestray.search.plan import Catalogued, Extend, Filter, Grouped, Node, Stacked, changed, nodes
from kubestray.store.points import Span

Parts = tuple[str, ...]
Times = npt.NDArray[np.float64]

MOST_HELD = 20_000
"""First sights of one search that are held; of more than that the catalog is asked."""
_MOST_OF_ALL = 200_000

_OF_CATALOG = Catalogued | Extend | Filter | Grouped | Stacked


@dataclass(frozen=True, slots=True)
class Sight:
    """When a key was seen first at a place of its scope, in seconds."""

    scope: Parts
    key: Parts
    place: Parts
    first: float


class Held:
    """All first sights of a search."""

    def __init__(self, sights: Iterable[Sight]) -> None:
        self._of_key: dict[Parts, list[tuple[Parts, Parts, float]]] = {}
        first: dict[tuple[Parts, Parts], float] = {}
        for one in sights:
            self._of_key.setdefault(one.key, []).append((one.scope, one.place, one.first))
            pair = one.scope, one.key
            first[pair] = min(first.get(pair, math.inf), one.first)
        self._order = sorted((time, *pair) for pair, time in first.items())
        self._first = [time for time, _, _ in self._order]
        self._of_scope: dict[Parts, list[float]] = {}
        for time, scope, _ in self._order:
            self._of_scope.setdefault(scope, []).append(time)
        self._since = sorted(times[0] for times in self._of_scope.values())
        self._times = np.array(self._first)
        self._began = np.array([self._of_scope[scope][0] for _, scope, _ in self._order])
        self._anywhere = np.array([min(time for *_, time in seen) for seen in self._of_key.values()])

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._first)

    def between(self, begin: float, end: float) -> list[tuple[Parts, Parts, float]]:
        """Return scope, key and first sight of what was first seen in ``[begin, end)``, in order of time."""
        found = self._order[bisect_left(self._first, begin) : bisect_left(self._first, end)]
        return [(scope, key, time) for time, scope, key in found]

    def scope(self, scope: Parts, earliest: float) -> tuple[float, float]:
        """Return since when a scope is known, and its news before a range, see `decayed`."""
        times = np.array(self._of_scope[scope])
        return float(times[0]), decayed(times, times[0], earliest)

    def fleet(self, earliest: float, latest: float) -> tuple[float, float, int]:
        """Return since when anything is known, all news, and how many scopes there are by ``latest``."""
        news = decayed(self._times, self._began, earliest)
        return self._first[0], news, bisect_left(self._since, latest)

    def anew(self, earliest: float) -> float:
        """Return how many keys were news to all scopes together."""
        return decayed(self._anywhere, self._first[0], earliest)

    def known(self, key: Parts, latest: float) -> list[tuple[Parts, Parts, float]]:
        """Return the scopes and places that knew a key by ``latest``, and since when."""
        return [one for one in self._of_key.get(key, ()) if one[2] < latest]


def decayed(times: Times, since: Times | float, earliest: float) -> float:
    """Return how many first sights were news ten minutes before ``earliest``, less what is forgotten.

    What is seen in the first hour ``since`` a scope is known is what there is, no news.
    """
    counted = times[(times >= since + PRIOR_SECONDS) & (times < earliest - WINDOW)]
    return math.fsum(np.exp2((counted - earliest) / HALF_LIFE).tolist())


@dataclass(slots=True)
class _Kept:
    state: Hashable
    held: Held | None


@dataclass(slots=True)
class Sightings:
    """What is held for searches over one store. Safe to use from several threads.

    ``state`` gives a value that differs once the catalog has changed; None where nobody can know.
    """

    state: Callable[[], Hashable | None] = lambda: None
    _kept: OrderedDict[Hashable, _Kept] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def get(self, rows: Node, ask: Callable[[], list[Sight] | None]) -> Held | None:
        """Return the first sights of some rows of the catalog; ``ask`` gives them, or None if they are many.

        None where they cannot be held.
        """
        now, key = self.state(), _asked(rows)
        if now is None or key is None:
            return None
        with self._lock:
            known = self._kept.get(key)
        if known is None or known.state != now:
            found = ask()
            known = _Kept(now, None if found is None else Held(found))
            with self._lock:
                self._kept[key] = known
                self._kept.move_to_end(key)
                while sum(len(one.held or ()) + 1 for one in self._kept.values()) > _MOST_OF_ALL:
                    self._kept.popitem(last=False)
        return known.held


def _asked(rows: Node) -> Node | None:
    """Return rows of the catalog without what follows from the range alone; None if they are of more."""
    if not all(isinstance(node, _OF_CATALOG) for node in nodes(rows)):
        return None

    def timeless(node: Node) -> Node:
        if not isinstance(node, Catalogued):
            return node
        bare = dataclasses.replace(node.measure, span=Span(), sources=None, narrow=True, renamed=True)
        return dataclasses.replace(node, measure=bare)

    return changed(rows, timeless)
