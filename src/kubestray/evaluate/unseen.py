"""`unseen` over edges: a source that meets a destination and port for the first time."""

from __future__ import annotations

import math
import time

import numpy as np

from kubestray.baseline.novelty import WINDOW, Novelty
from kubestray.evaluate.counting import Scored
from kubestray.evaluate.edge_set import EPHEMERAL, EdgeSet


def run_unseen(data: EdgeSet, per_day: float) -> tuple[Scored, float]:
    """Return the score of each flow of the test part, and the cost in microseconds a flow.

    An alarm is a flow that is news with a probability below the asked rate: ``per_day`` false findings per
    entity-day are that many in 144 windows of ten minutes.
    """
    bound = -math.log10(min(1.0, per_day * WINDOW / 86400.0))
    known = Novelty()
    score = np.zeros(len(data.times))
    port = np.minimum(data.port, EPHEMERAL).tolist()
    flows = zip(data.source.tolist(), data.destination.tolist(), port, data.times.tolist(), strict=True)
    began = time.process_time()
    for number, (source, destination, service, moment) in enumerate(flows):
        score[number] = known.advance(source, (destination, service), moment)
    cost = (time.process_time() - began) / max(len(score), 1) * 1e6
    tested = data.tested
    scored = Scored(data.source[tested], data.times[tested], score[tested], score[tested] > bound)
    return scored, cost
