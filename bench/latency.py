"""How long it takes from a point's arrival to its finding, in a server as it is by default.

A small simulated cluster and a fleet of workloads have two days of history, which direct detections have
learned; then both send over OTLP/HTTP every ten seconds, one node after the other, to ``kubestray serve``
on this machine. Things happen in the fleet (`bench.happenings`). What is measured is the time from the answer
to the request whose points make a finding to the first answer of the API that has it.
"""

from __future__ import annotations

import heapq
import itertools
import json
import math
import os
import statistics
import struct
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.detections import METRICS
from bench.happenings import CLUSTER, SECOND, STEP, Happening, Workload, happenings, past, request
from bench.served import Deadline, Server, free_port, running
from kubestray.api.accounts import Accounts, Role
from kubestray.config import load_config
from kubestray.detect.runner import Times, request_of
from kubestray.model.content import Detection
from kubestray.pipeline.agenda import scheduled
from kubestray.pipeline.detecting import Detector
from kubestray.pipeline.setting_up import content_of, searching
from kubestray.search.run import learns
from kubestray.simulate import Simulation, SimulationConfig, simulate
from kubestray.store.documents import Documents
from kubestray.store.open import open_store
from kubestray.store.store import Store

DAYS = 2
FLEET = 49
CALM = 12.0  # seconds in which nothing happens, for what the server takes then
_SETTLED = 3.0  # seconds after its start from which on that is measured
_AFTER = 15.0  # seconds that findings may take after the last thing that happened
_LASTS = 22.0  # seconds that one of them takes at the most
_POLL = 0.5  # seconds between two questions to the API
_PROTOBUF = {"Content-Type": "application/x-protobuf"}


def latency(folder: Path, budget_seconds: float) -> dict[str, Any]:
    """Measure within some seconds, 150 if the machine is a quiet one; see the module."""
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    now = int(time.time()) // STEP * STEP
    simulation = simulate(
        SimulationConfig(
            start_ns=(now - DAYS * 86_400) * SECOND, end_ns=now * SECOND, cluster=CLUSTER, scenario="calm"
        )
    )
    fleet = [Workload(number) for number in range(FLEET)]
    config = load_config({"store": str(folder / "store")}, {}, None)
    store = open_store(str(folder / "store"))
    try:
        _fill(store, simulation, fleet, now)
        _learn(store, config)
        secret = _token(store)
    finally:
        store.close()
    port = free_port()

    def command(http: int) -> list[str]:
        listening = {"--otlp-http": port, "--otlp-grpc": 0, "--http": http}
        addresses = [word for flag, at in listening.items() for word in (flag, f"127.0.0.1:{at}")]
        serve = [sys.executable, "-m", "kubestray", "serve", "--store", str(folder / "store")]
        return [*serve, *addresses, "--log-level", "error"]

    deadline = Deadline(max(60.0, budget_seconds - (time.monotonic() - began)))
    with running(command, "/readyz", folder / "serve.log", deadline) as server:
        live = _Live(server, Server(port, deadline), secret, simulation, fleet, now)
        figures = live.measure(deadline.remaining() - _AFTER - 5)
    return figures | {"seconds": round(time.monotonic() - began, 1)}


def _fill(store: Store, simulation: Simulation, fleet: list[Workload], now: int) -> None:
    begin, end = (now - DAYS * 86_400) * SECOND, now * SECOND
    for batch in simulation.batches(begin, end, 60, metrics=METRICS):
        store.append(batch)
    dice = np.random.default_rng(7)
    for one in fleet:
        times = np.arange(begin, end, 60 * SECOND, np.uint64) + np.uint64(one.number % 60 * SECOND)
        store.append(past(one.usual(dice), times[times < end], dice))


def _learn(store: Store, config: Any) -> None:
    """Have direct detections learn what is normal, as a server that has run for two days has.

    Such a server has written what it knew some hours ago too: what is found is explained from that.
    """
    content = content_of(config)
    make = searching(config)
    detector = Detector(store, content, make)
    for search in scheduled(content):
        request = request_of(search, content, Times(store.clock()), make)
        if isinstance(search, Detection) and search.direct and learns(request):
            for hours in (3, 2, 1, 0):
                detector.run(search, Times(request.now - hours * 3600 * SECOND))


def _token(store: Store) -> str:
    accounts = Accounts(Documents(store), store.clock)
    return accounts.make_token(accounts.create("bench", Role.ADMIN), "bench", Role.VIEWER, None)[0]


@dataclass(order=True, slots=True)
class _Sending:
    """A request that is due at a time (epoch seconds); what it makes a finding of."""

    at: float
    number: int
    body: bytes = field(compare=False)
    makes: Happening | None = field(compare=False, default=None)


class _Live:
    """The fleet and the cluster as they send, and who reads what was found."""

    def __init__(
        self,
        server: Server,
        receiver: Server,
        secret: str,
        simulation: Simulation,
        fleet: list[Workload],
        since: int,
    ) -> None:
        self._server, self._receiver, self._secret = server, receiver, secret
        self._simulation, self._fleet, self._since = simulation, fleet, since
        self._numbers = itertools.count()
        self._acknowledged: dict[tuple[str, str], float] = {}
        self._seen: dict[tuple[str, str], float] = {}
        self._done = threading.Event()

    def measure(self, seconds: float) -> dict[str, Any]:
        """Send for some seconds, and return the figures."""
        start = time.time()
        last = start + seconds
        whole = math.ceil((start + CALM + 8) / 60) * 60  # what is slow is complete at this minute
        wanted = list(happenings(self._fleet, whole))
        due = [*self._usual(start, last + _AFTER)]
        begin = start + _SETTLED + CALM
        quick = [one for one, own_time in wanted if not own_time]
        order = np.random.default_rng(11).permutation(len(quick))
        room = last - _LASTS - begin
        for place, number in enumerate(order):
            due += self._of(quick[number], begin + room * place / len(quick))
        for one, own_time in wanted:
            if own_time:
                due += self._of(one, 0.0)
        heapq.heapify(due)
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()
        spent = [self._spent(start + _SETTLED), self._spent(begin)]
        try:
            self._send(due, len(wanted), last)
        finally:
            self._done.set()
            reader.join()
        return self._figures(wanted, spent)

    def _usual(self, start: float, end: float) -> Iterator[_Sending]:
        """Yield what the cluster and the fleet send in any case, from where their history ends."""
        dice = np.random.default_rng(13)
        first = int(start) // STEP * STEP
        for place, (time_ns, body) in enumerate(
            self._simulation.payloads(first * SECOND, int(end) * SECOND, STEP, metrics=METRICS)
        ):
            late = place * 3 % STEP  # agents do not all send at once, nor at the same time as their points
            moved = time_ns + late * SECOND
            body = body.replace(struct.pack("<Q", time_ns), struct.pack("<Q", moved))
            yield _Sending(moved / SECOND, next(self._numbers), body)
        for one in self._fleet:
            for second in range(first + one.number % STEP, int(end), STEP):
                yield _Sending(second, next(self._numbers), request(one.usual(dice), second * SECOND))

    def _of(self, happening: Happening, begin: float) -> Iterator[_Sending]:
        makes = happening.made_by % len(happening.sendings)
        for place, (second, points) in enumerate(happening.sendings):
            at = begin + second
            body = request(points, int(at * SECOND))
            yield _Sending(at, next(self._numbers), body, happening if place == makes else None)

    def _send(self, due: list[_Sending], findings: int, last: float) -> None:
        """Send what is due up to the last time, and on while findings are lacking, for a while."""
        while due and time.time() < last + (_AFTER if len(self._found()) < findings else 0):
            one = heapq.heappop(due)
            time.sleep(max(0.0, one.at - time.time()))
            self._receiver.post("/v1/metrics", one.body, _PROTOBUF)
            if one.makes:
                self._acknowledged[one.makes.detection, one.makes.entity] = time.time()

    def _found(self) -> set[tuple[str, str]]:
        return {key for key in self._acknowledged if key in self._seen}

    def _read(self) -> None:
        """Ask the API for findings, again and again."""
        while not self._done.wait(_POLL):
            headers = {"Authorization": f"Bearer {self._secret}"}
            answer = self._server.get("/api/v1/findings?kind=finding&most=1000", headers)
            now = time.time()
            for row in json.loads(answer)["rows"]:
                detection = row["title"].partition(": ")[0]
                self._seen.setdefault((detection, row["entity"]), now)

    def _spent(self, at: float) -> dict[str, float]:
        """Take down the processor time of the server at a time to come."""
        taken: dict[str, float] = {}

        def take() -> None:
            fields = (
                Path(f"/proc/{self._server.pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
            )
            taken["cpu"] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            taken["at"] = time.time()

        timer = threading.Timer(max(0.0, at - time.time()), take)
        timer.daemon = True
        timer.start()
        return taken

    def _figures(self, wanted: list[tuple[Happening, bool]], spent: list[dict[str, float]]) -> dict[str, Any]:
        took: dict[str, list[float]] = {}
        missing = []
        for one, _ in wanted:
            key = one.detection, one.entity
            if key in self._acknowledged and key in self._seen:
                took.setdefault(one.detection, []).append(self._seen[key] - self._acknowledged[key])
            else:
                missing.append(f"{one.detection}: {one.entity}")
        every = sorted(itertools.chain.from_iterable(took.values()))
        before, after = spent
        return {
            "point_to_finding_p99_s": None if missing else _percentile(every, 0.99),
            "point_to_finding_p50_s": _percentile(every, 0.5),
            "point_to_finding_of_found_p99_s": _percentile(every, 0.99),
            "findings": len(every),
            "missing": missing,
            "median_s_by_detection": {name: round(statistics.median(took[name]), 1) for name in sorted(took)},
            "calm_share_of_a_core": round((after["cpu"] - before["cpu"]) / (after["at"] - before["at"]), 3),
        }


def _percentile(values: list[float], share: float) -> float | None:
    """Return the value that so large a share of some, in order, does not exceed; None of none."""
    return round(values[max(0, math.ceil(share * len(values)) - 1)], 1) if values else None
