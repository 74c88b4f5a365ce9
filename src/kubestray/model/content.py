"""Content as read from YAML: detections, baselines, stories, macros, lookups, deployments."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from kubestray.model.errors import Position, Where


@dataclass(frozen=True, slots=True)
class Looks:
    """How often a search is looked at between its runs: every so many seconds.

    With ``new_for`` only while a series that it reads began less than so many seconds ago.
    """

    every: int
    new_for: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a search runs, and over which time: a cron expression (UTC) and two SPL times."""

    cron: str
    earliest: str
    latest: str
    looks: Looks | None = None


@dataclass(frozen=True, slots=True)
class RiskObject:
    """Which field of a row names what is at risk, of what type, and how much a row adds."""

    field: str
    type: str
    score: float


@dataclass(frozen=True, slots=True)
class ThreatObject:
    """Which field of a row names what threatens (an address, a file), and of what type."""

    field: str
    type: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number or word of a search that users may change, by a macro of that name in a folder of theirs."""

    name: str
    default: str
    description: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """What detections and baselines have in common."""

    name: str
    id: str
    version: int
    type: str
    status: str
    description: str
    search: str
    path: str
    place: Position
    """Where its search stands in the file."""
    schedule: Schedule | None
    """Its own schedule; None takes that of its type's deployment."""
    raw: dict[str, Any] = field(repr=False)
    where: Where | None = field(default=None, repr=False, compare=False)
    """Tells where each character of the search stands in the file."""
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Detection(Search):
    """A search whose rows are risk."""

    message: str = ""
    risk_objects: tuple[RiskObject, ...] = ()
    threat_objects: tuple[ThreatObject, ...] = ()
    techniques: tuple[str, ...] = ()
    stories: tuple[str, ...] = ()
    security_domain: str = ""
    enabled: bool = True
    direct: bool = False
    """Whether one row is enough for a finding."""
    response: tuple[str, ...] = ()
    """What to do about what it finds, step by step."""


@dataclass(frozen=True, slots=True)
class Baseline(Search):
    """A search that keeps what is normal in a lookup."""


@dataclass(frozen=True, slots=True)
class MacroDefinition:
    """A named piece of search text."""

    name: str
    definition: str
    arguments: tuple[str, ...]
    path: str
    where: Where | None = field(default=None, repr=False, compare=False)
    """Tells where each character of the definition stands in the file."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """A table that searches can read by key; ``fields`` in the order in which they are listed."""

    name: str
    fields: tuple[str, ...]
    path: str
    file: str = ""
    """The file that its rows come from, if they come from one and not from a search."""


@dataclass(frozen=True, slots=True)
class Story:
    """An analytic story: why its detections belong together."""

    name: str
    id: str
    description: str
    narrative: str
    path: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """The schedule of all searches of one type that have none of their own."""

    type: str
    schedule: Schedule
    path: str


@dataclass(frozen=True, slots=True)
class RiskFactor:
    """Something about an entity or an event that makes its risk larger or smaller.

    ``match``: for each field of a risk event (or ``entity``) the wildcards of which one has to fit; all
    fields have to.
    """

    name: str
    description: str
    match: tuple[tuple[str, tuple[str, ...]], ...]
    multiply: float
    path: str


@dataclass(frozen=True, slots=True)
class RiskScoring:
    """How risk adds up, and when it is enough for a finding. Times in nanoseconds.

    ``half_life``: after it, an event counts half. ``window``: after it, it does not count. ``ramp``: what
    goes on for that long counts half as much again, and at most twice. ``cap``: the most that one detection
    counts, in times of its largest event. ``shares``: what part of its risk an entity passes on to what it
    is part of, by the kind of that, or of both (``pod>node``). ``threshold``: from which a finding opens,
    and ``thresholds`` by kind. ``quiet``: without a new event for that long a finding closes. ``related``:
    how far apart the steps of an incident may be.
    """

    name: str
    half_life: int
    window: int
    ramp: int
    cap: float
    threshold: float
    thresholds: tuple[tuple[str, float], ...]
    shares: tuple[tuple[str, float], ...]
    quiet: int
    related: int
    path: str


Item = Detection | Baseline | MacroDefinition | Lookup | Story | Deployment | RiskFactor | RiskScoring


@dataclass(slots=True)
class Content:
    """Content by name; a later source beats an earlier one, with a warning."""

    detections: dict[str, Detection] = field(default_factory=dict)
    baselines: dict[str, Baseline] = field(default_factory=dict)
    macros: dict[tuple[str, int], MacroDefinition] = field(default_factory=dict)
    lookups: dict[str, Lookup] = field(default_factory=dict)
    stories: dict[str, Story] = field(default_factory=dict)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    factors: dict[str, RiskFactor] = field(default_factory=dict)
    scoring: dict[str, RiskScoring] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def add(self, item: Item) -> None:
        """Take an item in; one of the same name that is there already gives way."""
        shelf, key = self._place(item)
        if key in shelf and shelf[key].path != item.path:
            self.warnings.append(f"{item.path} replaces {shelf[key].path}: both define {item_name(item)!r}")
        shelf[key] = item

    def copy(self) -> Content:
        """Return the same content; what is put into this one later is not in it."""
        return Content(**{one.name: getattr(self, one.name).copy() for one in dataclasses.fields(self)})

    def schedule_of(self, search: Search) -> Schedule | None:
        """Return a search's own schedule, or its type's."""
        if search.schedule:
            return search.schedule
        deployment = self.deployments.get(search.type.lower())
        return deployment.schedule if deployment else None

    def _place(self, item: Item) -> tuple[dict[Any, Any], Any]:
        match item:
            case Detection():
                return self.detections, item.name
            case Baseline():
                return self.baselines, item.name
            case MacroDefinition():
                return self.macros, (item.name, len(item.arguments))
            case Lookup():
                return self.lookups, item.name
            case Story():
                return self.stories, item.name
            case Deployment():
                return self.deployments, item.type.lower()
            case RiskFactor():
                return self.factors, item.name
            case RiskScoring():
                return self.scoring, ""  # there is one; a later file replaces it


def item_name(item: Item) -> str:
    """Return what people call an item."""
    return item.type if isinstance(item, Deployment) else item.name
