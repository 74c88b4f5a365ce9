"""Decompression with a limit: exact for good data, bounded for bad, and it knows a cut."""

from __future__ import annotations

import gzip
import zlib

import pyarrow as pa
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st
from peak_memory import gzip_of_zeros, peak_growth

from kubestray.model.errors import MalformedRequest
from kubestray.receive.compression import SNAPPY_BLOCK, TooLarge, UnknownEncoding, decompress, decompressed

COMPRESS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}
MEBIBYTE = 1 << 20

each = pytest.mark.parametrize("encoding", COMPRESS)
bodies = st.tuples(st.binary(max_size=200), st.sampled_from([1, 1, 10, 20_000]))


@settings(max_examples=150, deadline=None)
@given(st.lists(bodies, min_size=1, max_size=3), st.sampled_from(sorted(COMPRESS)), st.integers(1, 5000))
@example([(b"\0" * 3, MEBIBYTE)], "deflate", 1)
@example([(b"\0" * 2, MEBIBYTE)], "gzip", 3)
@example([(b"\0" * 2, MEBIBYTE), (b"second", 1)], "gzip", 5000)
def test_what_went_in_comes_out_in_any_chunks(repeated, encoding, chunk):
    parts = [body * times for body, times in repeated]
    whole = b"".join(map(COMPRESS[encoding], parts))
    chunks = [whole[begin : begin + chunk] for begin in range(0, len(whole), chunk)]
    found = b"".join(decompressed(chunks, encoding))
    # Compared apart: a failure would print megabytes.
    same = found == b"".join(parts)
    assert same


@each
@pytest.mark.parametrize("size", [MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 2 * MEBIBYTE, 0])
def test_sizes_around_a_step_and_the_limit(encoding, size):
    body = COMPRESS[encoding](bytes(size))
    same = decompress(body, encoding, limit=size) == bytes(size)
    assert same
    if size:
        with pytest.raises(TooLarge, match=str(size - 1)):
            decompress(body, encoding, limit=size - 1)


@each
def test_a_cut_is_told_after_what_came_through(encoding):
    body = COMPRESS[encoding](bytes(range(256)) * 40)
    for end in range(1, len(body)):
        with pytest.raises(MalformedRequest):
            decompress(body[:end], encoding, limit=MEBIBYTE)
    two = COMPRESS[encoding](b"first") + body[:-3]
    found = []
    with pytest.raises(MalformedRequest, match="cut off"):
        found.extend(decompressed([two], encoding))
    assert b"".join(found).startswith(b"first")


@each
def test_garbage_is_malformed(encoding):
    for body in (b"garbage", COMPRESS[encoding](b"good") + b"garbage"):
        with pytest.raises(MalformedRequest):
            decompress(body, encoding, limit=MEBIBYTE)


def test_plain_bodies_have_a_limit_too():
    assert decompress(b"12345", "identity", limit=5) == b"12345"
    with pytest.raises(TooLarge):
        decompress(b"123456", "", limit=5)


def test_unknown_encodings():
    with pytest.raises(UnknownEncoding, match="'br' is not supported"):
        decompress(b"", "br", limit=5)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_costs_no_more_than_the_limit(encoding):
    frames = zstandard.compress(bytes(64 * MEBIBYTE), 19) * 16
    bomb = gzip_of_zeros(1 << 30) if encoding == "gzip" else frames
    with peak_growth() as peak, pytest.raises(TooLarge):
        decompress(bomb, encoding, limit=16 * MEBIBYTE)
    assert peak.mebibytes < 100


@given(bodies, st.binary(max_size=20), st.integers(0, 40))
def test_blocks_of_snappy(repeated, tail, cut):
    """One comes out as it went in, within the limit; with a cut or anything more it is malformed."""
    body = repeated[0] * repeated[1]
    block = pa.Codec("snappy").compress(body, asbytes=True)
    same = decompress(block, SNAPPY_BLOCK, len(body)) == body
    assert same
    if body:
        with pytest.raises(TooLarge):
            decompress(block, SNAPPY_BLOCK, len(body) - 1)
    for broken in (block[: -1 - cut], block + b"\0" + tail):
        with pytest.raises(MalformedRequest):
            decompress(broken, SNAPPY_BLOCK, MEBIBYTE * 10)


@pytest.mark.parametrize("body", [b"", b"\x80", b"\xff" * 20, b"\xff\xff\xff\x7f", b"\x05hello"])
def test_what_is_no_block_of_snappy(body):
    with peak_growth() as peak, pytest.raises(MalformedRequest):
        decompress(body, SNAPPY_BLOCK, 300 * MEBIBYTE)
    assert peak.mebibytes < 50
