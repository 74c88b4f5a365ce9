"""Splunk's HTTP Event Collector: ``POST /services/collector``, for metrics.

Source: "HTTP Event Collector REST API endpoints" and "error codes" of Splunk's documentation, and the
splunkhec exporter of the OpenTelemetry Collector, which takes 400 and 401 for final, waits as
Retry-After says (in whole seconds) after 503, and sends everything else again.

================================  ============================================================
the request                       the answer
================================  ============================================================
stored                            200, code 0; with an ``ackId`` if it names a channel
no event; not JSON; ``event``     400, code 5; 6; 12 if missing, 13 if blank; 15
missing; nested fields
too large                         400, code 6: after 413 it would come again
token missing; of another form;   401, code 2; 401, code 3; 403, code 4
wrong
token in the address alone        400, code 16, as Splunk by default; 403, code 4 if it is wrong
channel is no GUID                400, code 11 (10 if a question about acknowledgements has none)
raw text (``/raw``)               400, code 6: it holds no metrics, and after 404 it would come again
too slow                          408, code 9
other compression                 415, code 6
no room now, or the store failed  503, code 9; with Retry-After in the first case
about health                      200, code 17; 503, code 18 while there is no room
================================  ============================================================

A token comes as ``Splunk TOKEN``, ``Bearer TOKEN`` or as the password of ``Basic``.

What is answered with success is stored, so an acknowledgement is true from the start: an ``ackId`` is
just the number of a request in its channel.
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from kubestray.receive import hec
from kubestray.receive.catalog import Limits
from kubestray.receive.http_body import read_body
from kubestray.receive.http_intake import HttpIntake, encoding_of, nobody_left
from kubestray.receive.points import Bounds, Decoded
from kubestray.receive.remembered import Remembered

_COLLECTOR = "/services/collector"
_CHANNEL = "x-splunk-request-channel"

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_CHANNELS = 100_000
_ACK_BYTES = 1 << 20

_TEXTS = {
    0: "Success",
    2: "Token is required",
    3: "Invalid authorization",
    4: "Invalid token",
    5: "No data",
    6: "Invalid data format",
    9: "Server is busy",
    10: "Data channel is missing",
    11: "Invalid data channel",
    12: "Event field is required",
    13: "Event field cannot be blank",
    15: "Error in handling indexed fields",
    16: "Query string authorization is not enabled",
    17: "HEC is healthy",
    18: "HEC is unhealthy, queues are full",
}
"""What Splunk says with each of its codes."""

_SUCCESS, _TOKEN_REQUIRED, _INVALID_AUTHORIZATION, _INVALID_TOKEN, _INVALID_FORMAT = 0, 2, 3, 4, 6
_BUSY, _CHANNEL_MISSING, _CHANNEL_INVALID, _IN_QUERY, _HEALTHY, _FULL = 9, 10, 11, 16, 17, 18


def hec_routes(requests: HttpIntake) -> list[Route]:
    """Return the routes of the HTTP Event Collector, with and without the version that some clients add."""
    endpoint = _CollectorEndpoint(requests)
    events = (_COLLECTOR, f"{_COLLECTOR}/event", f"{_COLLECTOR}/event/1.0")
    return [
        *(Route(path, endpoint.post, methods=["POST"]) for path in events),
        *(
            Route(path, endpoint.raw, methods=["POST"])
            for path in (f"{_COLLECTOR}/raw", f"{_COLLECTOR}/raw/1.0")
        ),
        Route(f"{_COLLECTOR}/ack", endpoint.acknowledged, methods=["POST"]),
        Route(f"{_COLLECTOR}/health", endpoint.health, methods=["GET"]),
        Route(f"{_COLLECTOR}/health/1.0", endpoint.health, methods=["GET"]),
    ]


class _Refused(Exception):
    """A request that is turned away with one of HEC's codes."""

    def __init__(self, status: int, code: int) -> None:
        self.status, self.code = status, code


class _Acknowledgements:
    """How many requests of each channel were stored; channels not used for longest are forgotten."""

    def __init__(self) -> None:
        self._stored: Remembered[str, int] = Remembered(
            lambda _channel, _count: 200, _CHANNELS, 200 * _CHANNELS
        )
        self._lock = threading.Lock()

    def next(self, channel: str) -> int:
        """Return the number of one more stored request."""
        with self._lock:
            number = self._stored.get(channel) or 0
            self._stored.put(channel, number + 1)
        return number

    def holds(self, channel: str, number: int) -> bool:
        """Tell whether the request of this number was stored."""
        return 0 <= number < (self._stored.get(channel) or 0)


class _CollectorEndpoint:
    def __init__(self, requests: HttpIntake) -> None:
        self._requests = requests
        intake = requests.intake
        self._take = partial(intake.take, self._decode)
        self._acknowledgements = _Acknowledgements()

    def _decode(self, body: bytes, bounds: Bounds, limits: Limits) -> Decoded:
        intake = self._requests.intake
        return hec.decode(body, bounds, limits, intake.cache_now().series, intake.counters)

    async def post(self, request: Request) -> Response:
        try:
            return await self._store(request)
        except HTTPException as error:
            return _failure(error)
        except ClientDisconnect:
            return nobody_left()

    async def _store(self, request: Request) -> Response:
        try:
            self._check_token(request)
            channel = _channel(request)
        except _Refused as refused:
            refusal = await self._requests.turned_away(request, HTTPException(refused.status))
            return _answer(refused.status, refused.code, headers=refusal.headers)
        await self._requests.store(request, self._take, encoding_of(request))
        if channel:
            return _answer(200, _SUCCESS, {"ackId": self._acknowledgements.next(channel)})
        return _answer(200, _SUCCESS)

    async def raw(self, request: Request) -> Response:
        """Turn text without structure away for good."""
        try:
            self._check_token(request)
            refusal = _answer(400, _INVALID_FORMAT, {"detail": f"no metrics: send events to {_COLLECTOR}"})
        except _Refused as refused:
            refusal = _answer(refused.status, refused.code)
        try:
            turned = await self._requests.turned_away(request, HTTPException(refusal.status_code))
        except ClientDisconnect:
            return nobody_left()
        refusal.headers.update(turned.headers or {})
        return refusal

    async def acknowledged(self, request: Request) -> Response:
        """Answer which requests of a channel are stored: those that have been answered with success."""
        try:
            self._check_token(request)
            channel = _channel(request)
            if not channel:
                raise _Refused(400, _CHANNEL_MISSING)
            numbers = _asked(await read_body(request, _ACK_BYTES, self._requests.intake.patience))
        except _Refused as refused:
            return _answer(refused.status, refused.code)
        except HTTPException as error:
            return _failure(error)
        except ClientDisconnect:
            return nobody_left()
        acks = {str(number): self._acknowledgements.holds(channel, number) for number in numbers}
        return Response(orjson.dumps({"acks": acks}), media_type="application/json")

    async def health(self, _request: Request) -> Response:
        return _answer(503, _FULL) if self._requests.intake.full() else _answer(200, _HEALTHY)

    def _check_token(self, request: Request) -> None:
        intake = self._requests.intake
        scheme, token = _token(request.headers.get("authorization", ""))
        known = bool(token)
        if intake.admits(token or None):
            return
        if known:
            raise _Refused(403, _INVALID_TOKEN)
        in_query = request.query_params.get("token")
        if in_query and not scheme:
            raise _Refused(400, _IN_QUERY) if intake.admits(in_query) else _Refused(403, _INVALID_TOKEN)
        raise _Refused(401, _INVALID_AUTHORIZATION if scheme else _TOKEN_REQUIRED)


def _token(authorization: str) -> tuple[str, str]:
    """Return the scheme and the token of a header: the password of ``Basic``, whatever the user."""
    scheme, _, rest = authorization.partition(" ")
    rest = rest.strip()
    if scheme.lower() in ("splunk", "bearer"):
        return scheme, rest
    if scheme.lower() != "basic":
        return scheme, ""
    try:
        pair = base64.b64decode(rest, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return scheme, ""
    return scheme, pair.partition(":")[2]


def _channel(request: Request) -> str:
    """Return the channel that a request names, in lower case; empty if it names none."""
    channel = request.headers.get(_CHANNEL) or request.query_params.get("channel") or ""
    if channel and not _GUID.fullmatch(channel):
        raise _Refused(400, _CHANNEL_INVALID)
    return channel.lower()


def _asked(body: bytes) -> list[int]:
    """Return the numbers that a question about acknowledgements has."""
    try:
        numbers = orjson.loads(body)["acks"]
    except (orjson.JSONDecodeError, TypeError, KeyError) as error:
        raise _Refused(400, _INVALID_FORMAT) from error
    if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
        raise _Refused(400, _INVALID_FORMAT)
    return numbers


def _failure(error: HTTPException) -> Response:
    """Return the answer to a request that was not stored, in HEC's words and, after them, in ours."""
    status = 400 if error.status_code == 413 else error.status_code
    if status in (408, 503):
        return _answer(status, _BUSY, headers=error.headers)
    more: dict[str, Any] = {"detail": error.detail}
    invalid = error.__cause__
    if not isinstance(invalid, hec.InvalidEvent):
        return _answer(status, _INVALID_FORMAT, more)
    if invalid.event is not None:
        more["invalid-event-number"] = invalid.event
    return _answer(status, invalid.code, more)


def _answer(
    status: int,
    code: int,
    more: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = orjson.dumps({"text": _TEXTS[code], "code": code, **(more or {})})
    return Response(body, status, headers, "application/json")
