"""A running pair of receivers over a store in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property

import grpc
import pytest
from memory_store import MemoryStore
from starlette.applications import Starlette

from kubestray.receive.commit import GroupCommit
from kubestray.receive.hec_http import hec_routes
from kubestray.receive.http_intake import HttpIntake
from kubestray.receive.http_server import HttpReceiver
from kubestray.receive.intake import Intake
from kubestray.receive.otlp import Bounds
from kubestray.receive.otlp_grpc import METHOD, OtlpGrpcReceiver
from kubestray.receive.otlp_http import otlp_routes
from kubestray.receive.remote_write_http import remote_write_routes
from kubestray.receive.remote_write_samples import label_cache
from kubestray.receive.signalfx_http import signalfx_routes


@dataclass
class Receivers:
    """Both receivers, each started when its port is first asked for."""

    store: MemoryStore
    intake: Intake
    closers: list[Callable[[], None]] = field(default_factory=list)

    @cached_property
    def grpc_port(self) -> int:
        return self._started(OtlpGrpcReceiver("127.0.0.1:0", self.intake))

    @cached_property
    def http_port(self) -> int:
        requests = HttpIntake(self.intake)
        routes = [*otlp_routes(requests), *remote_write_routes(requests, label_cache())]
        routes += [*signalfx_routes(requests), *hec_routes(requests)]
        return self._started(HttpReceiver("127.0.0.1:0", Starlette(routes=routes)))

    def _started(self, receiver) -> int:
        self.closers.append(receiver.stop)
        return receiver.start()

    def close(self) -> None:
        self.store.open.set()
        for close in reversed(self.closers):
            close()

    def export(self, body: bytes, *, timeout: float = 20, metadata=(), **channel_options) -> bytes:
        """Send one raw request over gRPC; return the raw answer."""
        options = [("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(
            f"127.0.0.1:{self.grpc_port}", options=options, **channel_options
        ) as channel:
            return channel.unary_unary(METHOD)(body, timeout=timeout, metadata=metadata)


@pytest.fixture(scope="module")
def _done() -> Iterator[list[Receivers]]:
    """Receivers whose tests are over; a server takes a moment to stop, so they are stopped together."""
    done: list[Receivers] = []
    yield done
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(Receivers.close, done))


@pytest.fixture
def receivers_with(_done) -> Iterator:
    """A function that makes receivers; keyword arguments are fields of `Intake` or of `GroupCommit`."""
    made: list[Receivers] = []

    def make(commit: dict | None = None, **intake_fields) -> Receivers:
        store = MemoryStore()
        group_commit = GroupCommit(store.append, **{"interval": 0.01, **(commit or {})})
        intake = Intake(group_commit.submit, Bounds.everything, full=lambda: group_commit.full)
        intake = replace(intake, **intake_fields)
        made.append(Receivers(store, intake, [group_commit.close]))
        return made[-1]

    yield make
    for receivers in made:
        receivers.store.open.set()
    _done += made


@pytest.fixture
def receivers(receivers_with) -> Receivers:
    return receivers_with()
