"""An entity that is not known yet, judged by its peers: replicas of one workload do alike at one time.

How far a value is from the median of the others, in their own spread, goes through the tails that hold before
anything was seen (`stray.VIEW_PRIOR`, `stray.ENTITY_PRIOR`), so its score is on the scale of all others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kubestray.baseline.arrays import Floats, Ints
from kubestray.baseline.stray import ENTITY_PRIOR, VIEW_PRIOR, Direction, together
from kubestray.baseline.tails import LN10, TAIL_SHARE

FEWEST = 3
"""Others that must be there: the spread of two says nothing."""
_TO_SIGMA = 1.4826
_LEAST_SPREAD = 0.1
"""Of the median: peers that do exactly alike may differ by that much all the same."""


def by_peers(
    group: Ints, judged: Sequence[int], values: Floats, direction: Direction
) -> tuple[Floats, Floats]:
    """Return score (judged) and what peers let expect (judged, metrics) of some entities of a bin.

    ``group`` (entities) tells who are peers, -1 for none; ``values`` are (entities, metrics). The score is
    NaN where there are fewer than `FEWEST` peers.
    """
    scores = np.full(len(judged), np.nan)
    expected = np.full((len(judged), values.shape[1]), np.nan)
    for place, entity in enumerate(judged):
        others = np.flatnonzero(group == group[entity])
        others = others[others != entity]
        if group[entity] < 0 or len(others) < FEWEST:
            continue
        theirs = values[others]
        known = np.isfinite(values[entity]) & (np.isfinite(theirs).sum(axis=0) >= FEWEST)
        if not known.any():
            continue
        middle = np.nanmedian(theirs[:, known], axis=0)
        spread = _TO_SIGMA * np.nanmedian(np.abs(theirs[:, known] - middle), axis=0)
        away = (values[entity, known] - middle) / np.maximum(
            spread, np.maximum(_LEAST_SPREAD * np.abs(middle), 1e-9)
        )
        away = {"both": np.abs(away), "up": np.maximum(away, 0.0), "down": np.maximum(-away, 0.0)}[direction]
        expected[place, known] = middle
        scores[place] = _score(away)
    return scores, expected


def _score(away: Floats) -> float:
    rarity = np.log1p(away * (TAIL_SHARE**-VIEW_PRIOR.xi - 1.0) * np.exp(-VIEW_PRIOR.ln_u)) / (
        VIEW_PRIOR.xi * LN10
    )
    whole = together(np.zeros(len(away), dtype=np.int64), rarity, np.array([len(away)]))[0]
    return float((3.0 * np.log(whole + 0.5) - ENTITY_PRIOR.ln_u) / np.sqrt(ENTITY_PRIOR.xi))
