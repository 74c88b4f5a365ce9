"""An explanation: what it says is what the fleet said, and its own document is enough to say it again."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kubestray.baseline.explain import explain, recompute
from kubestray.baseline.profile import Form, Profile
from kubestray.model.errors import KubestrayError

DAY = 86400.0
START = 1_700_000_000.0 // DAY * DAY
FORM = Form(("pod",), ("cpu", "bytes"), 1800.0, 1 / 7)
STEPS = 48 * 5


@pytest.fixture(scope="module")
def told():
    """A fleet of three, judged up to a burst of one; the profile of that one an hour before; its bins."""
    chance = np.random.default_rng(4)
    times = np.repeat(START + 1800.0 * np.arange(STEPS), 3)
    pods = np.tile(np.arange(3), STEPS)
    values = 100 + 20 * np.sin(2 * np.pi * times[:, None] / DAY) + chance.normal(0, 3, (3 * STEPS, 2))
    values[-2, 1] = 2000.0  # the last bin of the second pod
    keys = [(f"p{n}",) for n in range(3)]
    fleet, cut = Profile(FORM), times[-1] - 3600
    early = times < cut
    list(fleet.advance(times[early], keys, pods[early], values[early]))
    alone = fleet.only(("p1",)).dump()
    *_, last = fleet.advance(times[~early], keys, pods[~early], values[~early], cut)
    own = ~early & (pods == 1)
    return last, fleet.fleet.budget.threshold[0], alone, times[own], values[own]


def explained(told):
    from kubestray.baseline.profile import load

    _, threshold, alone, times, values = told
    return explain(load(alone), times.tolist(), values, float(threshold), configuration="c")


def test_it_says_what_the_fleet_said(told):
    last, threshold, *_ = told
    found = explained(told)
    assert last.keys[1] == ("p1",)
    assert found.entity == {"pod": "p1"}
    assert found.score == last.scores.moment[1]
    assert found.alert
    assert found.reason == "score"
    assert (found.threshold, found.asked_per_day) == (threshold, 1 / 7)
    assert [metric.score for metric in found.metrics] == last.scores.metrics[2:4].tolist()
    assert found.known_since == START
    assert found.learned_until == told[3][0]


def test_the_parts_add_up(told):
    found = explained(told)
    for metric in found.metrics:
        assert metric.score == pytest.approx(sum(view.weight * view.score for view in metric.views))
        assert sum(view.weight for view in metric.views) == pytest.approx(1.0)
        for view in metric.views:
            # The Pareto survival through one block in ten at `usual_high`, less beyond the cap.
            away = abs(view.deviations) / view.usual_high
            plain = np.log10(1 + (0.1**-view.tail_index - 1) * away) / view.tail_index
            assert view.score <= plain * (1 + 1e-9)
    mean = np.mean([metric.score for metric in found.metrics])
    root = np.sqrt(np.mean([metric.score**2 for metric in found.metrics]))
    assert found.level == pytest.approx(3 * np.log((mean + root) / 2 + 0.5))
    assert found.once > 0
    expected = (found.level - found.usual_level) / np.sqrt(found.tail_index) - found.once
    assert found.score == pytest.approx(expected)
    assert found.expected_per_day < 1


def test_the_quiet_value_is_where_the_alarm_ends(told):
    _, threshold, alone, times, values = told
    from kubestray.baseline.profile import load

    quiet = explained(told).metrics[1].quiet
    assert quiet is not None
    assert 100 < quiet < 2000
    for factor, alert in ((0.999, False), (1.001, True)):
        changed = values.copy()
        changed[-1, 1] = quiet * factor
        assert explain(load(alone), times.tolist(), changed, float(threshold)).alert is alert


def test_its_document_is_enough_to_say_it_again(told):
    found = explained(told)
    document = json.loads(json.dumps(found.as_json()))
    assert recompute(document) == found
    document["evidence"]["values"][-1][1] = 100.0
    assert not recompute(document).alert
    assert len(json.dumps(document)) < 40_000


@pytest.mark.parametrize("change", [{"evidence": {}}, {"evidence": None}, {}])
def test_a_document_that_is_none_is_refused(change):
    with pytest.raises(KubestrayError, match="explanation"):
        recompute(change)


def test_an_entity_that_is_not_there_cannot_be_explained(told):
    with pytest.raises(ValueError, match="one entity"):
        explain(Profile(FORM), [0.0], np.ones((1, 2)))
