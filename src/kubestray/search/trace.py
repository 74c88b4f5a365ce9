"""What a plan was made of besides its text: so that it can be used again while all of that is the same.

A search that runs on a schedule is planned anew only if its plan may have become another one. What depends on
the time alone is the ranges of its ``mstats`` steps: these are noted as `Leaf`. Whatever else looks at the
time, or at rows, makes the plan one of this run only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from kubestray.model.metric import Kind
from kubestray.search.plan import Measure
from kubestray.store.points import Span
from kubestray.store.trees import Tree


@dataclass(frozen=True, slots=True)
class When:
    """When a search takes place (ns), and the range where its text gives none."""

    now: int
    span: Span


@dataclass(frozen=True, slots=True)
class Leaf:
    """A step that reads points: what it asked the catalog, the answer, and how its range is found."""

    ranged: Callable[[When], Span]
    patterns: tuple[str, ...]
    series: Tree | None
    known: dict[str, frozenset[Kind]]
    node: Measure


@dataclass(slots=True)
class Trace:
    """What planning a search has asked for."""

    leaves: list[Leaf] = field(default_factory=list)
    lookups: list[tuple[str, tuple[Any, ...], Any]] = field(default_factory=list)
    """What was asked about lookups, and the answers: these hold until somebody writes one."""
    own: bool = False
    """Whether the plan is one of this run only."""


class Watched:
    """Hands on all that is asked of a service, and notes that the plan is one of this run only.

    What is in ``lasting`` is noted with its answer instead.
    """

    def __init__(self, service: Any, trace: Trace, *, lasting: Collection[str] = ()) -> None:
        self._service, self._trace, self._lasting = service, trace, lasting

    def __getattr__(self, name: str) -> Any:
        """Return what the service has of this name."""
        found = getattr(self._service, name)
        if name not in self._lasting:
            self._trace.own = True
            return found

        def ask(*asked: Any) -> Any:
            answer = found(*asked)
            self._trace.lookups.append((name, asked, answer))
            return answer

        return ask
