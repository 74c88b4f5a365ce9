"""What searches need of metrics, learned from their own text: planned as they run, against no data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sqlglot import exp

from kubestray.config import Config
from kubestray.detect.runner import macros_of
from kubestray.model.content import Content, Search
from kubestray.model.errors import ContentError
from kubestray.search.check import Known, check_search
from kubestray.search.measures import METRIC
from kubestray.search.plan import Measure
from kubestray.search.sources import needs
from kubestray.search.stand_in import ANY, as_pattern
from kubestray.search.wildcards import parts
from kubestray.store.trees import Tree


@dataclass(frozen=True, slots=True)
class Need:
    """What one step of a search needs: metrics, by name or with ``*``, and attributes on their series."""

    metrics: tuple[str, ...]
    attributes: tuple[str, ...]
    replaced: frozenset[str] = frozenset()
    """Attributes that a series may lack and be in the rows all the same: the search has a stand-in for them,
    or asks for them in a way that holds without them (``NOT a=1``)."""

    @property
    def required(self) -> frozenset[str]:
        """The attributes without which a series is in no row."""
        return frozenset(self.attributes) - self.replaced


def running(content: Content) -> list[Search]:
    """Return the enabled detections, then the baselines."""
    enabled = [detection for detection in content.detections.values() if detection.enabled]
    return [*enabled, *content.baselines.values()]


def needs_of(search: Search, config: Config, content: Content) -> list[Need]:
    """Return what each step of a search that reads metrics needs, each once.

    Raises `ContentError` for a search that cannot run: nobody knows what it needs.
    """
    known = Known(macros_of(content), metric_indexes=(config["metric_index"],), everything=True)
    checked = check_search(search.search, known, search.where, dollars=True)
    if errors := [problem for problem in checked.problems if not problem.warning]:
        raise ContentError(errors)
    attributes = {name for node in checked.measures for name in needs(node)}
    return list(dict.fromkeys(_need(node, attributes) for node in checked.measures))


def _need(node: Measure, attributes: set[str]) -> Need:
    """Return the need of a step; ``attributes`` are those of the whole search, which are no metrics.

    A wildcard stands for itself and for what the search names later: both ``process.*`` and, of a search
    that divides by it, ``process.threads``.
    """
    patterns = [as_pattern(name) for name in node.metrics if ANY in name]
    named = [name for name in node.metrics if ANY not in name and name not in attributes]
    named = [name for name in named if _dotted(name) or not any(map(partial(_means, name), patterns))]
    narrow = [pattern for pattern in patterns if pattern != "*"]
    # A lone star takes whatever there is: beside a narrower pattern it adds nothing, else anything will do.
    metrics = patterns if patterns and not narrow else [*narrow, *named]
    grouped = [attribute.name for attribute in node.by if attribute.name != METRIC]
    asked = sorted(needs(node) - set(grouped))
    replaced = {attribute.name for attribute in node.by if attribute.fallback is not None}
    spared = replaced.union(asked) - _demanded(node.series)
    return Need(tuple(dict.fromkeys(metrics)), (*grouped, *asked), frozenset(spared))


def _demanded(condition: Tree | None) -> set[str]:
    """Return the attributes without which a condition on series cannot hold."""
    if isinstance(condition, exp.Paren):
        return _demanded(condition.this)
    if isinstance(condition, exp.Anonymous) and condition.this == "mapContains":
        return {condition.expressions[1].this}
    parts = condition.expressions if isinstance(condition, exp.Anonymous) else []
    if isinstance(condition, exp.And | exp.Or):
        parts = [condition.this, condition.expression]
    demanded = [_demanded(part) for part in parts]
    joined_by = condition.this if isinstance(condition, exp.Anonymous) else ""
    if isinstance(condition, exp.And) or joined_by == "and":
        return set[str]().union(*demanded)
    if isinstance(condition, exp.Or) or joined_by == "or":
        return set[str].intersection(*demanded)
    return set()


def _means(name: str, pattern: str) -> bool:
    return parts(pattern, name) is not None


def _dotted(name: str) -> bool:
    """Return whether a word that a wildcard might mean looks like a metric: not ``stats``, not ``tcp.``."""
    return "." in name and not name.endswith(".")
