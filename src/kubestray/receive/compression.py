"""Decompression that stops at a limit while it runs, not after.

A few kilobytes can stand for gigabytes. Here the compressed bytes are fed in small steps and the
output is counted at each, so that never more than the limit and one step's output (16 MiB at the
very most) is in memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import pyarrow as pa
import zstandard

from kubestray.model.errors import MalformedRequest
from kubestray.receive import snappy

GZIP_MAGIC, ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"

_OUTPUT_STEP = 1 << 20

_ZSTD_INPUT_STEP = 512
"""Bytes: one zstd block of 4 bytes can stand for 128 KiB, and the library cannot be told to pause."""

_ZSTD_WINDOW = 128 << 20
"""The largest window a zstd frame may ask for; the library's own default, also of the zstd command."""


class TooLarge(MalformedRequest):
    """A body that is, or decompresses to, more than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the request is larger than {limit} bytes after decompression")


class UnknownEncoding(MalformedRequest):
    """A compression that is not supported."""


class _Decoder(Protocol):
    """One gzip member or zstd frame."""

    def feed(self, data: bytes) -> Iterator[bytes]: ...
    @property
    def ended(self) -> bool: ...
    @property
    def rest(self) -> bytes: ...


class _Zlib:
    def __init__(self, window_bits: int) -> None:
        self._inflate = zlib.decompressobj(window_bits)

    def feed(self, data: bytes) -> Iterator[bytes]:
        # To the end of the stream and no further: what follows it may be left in unconsumed_tail too,
        # beside unused_data, and would be taken for more input for ever.
        while not self._inflate.eof:
            output = self._inflate.decompress(data, _OUTPUT_STEP)
            data = self._inflate.unconsumed_tail
            yield output
            if not data and len(output) < _OUTPUT_STEP:
                return

    @property
    def ended(self) -> bool:
        return self._inflate.eof

    @property
    def rest(self) -> bytes:
        return self._inflate.unused_data


class _Zstd:
    def __init__(self) -> None:
        self._inflate = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        for begin in range(0, len(data), _ZSTD_INPUT_STEP):
            yield self._inflate.decompress(data[begin : begin + _ZSTD_INPUT_STEP])
            if self._inflate.eof:
                self._rest = self._inflate.unused_data + data[begin + _ZSTD_INPUT_STEP :]
                return

    @property
    def ended(self) -> bool:
        return self._inflate.eof

    @property
    def rest(self) -> bytes:
        return self._rest


_DECODERS: dict[str, Callable[[], _Decoder]] = {
    "gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    "x-gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    "deflate": lambda: _Zlib(zlib.MAX_WBITS),
    "zlib": lambda: _Zlib(zlib.MAX_WBITS),
    "zstd": _Zstd,
}

SNAPPY_BLOCK = "snappy block"
"""The encoding, for `decompress`, that Prometheus means by ``snappy``: one block, without frames."""

_SNAPPY = {
    SNAPPY_BLOCK: snappy.block,
    "snappy": snappy.frames_or_block,
    "x-snappy-framed": snappy.frames_or_block,
}

_PLAIN = frozenset({"", "identity", "none"})


def decompressed(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield the decompressed bytes of a stream, over any number of gzip members or zstd frames.

    ``encoding`` is as in HTTP's Content-Encoding. Raises MalformedRequest where the stream breaks or
    ends too early, after having yielded everything before; UnknownEncoding for another encoding.
    """
    if encoding in _PLAIN:
        yield from chunks
        return
    if encoding not in _DECODERS:
        raise UnknownEncoding(
            f"Content-Encoding {encoding[:40]!r} is not supported: use gzip, zstd, deflate, snappy or lz4"
        )
    try:
        yield from _decompressed(chunks, _DECODERS[encoding])
    except (zlib.error, zstandard.ZstdError) as error:
        raise MalformedRequest(f"broken {encoding} data: {error}") from error


def _decompressed(chunks: Iterable[bytes], make: Callable[[], _Decoder]) -> Iterator[bytes]:
    decoder = make()
    begun = False
    for chunk in chunks:
        data = chunk
        while data:
            if decoder.ended:
                decoder = make()
            yield from decoder.feed(data)
            begun, data = True, decoder.rest if decoder.ended else b""
    if begun and not decoder.ended:
        raise MalformedRequest("the compressed data ends too early: it was cut off")


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Return a whole body decompressed; raises TooLarge beyond ``limit`` bytes.

    Of a whole body the collector's other compressions are known too: snappy, x-snappy-framed, lz4.
    """
    if encoding in _SNAPPY:
        try:
            return _SNAPPY[encoding](body, limit)
        except snappy.BeyondLimit as error:
            raise TooLarge(limit) from error
    parts, size = [], 0
    for part in _lz4(body) if encoding == "lz4" else decompressed([body], encoding):
        parts.append(part)
        size += len(part)
        if size > limit:
            raise TooLarge(limit)
    return b"".join(parts)


def _lz4(body: bytes) -> Iterator[bytes]:
    """Yield the decompressed bytes of frames of LZ4."""
    stream = pa.CompressedInputStream(pa.BufferReader(body), "lz4")
    try:
        while part := stream.read(_OUTPUT_STEP):
            yield part
    except OSError as error:
        raise MalformedRequest(f"broken lz4 data: {error}") from error
