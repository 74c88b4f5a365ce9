"""Snappy as it comes over HTTP: one block, or a stream of frames with a block in each.

Remote write sends a block. The collector's exporters over HTTP send frames as ``snappy`` or, in newer
versions, as ``x-snappy-framed``, and a block as ``snappy``: the first bytes tell which. Both say the size of
each block before it, so that no more than the limit is ever decompressed. The frames' checksums are not
looked at: TCP has its own, and a message that is broken all the same is refused by who reads it.

Source: google/snappy, ``format_description.txt`` and ``framing_format.txt``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from kubestray.model.errors import MalformedRequest

_LONGEST_SIZE = 5
"""Bytes: a block begins with its size decompressed, which has at most 32 bits."""

_STREAM_IDENTIFIER = b"\xff\x06\x00\x00sNaPpY"
_COMPRESSED, _PLAIN, _IDENTIFIER = 0x00, 0x01, 0xFF
_FIRST_SKIPPABLE = 0x80
_CHECKSUM_BYTES = 4


class BeyondLimit(MalformedRequest):
    """What decompresses to more than the limit."""


def block(body: bytes, limit: int) -> bytes:
    """Return a block decompressed; raises MalformedRequest, and BeyondLimit for more than ``limit``."""
    size = 0
    for place, byte in enumerate(body[:_LONGEST_SIZE]):
        size |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            break
    else:
        raise MalformedRequest("broken snappy data: it does not begin with a size")
    if size > limit:
        raise BeyondLimit(f"{size} bytes")
    try:
        # The library writes no more than that.
        plain: bytes = pa.Codec("snappy").decompress(body, decompressed_size=size, asbytes=True)
    except OSError as error:
        raise MalformedRequest(f"broken snappy data: {error}") from error
    return plain


def frames_or_block(body: bytes, limit: int) -> bytes:
    """Return frames, or else a block, decompressed; raises as `block` does."""
    if not body.startswith(_STREAM_IDENTIFIER):
        return block(body, limit)
    parts: list[bytes] = []
    left = limit
    for kind, content in _chunks(body):
        if kind == _COMPRESSED:
            parts.append(block(content[_CHECKSUM_BYTES:], left))
        elif kind == _PLAIN:
            parts.append(content[_CHECKSUM_BYTES:])
        else:
            continue
        left -= len(parts[-1])
        if left < 0:
            raise BeyondLimit(f"more than {limit} bytes")
    return b"".join(parts)


def _chunks(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and content of each chunk but the padding and what may be passed over."""
    at = 0
    while at < len(body):
        kind, end = body[at], at + 4 + int.from_bytes(body[at + 1 : at + 4], "little")
        if at + 4 > len(body) or end > len(body):
            raise MalformedRequest("broken snappy data: it was cut off")
        if kind in (_COMPRESSED, _PLAIN) and end - at - 4 >= _CHECKSUM_BYTES:
            yield kind, body[at + 4 : end]
        elif kind < _FIRST_SKIPPABLE:
            raise MalformedRequest(f"broken snappy data: a frame of the unknown kind {kind}")
        elif kind == _IDENTIFIER and body[at:end] != _STREAM_IDENTIFIER:
            raise MalformedRequest("broken snappy data: a stream within it that is none")
        at = end
