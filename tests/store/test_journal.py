"""What is in the journal is durable, is seen by who reads, and comes to its tables once, whatever fails."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import parse_one

from helpers import DAY, HOUR, NOW, batch, series
from kubestray.model.errors import StoreError
from kubestray.model.metric import Batch
from kubestray.store import journal as journal_module
from kubestray.store import pending as pending_module
from kubestray.store.embedded import EmbeddedEngine
from kubestray.store.journal import Journal, Record, read
from kubestray.store.ordering import in_order, joined, received
from kubestray.store.pending import Pending
from kubestray.store.point_tables import BLOCK_NS
from kubestray.store.store import POINT_TABLES, Store

POINTS = parse_one(
    "SELECT metric, series_id, time, start, value FROM samples ORDER BY ALL", dialect="clickhouse"
)


def rows(*values: int) -> pa.Table:
    return pa.table({"value": pa.array(values, pa.int64())})


def told(records: Sequence[Record]) -> list[tuple[str, list[int]]]:
    return [(name, table.column("value").to_pylist()) for name, table in records]


WRITTEN = [("series", rows(1, 2)), ("samples", rows()), ("samples", rows(3))]


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(WRITTEN[:1])
    journal.append(WRITTEN[1:])
    journal.turn()
    journal.append([("samples", rows(4))])
    found = [told(list(read(path))) for path in journal.files()]
    assert found == [told(WRITTEN), [("samples", [4])]]


def test_a_file_cut_anywhere_has_the_records_before(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    ends = []
    for record in WRITTEN:
        journal.append([record])
        ends.append(journal.files()[0].stat().st_size)
    (path,) = journal.files()
    content = path.read_bytes()
    for end in {*range(0, len(content), 7), *ends, *(end - 1 for end in ends)}:
        for lost in (b"", b"\xff" * 64):  # what the disk had there before
            path.write_bytes(content[:end] + lost)
            assert told(list(read(path))) == told(WRITTEN[: sum(one <= end for one in ends)])


@pytest.mark.parametrize("place", [0, 3, 4, 50], ids=["length", "length of 2 GiB", "CRC", "rows"])
def test_a_damaged_record_costs_no_other_and_the_file_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: int
) -> None:
    journal = Journal(tmp_path)
    journal.append([WRITTEN[0]])
    at = journal.files()[0].stat().st_size
    journal.append([("samples", rows(7)), WRITTEN[2]])
    (path,) = journal.files()
    content = bytearray(path.read_bytes())
    content[at + place] ^= 0xFF
    path.write_bytes(content)
    into: list[Record] = []
    Pending(Journal(tmp_path), ["samples"], into.extend).recover()
    assert told(into) == told([WRITTEN[0], WRITTEN[2]])
    (kept,) = tmp_path.iterdir()
    assert kept.suffix == ".damaged"
    assert kept.read_bytes() == content
    assert str(kept) in caplog.text
    Pending(Journal(tmp_path), ["samples"], into.extend).recover()
    assert len(into) == 2, "it is not read again"


def test_what_is_not_named_by_a_number_is_no_file_of_the_journal(tmp_path: Path) -> None:
    (tmp_path / "copy of 1.rows").write_bytes(b"anything")
    journal = Journal(tmp_path)
    journal.append(WRITTEN)
    assert [told(list(read(path))) for path in journal.files()] == [told(WRITTEN)]


@given(st.data())
def test_records_are_found_behind_any_damage(data: st.DataObject) -> None:
    written = [journal_module._written(name, table) for name, table in WRITTEN]
    hurt = data.draw(st.integers(0, 1))
    begin = sum(map(len, written[:hurt]))
    content = bytearray(b"".join(written))
    end = begin + len(written[hurt])
    place = data.draw(st.integers(begin, end - 1))
    part = data.draw(st.binary(min_size=1, max_size=end - place))
    content[place : place + len(part)] = part
    intact = bytes(content) == b"".join(written)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "1.rows"
        path.write_bytes(content)
        found = told(list(read(path)))
    assert found == told(WRITTEN if intact else [*WRITTEN[:hurt], *WRITTEN[hurt + 1 :]])


def test_a_file_that_is_not_durable_in_its_folder_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(WRITTEN)
    journal.turn()
    monkeypatch.setattr(os, "fsync", full)
    for _ in range(2):
        with pytest.raises(StoreError):
            journal.append(WRITTEN[:1])
    monkeypatch.undo()
    journal.append(WRITTEN[:1])
    monkeypatch.setattr(os, "fdatasync", full)
    with pytest.raises(StoreError):
        journal.append(WRITTEN[1:])
    monkeypatch.undo()
    journal.append(WRITTEN[2:])
    found = [told(list(read(path))) for path in journal.files()]
    assert found == [told(WRITTEN), told([WRITTEN[0], WRITTEN[2]])]


def test_another_process_goes_on_behind_the_files_there_are(tmp_path: Path) -> None:
    Journal(tmp_path).append(WRITTEN[:1])
    later = Journal(tmp_path)
    later.append(WRITTEN[2:])
    assert [told(list(read(path))) for path in later.files()] == [told(WRITTEN[:1]), told(WRITTEN[2:])]


def full(file: int, content: bytes | memoryview = b"") -> int:
    os.pwrite(file, bytes(content[:5]), 0)  # appended, as the file is opened for that
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("fails", ["write", "fdatasync"])
def test_a_record_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    journal = Journal(tmp_path)
    journal.append(WRITTEN[:1])
    with monkeypatch.context() as broken:
        broken.setattr(journal_module.os, fails, full)
        with pytest.raises(StoreError, match="No space left on device"):
            journal.append(WRITTEN[2:])
    journal.append(WRITTEN[2:])
    (path,) = journal.files()
    assert told(list(read(path))) == told([WRITTEN[0], WRITTEN[2]])


FULL = """
import json, resource, sys
from pathlib import Path
import pyarrow as pa
from kubestray.model.errors import StoreError
from kubestray.store.journal import Journal, read

journal = Journal(Path(sys.argv[1]))
rows = [("samples", pa.table({"value": [1]}))]
journal.append(rows)
(path,) = journal.files()
# The system writes a part of the next record and refuses the rest, as it does where the disk is full.
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, resource.RLIM_INFINITY))
try:
    journal.append(rows)
except StoreError as error:
    told = str(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append(rows)
print(json.dumps([told, len(list(read(path)))]))
"""


def test_a_disk_that_is_full_and_has_room_again(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    told, records = json.loads(child.stdout)
    assert told.startswith(f"points cannot be written to {tmp_path}: File too large; look at the disk")
    assert records == 2


class Tables:
    """Where pending rows are written to; refuses as long as it is told to."""

    def __init__(self) -> None:
        self.held: list[tuple[str, list[int]]] = []
        self.fails = False

    def write(self, records: Sequence[Record]) -> None:
        if self.fails:
            raise StoreError("the engine is out of memory")
        self.held += told(records)


def test_what_cannot_be_written_waits_and_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables, journal = Tables(), Journal(tmp_path)
    pending = Pending(journal, ("samples",), tables.write)
    tables.fails = True
    pending.add([("samples", rows(1))])
    with pytest.raises(StoreError, match="out of memory"):
        pending.before("SELECT value FROM samples")
    pending.before("SELECT 1")  # which does not read the table
    pending.add([("samples", rows(2))])
    monkeypatch.setattr(pending_module, "_MOST", 2)
    with pytest.raises(StoreError, match="out of memory"):
        pending.add([("samples", rows(3))])  # not taken: no room
    assert [record for path in journal.files() for record in told(list(read(path)))] == [
        ("samples", [1]),
        ("samples", [2]),
    ]
    tables.fails = False
    pending.before("SELECT value FROM samples")
    pending.before("SELECT value FROM samples")
    assert tables.held == [("samples", [1]), ("samples", [2])]
    assert journal.files() == []


def test_who_asks_several_things_has_rows_written_for_the_first(tmp_path: Path) -> None:
    tables = Tables()
    pending = Pending(Journal(tmp_path), ("samples",), tables.write)

    def asks() -> list[int]:
        pending.before("SELECT value FROM samples")
        return [value for _, values in tables.held for value in values]

    with ThreadPoolExecutor(1) as other, pending.settled():
        pending.before("SELECT 1")  # which does not read the table
        pending.add([("samples", rows(1))])
        tables.fails = True
        with pytest.raises(StoreError, match="out of memory"):
            asks()
        tables.fails = False
        assert asks() == [1]
        pending.add([("samples", rows(2))])
        with pending.settled():
            assert asks() == [1]
            assert other.submit(copy_context().run, asks).result() == [1]
        assert asks() == [1]
        assert other.submit(asks).result() == [1, 2]  # it is not part of it
        pending.add([("samples", rows(3))])
        assert asks() == [1, 2]
    assert asks() == [1, 2, 3]


def test_a_write_that_reads_leaves_its_rows_in_the_journal(tmp_path: Path) -> None:
    """Rows that come while others are written, and that a reader wants, do not end their file."""
    journal = Journal(tmp_path)
    written: list[list[tuple[str, list[int]]]] = []

    def write(records: Sequence[Record]) -> None:
        if not written:
            pending.add([("samples", rows(2))])
            pending.before("SELECT 1 FROM samples")
            kept = [one for path in journal.files() for one in told(list(read(path)))]
            assert kept == [("samples", [1]), ("samples", [2])]
        written.append(told(records))

    pending = Pending(journal, ("samples",), write)
    pending.add([("samples", rows(1))])
    pending.flush()
    assert written == [[("samples", [1])]]
    pending.before("SELECT 1 FROM samples")
    assert written == [[("samples", [1])], [("samples", [2])]]
    assert not journal.files()


def test_rows_are_written_when_they_are_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_module, "OLD", 0.05)
    tables, journal = Tables(), Journal(tmp_path)
    pending = Pending(journal, ("samples",), tables.write)
    pending.start()
    tables.fails = True
    pending.add([("samples", rows(1))])
    pending.close()  # cannot be written: stays
    assert len(journal.files()) == 1
    tables.fails = False
    again = Pending(Journal(tmp_path), ("samples",), tables.write)
    again.recover()
    again.start()
    again.add([("samples", rows(2))])
    deadline = time.monotonic() + 30
    while journal.files() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert tables.held == [("samples", [1]), ("samples", [2])]
    again.close()


@pytest.fixture
def journaled(embedded: Store, tmp_path: Path) -> Iterator[Store]:
    """A store that writes by a journal, and writes nothing to its tables unless it has to."""
    engine = embedded.engine
    assert isinstance(engine, EmbeddedEngine)
    before = engine.before_reading
    embedded.write_by(Pending(Journal(tmp_path), POINT_TABLES, embedded.write_all), engine)
    try:
        yield embedded
    finally:
        engine.before_reading = before
        assert embedded._pending is not None
        embedded._pending.close()


FIRST = [(series("m", node="a"), NOW, 5, 1.5), (series("m", node="b"), NOW, 5, 2.0)]
SECOND_ = [(series("m", node="a"), NOW + 10, 5, 2.5), (series("k", node="c"), NOW, 0, 3.0), FIRST[1]]


def expected(*points: Any) -> list[tuple[str, int, int, int, float]]:
    return sorted({(one.metric, one.id, at, start, value) for one, at, start, value in points})


def stored(store: Store) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in store.query(POINTS).to_pylist()]


def test_what_was_appended_is_seen_at_once(journaled: Store, tmp_path: Path) -> None:
    journaled.append(batch(FIRST))
    before = journaled.changes(["samples", "series"])
    catalog = journaled.changes(["series"])
    assert stored(journaled) == expected(*FIRST)
    assert journaled.changes(["samples", "series"]) == before  # nothing new since it was asked
    journaled.append(batch(SECOND_))
    assert list(tmp_path.glob("*.rows"))
    # Who keeps answers compares this before asking, and nobody has asked yet.
    assert journaled.changes(["series"]) != catalog
    assert journaled.changes(["samples", "series"]) != before
    assert stored(journaled) == expected(*FIRST, *SECOND_)
    names = parse_one("SELECT count() AS n FROM series", dialect="clickhouse")
    assert journaled.query(names).to_pylist() == [{"n": 3}]
    assert not list(tmp_path.glob("*.rows"))


def test_what_a_dead_process_left_is_stored_once(journaled: Store, tmp_path: Path) -> None:
    journaled.append(batch(FIRST))
    journaled.append(batch(SECOND_))
    left = {path.name: path.read_bytes() for path in tmp_path.glob("*.rows")}
    assert stored(journaled) == expected(*FIRST, *SECOND_)
    # It died after the rows were in their tables and before the file was deleted.
    for name, content in left.items():
        (tmp_path / name).write_bytes(content + b"cut off")
    Pending(Journal(tmp_path), POINT_TABLES, journaled.write_all).recover()
    assert stored(journaled) == expected(*FIRST, *SECOND_)
    assert not list(tmp_path.glob("*.rows"))


def test_an_append_that_failed_is_complete_when_it_is_sent_again(
    journaled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for fails in (1, 2):  # the series of a batch are written before its points
        points = batch([(series("m", time=str(fails)), NOW, 0, 1.0)])
        calls, sync = itertools.count(1), os.fdatasync

        def failing(file: int, calls: Iterator[int] = calls, fails: int = fails, sync: Any = sync) -> None:
            if next(calls) == fails:
                raise OSError(5, "Input/output error")
            sync(file)

        with monkeypatch.context() as broken:
            broken.setattr(journal_module.os, "fdatasync", failing)
            with pytest.raises(StoreError, match="Input/output error"):
                journaled.append(points)
            journaled.append(points)
    assert len(stored(journaled)) == 2
    named = parse_one("SELECT count() AS n FROM series WHERE metric = 'm'", dialect="clickhouse")
    assert journaled.query(named).to_pylist() == [{"n": 2}]


NAMES = ["zeta", "alpha", "mid"]
POINT = st.tuples(
    st.integers(0, 5),
    st.sampled_from([NOW, NOW + 1, NOW + 3 * HOUR, NOW + DAY]),
    st.integers(0, 2),
    st.sampled_from([0.0, 1.0, 1.5]),
)


@given(groups=st.lists(st.lists(POINT, min_size=1, max_size=12), min_size=1, max_size=4))
def test_points_that_waited_together_are_in_order_and_once(
    groups: list[list[tuple[int, int, int, float]]],
) -> None:
    ids = np.array([2**63 + 5, 3, 2**40, 7, 1, 2**64 - 1], np.uint64)
    tables = []
    for group in groups:
        which, times, starts, values = zip(*group, strict=True)
        number = np.array(which)
        columns = np.array(times, np.uint64), np.array(starts, np.uint64), np.array(values)
        tables.append(received(Batch({}, ids[number], *columns), (number % 3).astype(np.int32), NAMES))
    points, metric, names = joined(tables)
    found = [
        (row["metric"], row["time"] // BLOCK_NS, row["series_id"], row["time"], row["whole"], row["bits"])
        for table in in_order(points, metric, names, ["whole", "bits"])
        for row in table.to_pylist()
    ]
    wanted = {
        (NAMES[which % 3], int(ids[which]), at, value) for group in groups for which, at, _, value in group
    }
    assert found == sorted(set(found))
    assert len(found) == len(wanted)
    assert {(name, key, at) for name, _, key, at, *_ in found} == {one[:3] for one in wanted}
