"""How many alarms a group of entities, such as a cluster, is told of: a budget for what may be false.

Online control of false discoveries. An alarm costs what it is likely to be false, from 0 to 1
(`decision.FleetBudget.doubt`): one just above the threshold about 1, one that no normal hour comes near to
hardly anything. What a group may spend grows with time, and at most half of what is left goes to one alarm.
So the alarms told are expected to hold no more false ones than the budget allows (and what a day has left at
most), and what is beyond doubt is told however many there are. The others are held back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kubestray.baseline.arrays import Flags, Floats

DAY = 86400.0
SAME_SECONDS = 3600.0
"""An alarm of an entity that was told of within an hour is the same news, and costs nothing."""
_SHARE = 0.5
_LEAST_ROOM = 2.0

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alerts:
    """What is asked for: false alarms a day for each group of entities that are alike in the keys
    ``within``.
    """

    per_day: float
    within: tuple[str, ...] = ()

    @property
    def room(self) -> float:
        """What a group has saved at most: that of a day, and enough for an alarm that is as good as false."""
        return max(_LEAST_ROOM, self.per_day)


@dataclass(slots=True)
class AlertBudget:
    """What groups have left, as of a time (seconds since 1970), and when entities were told of last."""

    asked: Alerts
    left: dict[Key, tuple[float, float]] = field(default_factory=dict)
    told: dict[Key, float] = field(default_factory=dict)

    def tell(self, time: float, keys: list[Key], groups: list[Key], alert: Flags, doubt: Floats) -> Flags:
        """Return which alarms of a bin are told; the arguments are by entity.

        The surest are told first; they do not depend on the order of entities.
        """
        told = np.zeros(len(keys), dtype=bool)
        alarms = np.flatnonzero(alert).tolist()
        for n in sorted(alarms, key=lambda n: (doubt[n], keys[n])):
            same = time - self.told.get(keys[n], -np.inf) <= SAME_SECONDS
            if same or self._spend(groups[n], time, float(doubt[n])):
                told[n] = True
                self.told[keys[n]] = time
        self.told = {key: when for key, when in self.told.items() if time - when <= SAME_SECONDS}
        return told

    def _spend(self, group: Key, time: float, cost: float) -> bool:
        left, when = self.left.get(group, (self.asked.room, time))
        left = min(self.asked.room, left + self.asked.per_day * (time - when) / DAY)
        enough = cost <= _SHARE * left
        self.left[group] = (left - cost if enough else left), time
        return enough

    def as_json(self) -> dict[str, Any]:
        """Return what `read` takes."""
        return {
            "left": [[key, *state] for key, state in sorted(self.left.items())],
            "told": [[key, when] for key, when in sorted(self.told.items())],
        }

    def read(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.left = {tuple(key): (left, when) for key, left, when in state["left"]}
        self.told = {tuple(key): when for key, when in state["told"]}
