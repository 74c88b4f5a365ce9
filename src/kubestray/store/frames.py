"""An answer that travels in frames: parts of the rows as they come, then that these are all, or an error.

A frame is a kind (one byte), a length (eight bytes, the highest first) and as many bytes. ``B`` holds an
Arrow stream with some of the rows, ``E`` an error as JSON, ``.`` nothing: the end. An answer that stops
without one of the last two has broken off.
"""

from __future__ import annotations

import asyncio
import json
import logging
import struct
from collections.abc import Callable, Generator, Iterator
from typing import Any

from kubestray.model.errors import LimitExceeded, StoreError
from kubestray.store.stream import CANCEL_AGAIN

logger = logging.getLogger(__name__)

ROWS, ERROR, END = b"B", b"E", b"."
_HEAD = struct.Struct(">cQ")


def read_frames(read: Callable[[int], bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Give the kind and the bytes of each frame up to `END`; raise `EOFError` where the answer breaks off."""
    while True:
        kind, length = _HEAD.unpack(_exactly(read, _HEAD.size))
        if kind == END:
            return
        yield kind, _exactly(read, length)


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    data = read(size)
    if len(data) < size:
        raise EOFError
    return data


def error_as_json(error: StoreError | LimitExceeded) -> bytes:
    """Write an error in the one shape that all answers of the socket have."""
    return json.dumps({"error": type(error).__name__, "message": str(error)}).encode()


class Frames:
    """An ASGI answer made of what ``parts`` gives, one part after the other is taken.

    When the asker goes away, ``cancel`` is called until ``parts`` ends. An asker that stays and takes
    nothing for ``seconds`` is hung up on (0 is never): the statement holds memory as long as it is open.
    """

    def __init__(
        self, parts: Generator[bytes, None, None], cancel: Callable[[], None], seconds: float
    ) -> None:
        self._parts, self._cancel, self._seconds = parts, cancel, seconds or None
        self._taking = self._gone = False

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        """Answer one request whose body has been read."""
        watch = asyncio.ensure_future(self._watch(receive))
        try:
            await self._answer(send)
        except (TimeoutError, asyncio.CancelledError):
            # Without an end the asker knows that this is not the whole. Cancelled: the server stops.
            logger.warning("a command that did not read its rows was hung up on")
        finally:
            watch.cancel()
            if self._taking:  # the server stops and waits for nobody; the thread that takes ends by this
                self._cancel()
            else:
                self._parts.close()

    async def _answer(self, send: Any) -> None:
        media = (b"content-type", b"application/octet-stream")
        await send({"type": "http.response.start", "status": 200, "headers": [media]})
        try:
            while part := await self._next():
                await self._send(send, ROWS, part)
        except (StoreError, LimitExceeded) as error:
            await self._send(send, ERROR, error_as_json(error))
        await self._send(send, END, b"", more=False)

    async def _next(self) -> bytes | None:
        """Take the next part in a thread; none if there is none, or nobody to take it."""
        from starlette.concurrency import run_in_threadpool

        if self._gone:
            return None
        self._taking = True
        try:
            part = await run_in_threadpool(next, self._parts, None)
        except (StoreError, LimitExceeded):
            self._taking = False
            raise
        self._taking = False
        return part

    async def _send(self, send: Any, kind: bytes, data: bytes, *, more: bool = True) -> None:
        frame = _HEAD.pack(kind, len(data)) + data
        async with asyncio.timeout(self._seconds):
            await send({"type": "http.response.body", "body": frame, "more_body": more})

    async def _watch(self, receive: Any) -> None:
        await gone(receive)
        self._gone = True
        await cancelled_again_and_again(self._cancel)


async def gone(receive: Any) -> None:
    """Return when the asker of a request whose body has been read has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def cancelled_again_and_again(cancel: Callable[[], None]) -> None:
    """Cancel a statement until this itself is cancelled: it may only be about to begin."""
    from starlette.concurrency import run_in_threadpool

    while True:
        await run_in_threadpool(cancel)
        await asyncio.sleep(CANCEL_AGAIN)
