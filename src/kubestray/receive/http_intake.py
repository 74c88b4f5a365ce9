"""What every protocol over HTTP does with a request: turn it away, or read, decode, queue and wait.

A protocol's own module finds out what a request is, and puts the answer into the protocol's words.
Failures come to it as `HTTPException`, with the status that is usual and the error as its cause.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from kubestray.model.errors import MalformedRequest
from kubestray.receive.commit import QueueFull
from kubestray.receive.compression import TooLarge, UnknownEncoding
from kubestray.receive.http_body import CLOSED, discard_body, read_body
from kubestray.receive.intake import Intake
from kubestray.receive.points import Decoded

log = logging.getLogger(__name__)

_SHARE = 4
"""Of what the bodies under way may take in memory, this part may be taken by those that are not whole."""

_LARGE = 4 << 20
"""Bytes of a body that takes as long to decode as six scrapes of a node with 300 processes."""
_COMPRESSED = 8
"""How many times as long a compressed body is taken to be."""

D = TypeVar("D", bound=Decoded)

Take = Callable[[bytes, str], tuple[D, Future[None]]]
"""Decodes a body of some encoding and queues its points, as `Intake.take` does."""


class HttpIntake:
    """The requests of one HTTP listener, of whatever protocols it speaks.

    No more than ``intake.concurrent`` are under way at once, so that their bodies fit in memory. One whose
    body is not there yet is none of them: clients that send next to nothing would keep the others waiting. Of
    such bodies the bytes are counted instead.
    """

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self._under_way = 0
        self._workers = Workers()
        self._reading = 0  # bytes of bodies that are not whole
        self._most = max(1, intake.concurrent // _SHARE) * intake.max_bytes

    def close(self) -> None:
        """End the threads that decode; nothing is to be listened to any more."""
        self._workers.close()

    async def turned_away(self, request: Request, refusal: HTTPException) -> HTTPException:
        """Return ``refusal`` once the body is read and forgotten, so that the sender reads the answer.

        The connection is closed behind it if the body does not end.
        """
        if not await discard_body(request, self.intake.max_bytes, self.intake.patience):
            refusal.headers = {**(refusal.headers or {}), **CLOSED}
        return refusal

    async def store(self, request: Request, take: Take[D], encoding: str) -> D:
        """Return what the request held once it is stored.

        Raises HTTPException: 400 malformed, 408 too slow, 413 too large, 415 unknown compression, 503 with
        Retry-After without room and 503 if the store failed.
        """
        full = QueueFull("too many requests at once", retry_after=1.0)
        if self._under_way >= self.intake.concurrent:
            raise await self.turned_away(request, _unavailable(full)) from full
        body = await self._body(request)
        if self._under_way >= self.intake.concurrent:
            raise _unavailable(full) from full
        self._under_way += 1
        try:
            decoded, stored = await self._workers.taken(take, body, encoding)
            await self._wait(stored)
        finally:
            self._under_way -= 1
        self.intake.stored(decoded)
        return decoded

    async def _body(self, request: Request) -> bytes:
        """Return the body; raises HTTPException 503 where too much of others has come that is not whole."""
        mine = 0

        def room(size: int) -> bool:
            nonlocal mine
            if self._reading + size > self._most:
                return False
            self._reading += size
            mine += size
            return True

        try:
            return await read_body(request, self.intake.max_bytes, self.intake.patience, room)
        finally:
            self._reading -= mine

    async def _wait(self, stored: Future[None]) -> None:
        waiting = asyncio.wrap_future(stored)
        await asyncio.wait([waiting], timeout=self.intake.patience)
        error = waiting.exception() if waiting.done() else TimeoutError("the store takes too long")
        if error is not None:
            self.intake.tally.refused()
            log.warning("points could not be stored: %r", error)
            raise HTTPException(503, "the points could not be stored, try again")


class Workers:
    """Threads that decode: not the event loop, which a large request would hold up for all others.

    As many as there are processors: more take turns so often that it costs a tenth of all work. Large bodies
    have threads of their own, so that they keep nobody but each other waiting.
    """

    def __init__(self) -> None:
        at_once = max(2, os.cpu_count() or 1)
        self._small, self._large = (
            ThreadPoolExecutor(at_once, thread_name_prefix=f"decode-{size}") for size in ("small", "large")
        )

    def close(self) -> None:
        """End the threads when they have done what they have."""
        self._small.shutdown()
        self._large.shutdown()

    async def taken(self, take: Take[D], body: bytes, encoding: str) -> tuple[D, Future[None]]:
        """Return what a body held, and when its points are stored; raise HTTPException if it is refused."""
        large = len(body) * (_COMPRESSED if encoding not in ("", "identity") else 1) > _LARGE
        threads = self._large if large else self._small
        context = copy_context()  # which says whose request it is
        with _refusing():
            return await asyncio.get_running_loop().run_in_executor(
                threads, lambda: context.run(take, body, encoding)
            )


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn what is wrong with a request into the status that says so."""
    try:
        yield
    except TooLarge as error:
        raise HTTPException(413, str(error)) from error
    except UnknownEncoding as error:
        raise HTTPException(415, str(error)) from error
    except MalformedRequest as error:
        raise HTTPException(400, str(error)) from error
    except QueueFull as error:
        raise _unavailable(error) from error


def _unavailable(error: QueueFull) -> HTTPException:
    return HTTPException(503, str(error), headers={"Retry-After": str(math.ceil(error.retry_after))})


def unauthorised() -> HTTPException:
    """Return the refusal of a request without a valid bearer token."""
    return HTTPException(401, "a valid bearer token is required", headers={"WWW-Authenticate": "Bearer"})


def media_type_of(request: Request) -> str:
    """Return the media type of the body, without parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def media_parameter(request: Request, name: str) -> str:
    """Return a parameter of the Content-Type without quotes; empty if it has none of this name."""
    for part in request.headers.get("content-type", "").split(";")[1:]:
        found, _, value = part.partition("=")
        if found.strip().lower() == name:
            return value.strip().strip('"')
    return ""


def encoding_of(request: Request) -> str:
    """Return the Content-Encoding in lower case."""
    return request.headers.get("content-encoding", "").strip().lower()


def nobody_left() -> Response:
    """Return the answer to a client that has gone: 499 is what proxies log for this."""
    return Response(status_code=499)
