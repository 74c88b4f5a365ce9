"""Which metrics have sketches, so that percentiles of them over long times need not read points."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kubestray.config import Config
from kubestray.detect.runner import Times, macros_of, window_of
from kubestray.model.content import Content, Search
from kubestray.pipeline.needing import running
from kubestray.search.check import CHECKED_AT, Known, check_search
from kubestray.search.measures import near
from kubestray.search.plan import Measure
from kubestray.search.source import expand
from kubestray.search.sources import servable
from kubestray.search.stand_in import as_pattern
from kubestray.search.wildcards import parts
from kubestray.store.point_tables import DAY_NS
from kubestray.store.points import Span

_PERCENTILE = re.compile(r"\b(median|(upper)?perc(entile)?\d|p\d)", re.IGNORECASE)


def percentile_metrics(config: Config, content: Content) -> tuple[str, ...]:
    """Return the metrics that have sketches, by name or with ``*``.

    Those that the settings name, and those of which an enabled detection or a baseline asks percentiles over
    more than a day that sketches can answer.
    """
    asked = {name for search in running(content) for name in _asked(search, config, content)}
    wanted = asked.union(config["percentile_metrics"])
    # What a wildcard means already need not be said, nor what else of a search's words it might mean.
    wide = [name for name in wanted if "*" in name]
    return tuple(sorted(n for n in wanted if not any(n != w and parts(w, n) is not None for w in wide)))


def _asked(search: Search, config: Config, content: Content) -> Iterable[str]:
    macros = macros_of(content)
    source = expand(search.search, macros, dollars=True, problems=[])
    if not _PERCENTILE.search(source.text):
        return  # to plan a search takes much longer than to look at it
    span = Span(*window_of(content.schedule_of(search), Times(CHECKED_AT), config["timezone"]))
    known = Known(macros, metric_indexes=(config["metric_index"],), everything=True, span=span)
    for node in check_search(search.search, known, dollars=True).measures:
        if servable(node) and _length(node) > DAY_NS:
            yield from (as_pattern(metric) for metrics in near(node).values() for metric in metrics)


def _length(node: Measure) -> int:
    """Return how much time a step is about, in nanoseconds."""
    return (CHECKED_AT if node.span.latest is None else node.span.latest) - node.span.earliest
