"""Request bodies: read within limits of size and time, whatever their sender declares."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request

CLOSED = {"Connection": "close"}
"""Goes with an answer to a request whose rest is not waited for: it would be taken for the next request."""


def _room(_size: int) -> bool:
    """Have room for every body."""
    return True


async def read_body(
    request: Request, limit: int, seconds: float, room: Callable[[int], bool] = _room
) -> bytes:
    """Return the body as it came, still compressed.

    ``room`` is told the size of each part that is to be kept, and whether it may be is the answer. Raises
    HTTPException 413 beyond ``limit`` bytes, 408 if it takes longer than ``seconds``, and 503 without room.
    """
    parts: list[bytes] = []
    size, fits = 0, True
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > 4 * limit:
                    break
                fits = fits and (size > limit or room(len(part)))
                if fits and size <= limit:
                    parts.append(part)
                else:
                    # Read on, keeping nothing: a client that is still sending would take a closed
                    # connection for a fault of the network and send it all again.
                    parts.clear()
    except TimeoutError as error:
        raise HTTPException(408, f"the request did not arrive within {seconds:g} s", CLOSED) from error
    if size > limit:
        raise HTTPException(413, f"the request is larger than {limit} bytes")
    if not fits:
        raise HTTPException(503, "too many large requests at once", {"Retry-After": "1"})
    return b"".join(parts)


async def discard_body(request: Request, limit: int, seconds: float) -> bool:
    """Read and forget a body, so that its sender gets to read the answer; return whether it ended."""
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    return False
    except TimeoutError:
        return False
    return True
