"""An engine's words about a limit become ours: which limit, its value, how to raise it or ask for less."""

from __future__ import annotations

import pytest

from kubestray.model.errors import LimitExceeded, StoreError
from kubestray.store.engine import UNLIMITED, Limits
from kubestray.store.failures import failure

TIMEOUT = (
    "Code: 159. DB::Exception: Timeout exceeded: elapsed 1001 ms, maximum: 1000.000 ms. (TIMEOUT_EXCEEDED)"
)
MEMORY = "Code: 241. DB::Exception: Query memory limit exceeded: would use 12.06 MiB, maximum: 9.54 MiB."
MEMORY_BEFORE = "Code: 241. DB::Exception: Memory limit (for query) exceeded: would use 12.06 MiB."
MEMORY_OF_ALL = (
    "Code: 241. DB::Exception: (total) memory limit exceeded: would use 20.5 GiB, maximum: 20 GiB."
)
ROWS = "Code: 396. DB::Exception: Limit for result exceeded, max rows: 10.00, current rows: 11.00."


@pytest.mark.parametrize(
    ("text", "limits", "told"),
    [
        (TIMEOUT, Limits(seconds=300), ["5m", "search_timeout", "time range", "--search-timeout"]),
        (TIMEOUT, Limits(seconds=0.2), [" 0.2s "]),
        (TIMEOUT, Limits(seconds=90), [" 90s "]),
        (TIMEOUT, Limits(seconds=7200), [" 2h "]),
        (TIMEOUT.replace("159", "160"), Limits(seconds=60), [" 1m ", "--search-timeout"]),
        (MEMORY, Limits(memory=8 << 30), ["8GiB", "search_memory", "fewer fields", "--search-memory"]),
        (MEMORY_BEFORE, Limits(memory=1536 << 20), ["1536MiB"]),
        (MEMORY, Limits(memory=10_000_000), ["10000000 bytes"]),
        (MEMORY, Limits(memory=1 << 10), ["1KiB"]),
        (ROWS, Limits(rows=10), [" 10 rows", "search_rows", "aggregate", "--search-rows"]),
        ("Code: 394. DB::Exception: Query was cancelled.", UNLIMITED, ["cancelled"]),
    ],
)
def test_a_limit_of_the_search(text: str, limits: Limits, told: list[str]) -> None:
    for words in (text, f"Streaming query failed: {text}", f"Received ClickHouse exception: {text}"):
        found = failure(words, "chdb:///x", limits)
        assert isinstance(found, LimitExceeded)
        assert [part for part in told if part not in str(found)] == []


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        (TIMEOUT, Limits(rows=1, memory=1)),
        (MEMORY_OF_ALL, Limits(memory=8 << 30)),
        (MEMORY, Limits(seconds=300)),
        (ROWS, Limits(seconds=300)),
    ],
)
def test_a_limit_of_the_server_is_not_blamed_on_the_search(text: str, limits: Limits) -> None:
    found = failure(text, "clickhouse://there:8123/db", limits)
    assert isinstance(found, LimitExceeded)
    assert "clickhouse://there:8123/db met a limit of its own" in str(found)
    assert text in str(found)
    assert "--search" not in str(found)


def test_what_is_no_limit_is_a_refusal() -> None:
    text = "Streaming query failed: Code: 60. DB::Exception: Unknown table nowhere.\nStack trace: …"
    found = failure(text, "chdb:///x", Limits(rows=1, memory=1, seconds=1))
    assert isinstance(found, StoreError)
    told = "the store at chdb:///x refused: Code: 60. DB::Exception: Unknown table nowhere."
    assert str(found) == told
    assert str(failure("", "chdb:///x")) == "the store at chdb:///x refused: no message"


@pytest.mark.parametrize(
    "text",
    [
        "Code: 427. DB::Exception: X: cannot compile re2: (?-s)(, error: missing ): (?-s)(. Look",
        "Code: 36. DB::Exception: The pattern is not a valid re2 pattern: missing ): (?-s)(: while",
    ],
)
def test_a_value_that_is_no_regular_expression(text: str) -> None:
    found = failure(text, "chdb:///x")
    assert str(found).startswith("a value that is used as a regular expression is none (missing ));")


@pytest.mark.parametrize(
    "text",
    [
        "Code: 243. DB::Exception: Cannot reserve 1.32 MiB, not enough space. (NOT_ENOUGH_SPACE)",
        "Code: 75. DB::ErrnoException: Cannot write to file: , errno: 28, strerror: No space left on device.",
    ],
)
def test_a_disk_that_is_full_is_told_with_what_to_do(text: str) -> None:
    found = str(failure(text, "chdb:///x"))
    assert found.startswith(f"the disk of the store at chdb:///x is full: {text}")
    assert found.endswith("; free space there, or keep points for less time (--retention-raw)")
