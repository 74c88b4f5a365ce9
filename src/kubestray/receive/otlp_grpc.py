"""OTLP over gRPC: the `MetricsService` of the OpenTelemetry protocol.

Source: OTLP specification 1.x, "OTLP/gRPC"; answers are those its clients act upon:

=============================  ==========================================================
the request                    the answer
=============================  ==========================================================
stored                         OK, with `partial_success` if data points were rejected
not the message, broken gzip   INVALID_ARGUMENT
token missing or wrong         UNAUTHENTICATED
too large                      RESOURCE_EXHAUSTED without RetryInfo: not to be sent again
no room now                    UNAVAILABLE with RetryInfo
store failed                   UNAVAILABLE
=============================  ==========================================================
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from kubestray.model.errors import KubestrayError, MalformedRequest
from kubestray.receive.commit import QueueFull
from kubestray.receive.compression import GZIP_MAGIC, TooLarge
from kubestray.receive.intake import Intake
from kubestray.receive.points import Decoded
from kubestray.receive.tls import Tls

log = logging.getLogger(__name__)

METHOD = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"

_RECEIVING = 4
"""How many times as many calls may be waiting for their request as may be under way: a call whose request
never comes takes a thread until it is cut off, and shall not keep others waiting."""

_SPARE_WORKERS = 8
"""Threads beyond those, to turn further calls away."""

_STOP_SECONDS = 5.0


def response(decoded: Decoded) -> ExportMetricsServiceResponse:
    """Return the answer to a stored request: empty, or with a partial success."""
    answer = ExportMetricsServiceResponse()
    if decoded.rejected:
        answer.partial_success.rejected_data_points = decoded.rejected.total()
        answer.partial_success.error_message = decoded.summary()
    return answer


class OtlpGrpcReceiver:
    """Serves OTLP gRPC on ``address`` (``HOST:PORT``; port 0 lets the system choose)."""

    def __init__(self, address: str, intake: Intake, tls: Tls | None = None) -> None:
        self._address, self._tls = address, tls
        workers = _RECEIVING * intake.concurrent + _SPARE_WORKERS
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="otlp-grpc")
        options = (
            # A second process on the same port must fail, not share its requests.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", intake.max_bytes),
            # grpcio decompresses a message before it compares its size with the limit: 2 GiB of
            # zeros, 2 MB on the wire, took 2.2 GB of memory in grpcio 1.80 (1.85 stops at the
            # limit). With its decompression off the bytes arrive as they are, and ours stops early.
            ("grpc.per_message_decompression", 0),
        )
        self._server = grpc.server(self._pool, options=options)
        self._server.add_generic_rpc_handlers((_MetricsService(intake),))

    def start(self) -> int:
        """Accept requests; return the port. Raises KubestrayError if the address cannot be had."""
        try:
            if self._tls is None:
                port = int(self._server.add_insecure_port(self._address))
            else:
                port = int(self._server.add_secure_port(self._address, self._tls.for_grpc()))
        except RuntimeError as error:
            raise KubestrayError(
                f"cannot listen on {self._address} for OTLP gRPC; "
                "stop what listens there, or give --otlp-grpc an address of this machine that is free"
            ) from error
        self._server.start()
        return port

    def stop(self) -> None:
        """Stop accepting; requests under way get a few seconds to end."""
        self._server.stop(_STOP_SECONDS).wait()
        self._pool.shutdown()


class _MetricsService(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers `Export` on raw bytes.

    Declared as taking a stream of requests, although `Export` takes one: on the wire it is the same,
    and a stream is not read before the handler asks, so the token is checked first.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._receiving = threading.Semaphore(_RECEIVING * intake.concurrent)
        self._free = threading.Semaphore(intake.concurrent)

    def service(self, handler_call_details: Any) -> Any:
        if handler_call_details.method != METHOD:
            return None
        return grpc.stream_unary_rpc_method_handler(self._export)

    def _export(self, messages: Iterator[bytes], context: Any) -> bytes:
        metadata = dict(context.invocation_metadata())
        if not self._intake.welcomes(metadata.get("authorization")):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "a valid bearer token is required")
        with _place(self._receiving, context):
            message = self._receive(messages, context)
        with _place(self._free, context):
            return self._store(message, context)

    def _receive(self, messages: Iterator[bytes], context: Any) -> bytes:
        """Return the request as it came; a client that takes too long to send it is cut off."""
        slow = threading.Timer(self._intake.patience, context.cancel)
        slow.start()
        try:
            for message in messages:
                return message
        finally:
            slow.cancel()
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the call ended without a request")
        raise AssertionError("abort returned")

    def _store(self, message: bytes, context: Any) -> bytes:
        try:
            decoded, stored = self._intake.take_protobuf(message, _encoding(message))
        except TooLarge as error:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        except MalformedRequest as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except QueueFull as error:
            _come_again(context, error)
        self._wait(stored, context)
        self._intake.stored(decoded)
        return response(decoded).SerializeToString()

    def _wait(self, stored: Future[None], context: Any) -> None:
        try:
            error = stored.exception(self._intake.patience)
        except TimeoutError as timeout:
            error = timeout
        if error is not None:
            self._intake.tally.refused()
            log.warning("points from %s could not be stored: %r", context.peer(), error)
            context.abort(grpc.StatusCode.UNAVAILABLE, "the points could not be stored, try again")


@contextmanager
def _place(places: threading.Semaphore, context: Any) -> Iterator[None]:
    """Hold one of some places while the block runs; without a free one the call is asked to come again."""
    if not places.acquire(blocking=False):
        _come_again(context, QueueFull("too many requests at once", retry_after=1.0))
    try:
        yield
    finally:
        places.release()


def _encoding(message: bytes) -> str:
    """Return how a message is compressed, which gRPC says in a flag that does not reach this place.

    It needs no telling: OTLP requests begin with the tag of their one field, 0x0a; gzip and zlib
    (which gRPC calls deflate) begin otherwise.
    """
    if message.startswith(GZIP_MAGIC):
        return "gzip"
    return "deflate" if message[:1] == b"\x78" else "identity"


def _come_again(context: Any, error: QueueFull) -> NoReturn:
    """End the call with UNAVAILABLE and, in the status details, the time to wait."""
    retry = RetryInfo(retry_delay=Duration(nanos=0))
    retry.retry_delay.FromNanoseconds(int(error.retry_after * 1e9))
    detail = AnyMessage()
    detail.Pack(retry)
    status = Status(code=grpc.StatusCode.UNAVAILABLE.value[0], message=str(error), details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
    raise AssertionError("abort returned")
