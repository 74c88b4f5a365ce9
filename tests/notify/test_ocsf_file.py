"""Lines in a file: whole, on disk, once; full files are put aside."""

from __future__ import annotations

import json
import os
import threading

import pytest
from documents import finding, notice

from kubestray.notify.output import NotDelivered
from kubestray.notify.outputs.ocsf_file import OcsfFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "findings.jsonl"


def writer(path, max_size: int = 1 << 20, keep: int = 3) -> OcsfFile:
    return OcsfFile("disk", {"path": path, "max_size": max_size, "keep": keep})


def told(n: int):
    return notice(finding(f"{n:032x}"), n)


def uids(path) -> list[int]:
    return [json.loads(line)["metadata"]["uid"] for line in path.read_text().splitlines()]


def test_a_line_a_change(path):
    for n in range(1, 4):
        writer(path).deliver(told(n))
    assert uids(path) == [told(n).uid for n in range(1, 4)]
    assert path.read_bytes().endswith(b"}\n")
    assert path.stat().st_mode & 0o077 == 0


def test_full_files_are_put_aside_and_the_oldest_goes(path):
    output = writer(path, max_size=1, keep=2)
    for n in range(1, 6):
        output.deliver(told(n))
    assert not path.exists()
    assert uids(path.with_name("findings.jsonl.1")) == [told(5).uid]
    assert uids(path.with_name("findings.jsonl.2")) == [told(4).uid]
    assert len(list(path.parent.iterdir())) == 2


def test_a_file_of_several_lines_is_put_aside_whole(path):
    size = len(json.dumps(finding()))
    output = writer(path, max_size=4 * size, keep=50)
    for n in range(1, 31):
        output.deliver(told(n))
    files = sorted(
        path.parent.iterdir(), key=lambda file: -int(file.suffix[1:]) if file.suffix[1:].isdigit() else 1
    )
    assert [uid for file in files for uid in uids(file)] == [told(n).uid for n in range(1, 31)]
    assert len(files) > 3


@pytest.mark.parametrize("left", [b'{"half', b"x" * 200_000])
def test_what_a_crash_left_is_taken_away(path, left):
    output = writer(path)
    output.deliver(told(1))
    with path.open("ab") as file:
        file.write(left)
    output.deliver(told(2))
    assert uids(path) == [told(1).uid, told(2).uid]


def test_a_line_that_was_written_before_a_crash_is_not_written_again(path):
    output = writer(path)
    output.deliver(told(1))
    output.deliver(told(2))
    writer(path).deliver(told(2))
    assert uids(path) == [told(1).uid, told(2).uid]


def test_a_line_that_filled_a_file_before_a_crash_is_not_written_again(path):
    for n in (1, 2, 2, 3, 3):
        writer(path, max_size=1).deliver(told(n))
    files = [path.with_name(f"findings.jsonl.{number}") for number in (3, 2, 1)]
    assert [uids(file) for file in files] == [[told(n).uid] for n in (1, 2, 3)]


def test_a_foreign_file_is_added_to(path):
    path.parent.mkdir()
    path.write_text("hello\n[1]\n")
    writer(path).deliver(told(1))
    assert path.read_text().startswith("hello\n[1]\n{")


def test_two_writers_do_not_mix(path):
    outputs = [writer(path, max_size=20_000, keep=100) for _ in range(2)]

    def write(which: int) -> None:
        for n in range(30):
            outputs[which].deliver(told(1 + which * 100 + n))

    threads = [threading.Thread(target=write, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [uid for file in path.parent.iterdir() for uid in uids(file)]
    assert sorted(found) == sorted(told(1 + w * 100 + n).uid for w in range(2) for n in range(30))


def test_a_disk_that_takes_only_a_part(path, monkeypatch):
    output = writer(path)
    output.deliver(told(1))
    real = os.fsync

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotDelivered, match="No space left on device") as error:
        output.deliver(told(2))
    assert not error.value.permanent
    monkeypatch.setattr(os, "fsync", real)
    assert uids(path) == [told(1).uid]
    output.deliver(told(2))
    assert uids(path) == [told(1).uid, told(2).uid]


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(NotDelivered, match="cannot be written"):
        writer(tmp_path).deliver(told(1))
