"""What may be drawn of a finding: metrics, and which series of them, as its evidence tells.

A search names the metrics and attributes that it needs, and its row has values of these, often under a name
that the search gave them. What tells only the cluster or the namespace chooses far too much to be drawn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from kubestray.api.data_present import needs
from kubestray.api.hierarchy import CLUSTER, NAMESPACE, NODE, POD, WORKLOAD
from kubestray.detect.runner import macros_of
from kubestray.model.content import Search
from kubestray.model.entity import Entity
from kubestray.model.errors import SearchError
from kubestray.model.finding import Document
from kubestray.model.metric import Kind
from kubestray.model.workload import workload_of_pod
from kubestray.pipeline.needing import Need
from kubestray.pipeline.running import Running
from kubestray.search.commands.mstats import MStats
from kubestray.search.commands.rename import Rename
from kubestray.search.parser import parse
from kubestray.search.source import expand
from kubestray.search.syntax import Command
from kubestray.store.trees import column, select, text

_OWNER = "k8s.workload.name"
_OF_PODS = (_OWNER, *WORKLOAD, *POD, "source.pod")
_PROCESS = ("process.executable.name", "source.process.name")
_BRIEF = ("process.pid", "process.command_line", "process.cgroup")
"""Attributes that change with each start of a process: with them nothing would be seen from before."""
_MOST_VALUES = 10

Condition = tuple[str, tuple[str, ...]]
"""An attribute, and the values of which it has one."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric and the conditions that choose its series."""

    metric: str
    conditions: tuple[Condition, ...]
    counter: bool = False
    """Whether it only rises: then its pace is shown, which does not depend on how often it is measured."""
    together: bool = False
    """Whether the search adds up the paces of a counter's series (user and system, say)."""

    @property
    def title(self) -> str:
        """Return what its values are."""
        return f"{self.metric} a second" if self.counter else f"{self.metric}, average of points"

    def text(self, minutes: int, by: str = "") -> str:
        """Return the search for it, also split by an attribute; all is quoted as SPL wants it."""
        where = " ".join(_written(*one) for one in self.conditions)
        split = f"BY {by} " if by else ""
        statistic = "avg" if not self.counter else "rate_sum" if self.together else "rate_avg"
        return f"| mstats {statistic}({self.metric}) AS value where index=* {where} {split}span={minutes}m"

    @property
    def has_pods(self) -> bool:
        """Return whether its series are those of pods of one workload."""
        return any(name in _OF_PODS for name, _ in self.conditions)

    def of_workload(self) -> Measured:
        """Return the same of the whole workload, where this is of one of its pods."""
        wider = [
            (_OWNER, tuple(map(workload_of_pod, values))) if name in POD else (name, values)
            for name, values in self.conditions
        ]
        return dataclasses.replace(self, conditions=tuple(wider))


def measures(running: Running, document: Document) -> Iterator[tuple[Measured, Document]]:
    """Yield what may be shown of a finding, each with its piece of evidence: of what scored most first."""
    scores = {step["detection"]: step.get("score", 0.0) for step in document["steps"]}
    for evidence in sorted(document.get("evidence", ()), key=lambda one: -scores.get(one["detection"], 0.0)):
        search = running.content.detections.get(evidence["detection"])
        if search is not None:
            commands = _commands(running, search)
            added_up = _added_up(commands)
            for one in _of_evidence(running, search, commands, evidence):
                counter = _counts(running, one.metric)
                yield dataclasses.replace(one, counter=counter, together=one.metric in added_up), evidence


def _counts(running: Running, metric: str) -> bool:
    kinds = select(column("kind")).distinct().from_("series")
    found = running.store.query(kinds.where(exp.EQ(this=column("metric"), expression=text(metric))))
    return {Kind(one) for one in found.column("kind").to_pylist()} == {Kind.CUMULATIVE}


def _of_evidence(
    running: Running, search: Search, commands: Sequence[Command], evidence: Document
) -> list[Measured]:
    names, entity = _names(commands), Entity.parse(evidence["entity"])
    found = [one for need in needs(running, search) for one in _of_need(need, evidence["row"], names, entity)]
    return list(dict.fromkeys(found))


def _commands(running: Running, search: Search) -> Sequence[Command]:
    try:
        return parse(expand(search.search, macros_of(running.content), dollars=True)).commands
    except SearchError:
        return ()


def _added_up(commands: Sequence[Command]) -> set[str]:
    """Return the metrics of which a search takes the sum of paces."""
    measured = [one for command in commands if isinstance(command, MStats) for one in command.aggregates]
    return {str(one.argument) for one in measured if one.function == "rate_sum"}


def _names(commands: Sequence[Command]) -> dict[str, str]:
    """Return what a search renames: the last name of a field by its first one."""
    found: dict[str, str] = {}
    for command in commands:
        for pair in command.pairs if isinstance(command, Rename) else ():
            first = next((old for old, new in found.items() if new == pair.old), pair.old)
            found[first] = pair.new
    return found


def _of_need(need: Need, row: dict[str, Any], names: dict[str, str], entity: Entity | None) -> list[Measured]:
    conditions = [
        (name, values)
        for name in need.attributes
        if name not in _BRIEF and (values := _values(row.get(name, row.get(names.get(name, name)))))
    ]
    if not _narrow(conditions):
        given = {name for name, _ in conditions}
        conditions += [one for one in _by_entity(need, entity) if one[0] not in given]
    if not _narrow(conditions):
        return []
    named_first = sorted(need.metrics, key=lambda name: (name not in row, "*" in name))
    return [Measured(name, tuple(conditions)) for name in named_first if "*" not in name]


def _narrow(conditions: list[Condition]) -> bool:
    return any(name not in (*CLUSTER, *NAMESPACE) for name, _ in conditions)


def _values(told: Any) -> tuple[str, ...]:
    """Return the values of a field that an attribute can have; none if the row does not tell them."""
    values = told if isinstance(told, list) else [told]
    if not all(isinstance(one, str) and one not in ("", "unknown") for one in values):
        return ()
    return tuple(values[:_MOST_VALUES])


def _by_entity(need: Need, entity: Entity | None) -> list[Condition]:
    """Return the conditions that an entity's own name gives, on attributes that the search looks at."""
    if entity is None:
        return []
    name, _, process = entity.name.partition("/")
    parts = [
        (CLUSTER, entity.cluster),
        (NAMESPACE, entity.namespace),
        (POD if entity.kind == "pod" else NODE if entity.kind == "node" else WORKLOAD, name),
        (_PROCESS, process),
    ]
    found: list[Condition] = []
    for names, value in parts:
        attribute = next((one for one in names if one in need.attributes), None)
        if value and attribute:
            found.append((attribute, (value,)))
    return found


def _written(name: str, values: tuple[str, ...]) -> str:
    quoted = [_quoted(value) for value in values]
    return f"{name}={quoted[0]}" if len(quoted) == 1 else f"{name} IN ({', '.join(quoted)})"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
