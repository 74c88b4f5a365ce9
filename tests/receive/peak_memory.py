"""Bombs, and how much more memory the process took at its peak while a block ran."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

STATUS = Path("/proc/self/statm")
_PAGE = 4096


@dataclass
class Peak:
    mebibytes: float = 0.0


@contextmanager
def peak_growth() -> Iterator[Peak]:
    """Watch the resident memory; skips where the system does not tell it."""
    if not STATUS.exists():
        pytest.skip("needs /proc")
    peak, done, before = Peak(), threading.Event(), resident()

    def watch() -> None:
        while not done.wait(0.005):
            peak.mebibytes = max(peak.mebibytes, (resident() - before) / 2**20)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def resident() -> int:
    return int(STATUS.read_text().split()[1]) * _PAGE


def gzip_of_zeros(size: int) -> bytes:
    """Compress without ever having ``size`` bytes in memory."""
    compressor = zlib.compressobj(1, wbits=31)
    block = bytes(1 << 20)
    return b"".join([*(compressor.compress(block) for _ in range(size >> 20)), compressor.flush()])
