"""SignalFx' ingest over HTTP: ``POST /v2/datapoint`` and what its exporters ask for beside it.

Source: signalfx exporter of the OpenTelemetry Collector, and SignalFx' ingest API. Bodies are JSON,
``"OK"`` or what is wrong. Exporters take 400 and 401 for final, wait as Retry-After says (in whole
seconds) after 429 and 503, and send everything else again:

=====================================  ==========================================================
the request                            the answer
=====================================  ==========================================================
stored, or some points rejected        200 ``"OK"``: the protocol has no word for rejected points
not the message, broken gzip           400
too large                              400: after 413 it would come again
token missing or wrong                 401; it comes in ``X-SF-Token``, or as a bearer token
too slow                               408
other type or compression              415
no room now                            503 with Retry-After
store failed                           503
events, properties of dimensions,      200, and forgotten: exporters would log the failure and send
OpAMP                                  them again
=====================================  ==========================================================

OTLP comes to ``/v2/datapoint/otlp``, or to the same path with ``;format=otlp``.
"""

from __future__ import annotations

from functools import partial

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from kubestray.receive import signalfx
from kubestray.receive.catalog import Limits
from kubestray.receive.http_body import CLOSED, discard_body
from kubestray.receive.http_intake import (
    HttpIntake,
    Take,
    encoding_of,
    media_parameter,
    media_type_of,
    nobody_left,
)
from kubestray.receive.intake import bearer_token
from kubestray.receive.points import Bounds, Decoded

PROTOBUF, JSON = "application/x-protobuf", "application/json"

_OTLP_PATH = "/v2/datapoint/otlp"


def signalfx_routes(requests: HttpIntake) -> list[Route]:
    """Return the routes of SignalFx' ingest."""
    endpoint = _DatapointEndpoint(requests)
    return [
        Route("/v2/datapoint", endpoint.post, methods=["POST"]),
        Route(_OTLP_PATH, endpoint.post, methods=["POST"]),
        Route("/v2/event", endpoint.ignore, methods=["POST"]),
        Route("/v3/event", endpoint.ignore, methods=["POST"]),
        Route("/v2/dimension/{rest:path}", endpoint.ignore, methods=["PATCH", "PUT"]),
        Route("/v1/opamp", endpoint.ignore_opamp, methods=["GET", "POST"]),
    ]


class _DatapointEndpoint:
    def __init__(self, requests: HttpIntake) -> None:
        self._requests = requests
        intake = requests.intake
        self._take: dict[tuple[str, bool], Take[Decoded]] = {
            (PROTOBUF, False): partial(intake.take, self._decode_protobuf),
            (JSON, False): partial(intake.take, self._decode_json),
            (PROTOBUF, True): intake.take_protobuf,
            (JSON, True): intake.take_json,
        }

    def _decode_protobuf(self, body: bytes, bounds: Bounds, limits: Limits) -> Decoded:
        return signalfx.decode_protobuf(body, bounds, limits, self._requests.intake.cache_now().series)

    def _decode_json(self, body: bytes, bounds: Bounds, limits: Limits) -> Decoded:
        return signalfx.decode_json(body, bounds, limits, self._requests.intake.cache_now().series)

    async def post(self, request: Request) -> Response:
        try:
            await self._handle(request)
        except HTTPException as error:
            return _refused(error)
        except ClientDisconnect:
            return nobody_left()
        # OTLP exporters would take JSON for an answer of their own protocol, and fail to read this one.
        return _answer("OK", 200, "text/plain" if request.url.path == _OTLP_PATH else JSON)

    async def ignore(self, request: Request) -> Response:
        return await self._ignored(request, _answer("OK", 200))

    async def ignore_opamp(self, request: Request) -> Response:
        """Answer with an empty `ServerToAgent`: nothing is wanted of the agent."""
        return await self._ignored(request, Response(b"", media_type=PROTOBUF))

    async def _ignored(self, request: Request, answer: Response) -> Response:
        intake = self._requests.intake
        try:
            ended = await discard_body(request, intake.max_bytes, intake.patience)
        except ClientDisconnect:
            return nobody_left()
        said = answer if self._welcomes(request) else _refused(_unauthorised())
        said.headers.update({} if ended else CLOSED)
        return said

    async def _handle(self, request: Request) -> None:
        if not self._welcomes(request):
            raise await self._requests.turned_away(request, _unauthorised())
        is_otlp = request.url.path == _OTLP_PATH or media_parameter(request, "format").lower() == "otlp"
        take = self._take.get((media_type_of(request), is_otlp))
        if take is None:
            refusal = HTTPException(415, f"Content-Type: expected {PROTOBUF} or {JSON}")
            raise await self._requests.turned_away(request, refusal)
        await self._requests.store(request, take, encoding_of(request))

    def _welcomes(self, request: Request) -> bool:
        token = request.headers.get("x-sf-token") or bearer_token(request.headers.get("authorization"))
        return self._requests.intake.admits(token)


def _unauthorised() -> HTTPException:
    return HTTPException(401, "a valid token is required in X-SF-Token")


def _refused(error: HTTPException) -> Response:
    answer = _answer(error.detail, 400 if error.status_code == 413 else error.status_code)
    answer.headers.update(error.headers or {})
    return answer


def _answer(text: str, status: int, media_type: str = JSON) -> Response:
    return Response(orjson.dumps(text), status, media_type=media_type)
