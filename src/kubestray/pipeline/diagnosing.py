"""What arrives, what searches need of it, and which setting of a collector brings what they lack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubestray.collectors.registry import Registry, Setting, Source
from kubestray.model.content import Search
from kubestray.pipeline.needing import Need
from kubestray.search.catalog import seen
from kubestray.search.naming import NO_NAMES, Naming
from kubestray.search.wildcards import parts
from kubestray.store.engine import UNLIMITED, Limits
from kubestray.store.points import Span
from kubestray.store.store import Store
from kubestray.store.trees import call, column, in_query, named, select


@dataclass(frozen=True, slots=True)
class Sort:
    """Series of one metric with the same attributes, by name: how many sent points in the time range."""

    metric: str
    attributes: frozenset[str]
    series: int


def arrived(store: Store, span: Span, limits: Limits = UNLIMITED, naming: Naming = NO_NAMES) -> list[Sort]:
    """Return what there are points of in a time range, by metric and names of attributes.

    ``naming`` adds the names that searches find it by.
    """
    sent = select(column("series_id")).distinct().from_("samples").where(span.holds_stored(column("time")))
    tree = (
        select(
            column("metric"),
            named(call("arraySort", call("mapKeys", column("attributes"))), "names"),
            named(call("count"), "series"),
        )
        .from_("series")
        .where(in_query(column("series_id"), sent), *seen(None, span))
        .group_by(column("metric"), column("names"))
        .order_by(column("metric"), column("names"))
    )
    rows = store.query(naming.applied(tree, store.query), limits).to_pylist()
    sorts: Counter[tuple[str, frozenset[str]]] = Counter()
    for row in rows:
        names = frozenset(row["names"])
        sorts[row["metric"], names | naming.further_attributes(names, row["metric"])] += row["series"]
    return [Sort(metric, names, number) for (metric, names), number in sorts.items()]


@dataclass(slots=True)
class Fixes:
    """Settings, each with the names that it would bring."""

    registry: Registry
    brings: dict[Setting, list[str]] = field(default_factory=dict)

    def add(self, setting: Setting | None, name: str) -> None:
        """Add what brings a name; None is told as something that nobody here knows."""
        why = "No entry of the settings names it: write one into a file of yours (collector_settings)."
        names = self.brings.setdefault(setting or Setting("not known here", why, ""), [])
        if name not in names:
            names.append(name)

    def as_json(self) -> list[dict[str, Any]]:
        """Return them for JSON: what to set, what it brings, why, and what to write."""
        return [
            {"setting": one.name, "brings": names, "why": one.why, "yaml": one.written(names)}
            for one, names in self.brings.items()
        ]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a search needs and what of it arrived.

    ``more`` are metrics that a wildcard of the search would take in too, and that did not arrive.
    """

    search: Search
    metrics: dict[str, bool]
    attributes: dict[str, bool]
    more: list[str]
    gives_rows: bool
    """Whether some series has all that a row needs, in every step that reads metrics."""
    series: dict[str, Any]
    """How many series its metrics have, how many of them have all that a row needs, what the others lack."""
    fixes: Fixes
    error: str | None = None
    """Why it cannot run, if it cannot."""

    @property
    def status(self) -> str:
        """``ready``; ``partial`` if something is lacking; ``missing`` if none of its metrics arrived."""
        lacking = [
            name for part in (self.metrics, self.attributes) for name, there in part.items() if not there
        ]
        if not lacking and not self.error:
            return "ready"
        return "partial" if any(self.metrics.values()) else "missing"

    def as_json(self) -> dict[str, Any]:
        """Return it in the shape that ``kubestray doctor --format json`` prints."""
        return {
            "name": self.search.name,
            "type": self.search.type,
            "status": self.status,
            "gives_rows": self.gives_rows,
            "series": self.series,
            "metrics": {**_parted(self.metrics), "more": self.more},
            "attributes": _parted(self.attributes),
            "fixes": self.fixes.as_json(),
            "error": self.error,
        }


def broken(search: Search, error: str, registry: Registry) -> Diagnosis:
    """Return what is told of a search that cannot run."""
    counted = _counted((), ())
    return Diagnosis(search, {}, {}, [], gives_rows=False, series=counted, fixes=Fixes(registry), error=error)


def diagnose(search: Search, needs: Sequence[Need], sorts: Sequence[Sort], registry: Registry) -> Diagnosis:
    """Hold what a search needs against what arrived."""
    fixes = Fixes(registry)
    metrics: dict[str, bool] = {}
    attributes: dict[str, bool] = {}
    for need in needs:
        _look_for_metrics(need, sorts, metrics, fixes)
        _look_for_attributes(need, sorts, attributes, fixes)
    patterns = [name for need in needs for name in need.metrics if "*" in name and name != "*"]
    there = {sort.metric for sort in sorts}
    wanted = (name for pattern in patterns for name in registry.metrics_like(pattern))
    more = [name for name in dict.fromkeys(wanted) if name not in there and name not in metrics]
    for name in more:
        fixes.add(registry.for_metric(name), name)
    rows = all(any(_serves(sort, need) for sort in sorts) for need in needs)
    return Diagnosis(search, metrics, attributes, more, rows, _counted(needs, sorts), fixes)


def _counted(needs: Sequence[Need], sorts: Sequence[Sort]) -> dict[str, Any]:
    usable, others, lacking = 0, 0, set[str]()
    for sort in sorts:
        fitting = [need for need in needs if _fits(sort, need)]
        if any(_serves(sort, need) for need in fitting):
            usable += sort.series
        elif fitting:
            others += sort.series
            lacking.update(*(need.required - sort.attributes for need in fitting))
    return {"arrived": usable + others, "usable": usable, "lacking": sorted(lacking)}


def _look_for_metrics(need: Need, sorts: Sequence[Sort], metrics: dict[str, bool], fixes: Fixes) -> None:
    for pattern in need.metrics:
        fitting = [sort for sort in sorts if parts(pattern, sort.metric) is not None]
        serving = [sort for sort in fitting if _serves(sort, need)] or fitting
        # Under a wildcard other senders' metrics count only if nothing better arrived: an SDK's process.*.
        metrics.update((sort.metric, True) for sort in serving)
        if fitting:
            continue
        metrics.setdefault(pattern, False)
        if pattern == "*":
            continue  # anything would do
        known = fixes.registry.for_metric(pattern)
        renamed = pattern.replace(".", "_").rstrip("*")
        by_remote_write = renamed != pattern and any(sort.metric.startswith(renamed) for sort in sorts)
        fixes.add(fixes.registry.remote_write if by_remote_write else known, pattern)


def _look_for_attributes(
    need: Need, sorts: Sequence[Sort], attributes: dict[str, bool], fixes: Fixes
) -> None:
    fitting = {
        pattern: [sort for sort in sorts if parts(pattern, sort.metric) is not None]
        for pattern in need.metrics
    }
    present = {pattern: found for pattern, found in fitting.items() if found}
    for name in need.attributes:
        lacking = [p for p, found in present.items() if not any(name in sort.attributes for sort in found)]
        attributes[name] = attributes.get(name, True) and bool(present) and not lacking
        if not present and need.metrics and _nobody_sends(name, need.metrics[0], sorts, fixes.registry):
            lacking = list(need.metrics)[:1]  # what brings the metric may not bring it
        for pattern in lacking:
            fixes.add(fixes.registry.for_attribute(name, pattern), name)


def _nobody_sends(attribute: str, metric: str, sorts: Sequence[Sort], registry: Registry) -> bool:
    """Return whether an attribute would be missing on a metric of which nothing arrived.

    What else its sender sends tells that; where nothing did, what anybody sends.
    """
    sender = registry.sender_of(metric)
    alike = [sort for sort in sorts if registry.source_of(sort.metric, sort.attributes) == sender] or sorts
    return not any(attribute in sort.attributes for sort in alike)


def _serves(sort: Sort, need: Need) -> bool:
    """Return whether series have all that a row needs."""
    return _fits(sort, need) and sort.attributes >= need.required


def _fits(sort: Sort, need: Need) -> bool:
    return any(parts(pattern, sort.metric) is not None for pattern in need.metrics)


@dataclass(frozen=True, slots=True)
class Sending:
    """A source and what of it arrived: its metrics, how many series, and the attributes it should have."""

    source: Source
    metrics: list[str]
    series: int
    attributes: dict[str, bool]
    fixes: Fixes

    def as_json(self) -> dict[str, Any]:
        """Return it in the shape that ``kubestray doctor --format json`` prints."""
        return {
            "name": self.source.name,
            "metrics": self.metrics,
            "series": self.series,
            "attributes": _parted(self.attributes),
            "fixes": self.fixes.as_json(),
        }


def sources_of(sorts: Iterable[Sort], registry: Registry) -> list[Sending]:
    """Return what sends, as far as names of metrics and attributes tell, in the order of the registry."""
    found: dict[Source, list[Sort]] = {}
    for sort in sorts:
        found.setdefault(registry.source_of(sort.metric, sort.attributes), []).append(sort)
    return [_sending(source, found[source], registry) for source in registry.sources if source in found]


def _sending(source: Source, sorts: Sequence[Sort], registry: Registry) -> Sending:
    fixes = Fixes(registry)
    attributes: dict[str, bool] = {}
    for name in source.expects:
        # A source may send of several kinds of things: an attribute that any of them has is known to it.
        attributes[name] = any(name in sort.attributes for sort in sorts)
        if not attributes[name]:
            fixes.add(registry.for_attribute(name, sorts[0].metric), name)
    metrics = sorted({sort.metric for sort in sorts})
    return Sending(source, metrics, sum(sort.series for sort in sorts), attributes, fixes)


def _parted(found: dict[str, bool]) -> dict[str, Any]:
    return {
        "found": [name for name, there in found.items() if there],
        "missing": [name for name, there in found.items() if not there],
    }
