"""News depends on how much news there is."""

from __future__ import annotations

import math

import pytest

from kubestray.baseline.novelty import Novelty, _ln_at_least


def test_the_tail_of_the_poisson_distribution():
    for count, expected in ((1, 0.01), (3, 0.5), (5, 4.0), (2, 30.0)):
        below = sum(math.exp(-expected) * expected**k / math.factorial(k) for k in range(count))
        assert _ln_at_least(count, expected) == pytest.approx(math.log(1 - below), rel=1e-6)


def test_what_is_known_is_no_news():
    novelty = Novelty()
    assert novelty.advance("web", ("db", 5432), 0.0) > 0
    assert novelty.advance("web", ("db", 5432), 60.0) == 0


def test_one_new_key_is_rarer_in_a_scope_that_never_changes():
    novelty = Novelty()
    for minute in range(3 * 1440):
        novelty.advance("calm", "one", 60.0 * minute)
        novelty.advance("busy", f"key {minute // 5}", 60.0 * minute)
    now = 60.0 * 3 * 1440
    assert novelty.advance("calm", "new", now) > novelty.advance("busy", "new", now) + 1


def test_a_burst_is_rarer_with_each_new_key():
    novelty = Novelty()
    for minute in range(600):
        novelty.advance("web", "db", 60.0 * minute)
    scores = [novelty.advance("web", f"host {n}", 36000.0 + n) for n in range(20)]
    assert scores == sorted(scores)
    assert scores[-1] > scores[0] + 10


def test_memory_is_bounded():
    novelty = Novelty(longest=3)
    for key in range(10):
        novelty.advance("web", key, float(key))
    assert novelty.advance("web", 9, 10.0) == 0
    assert novelty.advance("web", 0, 11.0) > 0
    assert novelty.first_seen("web") == 0.0
    assert novelty.first_seen("db") is None
