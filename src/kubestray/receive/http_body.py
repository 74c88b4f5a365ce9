"""Request bodies: read within limits of size and time, whatever their sender declares."""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import Request


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """Return the body as it came, still compressed.

    Raises HTTPException 413 beyond ``limit`` bytes and 408 if it takes longer than ``seconds``.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size <= limit:
                    parts.append(part)
                elif size > 4 * limit:
                    break
                else:
                    # Read on, keeping nothing: a client that is still sending would take a closed
                    # connection for a fault of the network and send it all again.
                    parts.clear()
    except TimeoutError as error:
        raise HTTPException(408, f"the request did not arrive within {seconds:g} s") from error
    if size > limit:
        raise HTTPException(413, f"the request is larger than {limit} bytes")
    return b"".join(parts)


async def discard_body(request: Request, limit: int, seconds: float) -> None:
    """Read and forget a body, so that its sender gets to read the answer; give up at a limit."""
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    return
    except TimeoutError:
        return
