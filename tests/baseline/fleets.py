"""Fleets for tests: series with a rhythm and noise, fed to a `Stray` step by step."""

from __future__ import annotations

import numpy as np

from kubestray.baseline.arrays import ALL
from kubestray.baseline.stray import Stray


def rhythm(steps: int, rows: int, seed: int = 0, step: float = 300.0):
    """Times (steps) and values (steps, rows): a daily wave with noise, around 100."""
    chance = np.random.default_rng(seed)
    times = 1_700_000_000.0 // 86400 * 86400 + step * np.arange(steps)
    wave = 100 + 30 * np.sin(2 * np.pi * times[:, None] / 86400 + np.arange(rows))
    return times, wave + chance.normal(0, 4, (steps, rows))


def feed(fleet: Stray, times, values):
    """Scores (steps, entities) of a fleet that sees every row in every step."""
    return np.array([
        fleet.advance(ALL, np.full(values.shape[1], t), row).score
        for t, row in zip(times, values, strict=True)
    ])  # fmt: skip


def fleet_of(rows: int, entities: int | None = None, step: float = 300.0, per_day: float = 0.2) -> Stray:
    entity = np.sort(np.arange(rows) % (entities or rows))
    return Stray(entity, np.full(rows, step), per_day)
