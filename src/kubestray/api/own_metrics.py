"""``/metrics``: how kubestray itself fares, in Prometheus' text. It needs a login as all else does: a token.

Counters are of this process since it started, but those of runs, which the store remembers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from sqlglot import exp
from starlette.responses import Response

from kubestray.api import findings
from kubestray.api.asking import Here, Viewer
from kubestray.api.remembering import remembered
from kubestray.pipeline.assessing import ASSESSED
from kubestray.pipeline.running import Running
from kubestray.pipeline.schedule import LOOKED
from kubestray.store.trees import call, column, named, select

router = APIRouter()

_KEEP = 10.0  # seconds


class _Own(Collector):
    def __init__(self, running: Running) -> None:
        self._running = running

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics, as they are now."""
        yield from _received(self._running)
        yield from _kept(self._running)
        yield from _runs(self._running)
        yield from _found(self._running)


def _received(running: Running) -> Iterator[Metric]:
    seen = running.seen()
    points = CounterMetricFamily("kubestray_received_data_points", "Data points that were stored.")
    points.add_metric([], seen.data_points)
    yield points
    requests = CounterMetricFamily(
        "kubestray_received_requests", "Requests of senders, by what became of them.", labels=["outcome"]
    )
    for outcome in ("malformed", "refused", "unauthorised"):
        requests.add_metric([outcome], getattr(seen, outcome))
    requests.add_metric(["stored"], seen.requests - seen.refused)
    yield requests
    rejected = CounterMetricFamily(
        "kubestray_rejected_data_points", "Data points that were left out.", labels=["reason"]
    )
    for reason, count in sorted(seen.rejected.items()):
        rejected.add_metric([reason], count)
    yield rejected
    sent = CounterMetricFamily(
        "kubestray_source_data_points", "Data points that were stored, by whose token.", labels=["source"]
    )
    for name, one in sorted(running.senders().items()):
        sent.add_metric([name], one.data_points)
    yield sent


def _kept(running: Running) -> Iterator[Metric]:
    waiting, health = running.waiting(), running.upkeep()
    told = (
        ("queue_data_points", "Data points that wait to be stored.", waiting.points),
        ("queue_bytes", "Memory that these take.", waiting.bytes),
        ("newest_data_point_timestamp_seconds", "Time of the newest stored point.", running.newest() / 1e9),
        ("upkeep_passed_timestamp_seconds", "When upkeep last ended well.", health.passed / 1e9),
        ("upkeep_failed_timestamp_seconds", "When upkeep last failed; 0: never.", health.failed / 1e9),
    )
    for name, help_text, value in told:
        yield GaugeMetricFamily(f"kubestray_{name}", help_text, value=value)


def _runs(running: Running) -> Iterator[Metric]:
    labels = ["detection"]
    runs = CounterMetricFamily("kubestray_detection_runs", "Runs of searches.", labels=labels)
    failed = CounterMetricFamily("kubestray_detection_failed_runs", "Runs that failed.", labels=labels)
    rows = CounterMetricFamily("kubestray_detection_rows", "Rows that runs gave.", labels=labels)
    spent = CounterMetricFamily("kubestray_detection_seconds", "How long runs took together.", labels=labels)
    last = GaugeMetricFamily(
        "kubestray_detection_last_run_seconds", "How long the last run took.", labels=labels
    )
    when = GaugeMetricFamily(
        "kubestray_detection_last_run_timestamp_seconds", "The time that the last run was for.", labels=labels
    )
    content = running.content
    names = {one.id: one.name for one in (*content.detections.values(), *content.baselines.values())}
    names[ASSESSED] = ASSESSED
    for row in remembered(running, "runs", _KEEP, lambda: _totals(running)):
        if (name := names.get(row["detection"])) is None:
            continue  # of content that is gone, or a look between runs: see `_looks`
        runs.add_metric([name], row["runs"])
        failed.add_metric([name], row["failed"])
        rows.add_metric([name], row["all_rows"])
        spent.add_metric([name], row["all_seconds"])
        last.add_metric([name], row["last_seconds"])
        when.add_metric([name], row["last"] / 1e9)
    yield from (runs, failed, rows, spent, last, when)
    yield from _looks(running, names)


def _looks(running: Running, names: dict[str, str]) -> Iterator[Metric]:
    """Yield how looks between runs fared. The ledger has those that gave rows or failed; the others, nearly
    all, leave no trace.
    """
    labels = ["detection"]
    looks = CounterMetricFamily(
        "kubestray_detection_looks", "Looks between runs that gave rows or failed.", labels=labels
    )
    failed = CounterMetricFamily("kubestray_detection_failed_looks", "Looks that failed.", labels=labels)
    rows = CounterMetricFamily("kubestray_detection_look_rows", "Rows that looks gave.", labels=labels)
    spent = CounterMetricFamily(
        "kubestray_detection_look_seconds", "How long these looks took together.", labels=labels
    )
    for row in remembered(running, "runs", _KEEP, lambda: _totals(running)):
        if not row["detection"].startswith(LOOKED):
            continue
        if (name := names.get(row["detection"].removeprefix(LOOKED))) is not None:
            looks.add_metric([name], row["runs"])
            failed.add_metric([name], row["failed"])
            rows.add_metric([name], row["all_rows"])
            spent.add_metric([name], row["all_seconds"])
    yield from (looks, failed, rows, spent)


def _totals(running: Running) -> list[dict[str, Any]]:
    wrong = exp.NEQ(this=column("error"), expression=exp.Literal.string(""))
    tree = (
        select(
            column("detection"),
            named(call("count"), "runs"),
            named(call("countIf", wrong), "failed"),
            named(call("sum", column("rows")), "all_rows"),
            named(call("sum", column("seconds")), "all_seconds"),
            named(call("argMax", column("seconds"), column("scheduled")), "last_seconds"),
            named(call("max", column("scheduled")), "last"),
        )
        .from_("runs")
        .group_by(column("detection"))
        .order_by(column("detection"))
    )
    return list(running.store.query(tree).to_pylist())


def _found(running: Running) -> Iterator[Metric]:
    def ask() -> dict[str, dict[str, int]]:
        return {
            kind: findings.queue(running, kind=kind, most=1).severities for kind in ("finding", "incident")
        }

    family = GaugeMetricFamily(
        "kubestray_open_findings", "Findings and incidents that are open.", labels=["kind", "severity"]
    )
    for kind, counts in remembered(running, "open", _KEEP, ask).items():
        for severity, count in counts.items():
            family.add_metric([kind, severity], count)
    yield family


@router.get("/metrics")
def metrics(here: Here, _asker: Viewer) -> Response:
    """Return how this server fares."""
    registry = CollectorRegistry()
    registry.register(_Own(here))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
