"""What is left when an engine fails in the middle of an append: nothing that a resend does not mend."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from sqlglot import exp

from helpers import NOW, batch, series
from kubestray.model.errors import StoreError, UsageError
from kubestray.store.engine import UNLIMITED, Limits
from kubestray.store.open import embedded_directory, hold_store, is_there, open_store
from kubestray.store.store import Store


class Failing:
    """Keeps what is inserted; fails for one table as long as it is told to."""

    url = "nowhere"

    def __init__(self) -> None:
        self.inserted: list[tuple[str, int]] = []
        self.fails = ""

    def query(self, tree: exp.Expr, limits: Limits = UNLIMITED) -> pa.Table:
        return pa.table({"noted": [0], "name": ["bits"]})  # nothing has been noted yet; how values are held

    def execute(self, statement: str) -> None:
        """Nothing to do."""

    def insert(self, table: str, rows: pa.Table, *, in_order: bool = False) -> None:
        if table == self.fails:
            raise StoreError("disk full")
        self.inserted.append((table, rows.num_rows))

    def close(self) -> None:
        """Nothing to do."""


@pytest.mark.parametrize(
    ("fails", "expected"),
    [
        ("series_local", [("series_local", 1), ("samples_local", 1)]),
        ("samples_local", [("series_local", 1), ("samples_local", 1)]),
    ],
)
def test_a_resend_after_a_failure_is_complete(fails: str, expected: list[tuple[str, int]]) -> None:
    engine = Failing()
    store = Store(engine, clock=lambda: NOW)
    points = batch([(series("m"), NOW, 0, 1.0)])
    engine.fails = fails
    with pytest.raises(StoreError, match="disk full"):
        store.append(points)
    engine.fails = ""
    store.append(points)
    assert engine.inserted == expected


def test_an_empty_batch_writes_nothing() -> None:
    engine = Failing()
    Store(engine, clock=lambda: NOW).append(batch([]))
    assert engine.inserted == []


def test_the_catalog_is_written_before_the_points() -> None:
    engine = Failing()
    Store(engine, clock=lambda: NOW).append(batch([(series("m"), NOW, 0, 1.0)]))
    assert engine.inserted == [("series_local", 1), ("samples_local", 1)]


def test_a_user_without_a_home_is_told_to_name_a_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers run as users that no file of theirs knows."""

    def unknown(_uid: int) -> None:
        raise KeyError("uid not found")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(UsageError, match="no home directory; give --store"):
        embedded_directory("chdb://~/.local/share/kubestray")


def test_a_store_of_another_user_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks into a folder of mode 0700 that is not theirs; those who run tests may be root."""

    def forbidden(path: Path, **_: bool) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", forbidden)
    for reach in (is_there, open_store, hold_store):
        with pytest.raises(StoreError, match="cannot be used: Permission denied; run this as the user that"):
            reach(str(tmp_path))


def test_a_store_that_is_a_file_is_told_as_such(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.touch()
    with pytest.raises(StoreError, match="it is no directory; give --store a directory"):
        open_store(str(place))


WRITES = """
import sys
from helpers import NOW, batch, series
from kubestray.store.open import open_store

store = open_store(sys.argv[1])
store.append(batch([(series("m"), NOW, 0, 1.0)]))
store.close()
"""
OPENS = """
import logging, sys
from kubestray.store.open import open_store

logging.basicConfig(format="%(message)s")
open_store(sys.argv[1]).close()
"""


def in_a_process(script: str, directory: Path) -> str:
    """Run a script with a directory, as a process has one store; return what it logged."""
    there = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, str(directory)]
    ended = subprocess.run(command, env=there, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


def test_parts_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """The engine leaves them out and says nothing, so a search would only find less."""
    assert not in_a_process(WRITES, tmp_path)
    damaged = 0
    for data in tmp_path.glob("store/*/*/*_*_*_*/data.bin"):
        data.write_bytes(b"")
        damaged += 1
    assert damaged
    (told,) = [line for line in in_a_process(OPENS, tmp_path).splitlines() if "samples_local" in line]
    assert told.startswith("1 part of the table samples_local cannot be read")
    assert str(tmp_path.resolve() / "store") in told
    assert "restore the store from a backup" in told
