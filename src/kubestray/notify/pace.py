"""How long to wait before trying again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

SECOND_NS = 10**9


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds. The wait doubles with each failure up to ``longest``; a part is left to chance."""

    first: float = 1.0
    longest: float = 30.0
    give_up: float = 24 * 3600.0
    """For how long a change is tried before it becomes a dead letter."""
    chance: Callable[[], float] = random.random
    """From 0 to 1: servers that failed together must not come back together."""

    def wait(self, failures: int, asked: float | None = None) -> int:
        """Return how long to wait after so many failures, at least what the receiver asked for (ns)."""
        full: float = min(self.longest, self.first * 2.0 ** min(failures - 1, 30))
        wait = full * (0.5 + 0.5 * self.chance())
        if asked is not None:
            wait = max(wait, asked + 0.1 * full * self.chance())
        return round(wait * SECOND_NS)
