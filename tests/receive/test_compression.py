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

from helpers import examples
from kubestray.model.errors import MalformedRequest
from kubestray.receive.compression import SNAPPY_BLOCK, TooLarge, UnknownEncoding, decompress, decompressed

COMPRESS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "zlib": zlib.compress,
    "zstd": zstandard.compress,
}
MEBIBYTE = 1 << 20

each = pytest.mark.parametrize("encoding", COMPRESS)
bodies = st.tuples(st.binary(max_size=200), st.sampled_from([1, 1, 10, 20_000]))


@settings(max_examples=examples(50), deadline=None)
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
    frames = zstandard.compress(bytes(64 * MEBIBYTE), 19) * 4
    bomb = gzip_of_zeros(1 << 28) if encoding == "gzip" else frames
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


RECORDED = bytes.fromhex(
    "ff060000734e61507059"
    "007000001977cc538802f05e000102030405060708090a0b0c0d0e0f101112131415161718191a1b"
    "1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f6b756265"
    "7374726179206b7562657374726179206b7562657374726179206bfe1e00fe1e00a21e00012c0000"
    "75118983000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223"
    "24252627"
)
"""Bytes 0 to 63 and ``kubestray `` 20 times, framed by python-snappy; then 40 bytes, left as they are."""


def frame(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + len(content).to_bytes(3, "little") + content


IDENTIFIER = frame(0xFF, b"sNaPpY")


@pytest.mark.parametrize("encoding", ["snappy", "x-snappy-framed"])
def test_frames_of_snappy(encoding):
    plain = bytes(range(64)) + b"kubestray " * 20 + bytes(range(40))
    assert decompress(RECORDED, encoding, len(plain)) == plain
    padded = RECORDED + frame(0xFE, bytes(9)) + frame(0x80, b"skip") + IDENTIFIER
    assert decompress(padded, encoding, len(plain)) == plain
    with pytest.raises(TooLarge, match=str(len(plain) - 1)):
        decompress(RECORDED, encoding, len(plain) - 1)
    ends = (10, len(RECORDED) - 48, len(RECORDED))  # between two frames a cut cannot be told
    for end in set(range(1, len(RECORDED))).difference(ends):
        with pytest.raises(MalformedRequest):
            decompress(RECORDED[:end], encoding, MEBIBYTE)
    for bad in (frame(0x02, bytes(8)), frame(0x01, b"abc"), frame(0xFF, b"sNaPpX"), b"\x00"):
        with pytest.raises(MalformedRequest):
            decompress(RECORDED + bad, encoding, MEBIBYTE)


@given(bodies)
def test_blocks_where_frames_may_be(repeated):
    """Newer collectors send a block as ``snappy``, older ones frames."""
    body = repeated[0] * repeated[1]
    same = decompress(pa.Codec("snappy").compress(body, asbytes=True), "snappy", len(body)) == body
    assert same


def test_lz4():
    plain = bytes(range(256)) * 8192
    body = pa.Codec("lz4").compress(plain, asbytes=True)
    same = decompress(body + body, "lz4", 2 * len(plain)) == plain * 2
    assert same
    with pytest.raises(TooLarge):
        decompress(body, "lz4", len(plain) - 1)
    for bad in (body[:-1], body[:3], b"garbage", body + b"garbage"):
        with pytest.raises(MalformedRequest, match="lz4"):
            decompress(bad, "lz4", 2 * len(plain))
    bomb = pa.Codec("lz4").compress(bytes(64 * MEBIBYTE), asbytes=True)
    with peak_growth() as peak, pytest.raises(TooLarge):
        decompress(bomb, "lz4", 4 * MEBIBYTE)
    assert peak.mebibytes < 30
