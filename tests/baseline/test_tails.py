"""The tail learner: worked by hand, and against the formulas."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from kubestray.baseline.arrays import ALL
from kubestray.baseline.tails import Prior, Tails

PRIOR = Prior(ln_u=log(4.0), ln_u_blocks=200, xi=0.5, xi_blocks=20, decades=1.7)


def _tails(n: int = 1) -> Tails:
    return Tails(np.full(n, 60.0), PRIOR)


def test_before_it_has_seen_anything_the_prior_is_what_it_knows():
    tails = _tails()
    # One block in ten exceeds u = 4: the survival is 0.1 there, 1 at 0.
    assert tails.score(ALL, np.array([4.0])) == pytest.approx(1.0)
    assert tails.score(ALL, np.array([0.0])) == 0.0


def test_the_score_is_the_survival_of_the_pareto_tail():
    tails = _tails()
    # S(8) = (1 + (0.1^-0.5 - 1) 8/4)^(-1/0.5); by hand 1 + 2.16228 * 2 = 5.32456, then -log10 of its -2nd
    assert tails.score(ALL, np.array([8.0]))[0] == pytest.approx(2 * np.log10(5.32456), abs=1e-5)


def test_far_out_scores_grow_with_their_logarithm_only():
    score = _tails().score(ALL, np.array([1e6]))[0]
    raw = 2 * np.log10(1 + 2.16227766 * 1e6 / 4)
    cap = np.log10(201) + 1
    assert score == pytest.approx(cap + 0.5 * np.log1p(raw - cap))


def test_a_tail_is_drawn_to_its_blocks_by_their_weight():
    tails = _tails()
    for block in range(1000):
        tails.close(ALL, np.array([600.0 * block]))
        tails.observe(ALL, np.array([log(16.5)]))
    # The last hour of blocks is not in yet; all weights are between 1 and 2^(1000 * 600 / 30 d).
    tails.refresh(np.array([0]))
    n = float(tails.histogram.sum() / tails.weight[0])
    assert 850 < n < 1000
    # Maxima above the limit of learning are learned as the limit, u e^(xi 0.7 ln 10), until u has grown.
    ln_u = tails.ln_u[0]
    assert log(4.0) < ln_u < log(19.1)
    assert tails.score(ALL, np.array([16.5]))[0] < _tails().score(ALL, np.array([16.5]))[0]


def _learned(tails: Tails, row: int, ln_z: float, blocks: int) -> None:
    for _ in range(blocks):
        tails.peak[row] = ln_z
        tails.learn(np.array([row]))


def test_what_an_entity_has_in_common_is_told_by_its_other_metrics():
    tails = Tails(np.full(3, 60.0), PRIOR, whose=np.array([0, 0, 1]))
    _learned(tails, 0, log(2.0), 1000)
    tails.refresh(np.arange(3))
    # A thousand blocks in the bin from 2 on, 0.9 of it; the first counts for 200 with the second, beside 60
    # of the prior. The third is another entity's.
    point = log(2.0) + 0.9 * log(2.0) / 4
    assert tails.ln_u[0] == pytest.approx((1000 * point + 200 * log(4.0)) / 1200)
    assert tails.ln_u[1] == pytest.approx((200 * point + 60 * log(4.0)) / 260)
    assert tails.ln_u[2] == log(4.0)
    assert tails.xi[2] == 0.5


def test_tails_of_an_entity_are_the_same_alone_and_among_others():
    whose = np.repeat(np.arange(3000), 3)
    tails = Tails(np.full(9000, 60.0), PRIOR, 4, whose=whose)
    alone = Tails(np.full(3, 60.0), PRIOR, 4, whose=np.zeros(3, dtype=np.int64))
    chance = np.random.default_rng(0)
    tails.histogram[:] = chance.poisson(0.5, tails.histogram.shape)
    last = (np.arange(4)[:, None] * 9000 + 8997 + np.arange(3)).ravel()
    alone.histogram[:] = tails.histogram[last]
    for portion in tails._portions(np.arange(36000)):
        tails.refresh(portion)
    alone.refresh(np.arange(12))
    assert np.array_equal(tails.ln_u[last], alone.ln_u)
    assert np.array_equal(tails.xi[last], alone.xi)


def test_it_learns_only_from_blocks_that_have_ended():
    tails = _tails()
    tails.close(ALL, np.array([0.0]))
    tails.observe(ALL, np.array([5.0]))
    tails.close(ALL, np.array([599.0]))
    assert tails.histogram.sum() == 0
    tails.close(ALL, np.array([600.0]))
    assert tails.histogram.sum() == 1


def test_old_blocks_weigh_half_after_30_days():
    tails = _tails()
    tails.close(ALL, np.array([0.0]))
    tails.observe(ALL, np.array([0.0]))
    tails.close(ALL, np.array([30 * 86400.0]))
    assert tails.effective_blocks(ALL)[0] == pytest.approx(0.5)


def test_weights_are_rescaled_before_they_overflow():
    tails = _tails()
    for block in range(40):
        tails.close(ALL, np.array([block * 30 * 86400.0 * 2]))
        tails.observe(ALL, np.array([0.0]))
    assert np.isfinite(tails.histogram).all()
    assert tails.effective_blocks(ALL)[0] == pytest.approx(1 / 3, rel=0.01)  # 1/4 + 1/16 + …


def test_a_block_that_is_discounted_counts_for_its_share_and_the_next_one_whole():
    tails = Tails(np.full(2, 60.0), PRIOR, copies=2)
    for block in range(3):
        tails.close(ALL, np.full(2, 600.0 * block))
        tails.observe(ALL, np.full(4, log(8.0)))
        if block == 0:
            tails.discount(np.array([1]), np.array([0.25]))
    # Two blocks are closed: of row 1 the first counts for a quarter, in both of its streams.
    seen = tails.effective_blocks(ALL)
    assert seen == pytest.approx([2.0, 1.25, 2.0, 1.25], rel=1e-3)
    assert tails.blocks.tolist() == [2.0, 2.0, 2.0, 2.0]
