"""Bytes that come in chunks, read as a file is: ahead, by number, by line. Memory: what is asked for."""

from __future__ import annotations

from collections.abc import Iterable

from kubestray.model.errors import MalformedRequest


class ByteStream:
    """Reads from ``chunks``; where they break (MalformedRequest, OSError) it ends, with `problem` set.

    So a reader gets everything before the break, and learns of it after.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._buffer = bytearray()
        self._ended = False
        self.offset = 0
        """How many bytes were read."""
        self.problem: str | None = None
        """Why the stream ended early, if it did; known once its end is reached."""

    def peek(self, size: int) -> bytes:
        """Return up to ``size`` next bytes, fewer only at the end, and leave them."""
        while len(self._buffer) < size and self._fill():
            pass
        return bytes(memoryview(self._buffer)[:size])

    def read(self, size: int) -> bytes:
        """Return up to ``size`` next bytes, fewer only at the end."""
        found = self.peek(size)
        self._drop(len(found))
        return found

    def read_line(self, limit: int) -> bytes:
        """Return the next bytes up to and with a newline; without one at the end or after ``limit``."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched, limit)) < 0:
            searched = len(self._buffer)
            if searched >= limit or not self._fill():
                return self.read(limit)
        return self.read(end + 1)

    def skip_line(self) -> None:
        """Read on to the next newline, or the end, keeping nothing."""
        while (end := self._buffer.find(b"\n")) < 0:
            self._drop(len(self._buffer))
            if not self._fill():
                return
        self._drop(end + 1)

    def _drop(self, size: int) -> None:
        del self._buffer[:size]
        self.offset += size

    def _fill(self) -> bool:
        """Take one more chunk; false at the end."""
        if self._ended:
            return False
        try:
            self._buffer += next(self._chunks)
        except StopIteration:
            self._ended = True
        except (MalformedRequest, OSError) as error:
            self._ended, self.problem = True, str(error)
        return not self._ended
