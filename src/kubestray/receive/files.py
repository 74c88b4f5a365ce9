"""OTLP metrics from files, as the collector's file exporter and others write them.

What a file is, it says itself, whatever its name: gzip or zstd (of any number of members or frames)
around JSON or protobuf, see `framing`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from kubestray.model.errors import MalformedRequest
from kubestray.receive.byte_stream import ByteStream
from kubestray.receive.compression import GZIP_MAGIC, ZSTD_MAGIC, decompressed
from kubestray.receive.framing import Frame, frames
from kubestray.receive.otlp import Bounds, Decoded, Limits, OtlpCache, decode_json, decode_protobuf

STDIN = "-"

_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class FileMessage:
    """One message of a file, decoded, or ``error`` in place of it.

    ``position`` is a line, a message's number or a byte, counted after decompression; ``consumed``
    is how many bytes of the file, as it lies on disk, were read so far.
    """

    path: str
    position: str
    consumed: int
    decoded: Decoded | None = None
    error: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.position}: {self.error or 'good'}"


def find_files(paths: Iterable[str | Path]) -> Iterator[str]:
    """Yield the files that ``paths`` name; directories are walked in order, without hidden files."""
    for path in map(str, paths):
        if path == STDIN or not Path(path).is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (str(Path(folder, name)) for name in sorted(names) if not name.startswith("."))


def read_files(
    paths: Iterable[str | Path],
    bounds: Bounds,
    limits: Limits | None = None,
    cache: OtlpCache | None = None,
) -> Iterator[FileMessage]:
    """Yield the messages of files in order (``-`` is stdin), in memory one at a time.

    Nothing is raised for a file: what is missing, broken or cut off is yielded as an error, and
    reading goes on with the next message where its beginning is known, else with the next file.
    """
    for path in find_files(paths):
        try:
            if path == STDIN:
                yield from _read(path, sys.stdin.buffer, bounds, limits, cache)
            else:
                with Path(path).open("rb") as file:
                    yield from _read(path, file, bounds, limits, cache)
        except OSError as error:
            yield FileMessage(path, "byte 0", 0, error=error.strerror or str(error))


class _Counted:
    """The chunks of a file, and how many bytes they were."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        # read1 gives what a pipe has, where read would wait for a whole chunk.
        read = getattr(self._file, "read1", self._file.read)
        while chunk := read(_CHUNK):
            self.size += len(chunk)
            yield chunk


def _read(
    path: str, file: BinaryIO, bounds: Bounds, limits: Limits | None, cache: OtlpCache | None
) -> Iterator[FileMessage]:
    chunks = _Counted(file)
    for frame in frames(ByteStream(_plain(iter(chunks)))):
        try:
            decoded = _decode(frame, bounds, limits, cache)
        except MalformedRequest as error:
            yield FileMessage(path, frame.position, chunks.size, error=str(error))
        else:
            yield FileMessage(path, frame.position, chunks.size, decoded)


def _decode(frame: Frame, bounds: Bounds, limits: Limits | None, cache: OtlpCache | None) -> Decoded:
    if frame.error:
        raise MalformedRequest(frame.error)
    decode = decode_json if frame.is_json else decode_protobuf
    return decode(frame.body, bounds, limits, cache)


def _plain(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress what is compressed."""
    first = b""
    while len(first) < len(ZSTD_MAGIC) and (chunk := next(chunks, b"")):
        first += chunk
    encoding = (
        "gzip" if first.startswith(GZIP_MAGIC) else "zstd" if first.startswith(ZSTD_MAGIC) else "identity"
    )
    return decompressed(chain([first], chunks), encoding)
