"""Which attributes summaries leave out: those whose values come and go with every process or container."""

from __future__ import annotations

from collections.abc import Iterable

from kubestray.config import Config
from kubestray.detect.runner import Times, macros_of, window_of
from kubestray.model.content import Content, Search
from kubestray.search.check import CHECKED_AT, Known, check_search
from kubestray.search.sources import needs
from kubestray.store.points import Span

CHURNING = (
    "container.id",
    "k8s.container.restart_count",
    "k8s.pod.start_time",
    "k8s.pod.uid",
    "k8s.replicaset.uid",
    "k8s.job.uid",
    "process.cgroup",
    "process.command",
    "process.command_args",
    "process.command_line",
    "process.creation.time",
    "process.parent_pid",
    "process.pid",
    "service.instance.id",
)
"""Attributes of the collectors' receivers and processors that name one process, container or pod."""


def churning(config: Config, content: Content) -> tuple[str, ...]:
    """Return the attributes that summaries leave out.

    Unless the settings name them: those of `CHURNING` that no enabled detection and no baseline groups or
    filters by further back than points are kept. Within that time points answer.
    """
    if config["churning_attributes"] is not None:
        return tuple(config["churning_attributes"])
    wanted = {name for search in _running(content) for name in _asked(search, config, content)}
    return tuple(name for name in CHURNING if name not in wanted)


def _running(content: Content) -> Iterable[Search]:
    enabled = [d for d in content.detections.values() if d.enabled]
    return (*enabled, *content.baselines.values())


def _asked(search: Search, config: Config, content: Content) -> set[str]:
    """Return the attributes that a search looks at further back than points are kept."""
    times = Times(CHECKED_AT)
    span = Span(*window_of(content.schedule_of(search), times, config["timezone"]))
    known = Known(macros_of(content), metric_indexes=(config["metric_index"],), everything=True, span=span)
    far = CHECKED_AT - config["retention_raw"]
    found = check_search(search.search, known, dollars=True)
    return {name for node in found.measures if node.span.earliest < far for name in needs(node)}
