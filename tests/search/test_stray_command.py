"""`stray` on a schedule: it goes on from what it has learned, and finds what a replay finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from helpers import DAY, HOUR, MINUTE, NOW, SECOND, Point, batch, series
from kubestray.baseline import snapshot
from kubestray.baseline.explain import recompute
from kubestray.baseline.profile import Form, Profile
from kubestray.model.errors import SearchError, StoreError
from kubestray.model.metric import Kind
from kubestray.search.explaining import explain_row
from kubestray.search.held_back import held_back
from kubestray.search.learned import learning
from kubestray.search.profile_store import ORDERS, StoreProfiles
from kubestray.search.relation import Held
from kubestray.search.run import Request, Result, run_search
from kubestray.store.documents import Documents
from kubestray.store.expiry import expire_profiles
from kubestray.store.points import Span
from kubestray.store.store import Store

STEP = 5 * MINUTE
START = NOW // DAY * DAY - 2 * DAY
TEXT = "| mstats sum(io) AS io BY pod span=5m | stray io BY pod budget=1/1d history=1d"
ALL = TEXT + " action=annotate"

Row = dict[str, Any]


def points(end: int, seed: int = 0) -> list[Point]:
    """Three pods with counters; one stops and another begins half-way; bursts now and then."""
    chance = np.random.default_rng(seed)
    found: list[Point] = []
    for name, begin, stop in (("a", 0, end), ("b", 0, START + DAY), ("c", START + DAY, end)):
        made, total = series("io", Kind.CUMULATIVE, pod=name), 0.0
        for time in range(max(begin, START), stop, STEP):
            wave = 1000 + 300 * np.sin(2 * np.pi * (time % DAY) / DAY)
            total += wave * (1 + chance.normal(0, 0.05)) * (30 if chance.random() < 0.01 else 1)
            found.append((made, time + 7 * SECOND, START, float(total)))
    return found


@pytest.fixture
def filled(embedded: Store) -> Store:
    embedded.append(batch(points(START + 36 * HOUR)))
    return embedded


def run(
    store: Store, profiles: StoreProfiles, earliest: int, latest: int, text: str = TEXT, **more: Any
) -> Result:
    return run_search(Request(text, latest, Span(earliest, latest), profiles=profiles, **more), store.query)


def passes(
    store: Store, profiles: Callable[[int], StoreProfiles], start: int, end: int, window: int = 15 * MINUTE
) -> dict[tuple[Any, ...], Row]:
    """Run every ten minutes; return the rows by time and pod, of which repeated ones must be the same."""
    found: dict[tuple[Any, ...], Row] = {}
    for now in range(start, end + 1, 10 * MINUTE):
        for row in run(store, profiles(now), now - window, now, ALL).rows:
            key = (row["_time"], row["pod"])
            assert found.setdefault(key, row) == row
    return found


def test_a_replay_finds_what_the_schedule_found(filled: Store) -> None:
    live = StoreProfiles(filled.query, filled.record, keep_in_store=True)
    start, end = START + 30 * HOUR, START + 31 * HOUR + 30 * MINUTE
    found = passes(filled, lambda _: live, start, end)
    assert {pod for _, pod in found} == {"a", "c"}
    # From what is kept in the store, by a server that has just started or somebody who looks.
    kept = StoreProfiles(filled.query, filled.record)
    assert kept.nearest(_only(live), end / 1e9) is not None
    again = run(filled, kept, end - HOUR, end, ALL).rows
    assert again == [row for (time, _), row in found.items() if time >= (end - HOUR) / 1e9]
    # And from nothing but the points.
    anew = run(filled, StoreProfiles(_no_profiles(filled), filled.record), start - 15 * MINUTE, end, ALL).rows
    assert {(row["_time"], row["pod"]): row for row in anew} == found


def test_kept_profiles_are_those_of_the_newest_time_in_each_slot(store: Store) -> None:
    for hour in (30, 31, 32, 33, 34, 31):
        profile = Profile(Form(("pod",), ("io",), 300.0))
        profile.until = float(START // SECOND + hour * 3600 + 60)
        writer = StoreProfiles(store.query, store.record, keep_in_store=True)
        writer.keep("x", Held(profile, "", profile.until))
        writer.keep("y", Held(profile, "", profile.until))
    kept = StoreProfiles(store.query, store.record)
    for asked, found in ((40, 34), (34, 33), (33, 32), (32, None), (20, None)):
        newest = kept.nearest("x", START // SECOND + asked * 3600 + 59)
        assert (newest and newest.until) == (found and START // SECOND + found * 3600 + 60)
    assert kept.nearest("z", 2e9) is None
    assert expire_profiles(store, START + 34 * HOUR) > 0
    assert kept.nearest("x", START // SECOND + 34 * 3600) is None
    assert kept.nearest("x", START // SECOND + 35 * 3600) is not None
    assert expire_profiles(store, START + 34 * HOUR) == 0


def _only(profiles: StoreProfiles) -> str:
    (of,) = profiles._live
    return of


def _no_profiles(store: Store) -> Any:
    def query(tree: Any, *limits: Any) -> Any:
        table = store.query(tree, *limits)
        return table.slice(0, 0) if "FROM profiles" in str(tree) else table

    return query


def test_a_server_that_starts_again_goes_on(filled: Store) -> None:
    start, end = START + 30 * HOUR, START + 31 * HOUR
    steady = StoreProfiles(filled.query, filled.record)
    expected = passes(filled, lambda _: steady, start, end)
    found = passes(
        filled, lambda _: StoreProfiles(filled.query, filled.record, keep_in_store=True), start, end
    )
    assert found == expected


def test_what_was_kept_before_an_update_is_gone_on_from(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Points of 30 days may be gone, and to learn from those that there are takes long."""
    now = START + 30 * HOUR
    before = StoreProfiles(filled.query, filled.record, keep_in_store=True)
    run(filled, before, now - 10 * MINUTE, now)
    monkeypatch.setattr(snapshot, "VERSION", snapshot.VERSION + 1)
    after = StoreProfiles(filled.query, filled.record)
    later = now + 10 * MINUTE
    found = run(filled, after, now - HOUR, later, ALL).rows
    assert _only(after) == _only(before)
    assert after.nearest(_only(after), now / 1e9) is not None
    assert found == run(filled, before, now - HOUR, later, ALL).rows


def test_a_pass_reads_what_is_new_in_few_statements(filled: Store) -> None:
    live = StoreProfiles(filled.query, filled.record)
    now = START + 30 * HOUR
    run(filled, live, now - 10 * MINUTE, now)
    asked: list[str] = []

    def query(tree: Any, *limits: Any) -> Any:
        asked.append(str(tree))
        return filled.query(tree, *limits)

    later = now + 10 * MINUTE
    request = Request(TEXT, later, Span(now, later), profiles=live)
    run_search(request, query)
    assert len(asked) <= 8
    assert sum("samples" in one for one in asked) == 1
    assert live.live(_only(live)).profile.until == later / 1e9  # type: ignore[union-attr]


def test_what_comes_after_its_bin_was_learned_is_not_learned(filled: Store) -> None:
    live = StoreProfiles(filled.query, filled.record)
    now = START + 30 * HOUR
    run(filled, live, now - 10 * MINUTE, now)
    state = live.live(_only(live)).profile.dump()  # type: ignore[union-attr]
    late = series("io", Kind.GAUGE, pod="late")
    filled.append(batch([(late, now - HOUR, 0, 5.0)]))
    run(filled, live, now - 10 * MINUTE, now)
    assert live.live(_only(live)).profile.dump() == state  # type: ignore[union-attr]


def test_a_run_that_learned_nothing_new_says_the_same_again(filled: Store) -> None:
    live = StoreProfiles(filled.query, filled.record)
    now = START + 36 * HOUR
    first = run(filled, live, now - 6 * HOUR, now)
    assert first.rows
    assert run(filled, live, now - 6 * HOUR, now).rows == first.rows
    assert first.keys == ("_time", "pod")
    # Another question about the same profile is not answered with what was said to the first one.
    all_rows = run(filled, live, now - 6 * HOUR, now, ALL).rows
    assert len(all_rows) == 2 * 72
    assert [row for row in all_rows if row["alert"]] == first.rows


@pytest.mark.parametrize("keep", [True, False])
def test_a_row_is_explained_from_the_store(filled: Store, keep: bool) -> None:
    live = StoreProfiles(filled.query, filled.record, keep_in_store=keep)
    start, end = START + 30 * HOUR, START + 36 * HOUR
    rows = [
        row for now in range(start + HOUR, end + 1, HOUR) for row in run(filled, live, now - HOUR, now).rows
    ]
    row = max(rows, key=lambda row: row["score"])
    when = int(row["_time"]) * SECOND
    profiles = StoreProfiles(filled.query, filled.record)
    request = Request(TEXT, when, Span(when, when + STEP), profiles=profiles)
    found = explain_row(request, filled.query, row)
    assert found is not None
    assert (found.entity, found.time, found.alert) == ({"pod": row["pod"]}, row["_time"], True)
    assert found.score == pytest.approx(row["score"], rel=1e-9)
    assert found.threshold == row["threshold"]
    (metric,) = found.metrics
    assert (metric.value, metric.expected) == (row["io"], pytest.approx(row["expected_io"]))
    assert metric.quiet is not None
    assert metric.expected < metric.quiet < metric.value  # type: ignore[operator]
    assert recompute(json.loads(json.dumps(found.as_json()))) == found


def test_what_has_no_profile_is_not_explained(filled: Store) -> None:
    request = Request("| mstats sum(io) AS io BY pod span=5m", NOW, Span(NOW - HOUR, NOW))
    assert explain_row(request, filled.query, {"_time": 1.0}) is None
    request = Request(TEXT, NOW, Span(NOW - HOUR, NOW))
    assert explain_row(request, filled.query, {"_time": (NOW - HOUR) / 1e9, "pod": "none"}) is None


def test_a_run_that_fails_half_way_loses_no_row(filled: Store) -> None:
    expected = run(
        filled, StoreProfiles(filled.query, filled.record), START + 30 * HOUR, START + 36 * HOUR, ALL
    )
    live = StoreProfiles(filled.query, filled.record, keep_in_store=True)
    run(filled, live, START + 29 * HOUR, START + 30 * HOUR, ALL)
    asked: list[str] = []

    def failing(tree: Any, *limits: Any) -> Any:
        asked.append(str(tree))
        if sum("samples" in one for one in asked) == 2:
            raise StoreError("gone")
        return filled.query(tree, *limits)

    request = Request(ALL, START + 36 * HOUR, Span(START + 30 * HOUR, START + 36 * HOUR), profiles=live)
    with pytest.raises(StoreError):
        run_search(request, failing)
    assert run(filled, live, START + 30 * HOUR, START + 36 * HOUR, ALL).rows == expected.rows


def test_orders_hold_live_and_in_replays(filled: Store) -> None:
    """A reset: the entity is learning again from then on, for the schedule as for who learns from points."""
    moment, end = START + 30 * HOUR, START + 31 * HOUR + 20 * MINUTE
    request = Request(TEXT, end, Span(moment, end))
    about = learning(request, filled.query)
    assert about
    live = StoreProfiles(filled.query, filled.record, keep_in_store=True)
    before = passes(filled, lambda _: live, moment - 20 * MINUTE, moment)
    order = {"time": moment / SECOND, "what": "reset", "key": ["a"]}
    Documents(filled).put(ORDERS, f"{about.about}/1", order)
    found = before | passes(filled, lambda _: live, moment + 10 * MINUTE, end)
    states = {key: row["stray_state"] for key, row in found.items()}
    for (time, pod), state in states.items():
        since = time - moment / SECOND
        assert state == ("learning" if pod == "a" and 0 <= since < 3600 else "ready")
    assert {"learning", "ready"} == {state for (_, pod), state in states.items() if pod == "a"}
    first = min(time for time, _ in found)
    for query in (_no_profiles(filled), filled.query):
        anew = StoreProfiles(query, filled.record)
        rows = run(filled, anew, round(first * SECOND), end, ALL).rows
        assert {(row["_time"], row["pod"]): row for row in rows} == found
    # And the file of a finding is worked out again: what lies before the reset is not in it.
    row = found[(end - 5 * MINUTE) / SECOND, "a"]
    whole = Request(ALL, end, Span(moment, end), profiles=StoreProfiles(filled.query, filled.record))
    told = explain_row(whole, filled.query, row)
    assert told is not None
    assert told.score == pytest.approx(row["score"], rel=1e-9)
    assert recompute(json.loads(json.dumps(told.as_json()))) == told


def test_an_earlier_range_is_told_from_what_was_said_of_its_bins(filled: Store) -> None:
    profiles, since, end = StoreProfiles(filled.query, filled.record), START + DAY, START + 32 * HOUR
    whole = run(filled, profiles, since, end, ALL).rows
    for begin in range(since, end, 2 * HOUR):
        part = run(filled, profiles, begin, begin + 2 * HOUR, ALL).rows
        assert part == [row for row in whole if begin <= row["_time"] * SECOND + STEP - 1 < begin + 2 * HOUR]
        assert part


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("within=node", "within=node is no key of entities"),
        ("alerts=5/1d within=node", "within=node is no key of entities"),
        ("within=pod", "there are none"),
        ("alerts=many", "alerts=many is no rate"),
        ("action=held", "without alerts nothing is held back"),
        ("familiar_days=8", "familiar_days=8 is no number of days up to 7"),
        ("familiar_days=few", "familiar_days=few is no number"),
    ],
)
def test_options_of_alerts_that_cannot_be(embedded, options, said):
    with pytest.raises(SearchError, match=said):
        run(embedded, StoreProfiles(embedded.query, embedded.record), START, NOW, f"{TEXT} {options}")


def test_what_is_told_and_what_is_held_back_are_all_alarms_together(filled):
    def rows(more: str) -> list[Row]:
        found = run(
            filled,
            StoreProfiles(filled.query, filled.record),
            START + 20 * HOUR,
            START + 30 * HOUR,
            TEXT + more,
        )
        return [{name: row[name] for name in ("_time", "pod", "io", "score")} for row in found.rows]

    told, held = rows(' alerts="0.01/1d"'), rows(' alerts="0.01/1d" action=held')
    together = sorted(told + held, key=lambda row: (row["_time"], row["pod"]))
    assert together == sorted(rows(""), key=lambda row: (row["_time"], row["pod"]))
    assert told


def test_what_is_told_and_what_is_familiar_are_all_alarms_together(filled):
    def rows(more: str) -> list[Row]:
        text = TEXT.replace("budget=1/1d history=1d", "budget=20/1d history=1d") + more
        profiles = StoreProfiles(filled.query, filled.record)
        found = run(filled, profiles, START + 30 * HOUR, START + 36 * HOUR, text).rows
        return [{name: row[name] for name in ("_time", "pod", "io", "score")} for row in found]

    told, familiar = rows(" familiar_days=1"), rows(" familiar_days=1 action=held")
    assert told
    assert familiar
    together = sorted(told + familiar, key=lambda row: (row["_time"], row["pod"]))
    assert together == sorted(rows(""), key=lambda row: (row["_time"], row["pod"]))
    by_time: dict[str, dict[float, float]] = {}
    for row in run(filled, StoreProfiles(filled.query, filled.record), START, NOW, ALL).rows:
        by_time.setdefault(row["pod"], {})[row["_time"]] = row["io"]
    for row in familiar:  # four fifths of what is above nothing at all, at most
        then = [io for time, io in by_time[row["pod"]].items() if 22 <= (row["_time"] - time) / 3600 <= 26]
        assert max(then) >= 0.8 * row["io"]


def test_what_is_held_back_is_listed_whatever_follows_in_the_search(filled):
    def request(text: str) -> Request:
        profiles = StoreProfiles(filled.query, filled.record)
        return Request(text, START + 30 * HOUR, Span(START + 20 * HOUR, START + 30 * HOUR), profiles=profiles)

    budgeted = TEXT.replace("budget=1/1d", "budget=8/1d") + ' alerts="0.01/1d"'
    listed = held_back(request(budgeted + " | stats count | where count > 1000"), filled.query)
    assert listed
    assert listed == run_search(request(budgeted + " action=held"), filled.query).rows
    assert {row["stray_reason"] for row in listed} == {"held"}
    assert held_back(request(TEXT), filled.query) is None
    familiar = held_back(request(TEXT + " familiar_days=1"), filled.query)
    assert {row["stray_reason"] for row in familiar or []} == {"familiar"}
