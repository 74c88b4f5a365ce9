"""The steps of the demonstration, and what a person sees of them.

Nothing is prepared: 30 days of history are simulated and written to an empty store, a server is started
on it, the last hour is sent to that server over OTLP gRPC, and the detections that need no time to learn are
run beside it. What they say becomes findings as it does on a schedule, and a server goes on from there. The
labels of the simulation are looked at only afterwards, to compare.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from kubestray.cli import findings_text
from kubestray.config import load_config
from kubestray.detect.runner import Times
from kubestray.model.errors import KubestrayError, UsageError
from kubestray.pipeline.assessing import Assessment
from kubestray.pipeline.detecting import Detector, Run, wanted_searches
from kubestray.pipeline.setting_up import content_of, searching
from kubestray.simulate import Simulation, SimulationConfig, simulate
from kubestray.store.open import open_store

SECOND = 10**9
HOUR = 3600 * SECOND
DAY = 24 * HOUR

# The metrics of the network story; the simulator has more.
METRICS = ("tcp.bytes", "tcp.packets", "tcp.new_sockets", "udp.bytes", "udp.packets")
DETECTIONS = (
    "Data to a new destination",
    "Workload looks who is there",
    "Calls at even intervals",
    "Questions too long for names",
    "New TCP connection between workloads",
    "New UDP connection between workloads",
)
_EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
_NO_SCHEDULE = ("--lateness", "2h", "--idle", "2h")
"""How the server that receives waits, so that it runs no detection beside those that are shown."""
_SENDERS = 10  # requests under way at once: the default of the collector's exporters
_PATIENCE = 60.0  # seconds for the server to get ready


class Demonstration:
    """One demonstration in a folder of its own."""

    def __init__(self, folder: Path, seed: int, *, kept: bool, stays: bool = False) -> None:
        self.store, self.kept, self.stays = folder / "store", kept, stays
        self.told: list[str] = []
        """What the server has written to its log."""
        self.now = time.time_ns() // (10 * SECOND) * 10 * SECOND
        self.start = self.now - 30 * DAY
        settings = SimulationConfig(start_ns=self.start, end_ns=self.now, seed=seed, scenario="exfiltration")
        self.simulation: Simulation = simulate(settings)
        self.console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
        self.config = load_config({"store": str(self.store), "retention_raw": "31d"}, {}, None)

    def run(self) -> int:
        """Go through all steps; return the exit code: 0 if what the detections rank first is the attack."""
        if self.kept and self.store.exists():
            raise UsageError(f"{self.store} is there already: name another folder, or remove it")
        cluster = self.simulation.cluster
        self.console.print(
            f"[bold]kubestray demo[/] – a simulated cluster of {self.simulation.config.nodes} nodes and "
            f"{len(cluster.owners)} workloads, with an exfiltration under way\n"
        )
        with self._progress() as progress:
            self._write_history(progress)
        with self._server(*_NO_SCHEDULE) as address:
            self.console.print(f"a server is running on the store: OTLP gRPC on {address}")
            with self._progress() as progress:
                self._send_last_hour(progress, address)
            runs = self._detect()
        self._open_findings()
        code = findings_text.show(self.console, runs, self.simulation.labels, self._next_steps())
        if self.stays:
            self._stay()
        return code

    def _stay(self) -> None:
        """Start a server that goes on from here, and keep its console until somebody interrupts."""
        self.told.clear()
        with suppress(KeyboardInterrupt), self._server():
            link = self._link()
            self.console.print(f"\nthe same in the console: [bold]{link}[/]", soft_wrap=True)
            self.console.print(
                "the link sets a password for the account admin, once; Ctrl-C ends the demo\n"
                "detections that learn what is normal take a minute or more to read the 30 days there"
            )
            if _has_display():
                webbrowser.open(link)
            while True:
                time.sleep(3600)

    def _link(self) -> str:
        """Return the link with which the first admin logs in, as the server tells it in its log."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if found := re.search(r"http://\S+/login/link/\S+", "".join(self.told)):
                return found[0]
            time.sleep(0.1)
        raise KubestrayError(f"the demo's server told no link to log in with: {''.join(self.told).strip()}")

    def _progress(self) -> Progress:
        columns = (
            TextColumn("{task.description:<52}"),
            BarColumn(30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        return Progress(*columns, console=self.console)

    def _write_history(self, progress: Progress) -> None:
        """Write the history: a point a minute, and in the two hours before the last one every ten seconds."""
        task = progress.add_task("30 days of history into the store (points)", total=None)
        store = open_store(str(self.store))
        try:
            for start, end, step in (
                (self.start, self.now - 3 * HOUR, 60),
                (self.now - 3 * HOUR, self.now - HOUR, 10),
            ):
                for batch in self.simulation.batches(start, end, step, ("network",), METRICS):
                    store.append(batch)
                    progress.advance(task, len(batch))
        finally:
            store.close()
        progress.update(task, total=progress.tasks[task].completed)

    def _send_last_hour(self, progress: Progress, address: str) -> None:
        """Send the last hour as a collector would; every request must be acknowledged."""
        requests = list(self.simulation.payloads(self.now - HOUR, self.now, 10, ("network",), METRICS))
        task = progress.add_task("the last hour over OTLP gRPC (requests)", total=len(requests))
        with grpc.insecure_channel(address) as channel, ThreadPoolExecutor(_SENDERS) as senders:
            export = channel.unary_unary(
                _EXPORT, response_deserializer=ExportMetricsServiceResponse.FromString
            )
            for answer in senders.map(lambda request: export(request[1], timeout=60), requests):
                if answer.partial_success.rejected_data_points:
                    raise KubestrayError(
                        f"the server rejected points: {answer.partial_success.error_message}"
                    )
                progress.advance(task)

    def _detect(self) -> list[Run]:
        """Run detections over the last hour, through the running server."""
        told = f"running {len(DETECTIONS)} detections over the last hour against the 30 days before …\n"
        self.console.print(told)
        content = content_of(self.config)
        store = open_store(str(self.store))
        try:
            detector = Detector(store, content, searching(self.config))
            times = Times(self.now, "-1h", "now")
            return [detector.run(search, times) for search in wanted_searches(content, DETECTIONS)]
        finally:
            store.close()

    def _open_findings(self) -> None:
        """Make findings of what the detections have said; the schedule of a server goes on from there."""
        store = open_store(str(self.store))
        try:
            Assessment(store, content_of(self.config), self.now - HOUR).advance(self.now)
        finally:
            store.close()

    @contextmanager
    def _server(self, *more: str) -> Iterator[str]:
        """Run ``kubestray serve`` on the demo's store; yield its OTLP gRPC address."""
        grpc_port, http_port, health = _free_ports(3)
        command = [sys.executable, "-m", "kubestray", "serve", "--store", str(self.store)]
        command += ["--otlp-grpc", f"127.0.0.1:{grpc_port}", "--otlp-http", f"127.0.0.1:{http_port}"]
        command += ["--http", f"127.0.0.1:{health}", "--retention-raw", "31d", "--log-level", "warning"]
        command += more
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603 (our own command)
        reading = threading.Thread(target=self._listen, args=(server,), daemon=True)
        reading.start()
        try:
            self._wait_until_ready(server, health)
            yield f"127.0.0.1:{grpc_port}"
        finally:
            server.terminate()
            server.wait(timeout=60)
            reading.join()

    def _listen(self, server: subprocess.Popen[str]) -> None:
        """Keep what the server says, so that its log never fills the pipe."""
        assert server.stderr
        with server.stderr:
            for line in server.stderr:
                self.told.append(line)

    def _wait_until_ready(self, server: subprocess.Popen[str], port: int) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if server.poll() is not None:
                raise KubestrayError(f"the demo's server ended early: {''.join(self.told).strip()}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        raise KubestrayError("the demo's server did not get ready in a minute")

    def _next_steps(self) -> list[str]:
        if not self.kept:
            stay = "kubestray demo --serve              stays on the console when all is found"
            return [
                *([] if self.stays else [stay]),
                "kubestray demo --keep ./demo-data   keeps the store, so that you can search in it",
            ]
        store = shlex.quote(str(self.store))
        return [
            f"kubestray search --store {store} "
            "'| mstats avg(tcp.bytes) where index=* by source.workload.name span=1h'",
            f"kubestray serve --store {store} --retention-raw 31d   goes on from here",
        ]


def _has_display() -> bool:
    """Return whether a browser would open in a window, and not in the terminal."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on at the moment."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
