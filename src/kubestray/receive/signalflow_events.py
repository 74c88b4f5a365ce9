"""The stream that a SignalFlow computation answers with: server-sent events, one JSON object each.

Source: "SSE" of SignalFlow's API, and signalfx-python (`signalflow/sse.py`, `messages.py`), which name the
events: ``control-message`` (STREAM_START, JOB_START, JOB_PROGRESS, CHANNEL_ABORT, END_OF_CHANNEL),
``metadata``, ``data``, ``expired-tsid``, ``message``, ``event``, ``error``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

_LONGEST = 64 * 1024 * 1024


class BrokenStream(Exception):
    """What came is not the stream it should be: it has to be asked for again."""


def events(lines: Iterable[bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and object of each whole event; raise BrokenStream for one that is no JSON object."""
    name, data, size = "message", list[bytes](), 0
    for line in lines:
        text = line.rstrip(b"\r\n")
        if not text:
            if data:
                yield name, _object(b"\n".join(data))
            name, data, size = "message", [], 0
            continue
        field, _, value = text.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value.decode("utf-8", "replace")
        elif field == b"data":
            size += len(value)
            if size > _LONGEST:
                raise BrokenStream(f"an event is larger than {_LONGEST} bytes")
            data.append(value)
        # Comments (an empty field), ids and times to wait say nothing of the computation.


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BrokenStream(f"an event is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise BrokenStream("an event is not an object")
    return found
