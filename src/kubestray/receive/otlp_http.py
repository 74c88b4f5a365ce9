"""OTLP over HTTP: ``POST /v1/metrics``, in protobuf or JSON.

Source: OTLP specification 1.x, "OTLP/HTTP". Errors have the body the specification wants, a
`google.rpc.Status` in the request's own encoding:

=============================  ================================================================
the request                    the answer
=============================  ================================================================
stored                         200, with `partialSuccess` if data points were rejected
not the message, broken gzip   400
token missing or wrong         401
too slow                       408
too large                      413
other type or compression      415
no room now                    503 with Retry-After (429 is a final answer to some clients)
store failed                   503
=============================  ================================================================
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from concurrent.futures import Future

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from kubestray.model.errors import MalformedRequest
from kubestray.receive.commit import QueueFull
from kubestray.receive.compression import TooLarge, UnknownEncoding
from kubestray.receive.http_body import discard_body, read_body
from kubestray.receive.intake import Intake
from kubestray.receive.otlp_grpc import response
from kubestray.receive.points import Decoded

log = logging.getLogger(__name__)

PROTOBUF, JSON = "application/x-protobuf", "application/json"

_CODES = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    408: Code.DEADLINE_EXCEEDED,
    413: Code.RESOURCE_EXHAUSTED,
    415: Code.INVALID_ARGUMENT,
    503: Code.UNAVAILABLE,
}


def otlp_routes(intake: Intake) -> list[Route]:
    """Return the routes of OTLP/HTTP metrics; traces and logs are not served, hence 404."""
    return [Route("/v1/metrics", _MetricsEndpoint(intake).post, methods=["POST"])]


class _MetricsEndpoint:
    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._under_way = 0
        self._take: dict[str, Callable[[bytes, str], tuple[Decoded, Future[None]]]] = {
            PROTOBUF: intake.take_protobuf,
            JSON: intake.take_json,
        }

    async def post(self, request: Request) -> Response:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            decoded = await self._handle(request, media_type)
        except HTTPException as error:
            status = Status(code=_CODES[error.status_code], message=error.detail)
            return _answer(status, media_type, error.status_code, error.headers)
        except ClientDisconnect:
            # Nobody is left to read it; 499 is what proxies log for this.
            return Response(status_code=499)
        return _answer(response(decoded), media_type, 200)

    async def _handle(self, request: Request, media_type: str) -> Decoded:
        refusal = self._refusal(request, media_type)
        if refusal is not None:
            await discard_body(request, self._intake.max_bytes, self._intake.patience)
            raise refusal
        self._under_way += 1
        try:
            return await self._store(request, media_type)
        finally:
            self._under_way -= 1

    def _refusal(self, request: Request, media_type: str) -> HTTPException | None:
        """Return why a request is turned away unread."""
        if not self._intake.welcomes(request.headers.get("authorization")):
            return HTTPException(
                401, "a valid bearer token is required", headers={"WWW-Authenticate": "Bearer"}
            )
        if media_type not in self._take:
            return HTTPException(415, f"Content-Type {media_type[:60]!r}: expected {PROTOBUF} or {JSON}")
        if self._under_way >= self._intake.concurrent:
            return _unavailable(QueueFull("too many requests at once", retry_after=1.0))
        return None

    async def _store(self, request: Request, media_type: str) -> Decoded:
        body = await read_body(request, self._intake.max_bytes, self._intake.patience)
        encoding = request.headers.get("content-encoding", "").strip().lower()
        try:
            # Not on the event loop, which a large request would hold up for all others.
            decoded, stored = await run_in_threadpool(self._take[media_type], body, encoding)
        except TooLarge as error:
            raise HTTPException(413, str(error)) from error
        except UnknownEncoding as error:
            raise HTTPException(415, str(error)) from error
        except MalformedRequest as error:
            raise HTTPException(400, str(error)) from error
        except QueueFull as error:
            raise _unavailable(error) from error
        await self._wait(stored)
        self._intake.tally.stored(decoded)
        return decoded

    async def _wait(self, stored: Future[None]) -> None:
        waiting = asyncio.wrap_future(stored)
        await asyncio.wait([waiting], timeout=self._intake.patience)
        error = waiting.exception() if waiting.done() else TimeoutError("the store takes too long")
        if error is not None:
            self._intake.tally.refused()
            log.warning("points could not be stored: %r", error)
            raise HTTPException(503, "the points could not be stored, try again")


def _unavailable(error: QueueFull) -> HTTPException:
    return HTTPException(503, str(error), headers={"Retry-After": str(math.ceil(error.retry_after))})


def _answer(message: Message, media_type: str, status: int, headers: object = None) -> Response:
    """Return a message in the encoding of the request; in JSON if that had another."""
    if media_type == PROTOBUF:
        body: bytes | str = message.SerializeToString()
    else:
        media_type, body = JSON, MessageToJson(message, indent=None)
    answer = Response(body, status, media_type=media_type)
    if isinstance(headers, dict):
        answer.headers.update(headers)
    return answer
