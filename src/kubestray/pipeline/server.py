"""``serve``: receivers → group commit → store, and detections on schedule beside them."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from types import TracebackType
from typing import Self

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from kubestray.config import SECOND_NS, Address, Config
from kubestray.model.metric import Batch
from kubestray.naming.mapping import read_mapping
from kubestray.notify.notifier import Notifier
from kubestray.pipeline.accelerating import Accelerator, check_accelerated
from kubestray.pipeline.churning import churning
from kubestray.pipeline.detecting import Detector
from kubestray.pipeline.notifying import configured, notifier
from kubestray.pipeline.percentiles import percentile_metrics
from kubestray.pipeline.running import Running, Waiting
from kubestray.pipeline.schedule import Scheduler
from kubestray.pipeline.setting_up import content_of, patience_of, searching
from kubestray.pipeline.sources import check_exposure, kafka_of, newest_of, signalflow_of, sources_of, tls_of
from kubestray.pipeline.switching import Switches
from kubestray.pipeline.upkeep import Health, Upkeep, waiting
from kubestray.receive.browsers import KnownNames, NoWebPages
from kubestray.receive.budget import SeriesBudget
from kubestray.receive.catalog import Limits
from kubestray.receive.commit import GroupCommit
from kubestray.receive.hec_http import hec_routes
from kubestray.receive.http_intake import HttpIntake
from kubestray.receive.http_server import HttpReceiver
from kubestray.receive.intake import Intake
from kubestray.receive.kafka import KafkaReceiver
from kubestray.receive.otlp_grpc import OtlpGrpcReceiver
from kubestray.receive.otlp_http import otlp_routes
from kubestray.receive.points import Bounds
from kubestray.receive.remote_write_http import remote_write_routes
from kubestray.receive.signalflow import SignalFlowReceiver
from kubestray.receive.signalfx_http import signalfx_routes
from kubestray.receive.sources import Source
from kubestray.receive.tally import Seen, Tally
from kubestray.store.documents import Documents
from kubestray.store.open import hold_store
from kubestray.store.store import Store
from kubestray.store.summarise import Summariser

logger = logging.getLogger(__name__)

Routes = Callable[[HttpIntake], list[Route]]
"""What a protocol over HTTP is made of."""

_CONSOLE_AFTER = 2.0  # seconds

_COMMIT_NS = 100_000_000
"""Nanoseconds between two writes to a store: each is a part of its tables, which has to be merged."""

_JOURNAL_NS = 5_000_000
"""The same where a write only adds to the journal, and waiting would keep senders from sending."""

Console = Callable[[Running], ASGIApp]
"""Makes what answers on the console's address, of what the server has."""

_BESIDE_OTLP: dict[str, Routes] = {
    "remote_write": remote_write_routes,
    "signalfx": signalfx_routes,
    "splunk_hec": hec_routes,
}
"""Protocols that the OTLP listener speaks too, by the setting that gives them one more address."""


class Server:
    """Everything that runs in ``kubestray serve``; a context manager that starts and stops it.

    Starting: the store first, then what reads it, then the receivers; stopping in the other order,
    so that whatever was acknowledged is written before the store is closed.
    """

    def __init__(self, config: Config, console: Console | None = None) -> None:
        self._config, self._console = config, console
        self._sources = sources_of(config)
        check_exposure(config, self._sources, ("otlp_grpc", "otlp_http", *_BESIDE_OTLP))
        self._tls = tls_of(config)
        self._kafka = kafka_of(config)
        self._signalflow = signalflow_of(config)
        self._content = content_of(config)
        check_accelerated(config, self._content)
        self._told = configured(config)
        self._ready = threading.Event()
        self._going_on: Callable[[], bool] = lambda: True
        self._newest, self._tally = Newest(), Tally()
        self._waiting: Callable[[], Waiting] = Waiting
        self._health: Callable[[], Health] = Health
        self._started = ExitStack()
        self._ports: dict[str, Address] = {}
        self.url = ""
        self.running: Running | None = None

    def addresses(self) -> list[str]:
        """Say what listens where."""
        return [f"{name} on {address}" for name, address in self._ports.items()]

    def port(self, name: str) -> int:
        """Return the port of a listener: ``otlp_grpc``, ``otlp_http``, ``http``, or a protocol's own."""
        return self._ports[name].port

    def address(self, name: str) -> Address:
        """Return where a listener is to be reached from this machine."""
        return self._ports[name].from_here

    def __enter__(self) -> Self:
        # What was started is stopped in the other order, also if the next thing does not start.
        with ExitStack() as started:
            self._started = started
            self._start()
            self._started = started.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self) -> None:
        # What is remembered of series is many objects that live long, and requests make as many that go soon:
        # with the usual thresholds looking for cycles took a tenth of the time of receiving.
        gc.set_threshold(50_000, 50, 50)
        store = self._open_store()
        self.running = running = self._running(store)
        self._listen_console(running)
        commit = GroupCommit(
            self._newest.after(store.append),
            max_points=self._config["max_queue"],
            max_bytes=self._config["max_queue_bytes"],
            interval=self._commit_interval(store) / SECOND_NS,
        )
        self._started.callback(commit.close)
        self._waiting = lambda: Waiting(commit.points, commit.bytes)
        self._schedule(store, running, self._notify(store))
        self._maintain(store)
        self._receive(commit, store)
        self._ready.set()

    def _stop(self) -> None:
        self._ready.clear()
        self._started.close()

    def _commit_interval(self, store: Store) -> int:
        chosen: int | None = self._config["commit_interval"]
        return chosen or (_JOURNAL_NS if store.has_journal else _COMMIT_NS)

    def _open_store(self) -> Store:
        store, shared = hold_store(self._config["store"])
        self._started.callback(store.close)
        if shared:
            shared.backlog = lambda: asdict(waiting(store, self._config, self._content))
            shared.start()
            self._started.callback(shared.stop)
        self.url = store.engine.url
        return store

    def _running(self, store: Store) -> Running:
        config, content = self._config, self._content
        switches = Switches(Documents(store), content)
        switches.apply()
        return Running(
            config,
            store,
            content,
            self._newest.read,
            self._seen,
            self._listening,
            switches,
            self._senders,
            waiting=lambda: self._waiting(),
            upkeep=lambda: self._health(),
        )

    def _schedule(self, store: Store, running: Running, sending: Notifier) -> None:
        config = self._config
        scheduler = Scheduler(
            store,
            self._content,
            Detector(store, self._content, searching(config)),
            patience_of(config),
            self._newest.read,
            changed=sending.wake,
            refresh=running.switches.refresh if running.switches else lambda: None,
        )
        scheduler.start()
        self._going_on = scheduler.is_alive
        self._started.callback(scheduler.stop)

    def _notify(self, store: Store) -> Notifier:
        sending = notifier(store, self._config, self._told)
        sending.start()
        self._started.callback(sending.stop)
        return sending

    def _maintain(self, store: Store) -> None:
        config, content = self._config, self._content
        # Which attributes churn, and which metrics have sketches, is settled by the content as it is now, and
        # worked out when it is wanted.
        now = content.copy()
        without, sketched = (partial(find, config, now) for find in (churning, percentile_metrics))
        summariser = Summariser(store, without, sketched)
        upkeep = Upkeep(store, summariser, Accelerator(store, config, content), config)
        upkeep.start()
        self._health = upkeep.health
        self._started.callback(upkeep.stop)

    def _receive(self, commit: GroupCommit, store: Store) -> None:
        intake = Intake(
            submit=commit.submit,
            bounds=self._bounds,
            full=lambda: commit.full,
            max_bytes=self._config["max_request"],
            limits=Limits(max_attributes=self._config["max_attributes"]),
            sources=self._sources,
            counters=read_mapping(self._config["mapping"]).counters,
            tally=self._tally,
        )
        grpc = OtlpGrpcReceiver(str(self._config["otlp_grpc"]), intake, self._tls)
        self._listen("otlp_grpc", grpc.start, grpc.stop)
        self._listen_http("otlp_http", intake, otlp_routes, *_BESIDE_OTLP.values())
        for name, routes in _BESIDE_OTLP.items():
            if self._config[name]:
                self._listen_http(name, intake, routes)
        if self._signalflow:
            budget = SeriesBudget("observability", self._config["new_series"])
            pulled = Source("observability", "", budget)
            pulling = SignalFlowReceiver(
                self._signalflow,
                intake,
                partial(newest_of, store, self._config["observability_backfill"]),
                pulled,
            )
            pulling.start()
            self._started.callback(pulling.stop)
        if self._kafka:
            kafka = KafkaReceiver(self._kafka[0], intake, self._kafka[1])
            kafka.start()
            self._started.callback(kafka.stop)

    def _listen_http(self, name: str, intake: Intake, *protocols: Routes) -> None:
        requests = HttpIntake(intake)
        self._started.callback(requests.close)
        routes = [route for protocol in protocols for route in protocol(requests)]
        app: ASGIApp = Starlette(routes=routes)
        if not all(source.token for source in self._sources.all):
            app = NoWebPages(app)
        http = HttpReceiver(str(self._config[name]), app, self._tls)
        self._listen(name, http.start, http.stop)

    def _listen_console(self, running: Running) -> None:
        """Answer on the console's address; it is not ready before the receivers are."""
        routes: list[BaseRoute] = [Route("/healthz", self._healthz), Route("/readyz", self._readyz)]
        if self._console:
            later = Later(self._console, running)
            routes.append(Mount("/", later))
            later.start()
            self._started.callback(later.stop)
        tls = self._tls.without_clients() if self._tls else None
        app: ASGIApp = Starlette(routes=routes)
        if self._config["http"].loopback:
            app = KnownNames(app, self._config["console_url"])
        http = HttpReceiver(str(self._config["http"]), app, tls)
        self._listen("http", http.start, http.stop)

    def _seen(self) -> Seen:
        return self._tally.seen

    def _senders(self) -> dict[str, Seen]:
        return {source.name: source.tally.seen for source in self._sources.all}

    def _listening(self) -> dict[str, str]:
        return {name: str(address) for name, address in self._ports.items()}

    def _listen(self, name: str, start: Callable[[], int], stop: Callable[[], None]) -> None:
        self._ports[name] = Address(self._config[name].host, start())
        self._started.callback(stop)

    def _bounds(self) -> Bounds:
        clock = time.time_ns()
        return Bounds(clock - self._config["retention_raw"], clock + self._config["future_limit"])

    async def _healthz(self, _request: Request) -> PlainTextResponse:
        if self._ready.is_set() and not self._going_on():
            return PlainTextResponse("the schedule has ended: see the log, and start anew\n", status_code=503)
        return PlainTextResponse("ok\n")

    async def _readyz(self, _request: Request) -> PlainTextResponse:
        ready = self._ready.is_set()
        return PlainTextResponse("ready\n" if ready else "starting\n", status_code=200 if ready else 503)


class Later:
    """The console, which takes a second to load: put together soon after the start, or when asked for."""

    def __init__(self, make: Console, running: Running) -> None:
        self._make, self._running = make, running
        self._lock = threading.Lock()
        self._made: ASGIApp | None = None
        self._timer = threading.Timer(_CONSOLE_AFTER, self.get)
        self._timer.daemon = True

    def start(self) -> None:
        """Put it together soon."""
        self._timer.start()

    def stop(self) -> None:
        """Do not, if it is not under way."""
        self._timer.cancel()

    def get(self) -> ASGIApp:
        """Return it."""
        with self._lock:
            if self._made is None:
                self._made = self._make(self._running)
            return self._made

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        app = self._made
        if app is None:
            app = await run_in_threadpool(self.get)
        await app(scope, receive, send)


class Newest:
    """The time of the newest stored point that is not ahead of the clock, in nanoseconds."""

    def __init__(self) -> None:
        self._time = 0
        self._lock = threading.Lock()

    def read(self) -> int:
        """Return it; 0 before any point was stored."""
        return self._time

    def after(self, append: Callable[[Batch], None]) -> Callable[[Batch], None]:
        """Return ``append``, followed by taking note of the batch's newest time."""

        def appended(batch: Batch) -> None:
            append(batch)
            past = batch.time[batch.time <= time.time_ns()]
            if len(past):
                with self._lock:
                    self._time = max(self._time, int(past.max()))

        return appended
