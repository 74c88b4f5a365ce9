"""Where the messages in a file of OTLP metrics begin and end.

A file is one of four things, told apart by its first bytes:

=====================  =================================================================================
JSON                   begins with ``{`` after white space. One message a line, or over many lines.
one protobuf message   begins with 0x0a, the tag of the one field that an `ExportMetricsServiceRequest`
                       (or `MetricsData`) has; and an empty file is an empty message.
framed protobuf        each message behind its length in 4 bytes, big-endian: what the collector's file
                       exporter writes. A length below 160 MiB begins with a byte below 0x0a.
anything else          an error
=====================  =================================================================================

Two cases need more than the first byte, both with 0x0a there. A file shorter than 160 MiB cannot
begin with a frame of that length (0x0a000000), so it is one message; in a longer one the frame is
believed if the message in it, read field by field, ends exactly where the length says. And 0x0a is
also white space before JSON, and ``{`` a possible length of the first resource (123 bytes): but
every resource, scope and attribute value comes behind the byte 0x12, a control character that JSON
text cannot have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kubestray.receive.byte_stream import ByteStream

MAX_MESSAGE = 512 * 1024 * 1024
"""Bytes: a message of a file must fit in memory several times over."""

_REQUEST_TAG = 0x0A
_LONGEST_BELOW_TAG = _REQUEST_TAG << 24

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_NEW_MESSAGE = re.compile(rb'\{\s*"resource_?[mM]etrics"')


@dataclass(frozen=True, slots=True)
class Frame:
    """One message as it lies in a file: ``position`` for people, its bytes, or why there are none."""

    position: str
    body: bytes = b""
    is_json: bool = False
    error: str = ""


def frames(stream: ByteStream, max_message: int = MAX_MESSAGE) -> Iterator[Frame]:
    """Yield the messages of a file in order; a broken one has ``error`` and the next one follows.

    A stream that ends early (see `ByteStream`) gives what was complete, then one frame with the error.
    """
    if stream.peek(3) == b"\xef\xbb\xbf":
        stream.read(3)
    first = stream.peek(1)
    if first:
        yield from _reader(stream, first[0])(stream, max_message)
    if stream.problem:
        yield Frame(f"byte {stream.offset}", error=stream.problem)


def _reader(stream: ByteStream, first: int) -> Callable[[ByteStream, int], Iterator[Frame]]:
    if _begins_as_json(stream) or not stream.peek(4096).strip():
        return _json_messages  # which passes over blank lines
    if first < _REQUEST_TAG or (first == _REQUEST_TAG and _begins_with_long_frame(stream)):
        return _framed_messages
    return _one_message if first == _REQUEST_TAG else _unknown


def _begins_as_json(stream: ByteStream) -> bool:
    beginning = stream.peek(4096)
    if not beginning.lstrip().startswith(b"{"):
        return False
    return beginning[0] != _REQUEST_TAG or not _CONTROL.search(beginning)


def _begins_with_long_frame(stream: ByteStream) -> bool:
    """Tell whether a stream that begins with 0x0a begins with a frame of 160 MiB or more."""
    if len(stream.peek(4 + _LONGEST_BELOW_TAG)) < 4 + _LONGEST_BELOW_TAG:
        return False
    length = int.from_bytes(stream.peek(4), "big")
    message = memoryview(stream.peek(4 + length))[4:]
    return len(message) == length and complete_fields(message) == length


def complete_fields(message: bytes | memoryview) -> int:
    """Return how many bytes from the start are whole fields of a request (tag 0x0a, length, bytes)."""
    end = 0
    while end < len(message) and message[end] == _REQUEST_TAG:
        size, begin = _varint(message, end + 1)
        if begin == 0 or begin + size > len(message):
            break
        end = begin + size
    return end


def _varint(message: bytes | memoryview, at: int) -> tuple[int, int]:
    """Return a varint and the place after it; the place is 0 if there is none."""
    value = 0
    for shift, byte in enumerate(message[at : at + 5]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, at + shift + 1
    return 0, 0


def _unknown(stream: ByteStream, _max_message: int) -> Iterator[Frame]:
    yield Frame("byte 0", error=f"neither OTLP JSON nor OTLP protobuf: it begins with {stream.peek(8)!r}")


def _one_message(stream: ByteStream, max_message: int) -> Iterator[Frame]:
    body = stream.read(max_message + 1)
    if len(body) > max_message:
        yield Frame("byte 0", error=f"the message is larger than {max_message} bytes")
        return
    whole = complete_fields(body)
    if whole < len(body) and whole > 0:
        yield Frame("message 1", body[:whole])
        if not stream.problem:
            yield Frame(f"byte {whole}", error="the message is cut off or broken from here on")
    elif whole or not stream.problem:
        yield Frame("message 1", body)


def _framed_messages(stream: ByteStream, max_message: int) -> Iterator[Frame]:
    number = 0
    while header := stream.read(4):
        number += 1
        position = f"message {number} at byte {stream.offset - len(header)}"
        length = int.from_bytes(header, "big")
        if len(header) == 4 and length > max_message:
            # Nothing tells where the next message would begin.
            yield Frame(position, error=f"a length of {length} bytes: not a message, reading stops")
            return
        body = stream.read(length)
        if len(header) < 4 or len(body) < length:
            if not stream.problem:
                yield Frame(
                    position, error=f"the file ends after {len(body)} of {length} bytes: it was cut off"
                )
            return
        yield Frame(position, body)


def _json_messages(stream: ByteStream, max_message: int) -> Iterator[Frame]:
    """Join lines until their brackets are balanced; a line that begins a request ends a broken one."""
    pending, first_line, number, depth = bytearray(), 0, 0, 0
    while line := stream.read_line(max_message):
        number += 1
        if pending and _NEW_MESSAGE.match(line):
            yield Frame(f"line {first_line}", bytes(pending), is_json=True)
            pending, depth = bytearray(), 0
        if not pending:
            if not line.strip():
                continue
            first_line = number
        pending += line
        depth += _depth(line)
        if len(pending) >= max_message:
            stream.skip_line()
            yield Frame(f"line {first_line}", error=f"the message is larger than {max_message} bytes")
            pending, depth = bytearray(), 0
        elif depth <= 0:
            yield Frame(f"line {first_line}", bytes(pending), is_json=True)
            pending, depth = bytearray(), 0
    if pending and not stream.problem:
        yield Frame(f"line {first_line}", bytes(pending), is_json=True)


def _depth(line: bytes) -> int:
    """Return how many more brackets a line opens than it closes."""
    if line.count(b"{") == line.count(b"}") and line.count(b"[") == line.count(b"]"):
        # Nearly always right, and far quicker: brackets within strings come in pairs, if at all.
        return 0
    bare = _STRING.sub(b"", line)
    return bare.count(b"{") + bare.count(b"[") - bare.count(b"}") - bare.count(b"]")
