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
    "zstd": _Zstd,
}

SNAPPY_BLOCK = "snappy block"
"""The encoding, for `decompress`, that Prometheus means by ``snappy``: one block, without frames."""

_LONGEST_SIZE = 5
"""Bytes: a snappy block begins with its size decompressed, which has at most 32 bits."""

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
            f"Content-Encoding {encoding[:40]!r} is not supported: use gzip, zstd or deflate"
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
    """Return a whole body decompressed; raises TooLarge beyond ``limit`` bytes."""
    if encoding == SNAPPY_BLOCK:
        return _snappy_block(body, limit)
    parts, size = [], 0
    for part in decompressed([body], encoding):
        parts.append(part)
        size += len(part)
        if size > limit:
            raise TooLarge(limit)
    return b"".join(parts)


def _snappy_block(body: bytes, limit: int) -> bytes:
    """Snappy says its size first, and the library writes no more than that."""
    size = 0
    for place, byte in enumerate(body[:_LONGEST_SIZE]):
        size |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            break
    else:
        raise MalformedRequest("broken snappy data: it does not begin with a size")
    if size > limit:
        raise TooLarge(limit)
    try:
        plain: bytes = pa.Codec("snappy").decompress(body, decompressed_size=size, asbytes=True)
    except OSError as error:
        raise MalformedRequest(f"broken snappy data: {error}") from error
    return plain
