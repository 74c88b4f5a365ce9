"""What people decide about what is learned: locks keep it, resets begin anew, whenever it is carried out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kubestray.baseline.orders import Order, Orders
from kubestray.baseline.profile import Form, Profile, load

STEP = 1800.0
FORM = Form(("name",), ("bytes",), STEP)
KEYS = [("a",), ("b",)]
BINS = 4 * 24 * 2  # four days
RISE = BINS // 2


def bins(start: int = 0, end: int = BINS, rise: float = 0.0):
    """Rows of two entities with a daily shape; the first grows by ``rise`` of itself from half-way on."""
    chance = np.random.default_rng(5)
    times = np.repeat(STEP * np.arange(BINS), 2)
    code = np.tile([0, 1], BINS)
    day = 100 + 20 * np.sin(times * 2 * np.pi / 86400) + chance.normal(0, 4, len(times))
    grown = 1 + rise * np.clip((times / STEP - RISE) / RISE, 0, 1) * (code == 0)
    chosen = slice(2 * start, 2 * end)
    return times[chosen], KEYS, code[chosen], (day * grown)[chosen, None]


def learned(orders: list[Order], cuts: tuple[int, ...] = (), rise: float = 0.0) -> Profile:
    """A profile that took all bins, in calls cut at ``cuts``; it is written and read at each cut."""
    profile = Profile(FORM, orders=Orders(orders))
    edges = [0, *cuts, BINS]
    for start, end in itertools.pairwise(edges):
        for _ in profile.advance(*bins(start, end, rise)):
            pass
        profile = load(profile.dump())
        profile.orders = Orders(orders)
    return profile


def state(profile: Profile) -> list[np.ndarray]:
    return [array for part in profile.fleet.parts().values() for array in part.dump().values()]


def test_a_lock_keeps_what_takes_days_to_learn():
    """The usual size follows a slow rise, unless it is locked; the other entity learns on."""
    free, held = (learned(orders, rise=4.0) for orders in ([], [Order(RISE * STEP, "lock", ("a",))]))
    before = learned([], rise=0.0)
    size = [one.fleet.residuals.location[0] for one in (free, held, before)]
    assert size[0][0] > 1.5 * size[2][0]
    assert size[1][0] == pytest.approx(size[2][0], rel=0.1)
    assert size[1][1] == size[0][1]
    assert held.locked == {("a",)}


def test_what_a_lock_holds_is_what_was_known_when_it_was_given():
    orders = [Order(RISE * STEP, "lock", ("a",))]
    then = Profile(FORM)
    for _ in then.advance(*bins(0, RISE, 4.0)):
        pass
    held = learned(orders, rise=4.0)
    mine, theirs = held.fleet.residuals, then.fleet.residuals
    assert mine.location[0, 0] == theirs.location[0, 0]
    assert (mine.profile[0] == theirs.profile[0]).all()
    assert held.fleet.views.xi[0] == then.fleet.views.xi[0]
    for mine_of, theirs_of in zip(held.fleet.tails(), then.fleet.tails(), strict=True):
        assert (mine_of.histogram[0] == theirs_of.histogram[0]).all()
        assert (mine_of.histogram[1] != theirs_of.histogram[1]).any()
    assert held.fleet.heights.points[0] == then.fleet.heights.points[0] < held.fleet.heights.points[1]
    assert held.fleet.heights.together[0] == then.fleet.heights.together[0]
    # What follows the last hour goes on.
    assert mine.location[2, 0] > 2 * theirs.location[2, 0]


def test_a_lock_ends():
    orders = [Order(RISE * STEP, "lock", None), Order((RISE + 2) * STEP, "unlock", ("a",))]
    profile = learned(orders, rise=4.0)
    assert profile.locked == {("b",)}
    assert profile.fleet.residuals.location[0, 0] > 140


def test_a_reset_begins_anew():
    """From a reset on an entity is as one that was never seen before; the other one keeps all."""
    moment = RISE * STEP
    anew, untouched = learned([Order(moment, "reset", ("a",))]), learned([])
    fresh = Profile(FORM)
    for _ in fresh.advance(*bins(RISE)):
        pass
    at = anew.names.index(("a",))
    assert anew.fleet.seen.first[at] == moment
    assert anew.fleet.residuals.count[at] == fresh.fleet.residuals.count[0]
    assert anew.fleet.residuals.location[0, at] == fresh.fleet.residuals.location[0, 0]
    assert untouched.fleet.seen.first[0] == 0.0
    other = anew.names.index(("b",))
    assert anew.fleet.residuals.location[0, other] == untouched.fleet.residuals.location[0, 1]


def test_a_reset_of_all_is_a_new_fleet():
    anew = learned([Order(RISE * STEP, "reset", None)])
    fresh = Profile(FORM, obeyed=RISE * STEP)
    for _ in fresh.advance(*bins(RISE)):
        pass
    fresh = load(fresh.dump())  # without the room for more entities that it has made
    assert all((one == other).all() for one, other in zip(state(anew), state(fresh), strict=True))


@pytest.mark.parametrize("cuts", [(RISE - 1, RISE + 1), (7, RISE + 15, BINS - 3)])
def test_how_bins_come_does_not_change_what_orders_do(cuts):
    """Bin by bin, or all at once: the same state, also with the state written between."""
    orders = [
        Order((RISE - 10) * STEP, "lock", ("b",)),
        Order(RISE * STEP, "reset", ("a",)),
        Order((RISE + 30) * STEP, "lock", ("a",)),
        Order((RISE + 60) * STEP, "unlock", None),
    ]
    whole, parts = learned(orders), learned(orders, cuts)
    assert whole.names == parts.names
    assert all((one == other).all() for one, other in zip(state(whole), state(parts), strict=True))


def test_nothing_is_kept_of_one_that_was_never_seen():
    profile = Profile(FORM, orders=Orders([Order(0.0, "lock", ("a",)), Order(0.0, "reset", ("c",))]))
    for _ in profile.advance(*bins(0, 50)):
        pass
    assert profile.locked == set()
    assert profile.fleet.residuals.count[0] == 50
