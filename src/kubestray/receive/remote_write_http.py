"""Prometheus' remote write over HTTP: ``POST /api/v1/write``.

Source: "Prometheus Remote-Write 1.0 specification" and "2.0 [EXPERIMENTAL]". The Content-Type's
parameter ``proto`` tells the version. Errors are told in plain text.

================================  =============================================================
the request                       the answer
================================  =============================================================
stored                            204
stored but for some samples       400, which says why; never a 2xx: senders would not know
not the message, broken snappy    400
token missing or wrong            401
too slow                          408
too large                         413
other type or compression         415
no room now                       503 with Retry-After (429 is a final answer to some clients)
store failed                      503
================================  =============================================================

A sender of 2.0 is told in headers how many samples, histograms and exemplars were written, with
success or without. "Written" is what was accepted (the specification leaves to a receiver what it does with
it): exemplars of stored series are, although they are not kept, or each success would deny itself.
Compression is that of one snappy block, or vmagent's zstd; any other is refused, as the specification says.
"""

from __future__ import annotations

from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from kubestray.receive.catalog import Limits
from kubestray.receive.compression import SNAPPY_BLOCK
from kubestray.receive.http_intake import (
    HttpIntake,
    encoding_of,
    media_parameter,
    media_type_of,
    nobody_left,
    unauthorised,
)
from kubestray.receive.points import Bounds
from kubestray.receive.remote_write import decode_v1, decode_v2
from kubestray.receive.remote_write_samples import LabelCache, Written, label_cache
from kubestray.receive.sources import source_now

PATH = "/api/v1/write"

_V1, _V2 = "prometheus.WriteRequest", "io.prometheus.write.v2.Request"

_DECODE = {_V1: decode_v1, _V2: decode_v2}

_CACHE = label_cache()
"""What all receivers of this process remember together: one bound on memory, not one per receiver."""


def remote_write_routes(requests: HttpIntake, cache: LabelCache | None = None) -> list[Route]:
    """Return the route of remote write; ``cache`` is for tests, and for limits of one's own."""
    return [Route(PATH, _WriteEndpoint(requests, _CACHE if cache is None else cache).post, methods=["POST"])]


class _WriteEndpoint:
    def __init__(self, requests: HttpIntake, cache: LabelCache) -> None:
        self._requests = requests
        self._cache = cache

    async def post(self, request: Request) -> Response:
        version = _version(request)
        try:
            written = await self._handle(request, version)
        except HTTPException as error:
            headers = {**(error.headers or {}), **_counts(version, None)}
            return Response(error.detail, error.status_code, headers, "text/plain")
        except ClientDisconnect:
            return nobody_left()
        if written.rejected:
            return Response(written.summary(), 400, _counts(version, written), "text/plain")
        return Response(status_code=204, headers=_counts(version, written))

    async def _handle(self, request: Request, version: str) -> Written:
        if not self._requests.intake.welcomes(request.headers.get("authorization")):
            raise await self._requests.turned_away(request, unauthorised())
        if version not in _DECODE:
            told = f"expected application/x-protobuf, with proto={_V1} or proto={_V2}"
            raise await self._requests.turned_away(request, HTTPException(415, told))

        def decode(body: bytes, bounds: Bounds, limits: Limits) -> Written:
            source = source_now()
            cache = source.labels if source is not None and source.cluster else self._cache
            return _DECODE[version](body, bounds, limits, cache)

        encoding = encoding_of(request)
        # Both versions want this header; senders that leave it out mean the one compression there is.
        encoding = SNAPPY_BLOCK if encoding in ("", "snappy") else encoding
        if encoding not in (SNAPPY_BLOCK, "zstd"):
            refusal = HTTPException(415, f"Content-Encoding {encoding[:40]!r}: expected snappy")
            raise await self._requests.turned_away(request, refusal)
        take = partial(self._requests.intake.take, decode)
        return await self._requests.store(request, take, encoding)


def _version(request: Request) -> str:
    """Return the name of the message that the request says it is; empty if it is of another type."""
    if media_type_of(request) != "application/x-protobuf":
        return ""
    return media_parameter(request, "proto") or _V1


def _counts(version: str, written: Written | None) -> dict[str, str]:
    """Return the headers that tell a sender of 2.0 how much was stored."""
    if version != _V2:
        return {}
    stored = {
        "Samples": written.samples if written else 0,
        "Histograms": written.histograms if written else 0,
        "Exemplars": written.exemplars if written else 0,
    }
    return {f"X-Prometheus-Remote-Write-{what}-Written": str(number) for what, number in stored.items()}
