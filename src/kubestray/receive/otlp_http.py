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

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from kubestray.receive.http_intake import (
    HttpIntake,
    Take,
    encoding_of,
    media_type_of,
    nobody_left,
    unauthorised,
)
from kubestray.receive.otlp_grpc import response
from kubestray.receive.points import Decoded

PROTOBUF, JSON = "application/x-protobuf", "application/json"

_CODES = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    408: Code.DEADLINE_EXCEEDED,
    413: Code.RESOURCE_EXHAUSTED,
    415: Code.INVALID_ARGUMENT,
    503: Code.UNAVAILABLE,
}


def otlp_routes(requests: HttpIntake) -> list[Route]:
    """Return the routes of OTLP/HTTP metrics; traces and logs are not served, hence 404."""
    return [Route("/v1/metrics", _MetricsEndpoint(requests).post, methods=["POST"])]


class _MetricsEndpoint:
    def __init__(self, requests: HttpIntake) -> None:
        self._requests = requests
        intake = requests.intake
        self._take: dict[str, Take[Decoded]] = {PROTOBUF: intake.take_protobuf, JSON: intake.take_json}

    async def post(self, request: Request) -> Response:
        media_type = media_type_of(request)
        try:
            decoded = await self._handle(request, media_type)
        except HTTPException as error:
            status = Status(code=_CODES[error.status_code], message=error.detail)
            return _answer(status, media_type, error.status_code, error.headers)
        except ClientDisconnect:
            return nobody_left()
        return _answer(response(decoded), media_type, 200)

    async def _handle(self, request: Request, media_type: str) -> Decoded:
        if not self._requests.intake.welcomes(request.headers.get("authorization")):
            raise await self._requests.turned_away(request, unauthorised())
        take = self._take.get(media_type)
        if take is None:
            told = f"Content-Type {media_type[:60]!r}: expected {PROTOBUF} or {JSON}"
            raise await self._requests.turned_away(request, HTTPException(415, told))
        return await self._requests.store(request, take, encoding_of(request))


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
