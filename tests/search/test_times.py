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
    ],
)
def test_a_time(text: str, expected: str) -> None:
    whole, _, rest = expected.partition(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    assert parse_time(text, NOW) == seconds * 10**9 + int(rest or 0)


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
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(BadTime, match="is not a time"):
        parse_time(text, NOW)


@given(
    st.one_of(
        st.text(max_size=12),
        st.from_regex(r"([+-]\d{0,30}(s|m|h|d|w|mon|q|y)|@(d|w\d|mon|y)){1,3}", fullmatch=True),
    )
)
def test_any_text_is_a_time_or_is_refused(text: str) -> None:
    try:
        assert parse_time(text, NOW) >= 0
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
        ("1mon", None),
        ("", None),
    ],
)
def test_a_duration(text: str, expected: int | None) -> None:
    assert parse_duration(text) == expected
