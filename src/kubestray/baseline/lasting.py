"""What lasts: how far off the metrics of an entity were over the last minutes and hours, and still are.

A metric that is far off for ten minutes and one of whose points is as far are alike to the score of a moment.
Beside a metric with a heavy tail, whose single points are far off every day, a fault that lasts is then lost.
So the last minutes have a score of their own, of the mean of a metric's points, each of which counts for some
deviations at most (`residuals.SUSTAINED`), as a distance in a tail of its own. Where it is higher it decides
in place of the moment's. So have the last hours, for what is never far off but stays so. Measured in
docs/decisions/0042-what-lasts.md, 0045-last-hours.md and 0046-one-that-lasts.md.
"""

from __future__ import annotations

import numpy as np

from kubestray.baseline.arrays import Floats, Ints
from kubestray.baseline.residuals import STEADY, SUSTAINED

LATER = (0.4, 0.8)
"""How much higher the score of the last minutes, and of the last hours, has to be than that of a moment to
count as much: it comes later, and there are more chances to be wrong.
"""
CHANCES = 0.1
"""How much higher still that of the last minutes has to be for each e-fold of an entity's metrics: any of
them may be what stays off.
"""
KNOWN_BLOCKS = (0.0, 36.0)
"""How many blocks of ten minutes an entity has to have seen of them: of hours a quarter of a day."""


def lasting(parts: Floats) -> Floats:
    """Return the rarity of each metric over the last minutes and hours (`residuals.LASTING`, rows), at most
    what one of its steady views sees now.

    ``parts`` (`residuals.DISTANCES`, rows) are those of a step. Such a mean stays up when values are back,
    and the views that follow the last values are off then the other way; by then it is over.
    """
    return np.asarray(np.minimum(parts[SUSTAINED], parts[STEADY, :].max(axis=0)))


def one_of_many(whose: Ints, rarity: Floats, count: Ints) -> Floats:
    """Return the rarity of each entity over the last minutes from that of its metrics: their cubic mean.

    Of a moment the mean counts as well (`kubestray.baseline.stray.together`), as single metrics are far off
    every day. One that stays off for minutes is rare by itself, and of a fault in one part of an entity it is
    all there is. ``count`` is how many metrics each entity has here; an entity without any gets 0.
    """
    cubes = np.bincount(whose, weights=rarity * rarity * rarity, minlength=len(count))
    return np.asarray(np.cbrt(cubes / np.maximum(count, 1)))
