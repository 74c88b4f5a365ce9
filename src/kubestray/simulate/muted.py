"""Agents that fall silent: a family of metrics without the points that nobody sends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kubestray.simulate.noise import F64, I64, Bool
from kubestray.simulate.series import Channel, Family
from kubestray.simulate.stage import Silence


def muted(family: Family, silences: Sequence[Silence]) -> Family:
    """Return the family without what the silenced nodes' agents would have sent."""
    return _Muted(family, silences) if silences else family


class _Muted:
    """A family of which some agents send nothing for a while."""

    def __init__(self, family: Family, silences: Sequence[Silence]) -> None:
        self._family = family
        self.channels: Sequence[Channel] = family.channels
        self.born, self.died = family.born, family.died
        agents = np.array([channel.resource.agent for channel in family.channels])
        self._silent = [(agents == f"agent/{one.node}", one.begin, one.until) for one in silences]

    def values(self, rows: I64, seconds: I64) -> F64:
        """Return f64[rows, n]; see `Family`."""
        return self._family.values(rows, seconds)

    def present(self, rows: I64, seconds: I64) -> Bool:
        """Return bool[rows, n]; see `Family`."""
        sent = self._family.present(rows, seconds)
        for silent, begin, until in self._silent:
            sent &= ~(silent[rows][:, None] & (begin <= seconds) & (seconds < until))
        return sent
