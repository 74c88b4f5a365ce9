"""Which changes go to which output, and what a change is for a receiver that heard of others before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from kubestray.model.entity import Entity
from kubestray.model.finding import CLOSED, MERGED, SEVERITIES, Change, Document
from kubestray.model.wildcards import fits


class Interest(Enum):
    """What routes say of a document."""

    WANTED = 1
    JOINED = 2
    """It would be wanted, but belongs to an incident, which is told instead if it is wanted itself."""
    UNWANTED = 3


@dataclass(frozen=True, slots=True)
class Route:
    """What goes to ``outputs``; None and an empty tuple ask for nothing special. ``wait`` in nanoseconds."""

    outputs: tuple[str, ...]
    min_severity: str = SEVERITIES[0]
    kinds: tuple[str, ...] | None = None
    entity_kinds: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    detections: tuple[str, ...] = ()
    wait: int = 0

    def interest(self, document: Document) -> Interest:
        """Tell whether a document goes this way."""
        entities = [found for name in document["entities"] if (found := Entity.parse(name))]
        met = (
            SEVERITIES.index(document["severity"]) >= SEVERITIES.index(self.min_severity)
            and _any(self.entity_kinds, (entity.kind for entity in entities))
            and _any(self.clusters, (entity.cluster for entity in entities))
            and _any(self.namespaces, (entity.namespace for entity in entities))
            and _any(self.detections, detections_of(document))
        )
        kind = document["kind"]
        if not met or (self.kinds is not None and kind not in self.kinds):
            return Interest.UNWANTED
        if self.kinds is None and kind == "finding" and document.get("incident"):
            return Interest.JOINED
        return Interest.WANTED


def detections_of(document: Document) -> list[str]:
    """Return the names of all detections and rules that a document speaks of, each once."""
    named = [(document.get("opened_by") or {}).get("name")]
    for part in ("parts", "evidence", "steps"):
        named += [one.get("detection") for one in document.get(part) or ()]
    return list(dict.fromkeys(name for name in named if name))


def _any(patterns: Sequence[str], values: Iterable[str]) -> bool:
    return not patterns or any(fits(value, pattern) for value in values for pattern in patterns)


def interest_of(routes: Sequence[Route], document: Document) -> tuple[Interest, int]:
    """Return what the routes of one output say together, and how long it waits (ns)."""
    found = {route.interest(document): route.wait for route in reversed(routes)}
    for interest in (Interest.WANTED, Interest.JOINED):
        if interest in found:
            return interest, found[interest]
    return Interest.UNWANTED, 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a change is sent, whether it then is the last word, and if it is not sent, why."""

    send: bool
    ended: bool = False
    reason: str = ""


def judge(change: Change, interest: Interest, announces: bool, is_open: bool) -> Verdict:
    """Decide about a change for an output; ``is_open``: it was told of it, and not yet of its end.

    Who was told that something began is told that it ended, whatever the routes say then.
    """
    state = change.document["state"]
    over = change.change in (CLOSED, MERGED) or state in ("resolved", "closed")
    hushed = announces and state == "suppressed"
    joined = interest is Interest.JOINED
    if over or hushed or joined:
        if is_open:
            return Verdict(True, ended=True)
        if joined:
            return Verdict(False, reason="its incident is told instead")
        if announces:
            return Verdict(False, reason="it is suppressed" if hushed else "its beginning was not told")
    if interest is Interest.WANTED:
        return Verdict(True, ended=over)
    return Verdict(False, reason="no route leads here")


NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")
"""The name of an output."""
