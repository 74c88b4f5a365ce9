"""An answer of record batches over HTTP, which can break off in ways that look like its end.

The server has said 200 when an error comes half-way. It then writes the error's text where the next batch
would stand, and may cut the connection. To Arrow, the end of the bytes is as good an end of a stream as the
mark that is meant for it; here only the mark is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

import pyarrow as pa

from kubestray.model.errors import KubestrayError, StoreError
from kubestray.store.engine import Limits
from kubestray.store.failures import failure

_TAIL = 1 << 14  # bytes from the end in which an error's text is looked for
_PIECE = 1 << 20


class Answer:
    """One answer: ``ask`` sends the statement and returns a response of urllib3."""

    def __init__(self, ask: Callable[[], Any], url: str, limits: Limits) -> None:
        self._ask, self._url, self._limits = ask, url, limits
        self._response: Any = None

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """Ask, and give the record batches; raise what `failures.failure` makes of an error."""
        from urllib3.exceptions import HTTPError  # clickhouse-connect's transport

        self._response = self._ask()
        body = _Body(self._response)
        try:
            yield from pa.ipc.open_stream(pa.PythonFile(body, "r"))
            if body.at_end:
                raise self._broken_off(body)
            self._response.drain_conn()
        except (pa.ArrowException, OSError, HTTPError) as error:
            raise self._broken_off(body) from error
        finally:
            self._response.close()

    def hang_up(self) -> None:
        """Let nothing more come; from another thread."""
        if self._response is not None:
            with suppress(RuntimeError, ValueError, OSError):  # it has ended by itself
                self._response.shutdown()

    def _broken_off(self, body: _Body) -> KubestrayError:
        tag = self._response.headers.get("X-ClickHouse-Exception-Tag", "").encode()
        # Servers before 25.11 mark an error by nothing but its form.
        _, mark, told = body.tail.rpartition(b"__exception__\r\n" + tag + b"\r\n" if tag else b"Code: ")
        if mark:
            text = told if tag else mark + told
            return failure(text.decode(errors="replace"), self._url, self._limits)
        return StoreError(f"the store at {self._url} broke off its answer; run the search again")


class _Body:
    """What Arrow reads from: remembers the last bytes, and whether there were fewer than asked for."""

    closed = False

    def __init__(self, response: Any) -> None:
        self._response = response
        self.tail = b""
        self.at_end = False

    def read(self, size: int) -> bytes:
        """Return so many bytes, or fewer at the end.

        Piece by piece: an error's text that stands for a batch is read as the length of one, and asking for
        that many bytes at once would lose those that there are, if the connection is cut after them.
        """
        pieces = []
        left = size
        while left and (piece := self._response.read1(min(left, _PIECE))):
            pieces.append(piece)
            self.tail = (self.tail + piece)[-_TAIL:]
            left -= len(piece)
        self.at_end = left > 0
        return b"".join(pieces)
