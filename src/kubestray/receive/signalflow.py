"""Metrics pulled from Splunk Observability Cloud: SignalFlow programs run there, streams are stored.

Each input (`signalflow_inputs.yml`) is a program that publishes its metrics at the resolution, and has a
thread and a connection of its own. A stream begins where the stored points end, or a while back on the first
run; when it breaks, it is asked for again from the last time whose points are stored. What is read twice is
stored once.

===============================  ==========================================================================
what comes                       what is done
===============================  ==========================================================================
429, 503                         asked again after Retry-After
401, 403                         the token is read again, for it may have been renewed, and used
400 (the program)                told, and asked again in five minutes
another status, a broken stream  asked again after a pause that doubles, up to a minute
CHANNEL_ABORT, END_OF_CHANNEL    the same
===============================  ==========================================================================

Counters come as increases over the resolution (rollups delta and sum), readings as averages.
"""

from __future__ import annotations

import http.client
import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
import yaml

from kubestray.model.errors import KubestrayError, UsageError
from kubestray.model.metric import Kind
from kubestray.receive.attributes import attribute_text
from kubestray.receive.catalog import Catalog, Encoded, Limits, Reason
from kubestray.receive.commit import QueueFull
from kubestray.receive.intake import Intake
from kubestray.receive.points import Bounds, Decoded, Gathering
from kubestray.receive.signalflow_events import BrokenStream, events
from kubestray.receive.single_points import SinglePoints
from kubestray.receive.sources import Source, now_from

log = logging.getLogger(__name__)

_MILLISECOND = 10**6
_SILENCE = 120.0  # seconds without a byte after which a stream is taken for dead
_FIRST_PAUSE, _LONGEST_PAUSE, _BAD_PROGRAM = 1.0, 60.0, 300.0
_KINDS = {"average": Kind.GAUGE, "delta": Kind.DELTA, "sum": Kind.DELTA}


@dataclass(frozen=True, slots=True)
class Input:
    """Metrics with their rollups; ``name`` is what the published searches call it."""

    name: str
    rollups: Mapping[str, str]

    def program(self) -> str:
        """Return the SignalFlow program: a stream for each metric, published under its name."""
        lines = (
            f"data('{metric}', rollup='{rollup}').publish(label='{metric}')"
            for metric, rollup in self.rollups.items()
        )
        return "\n".join(lines)


@cache
def inputs() -> Mapping[str, Input]:
    """Return all inputs there are, by name."""
    text = (Path(__file__).parent / "signalflow_inputs.yml").read_text(encoding="utf-8")
    return {
        name: Input(name, {metric: rollup for rollup, metrics in by.items() for metric in metrics})
        for name, by in yaml.safe_load(text).items()
    }


@dataclass(frozen=True, slots=True)
class SignalFlowSettings:
    """Where programs run: ``url`` is that of the realm's stream API; times are in seconds."""

    url: str
    token: Callable[[], str]
    inputs: Sequence[Input]
    resolution: float = 10.0
    backfill: float = 3600.0


class SignalFlowReceiver:
    """Runs the programs, from `start` until `stop`.

    ``newest`` gives the time (ns) of the newest stored point of some metrics, 0 if there is none.
    """

    def __init__(
        self,
        settings: SignalFlowSettings,
        intake: Intake,
        newest: Callable[[Sequence[str]], int],
        source: Source | None = None,
    ) -> None:
        self._stopping = threading.Event()
        self._runs = [_Run(settings, one, intake, newest, source, self._stopping) for one in settings.inputs]
        self._threads = [
            threading.Thread(target=run.run, name=f"signalflow-{run.input.name}", daemon=True)
            for run in self._runs
        ]

    def start(self) -> None:
        """Begin to read."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Hang up."""
        self._stopping.set()
        for run in self._runs:
            run.hang_up()
        for thread in self._threads:
            thread.join()


class _Refused(Exception):
    """The answer was no stream; ``wait`` says how many seconds to wait, None to decide here."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        self.wait = wait
        super().__init__(message)


class _Run:
    """One program: its connection, the series of its stream, and how far it is stored."""

    def __init__(
        self,
        settings: SignalFlowSettings,
        one: Input,
        intake: Intake,
        newest: Callable[[Sequence[str]], int],
        source: Source | None,
        stopping: threading.Event,
    ) -> None:
        self._settings, self.input, self._intake = settings, one, intake
        self._newest, self._source, self._stopping = newest, source, stopping
        self._connection: http.client.HTTPConnection | None = None
        self._series: dict[str, tuple[str, Kind, Encoded]] = {}
        self._reached = 0  # ms: the last time whose points are stored

    def hang_up(self) -> None:
        """Close the connection, which ends reading."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            connection.sock.close()

    def run(self) -> None:
        """Read until told to stop."""
        now_from(self._source)
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            before, wait = self._reached, None
            try:
                self._read()
            except _Refused as refused:
                wait = refused.wait
                self._tell(refused)
            except (OSError, http.client.HTTPException, BrokenStream, KubestrayError) as error:
                self._tell(error)
            finally:
                self._close()
            if self._reached > before:
                pause = _FIRST_PAUSE
            self._stopping.wait(pause if wait is None else wait)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _tell(self, error: Exception) -> None:
        if not self._stopping.is_set():
            log.warning(
                "%s: the stream is asked for again: %s", self.input.name, error or type(error).__name__
            )

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _start(self) -> int:
        """Return the time (ms) from which on to ask: the last one stored again, for it may not be whole."""
        if not self._reached:
            self._reached = self._newest(list(self.input.rollups)) // _MILLISECOND
        oldest = int((time.time() - self._settings.backfill) * 1000)
        return max(self._reached, oldest)

    def _read(self) -> None:
        self._series.clear()
        asked = {"start": self._start(), "resolution": int(self._settings.resolution * 1000)}
        response = self._ask(f"/v2/signalflow/execute?{urlencode(asked)}")
        for name, event in events(response):
            if self._stopping.is_set():
                return
            self._take(name, event)
        raise BrokenStream("it ended")

    def _ask(self, path: str) -> http.client.HTTPResponse:
        url = urlsplit(self._settings.url)
        host, headers = url.netloc, {"Content-Type": "text/plain", "X-SF-Token": self._settings.token()}
        if url.scheme == "https":
            context = ssl.create_default_context()
            self._connection = http.client.HTTPSConnection(host, timeout=_SILENCE, context=context)
        else:
            self._connection = http.client.HTTPConnection(host, timeout=_SILENCE)
        self._connection.request("POST", url.path.rstrip("/") + path, self.input.program().encode(), headers)
        response = self._connection.getresponse()
        if response.status != 200:
            raise _refusal(response)
        return response

    def _take(self, name: str, event: Mapping[str, Any]) -> None:
        if name == "metadata":
            self._describe(str(event.get("tsId")), event.get("properties") or {})
        elif name == "expired-tsid":
            self._series.pop(str(event.get("tsId")), None)
        elif name == "data":
            self._store(event)
        elif name == "error":
            raise _Refused(f"the program failed: {str(event)[:500]}", _BAD_PROGRAM)
        elif name == "control-message" and event.get("event") in ("CHANNEL_ABORT", "END_OF_CHANNEL"):
            raise BrokenStream(f"{event['event']}: {str(event.get('abortInfo', ''))[:300]}")

    def _describe(self, identity: str, properties: Mapping[str, Any]) -> None:
        """Take note of what a time series of the stream is."""
        metric = str(properties.get("sf_streamLabel") or properties.get("sf_originatingMetric") or "")
        dimensions = properties.get("sf_key")
        names = dimensions if isinstance(dimensions, list) else properties
        attributes = {
            name: properties[name]
            for name in names
            if name in properties and not name.startswith("sf_") and name not in ("computationId", "jobId")
        }
        kind = _KINDS.get(self.input.rollups.get(metric, "average"), Kind.GAUGE)
        self._series[identity] = metric, kind, (orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS),)

    def _store(self, event: Mapping[str, Any]) -> None:
        """Store the points of one time, however long there is no room for them."""
        at, listed = event.get("logicalTimestampMs"), event.get("data")
        if type(at) is not int or not isinstance(listed, list):
            raise BrokenStream("data without a time, or without points")

        def decode(_body: bytes, bounds: Bounds, limits: Limits) -> Decoded:
            return self._decoded(at, listed, bounds, limits)

        while not self._stopping.is_set():
            try:
                decoded, stored = self._intake.take(decode, b"", "identity")
                stored.result(self._intake.patience)
            except (QueueFull, TimeoutError, KubestrayError) as error:
                log.warning("%s: points could not be stored and are tried again: %s", self.input.name, error)
                self._stopping.wait(_FIRST_PAUSE)
                continue
            self._intake.stored(decoded)
            self._reached = max(self._reached, at)
            return

    def _decoded(self, at: int, listed: Sequence[Any], bounds: Bounds, limits: Limits) -> Decoded:
        catalog = Catalog(self._intake.cache_now().series, limits, _none, _read)
        points = SinglePoints((b"signalflow", b""), catalog, Gathering(bounds))
        for point in listed:
            series = self._series.get(str(point.get("tsId"))) if isinstance(point, dict) else None
            value = point.get("value") if isinstance(point, dict) else None
            if series is None or value is None:
                points.gathering.no_value += 1
                continue
            metric, kind, attributes = series
            points.expect()
            if isinstance(value, bool) or not isinstance(value, int | float):
                points.reject(Reason.NOT_A_NUMBER)
                continue
            points.take(metric, kind, attributes, at * _MILLISECOND, float(value))
        return points.gathering.finish()


def _refusal(response: http.client.HTTPResponse) -> _Refused:
    told = response.read(2000).decode("utf-8", "replace")
    message = f"answer {response.status}: {told[:300]}"
    after = response.headers.get("Retry-After", "")
    if response.status in (429, 503) and after.isdigit():
        return _Refused(message, min(float(after), 3600.0))
    if response.status in (401, 403):
        return _Refused(f"the token is not taken (has it expired?): {message}")
    return _Refused(message, _BAD_PROGRAM if response.status == 400 else None)


def _none(_encoded: Encoded) -> Mapping[str, str]:
    return {}


def _read(encoded: Encoded) -> dict[str, str]:
    return {name: attribute_text(value) for part in encoded for name, value in orjson.loads(part).items()}


def chosen_inputs(names: Sequence[str]) -> list[Input]:
    """Return inputs by name, all without one; raise UsageError for a name that is none."""
    known = inputs()
    for name in names:
        if name not in known:
            raise UsageError(f"observability_inputs: {name!r} is none of {', '.join(known)}")
    return [known[name] for name in names or known]
