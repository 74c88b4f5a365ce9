"""The gRPC receiver, spoken to by the official exporter and by clients that mean no good."""

from __future__ import annotations

import gzip
import threading
import zlib
from contextlib import contextmanager

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from otlp_messages import NOW, gauge, request_of
from otlp_oracle import Expected, golden_requests, rows, sorted_rows
from otlp_sdk import exported
from peak_memory import gzip_of_zeros, peak_growth

from kubestray.model.errors import KubestrayError, StoreError
from kubestray.receive.intake import Intake
from kubestray.receive.otlp import Bounds
from kubestray.receive.otlp_grpc import METHOD, OtlpGrpcReceiver

GOOD = request_of(gauge("a", 1.0, start=NOW, x="y"), host="h").SerializeToString()


def refusal(receivers, body: bytes = GOOD, **options) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        receivers.export(body, **options)
    return caught.value


def retry_info(error: grpc.RpcError) -> RetryInfo | None:
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    if details is None:
        return None
    status = Status.FromString(details)
    assert status.code == error.code().value[0]
    info = RetryInfo()
    assert status.details[0].Unpack(info)
    return info


def assert_still_serving(receivers) -> None:
    before = len(receivers.store.values)
    assert receivers.export(GOOD) == b""
    assert receivers.store.values[before:] == [1.0]


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_the_official_exporter(receivers, compression):
    exporter = OTLPMetricExporter(
        endpoint=f"127.0.0.1:{receivers.grpc_port}", insecure=True, compression=compression, timeout=20
    )
    exported(exporter, receivers)


@pytest.mark.parametrize(
    "compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate]
)
def test_recorded_requests(receivers, compression):
    expected = []
    for path in golden_requests():
        body = path.read_bytes()
        receivers.export(body, compression=compression)
        expected += Expected(body, Bounds.everything()).rows
    found = [row for batch in receivers.store.batches for row in rows(batch)]
    assert sorted_rows(found) == sorted_rows(expected)


def test_rejected_points_are_told_and_the_others_kept(receivers_with):
    receivers = receivers_with(bounds=lambda: Bounds(NOW, NOW))
    request = request_of(gauge("a", 1.0, float("nan"), 2.0), gauge("old", 3.0, time=1))
    answer = ExportMetricsServiceResponse.FromString(receivers.export(request.SerializeToString()))
    assert answer.partial_success.rejected_data_points == 2
    assert answer.partial_success.error_message == (
        "2 data points rejected: not_finite 1, older_than_retention 1"
    )
    assert receivers.store.values == [1.0, 2.0]
    seen = receivers.intake.tally.seen
    assert (seen.requests, seen.data_points, seen.rejected.total()) == (1, 2, 2)


@pytest.mark.parametrize("time", [0, 1_000_000, 2**63, 2**64 - 1])
def test_any_time_is_taken_within_bounds(receivers, time):
    receivers.export(request_of(gauge("a", 1.0, time=time)).SerializeToString())
    assert receivers.store.batches[0].time.tolist() == [time]


def test_an_empty_request_is_welcome(receivers):
    assert receivers.export(b"") == b""
    assert receivers.export(b"", compression=grpc.Compression.Gzip) == b""
    assert_still_serving(receivers)


@pytest.mark.parametrize(
    "body",
    [
        b"not protobuf",
        GOOD[:-1],
        b"\x00",
        gzip.compress(GOOD)[:-9],
        b"\x1f\x8b broken",
        zlib.compress(GOOD)[:-2],
    ],
    ids=["text", "cut", "zero", "cut gzip", "broken gzip", "cut deflate"],
)
def test_malformed(receivers, body):
    error = refusal(receivers, body)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details()
    assert receivers.intake.tally.seen.malformed == 1
    assert_still_serving(receivers)


def test_an_attribute_of_10_mb(receivers):
    request = request_of(gauge("a", 1.0), gauge("b", 2.0, big="x" * 10_000_000))
    answer = ExportMetricsServiceResponse.FromString(receivers.export(request.SerializeToString()))
    assert answer.partial_success.error_message == "1 data points rejected: attribute_too_long 1"
    assert receivers.store.values == [1.0]


def test_too_large_is_final(receivers_with):
    receivers = receivers_with(max_bytes=100_000)
    for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
        error = refusal(receivers, b"\n" * 100_001, compression=compression)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert retry_info(error) is None
    assert_still_serving(receivers)


def test_a_gzip_bomb_stays_small(receivers):
    """512 MiB of zeros. The receiver gets compressed messages as they are, so it may be sent like this."""
    bomb = gzip_of_zeros(1 << 29)
    with peak_growth() as peak:
        error = refusal(receivers, bomb)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert retry_info(error) is None
    assert peak.mebibytes < 300
    assert_still_serving(receivers)


def test_messages_are_not_decompressed_before_the_receiver_does(receivers_with):
    """By grpcio itself, that is: some of its versions know no limit while they do."""
    seen: list[bytes] = []
    receivers = receivers_with()
    with patched(Intake, "take_protobuf", lambda self, body, encoding: seen.append(body)):
        refusal(receivers, bytes(1_000_000), compression=grpc.Compression.Gzip)
    assert len(seen[0]) < 10_000


@contextmanager
def patched(owner, name, replacement):
    original = getattr(owner, name)
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        setattr(owner, name, original)


def test_a_full_queue_says_when_to_come_again(receivers_with):
    receivers = receivers_with(commit={"max_points": 1})
    with receivers.store.busy(lambda: receivers.export(GOOD)):
        error = refusal(receivers)
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert retry_info(error).retry_delay.ToNanoseconds() == 1_000_000_000
    assert receivers.store.values == [1.0]
    assert receivers.intake.tally.seen.refused == 1
    assert_still_serving(receivers)


def test_too_many_at_once_are_asked_to_come_again(receivers_with):
    receivers = receivers_with(concurrent=1)
    with receivers.store.busy(lambda: receivers.export(GOOD)):
        error = refusal(receivers)
        assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "too many requests at once")
        assert retry_info(error) is not None
    assert_still_serving(receivers)


def test_a_store_that_fails(receivers):
    receivers.store.failure = StoreError("disk full")
    error = refusal(receivers)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert retry_info(error) is None
    assert "disk" not in error.details()
    assert receivers.intake.tally.seen.refused == 1
    receivers.store.failure = None
    assert_still_serving(receivers)


def test_a_store_that_hangs(receivers_with):
    receivers = receivers_with(patience=0.3)
    receivers.store.open.clear()
    assert refusal(receivers).code() is grpc.StatusCode.UNAVAILABLE


def test_a_client_that_never_sends_its_request(receivers_with):
    receivers = receivers_with(patience=0.3, concurrent=1)
    never = threading.Event()

    def nothing():
        never.wait(20)
        yield b""

    with grpc.insecure_channel(f"127.0.0.1:{receivers.grpc_port}") as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.stream_unary(METHOD)(nothing(), timeout=20)
        never.set()
    assert caught.value.code() is grpc.StatusCode.CANCELLED
    assert_still_serving(receivers)


def test_calls_whose_request_never_comes_do_not_keep_others_waiting(receivers_with):
    receivers = receivers_with(concurrent=2)
    never = threading.Event()

    def nothing():
        never.wait(20)
        yield b""

    with grpc.insecure_channel(f"127.0.0.1:{receivers.grpc_port}") as channel:
        calls = [channel.stream_unary(METHOD).future(nothing(), timeout=20) for _ in range(4)]
        for _ in range(3):
            assert_still_serving(receivers)
        for call in calls:
            call.cancel()
        never.set()


@pytest.mark.parametrize(
    "metadata", [(), (("authorization", "Bearer wrong"),), (("authorization", "Basic right"),)]
)
def test_a_token_is_required(receivers_with, metadata):
    receivers = receivers_with(authorise=lambda token: token == "right")
    error = refusal(receivers, b"never read", metadata=metadata)
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert receivers.intake.tally.seen.unauthorised == 1
    assert receivers.export(GOOD, metadata=(("authorization", "Bearer right"),)) == b""


def test_other_services_are_not_served(receivers):
    with grpc.insecure_channel(f"127.0.0.1:{receivers.grpc_port}") as channel:
        method = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        with pytest.raises(grpc.RpcError) as caught:
            method(b"", timeout=20)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_an_address_in_use_is_an_error(receivers):
    second = OtlpGrpcReceiver(f"127.0.0.1:{receivers.grpc_port}", receivers.intake)
    with pytest.raises(KubestrayError, match="for OTLP gRPC; stop what listens there, or"):
        second.start()
    second.stop()


def test_many_clients_at_once(receivers):
    def send(number: int) -> None:
        for i in range(10):
            receivers.export(request_of(gauge("a", number * 10.0 + i)).SerializeToString())

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(receivers.store.values) == [float(i) for i in range(80)]
    assert receivers.intake.tally.seen.requests == 80
