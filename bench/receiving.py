"""How many points a second are acknowledged, beside what VictoriaMetrics and Prometheus take by remote write.

``serve`` runs as a process of its own, as the peers do, and the sender is here, on the same machine: requests
of 300 processes × 14 points on connections that are kept. Series are known (catalog warm); what it costs that
5 % of the processes are replaced in the scrapes of a minute is told by spells with and without it that take
turns, as both see merges of what came before. Scrapes follow each other as fast as they are acknowledged,
with times a tenth of a second apart.
"""

from __future__ import annotations

import http.client
import os
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from bench.scrapes import STEP, OtlpNode, RemoteWriteNode
from bench.served import Deadline, Server, Stopped, running
from bench.stages import stages

NODES = 16
SENDERS = 16
_LEARNING = 3  # scrapes until all is known
_AT_FIRST = 4  # senders meanwhile: what is new takes longer
_CHURN = 0.05 / 6  # of the processes in each scrape: 5 % a minute, if there is one in 10 s
_TURNS = 4  # spells with churn, and as many without
Node = OtlpNode | RemoteWriteNode


def receiving(folder: Path, seconds: float) -> dict[str, Any]:
    """Measure ``seconds`` of OTLP, two fifths for churn, and a fifth of remote write and of each peer."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"stages_microseconds_a_point": stages(folder / "stages")}
    figures |= _ours(folder, seconds)
    for name, command, ready in _peers(folder):
        program = shutil.which(name) or shutil.which(f"{name}-prod")
        if program is None:
            figures[f"{name}_points_per_second"] = f"skipped: {name} is not installed"
            continue
        figures |= _peer(name, partial(command, program), ready, folder / f"{name}.log", seconds / 5)
    for ratio, ours, theirs in (
        ("otlp_over_victoriametrics_remote_write", "otlp", "victoria-metrics"),
        ("otlp_over_prometheus_remote_write", "otlp", "prometheus"),
        ("remote_write_over_victoriametrics", "remote_write", "victoria-metrics"),
    ):
        both = figures[f"{ours}_points_per_second"], figures[f"{theirs}_points_per_second"]
        if all(isinstance(one, int) for one in both):
            figures[ratio] = round(both[0] / both[1], 2)
    return figures


def _ours(folder: Path, seconds: float) -> dict[str, Any]:
    def command(port: int) -> list[str]:
        serve = [
            sys.executable,
            "-m",
            "kubestray",
            "serve",
            "--store",
            str(folder / "store"),
            "--log-level",
            "error",
        ]
        return [
            *serve,
            "--otlp-http",
            f"127.0.0.1:{port}",
            "--otlp-grpc",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
        ]

    deadline = Deadline(8 * seconds + 120)
    with running(command, "/v1/metrics", folder / "serve.log", deadline, any_answer=True) as server:
        nodes: list[Node] = [OtlpNode(number) for number in range(NODES)]
        sending = Sending(server, nodes)
        sending.scrapes(_LEARNING)
        sending.measure(seconds / 6)  # the memory of both, and merges, are then as they stay
        threads = _threads(server.pid)
        with _watching(server.pid, seconds / 6) as resident:
            rate = sending.measure(seconds)
        points = sending.counted
        spent = _threads(server.pid) - threads
        same, churned = sending.taking_turns(seconds / 5 / _TURNS)
        written = Sending(server, [RemoteWriteNode(number) for number in range(NODES)])
        written.scrapes(_LEARNING)
        by_remote_write = written.measure(seconds / 5)
    return {
        "otlp_points_per_second": rate,
        "otlp_churn_5_percent_points_per_second": churned,
        "otlp_churn_5_percent_costs": round(1 - churned / same, 3),
        "otlp_resident_mb_by_sixths": resident,
        "otlp_cpu_microseconds_a_point": {name: round(1e6 * one / points, 2) for name, one in spent.items()},
        "remote_write_points_per_second": by_remote_write,
    }


class Sending:
    """Nodes that send to a server; each keeps one connection, and its scrapes in order."""

    def __init__(self, server: Server, nodes: Sequence[Node]) -> None:
        self._server, self._nodes = server, nodes
        self._time = time.time_ns() // STEP * STEP - 300 * 10**9
        self._scraped = [0] * len(nodes)
        self._problems: list[str] = []
        self.counted = 0

    def scrapes(self, number: int) -> None:
        """Have every node send so many scrapes."""
        done = [self._scraped[at] + number for at in range(len(self._nodes))]
        self._run(lambda at: self._scraped[at] < done[at], 0.0, _AT_FIRST)

    def measure(self, seconds: float, churn: float = 0.0) -> int:
        """Return the points a second that are acknowledged."""
        began = time.monotonic()
        self.counted = self._run(lambda _: time.monotonic() < began + seconds, churn)
        return round(self.counted / (time.monotonic() - began))

    def taking_turns(self, seconds: float) -> tuple[int, int]:
        """Return the points a second without churn and with it, of spells of so many seconds."""
        for node in self._nodes:
            node.prepare()
        both = [(self.measure(seconds), self.measure(seconds, _CHURN)) for _ in range(_TURNS)]
        return round(mean(same for same, _ in both)), round(mean(churned for _, churned in both))

    def _run(self, going: Callable[[int], bool], churn: float, senders: int = SENDERS) -> int:
        before = list(self._scraped)
        threads = [
            threading.Thread(target=self._send, args=(range(first, len(self._nodes), senders), going, churn))
            for first in range(min(senders, len(self._nodes)))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._problems:
            raise Stopped(self._problems[0])
        scraped = zip(self._nodes, self._scraped, before, strict=True)
        return sum(node.points * (now - then) for node, now, then in scraped)

    def _send(self, mine: range, going: Callable[[int], bool], churn: float) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=180)
        owed = 0.0
        try:
            while any(going(at) for at in mine):
                for at in mine:
                    node = self._nodes[at]
                    owed += churn * 300
                    node.replace(int(owed))
                    owed -= int(owed)
                    self._post(connection, node, self._time + self._scraped[at] * STEP)
                    self._scraped[at] += 1
        except (OSError, http.client.HTTPException, Stopped) as error:
            self._problems.append(f"sending ended: {error!r}")
        finally:
            connection.close()

    def _post(self, connection: http.client.HTTPConnection, node: Node, at: int) -> None:
        body = node.body(at)
        while True:
            connection.request("POST", node.path, body, node.headers)
            response = connection.getresponse()
            answer = response.read()
            if response.status < 300:
                return
            if response.status not in (429, 503):
                raise Stopped(f"{node.path} answered {response.status}: {answer[:300]!r}")
            self._server.deadline.left("being told to come again")
            time.sleep(0.1)


def _peer(
    name: str, command: Callable[[int], list[str]], ready: str, log: Path, seconds: float
) -> dict[str, Any]:
    try:
        with running(command, ready, log, Deadline(4 * seconds + 60)) as server:
            sending = Sending(server, [RemoteWriteNode(number) for number in range(NODES)])
            sending.scrapes(_LEARNING)
            before = _threads(server.pid)
            rate = sending.measure(seconds)
            spent = (_threads(server.pid) - before).total()
    except Stopped as stopped:
        return {f"{name}_points_per_second": f"stopped: {stopped}"}
    return {
        f"{name}_points_per_second": rate,
        f"{name}_cpu_microseconds_a_point": round(1e6 * spent / sending.counted, 2),
    }


def _peers(folder: Path) -> list[tuple[str, Callable[[str, int], list[str]], str]]:
    settings = folder / "prometheus.yml"
    settings.write_text("global: {}\n", encoding="utf-8")

    def victoria_metrics(program: str, port: int) -> list[str]:
        return [
            program,
            f"-storageDataPath={folder / 'vm'}",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-loggerLevel=ERROR",
        ]

    def prometheus(program: str, port: int) -> list[str]:
        return [
            program,
            f"--config.file={settings}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver",
            "--log.level=error",
        ]

    return [("victoria-metrics", victoria_metrics, "/health"), ("prometheus", prometheus, "/-/ready")]


def _resident(pid: int) -> int:
    """Return the resident memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


@contextmanager
def _watching(pid: int, every: float) -> Iterator[list[int]]:
    """Give a list to which the resident memory of a process (MB) is added each so many seconds."""
    seen: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(every):
            seen.append(_resident(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


_NAMES = {"python": "decoding, answering, sorting", "ThreadPool": "insert", "MergeMutate": "merges"}


def _threads(pid: int) -> Counter[str]:
    """Return the seconds of processor time of a process by the kind of thread."""
    found: Counter[str] = Counter()
    for task in Path(f"/proc/{pid}/task").iterdir():
        name, _, rest = (task / "stat").read_text(encoding="utf-8").partition("(")[2].rpartition(")")
        fields = rest.split()
        spent = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        found[_NAMES.get(name, "other")] += spent  # type: ignore[assignment, operator]
    return found
