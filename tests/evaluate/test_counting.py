"""The counting rules, by hand and against a recount that follows their words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubestray.evaluate.counting import Scored, count
from kubestray.evaluate.measures import COUNTED, measure, recall_at
from kubestray.evaluate.series_set import Events

STEP = 600.0


def _scored(rows) -> Scored:
    entity, times, score, alert = zip(*rows, strict=True)
    return Scored(np.array(entity), np.array(times, float), np.array(score, float), np.array(alert))


def _events(rows) -> Events:
    whole = np.array(rows, float).reshape(-1, 3)
    return Events(whole[:, 0].astype(np.int64), whole[:, 1], whole[:, 2])


def test_one_day_worked_by_hand():
    # One entity, a point each ten minutes of a day; one event 10:00-10:20, so its window is 09:40-10:50.
    alerts = {9 * 3600 + 2400, 11 * 3600, 11 * 3600 + 600, 20 * 3600}
    rows = [(0, t, 2.0 if t in alerts else 0.0, t in alerts) for t in range(0, 86400, 600)]
    counts = count(
        _scored(rows), _events([(0, 36000, 37200)]), np.array([STEP]), np.array([86400.0 - 600 - 86400])
    )
    got = {name: counted(counts) for name, counted in COUNTED.items()}
    # The alert at 09:40 is at the window's first moment: found, and before the start, so it took no time. Two
    # alerts at 11 are one finding, false as is that of 20:00; the finding of 9:00 touches the window.
    assert got["recall"] == 1.0
    assert got["seconds_to_detect"] == 0.0
    assert got["precision"] == pytest.approx(1 / 3)
    assert got["false_per_entity_day"] == pytest.approx(2.0)
    assert got["findings_per_entity_day"] == pytest.approx(3.0)


def test_the_window_ends_15_minutes_or_three_steps_after_the_event():
    for step, late, found in ((60.0, 900, 1), (60.0, 901, 0), (600.0, 1800, 1), (600.0, 1801, 0)):
        counts = count(
            _scored([(0, 7200 + late, 1.0, True)]), _events([(0, 3600, 7200)]),
            np.array([step]), np.array([0.0]),
        )  # fmt: skip
        assert np.isfinite(counts.event_first).sum() == found


def test_alerts_of_others_find_nothing():
    counts = count(
        _scored([(1, 3600.0, 1.0, True)]), _events([(0, 3600, 3600)]), np.array([60.0] * 2), np.zeros(2)
    )
    assert np.isnan(counts.event_first).all()
    assert counts.hour_false.all()


def test_recall_at_a_rate_is_over_one_threshold_for_all():
    # Two entities of a day each: false hours score 5, 3, 1; events 6, 4, 2.
    rows = [(0, 0, 5, False), (0, 7200, 3, False), (1, 0, 1, False)]
    rows += [(0, 36000, 6, False), (1, 36000, 4, False), (1, 54000, 2, False), (0, 86400, 0, False)]
    rows += [(1, 86400, 0, False)]
    events = _events([(0, 36000, 36000), (1, 36000, 36000), (1, 54000, 54000)])
    counts = count(_scored(rows), events, np.array([60.0] * 2), np.zeros(2))
    assert counts.days.sum() == 2
    assert recall_at(counts, 0.0) == pytest.approx(1 / 3)  # nothing false: above 5
    assert recall_at(counts, 0.5) == pytest.approx(2 / 3)  # one false finding: above 3
    assert recall_at(counts, 1.0) == pytest.approx(3 / 3)  # two: above 1


def test_a_set_without_labels_has_rates_only():
    rows = [(0, t, 1.0, t == 0) for t in range(0, 86401, 600)]
    measures = measure(count(_scored(rows), None, np.array([STEP]), np.zeros(1)))
    assert measures.values["R@0.2"] is None
    assert measures.values["recall"] is None
    assert measures.values["precision"] is None
    assert measures.values["false_per_entity_day"] == 1.0


_POINTS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 40), st.integers(0, 5), st.booleans()),
    min_size=1,
    max_size=60,
)
_HAPPENED = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40), st.integers(0, 6)), max_size=5)


@given(points=_POINTS, happened=_HAPPENED)
def test_counts_equal_a_recount_by_their_words(points, happened):
    points = sorted({(e, t): (e, t * 700.0, s, a) for e, t, s, a in points}.values(), key=lambda p: p[1])
    events = [(e, a * 700.0, (a + n) * 700.0) for e, a, n in happened]
    step = [60.0, 300.0, 900.0]
    counts = count(_scored(points), _events(events), np.array(step), np.full(3, -10.0))
    windows = [(e, a - 2 * step[e], b + max(900, 3 * step[e])) for e, a, b in events]
    found = [any(p[3] and p[0] == e and a <= p[1] <= b for p in points) for e, a, b in windows]
    findings = {(p[0], p[1] // 3600) for p in points if p[3]}
    true = {
        (e, h)
        for e, h in findings
        if any(w[0] == e and w[1] < (h + 1) * 3600 and w[2] >= h * 3600 for w in windows)
    }
    assert np.isfinite(counts.event_first).tolist() == found
    assert counts.hour_alert.sum() == len(findings)
    assert (counts.hour_alert & ~counts.hour_false).sum() == len(true)
    for allowed in (0.05, 0.2, 1.0):
        spare = allowed * counts.days.sum()
        best = 0.0 if events else None
        for bound in {p[2] for p in points} | {99}:
            hours = {(p[0], p[1] // 3600) for p in points if p[2] >= bound}
            false = [
                (e, h) for e, h in hours
                if not any(w[0] == e and w[1] < (h + 1) * 3600 and w[2] >= h * 3600 for w in windows)
            ]  # fmt: skip
            if events and len(false) <= spare:
                hit = [
                    any(p[2] >= bound and p[0] == e and a <= p[1] <= b for p in points) for e, a, b in windows
                ]
                best = max(best, float(np.mean(hit)))
        assert recall_at(counts, allowed) == (best if best is None else pytest.approx(best))
