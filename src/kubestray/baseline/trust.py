"""Which view of a metric is believed how much: one that usually misses by less knows better what is normal.

A business metric with a daily wave is told by its bin of the day, a queue that wanders by its last value.
What misses by much more than another view is seldom far off in its own deviations, and its silence would
drown the other's voice. So views weigh by the inverse of what they usually miss by. A metric that rests
most of the time is off only when it moves, and what its views miss by is chance: as far as it rests, they
weigh alike. Measured in docs/decisions/0033-heights-and-trust.md.
"""

from __future__ import annotations

import numpy as np

from kubestray.baseline.arrays import Floats


def trust(width: Floats, moving: Floats) -> Floats:
    """Return what each view weighs, shape (views, rows), with a sum of 1 for each row.

    ``width`` (views, rows) is what a view usually misses by, in the unit of the metric, above 0; ``moving``
    (rows) is the share of its points at which the metric moves.
    """
    weight = (width.min(axis=0) / width) ** moving
    return np.asarray(weight / weight.sum(axis=0))
