"""Times by the clocks of a time zone: while planning, in the engine, and from the settings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import Row, batch, examples, search, series
from kubestray.config import load_config
from kubestray.detect.runner import Times, window_of
from kubestray.model.content import Schedule
from kubestray.model.errors import UsageError
from kubestray.search import moments
from kubestray.search.times import Step, moved, parse_time, steps
from kubestray.search.zones import UnknownZone, checked_zone, offset_names
from kubestray.store.store import Store
from kubestray.store.trees import Tree, array, call, column, lambda_, named, number, select

NEW_YORK, BERLIN, KOLKATA, SAO_PAULO = (
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "America/Sao_Paulo",
)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize("name", ["UTC", NEW_YORK, "Etc/GMT+5", "EST5EDT"])
def test_a_zone(name: str) -> None:
    assert checked_zone(name) == name


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("utc", "UTC"),
        ("localtime", "localtime"),
    ],
)
def test_no_zone_and_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UnknownZone, match="expected the name of a time zone") as raised:
        checked_zone(name)
    assert str(raised.value).endswith(f"did you mean {nearest}?") or nearest == name


@pytest.mark.parametrize("name", ["", "America", "../etc/passwd", "/etc/localtime", "a\0b", "xyzzy" * 99])
def test_what_is_no_zone(name: str) -> None:
    with pytest.raises(UnknownZone):
        checked_zone(name)


def test_the_setting() -> None:
    assert load_config({}, {}, None)["timezone"] == "UTC"
    assert load_config({}, {"KUBESTRAY_TIMEZONE": BERLIN}, None)["timezone"] == BERLIN
    with pytest.raises(UsageError, match=r"--timezone: 'Berlin' expected .* did you mean Europe/Berlin"):
        load_config({"timezone": "Berlin"}, {}, None)


@pytest.mark.parametrize(
    ("zone", "now", "text", "expected"),
    [
        # On 8 March 2026 the clocks of New York went from 02:00 to 03:00.
        (NEW_YORK, "2026-03-08T16:00", "-1d", "2026-03-07T17:00"),
        (NEW_YORK, "2026-03-08T16:00", "-24h", "2026-03-07T16:00"),
        (NEW_YORK, "2026-03-08T16:00", "-1w", "2026-03-01T17:00"),
        (NEW_YORK, "2026-03-08T16:00", "@d", "2026-03-08T05:00"),
        (NEW_YORK, "2026-03-08T16:00", "-1d@d", "2026-03-07T05:00"),
        (NEW_YORK, "2026-03-08T16:00", "@d+6h", "2026-03-08T11:00"),
        (NEW_YORK, "2026-03-08T16:00", "+1d@d", "2026-03-09T04:00"),
        (NEW_YORK, "2026-03-07T07:30", "+1d", "2026-03-08T07:30"),
        # On 1 November 2026 they went from 02:00 to 01:00.
        (NEW_YORK, "2026-10-31T05:30", "+1d", "2026-11-01T05:30"),
        (NEW_YORK, "2026-11-01T06:30", "@h", "2026-11-01T06:00"),
        (NEW_YORK, "2026-11-01T06:30", "@d", "2026-11-01T04:00"),
        (NEW_YORK, "2026-11-01T06:30", "+0d", "2026-11-01T06:30"),
        (NEW_YORK, "2026-11-02T17:00", "-1mon", "2026-10-02T16:00"),
        # In Kolkata it is five and a half hours later than in UTC.
        (KOLKATA, "2026-11-25T14:25:37", "@h", "2026-11-25T13:30"),
        (KOLKATA, "2026-11-25T14:25:37", "@m", "2026-11-25T14:25"),
        (KOLKATA, "2026-11-25T14:25:37", "@d", "2026-11-24T18:30"),
        (KOLKATA, "2026-11-25T14:25:37", "@w1", "2026-11-22T18:30"),
        (KOLKATA, "2026-11-25T20:00", "@d", "2026-11-25T18:30"),
        (KOLKATA, "2026-11-25T14:25:37", "@mon", "2026-10-31T18:30"),
        (KOLKATA, "2026-11-25T14:25:37", "-1y@y", "2024-12-31T18:30"),
        (KOLKATA, "2026-11-25T14:25:37", "@q", "2026-09-30T18:30"),
        (KOLKATA, "2026-11-25T14:25:37", "11/25/2026:10:00:00", "2026-11-25T04:30"),
        (KOLKATA, "2026-11-25T14:25:37", "2026-11-25", "2026-11-24T18:30"),
        (KOLKATA, "2026-11-25T14:25:37", "2026-11-25T10:00:00", "2026-11-25T04:30"),
        (KOLKATA, "2026-11-25T14:25:37", "2026-11-25T10:00:00Z", "2026-11-25T10:00"),
        (KOLKATA, "2026-11-25T14:25:37", "2026-11-25T10:00:00-05:00", "2026-11-25T15:00"),
        (KOLKATA, "2026-11-25T14:25:37", "1800000000", "2027-01-15T08:00"),
        (BERLIN, "2026-11-25T14:25:37", "2026-07-01", "2026-06-30T22:00"),
        # What the clocks skip, and what they show twice.
        (BERLIN, "2026-11-25T14:25:37", "2026-03-29T02:30", "2026-03-29T01:30"),
        (BERLIN, "2026-11-25T14:25:37", "2026-10-25T02:30", "2026-10-25T00:30"),
        # In Sao Paulo the clocks went from 00:00 to 01:00.
        (SAO_PAULO, "2018-11-04T12:00", "@d", "2018-11-04T03:00"),
    ],
)
def test_a_time_in_a_zone(zone: str, now: str, text: str, expected: str, embedded: Store) -> None:
    assert parse_time(text, at(now) * 10**9, zone) == at(expected) * 10**9
    if text[0] in "+-@":
        assert engine([at(now) * 10**6], steps(text), zone, embedded) == [at(expected) * 10**6]


STEPS = st.lists(
    st.one_of(
        st.builds(Step, st.sampled_from(("days", "weeks", "months", "years", "hours")), st.integers(-99, 99)),
        st.builds(Step, st.sampled_from(("milliseconds", "seconds")), st.integers(-(10**9), 10**9)),
        st.builds(
            lambda unit, day: Step(unit, snap=True, weekday=day),
            st.sampled_from(("seconds", "minutes", "hours", "days", "weeks", "months", "quarters", "years")),
            st.integers(0, 7),
        ),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(("UTC", NEW_YORK, BERLIN, KOLKATA, SAO_PAULO, "Australia/Lord_Howe", "Pacific/Apia")),
    STEPS,
    st.lists(st.integers(0, 2_000_000_000 * 10**6), min_size=50, max_size=50),
)
def test_the_engine_agrees_with_planning(
    embedded: Store, zone: str, chain: list[Step], times: list[int]
) -> None:
    expected = []
    for time in times:
        moment = time * 1000
        for step in chain:
            moment = moved(moment, step, zone)
        expected.append(moment // 1000)
    assert engine(times, chain, zone, embedded) == expected


def engine(times: Sequence[int], chain: Sequence[Step], zone: str, store: Store) -> list[int]:
    def after(moment: Tree) -> Tree:
        for step in chain:
            moment = moments.moved(moment, step, zone)
        return moment

    given = array(call("toNullable", call("toInt64", number(time))) for time in times)
    query = select(named(call("arrayMap", lambda_("x", after(column("x"))), given), "f"))
    found: list[int] = store.query(query).column("f").to_pylist()[0]
    return found


# 2027-01-15T09:00:00Z and half a year before.
WINTER, SUMMER = at("2027-01-15T09:00"), at("2026-07-15T09:00")


@pytest.mark.parametrize(
    ("zone", "expression", "expected"),
    [
        (NEW_YORK, f'strftime({WINTER}, "%F %T %Z %z %:z %::z %:::z %Ez")',
         "2027-01-15 04:00:00 EST -0500 -05:00 -05:00:00 -05 -300"),
        (NEW_YORK, f'strftime({SUMMER}, "%+|%Ez|%s")', f"Wed Jul 15 05:00:00 EDT 2026|-240|{SUMMER}"),
        (KOLKATA, f'strftime({WINTER}, "%c %Z %z %Ez %k")', "Fri Jan 15 14:30:00 2027 IST +0530 330 14"),
        (SAO_PAULO, f'strftime({WINTER}, "%T %Z")', "06:00:00 -03"),
        ("UTC", f'strftime({WINTER}, "%T %Z")', "09:00:00 UTC"),
        (BERLIN, 'strftime(1798757999, "%U %V %W %j %G %u")', "52 53 52 365 2026 4"),
        (BERLIN, 'strptime("2027-01-15 10:00", "%F %H:%M")', WINTER),
        (BERLIN, 'strptime("2026-07-15 11:00", "%F %H:%M")', SUMMER),
        (BERLIN, 'strptime("2026-07-15 09:00 +0000", "%F %H:%M %z")', SUMMER),
        (BERLIN, 'strptime("2026-07-15 11:00 CEST", "%F %H:%M %Z")', SUMMER),
        (KOLKATA, 'strptime("2026-07-15 14:30 IST", "%F %H:%M %Z")', SUMMER),
        ("Asia/Jerusalem", 'strptime("2027-01-15 11:00 IST", "%F %H:%M %Z")', WINTER),
        (BERLIN, f'strptime("{WINTER}", "%s")', WINTER),
        # Now is 09:00 in UTC: it is tomorrow already in Auckland, ten at night.
        ("Pacific/Auckland", 'strptime("22:00", "%H:%M")', WINTER),
        ("Pacific/Kiritimati", 'strftime(strptime("00:30", "%H:%M"), "%F %T")', "2027-01-15 00:30:00"),
        ("Pacific/Honolulu", 'strftime(strptime("12:00", "%H:%M"), "%F")', "2027-01-14"),
        (BERLIN, 'strptime("2026-03-29 02:30", "%F %H:%M")', at("2026-03-29T01:30")),
        (BERLIN, 'strptime("2026-10-25 02:30", "%F %H:%M")', at("2026-10-25T00:30")),
        (NEW_YORK, 'relative_time(now(), "@d")', at("2027-01-15T05:00")),
        (NEW_YORK, 'relative_time(now(), "-6mon")', at("2026-07-15T08:00")),
        (NEW_YORK, f'relative_time({at("2026-03-08T16:00")}, "-1d")', at("2026-03-07T17:00")),
        (NEW_YORK, f'relative_time({at("2026-03-08T16:00")}, "-24h")', at("2026-03-07T16:00")),
        (NEW_YORK, 'relative_time(now(), shift)', at("2027-01-11T08:00")),
        (NEW_YORK, 'strftime(now(), layout)', "15.01.2027 04 EST"),
        (NEW_YORK, 'strptime("15.01.2027 04 EST", layout)', WINTER),
        (NEW_YORK, 'tostring(90061, "duration")', "1+01:01:01"),
    ],
)  # fmt: skip
def test_functions_in_a_zone(zone: str, expression: str, expected: Any, store: Store) -> None:
    row = {"shift": "@w1+3h", "layout": "%d.%m.%Y %H %Z"}
    found = search(store, f"| eval x={expression}", now=WINTER * 10**9, rows=[row], timezone=zone)
    assert found.rows[0].get("x") == expected


@pytest.mark.more("http")
def test_ranges_in_a_zone(store: Store) -> None:
    made = series("cpu", pod="a")
    hours = [at("2027-01-14T22:00") + 3600 * hour for hour in range(10)]
    store.append(batch((made, hour * 10**9, 0, 1.0) for hour in hours))

    def count(text: str, zone: str) -> Any:
        return search(store, text, now=WINTER * 10**9, timezone=zone).rows[0]["n"]

    text = "| mstats count(cpu) as n where index=* earliest=@d"
    # Midnight is at 00:00, 23:00 and 05:00 in UTC.
    assert [count(text, zone) for zone in ("UTC", BERLIN, NEW_YORK)] == [8, 9, 3]
    text = (
        '| mstats count(cpu) as n where index=* earliest="01/15/2027:00:00:00" latest="01/15/2027:04:00:00"'
    )
    assert [count(text, zone) for zone in ("UTC", BERLIN, NEW_YORK)] == [4, 4, 3]


def test_the_window_of_a_detection() -> None:
    schedule = Schedule("0 * * * *", "-1d@d", "@d")
    now = WINTER * 10**9
    window = window_of(schedule, Times(now), BERLIN)
    assert window == (at("2027-01-13T23:00") * 10**9, at("2027-01-14T23:00") * 10**9)
    assert window_of(schedule, Times(now, "-1h", "now"), BERLIN) == (now - 3600 * 10**9, now)


def test_names_of_offsets() -> None:
    assert offset_names(NEW_YORK) == {-18000: "EST", -14400: "EDT"}
    # What was called MSD is MSK since 2011.
    assert offset_names("Europe/Moscow")[4 * 3600] == "MSK"


def test_ranges_of_events_in_a_zone(store: Store) -> None:
    events: list[Row] = [{"_time": at("2027-01-14T22:00") + 3600 * hour} for hour in range(10)]

    def count(zone: str) -> Any:
        text, more = "index=main earliest=@d | stats count as n", {"indexes": {"main": events}}
        return search(store, text, now=WINTER * 10**9, timezone=zone, **more).rows[0]["n"]

    # As above, and half an hour off it.
    assert [count(zone) for zone in ("UTC", BERLIN, NEW_YORK, KOLKATA)] == [8, 9, 3, 10]
