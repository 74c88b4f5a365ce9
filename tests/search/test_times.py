"""Times as searches write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubestray.search.times import BadTime, parse_duration, parse_time

# A Wednesday.
NOW = int(datetime(2026, 11, 25, 14, 25, 37, tzinfo=UTC).timestamp()) * 10**9 + 123_456_789


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-1h", "2026-11-25T13:25:37.123456789"),
        ("-1h@h", "2026-11-25T13:00:00"),
        ("@h", "2026-11-25T14:00:00"),
        ("-70m@m", "2026-11-25T13:15:00"),
        ("-30d@d", "2026-10-26T00:00:00"),
        ("@d-2h", "2026-11-24T22:00:00"),
        ("-d", "2026-11-24T14:25:37.123456789"),
        ("+1d@d", "2026-11-26T00:00:00"),
        ("-90min", "2026-11-25T12:55:37.123456789"),
        ("@w0", "2026-11-22T00:00:00"),
        ("@w", "2026-11-22T00:00:00"),
        ("@w1", "2026-11-23T00:00:00"),
        ("@w4", "2026-11-19T00:00:00"),
        ("@w3", "2026-11-25T00:00:00"),
        ("@w7", "2026-11-22T00:00:00"),
        ("-1mon", "2026-10-25T14:25:37.123456789"),
        ("-1mon@mon", "2026-10-01T00:00:00"),
        ("@q", "2026-10-01T00:00:00"),
        ("-1q@q", "2026-07-01T00:00:00"),
        ("@y", "2026-01-01T00:00:00"),
        ("-1y", "2025-11-25T14:25:37.123456789"),
        ("@d+31d-9mon", "2026-03-26T00:00:00"),
        ("-10s@s", "2026-11-25T14:25:27"),
        ("11/25/2026:10:00:00", "2026-11-25T10:00:00"),
        ("11/25/2026", "2026-11-25T00:00:00"),
        ("2026-11-25T10:00:00Z", "2026-11-25T10:00:00"),
        ("2026-11-25T10:00:00+02:00", "2026-11-25T08:00:00"),
        ("2026-11-25T10:00:00", "2026-11-25T10:00:00"),
        # Examples of Splunk's manuals.
        ("-h", "2026-11-25T13:25:37.123456789"),
        ("-h@h", "2026-11-25T13:00:00"),
        ("-5d@w1", "2026-11-16T00:00:00"),
        ("@w6", "2026-11-21T00:00:00"),
        ("-7d@w0", "2026-11-15T00:00:00"),
        ("-mon@mon", "2026-10-01T00:00:00"),
        ("@qtr", "2026-10-01T00:00:00"),
        ("@quarter", "2026-10-01T00:00:00"),
        ("-1week@week+1day", "2026-11-16T00:00:00"),
        ("@d+1h", "2026-11-25T01:00:00"),
        ("10/19/2018:0:0:0", "2018-10-19T00:00:00"),
        ("10/5/2019:20:00:00", "2019-10-05T20:00:00"),
        # Chains are read from left to right.
        ("-1h@h+30m", "2026-11-25T13:30:00"),
        ("+1h@h", "2026-11-25T15:00:00"),
        ("@h-30m@h", "2026-11-25T13:00:00"),
        ("-1d-2h@m", "2026-11-24T12:25:00"),
        ("@mon+1mon-1d", "2026-11-30T00:00:00"),
        ("@w7+1d", "2026-11-23T00:00:00"),
        # Units in any case and spelling, below a second too.
        ("-5S", "2026-11-25T14:25:32.123456789"),
        ("-5MIN", "2026-11-25T14:20:37.123456789"),
        ("-1HOUR@DAY", "2026-11-25T00:00:00"),
        ("-2QTRS@Month", "2026-05-01T00:00:00"),
        ("-2yrs", "2024-11-25T14:25:37.123456789"),
        ("-123ms", "2026-11-25T14:25:37.000456789"),
        ("-2cs", "2026-11-25T14:25:37.103456789"),
        ("+1ds", "2026-11-25T14:25:37.223456789"),
        ("-456us", "2026-11-25T14:25:37.123000789"),
        ("-789ns", "2026-11-25T14:25:37.123456"),
        ("@ms", "2026-11-25T14:25:37.123"),
        ("@ds", "2026-11-25T14:25:37.1"),
        ("@s", "2026-11-25T14:25:37"),
        ("now-1h", "2026-11-25T13:25:37.123456789"),
        ("now()@d", "2026-11-25T00:00:00"),
        # Absolute times with fractions, spaces and offsets.
        ("2026-11-25 10:00:00", "2026-11-25T10:00:00"),
        ("2026-11-25T10:00:00.5Z", "2026-11-25T10:00:00.500000000"),
        ("2026-11-25T10:00:00.123456789+02:00", "2026-11-25T08:00:00.123456789"),
        ("2026-11-25T10:00:00,25-0330", "2026-11-25T13:30:00.250000000"),
        ("11/25/2026:10:00:00.001", "2026-11-25T10:00:00.001000000"),
        ("11/25/2026:10:00", "2026-11-25T10:00:00"),
        ("2024-02-29", "2024-02-29T00:00:00"),
    ],
)
def test_a_time(text: str, expected: str) -> None:
    whole, _, rest = expected.partition(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    assert parse_time(text, NOW) == seconds * 10**9 + int(f"{rest:0<9}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("NOW", NOW),
        ("now()", NOW),
        ("0", 0),
        ("1800000000", 1800000000 * 10**9),
        ("1800000000.000000001", 1800000000 * 10**9 + 1),
        ("-100y", 0),
        (" -0s ", NOW),
        ("time()", NOW),
        ("1", 10**9),
        ("0.5", 5 * 10**8),
        # Before 1970 is 1970, and as late as there are numbers for is late enough.
        ("1960-01-01", 0),
        ("0001-01-01T00:00:00+14:00", 0),
        ("99999999999999", 2**63 - 1),
        ("9999-12-31T23:59:59Z", 2**63 - 1),
    ],
)
def test_a_moment(text: str, expected: int) -> None:
    assert parse_time(text, NOW) == expected


@pytest.mark.parametrize(
    ("day", "text", "expected"),
    [
        ((2026, 3, 31), "-1mon", (2026, 2, 28)),
        ((2024, 3, 31), "-1mon", (2024, 2, 29)),
        ((2024, 2, 29), "-1y", (2023, 2, 28)),
        ((2026, 12, 31), "+2mon", (2027, 2, 28)),
        ((2026, 1, 31), "-1q", (2025, 10, 31)),
        ((2026, 1, 31), "+1mon", (2026, 2, 28)),
        ((2026, 1, 31), "+1mon+1mon", (2026, 3, 28)),
        ((2026, 1, 31), "+2mon", (2026, 3, 31)),
        ((2024, 2, 29), "+4y", (2028, 2, 29)),
        ((2026, 8, 31), "+1q", (2026, 11, 30)),
        ((2026, 1, 15), "-1mon@mon", (2025, 12, 1)),
        ((2026, 12, 31), "+1d", (2027, 1, 1)),
        ((2027, 1, 1), "-1s@y", (2026, 1, 1)),
    ],
)
def test_months_of_different_length(
    day: tuple[int, int, int], text: str, expected: tuple[int, int, int]
) -> None:
    moment = int(datetime(*day, tzinfo=UTC).timestamp()) * 10**9
    assert parse_time(text, moment) == int(datetime(*expected, tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "-1",
        "-1x",
        "@",
        "@x",
        "-1h@",
        "@d1",
        "@w8",
        "1h",
        "--1h",
        "-1h +1",
        "2026-13-01",
        "-1e5",
        "1.2.3",
        "@-5h",
        "@+d",
        "@fortnight",
        "-5decades",
        "@7",
        "1d+1y",
        "nowadays",
        "-99999999999999999999y",
        "-9999y-9999y",
        "+9000y",
        "26-11-2026",
        "2026-02-30",
        "11/25/26",
        "25/11/2026:10:00:00",
        "2026-11-25T25:00:00",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(BadTime, match="is not a time"):
        parse_time(text, NOW)


@pytest.mark.parametrize(
    ("text", "taught"),
    [
        ("5m", "write -5m for a time before now, +5m for one after"),
        ("-5", "the number lacks a unit"),
        ("-5@h", "the number lacks a unit"),
        ("-5hous", "'hous' is no unit of time; did you mean hours?"),
        ("-5x", "'x' is no unit of time: write s, m, h, d, w, mon, q or y"),
        ("@", "after @ comes a unit"),
        ("@d1", "a day of the week is @w0"),
        ("@w8", "a day of the week is @w0"),
        ("rt", "there are no real-time searches here"),
        ("rt-30s", "there are no real-time searches here"),
        ("RTNOW", "write -1h, -30d@d"),
        ("-1h +1", "a relative time is a chain"),
        ("-20000y", "it leads farther than the calendar"),
        ("yesterday", "write -1h, -30d@d, now, epoch seconds"),
    ],
)
def test_errors_teach(text: str, taught: str) -> None:
    with pytest.raises(BadTime) as raised:
        parse_time(text, NOW)
    assert str(raised.value).startswith(f"{text!r} is not a time; {taught}")


@given(
    st.one_of(
        st.text(max_size=12),
        st.from_regex(r"([+-]\d{0,30}(s|m|h|d|w|mon|q|y)|@(d|w\d|mon|y)){1,3}", fullmatch=True),
        st.datetimes(timezones=st.none() | st.timezones()).map(datetime.isoformat),
    ),
    st.sampled_from(("UTC", "America/New_York", "Pacific/Apia")),
)
def test_any_text_is_a_time_or_is_refused(text: str, zone: str) -> None:
    try:
        assert 0 <= parse_time(text, NOW, zone) < 2**63
    except BadTime:
        assert text not in ("now", "0")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10s", 10 * 10**9),
        ("5m", 300 * 10**9),
        ("1h", 3600 * 10**9),
        ("1d", 86400 * 10**9),
        ("500ms", 5 * 10**8),
        ("1.5h", 5400 * 10**9),
        ("2 min", 120 * 10**9),
        ("1w", 604800 * 10**9),
        ("10", None),
        ("5MS", 5 * 10**6),
        ("20us", 20_000),
        ("3cs", 3 * 10**7),
        ("1ds", 10**8),
        ("7ns", 7),
        ("2weeks", 1_209_600 * 10**9),
        ("1mon", None),
        ("1y", None),
        ("-5m", None),
        ("", None),
    ],
)
def test_a_duration(text: str, expected: int | None) -> None:
    assert parse_duration(text) == expected
