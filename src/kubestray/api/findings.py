"""Findings and incidents: the queue, the documents, and what people decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from kubestray.api.asking import Analyst, Asker, Here, Viewer
from kubestray.api.body import Body
from kubestray.api.refusal import not_found
from kubestray.api.remembering import forget, remembered
from kubestray.model.errors import UsageError
from kubestray.model.finding import ACTIONS, SEVERITIES, STATES, Document, nanoseconds, rfc3339
from kubestray.pipeline.casework import Casework
from kubestray.pipeline.running import Running

router = APIRouter(tags=["findings"])

_KEEP = 3.0  # seconds
OPEN = ("new", "acknowledged")
"""The states of what somebody still has to look at."""

Action = Literal["acknowledge", "assign", "comment", "resolve", "reopen", "expect"]
Identity = Annotated[str, Path(max_length=64)]
assert set(Action.__args__) == set(ACTIONS)  # type: ignore[attr-defined]


class Brief(BaseModel):
    """A finding or an incident in few words."""

    kind: str
    title: str
    sentence: str
    entity: str
    severity: str
    score: float
    steps: int
    opened: str
    first_seen: str
    last_seen: str


class Row(Brief):
    """A finding or an incident in the queue."""

    id: str
    state: str
    owner: str | None
    tactics: list[str]
    techniques: list[str]
    findings: int = Field(description="How many findings an incident has.")
    incident: str | None = Field(description="The incident that a finding belongs to.")


class Queue(BaseModel):
    """Incidents first, each kind by severity, score and time."""

    total: int
    states: dict[str, int] = Field(description="How many there are of each state, before states are chosen.")
    severities: dict[str, int]
    rows: list[Row]


class Wanted(BaseModel):
    """Which findings and incidents are wanted, in addresses of the API and of the page alike."""

    kind: Literal["", "finding", "incident"] = ""
    severity: Literal["", "informational", "low", "medium", "high", "critical"] = Field(
        default="", description="At least so severe."
    )
    owner: str = Field(default="", max_length=80)
    words: str = Field(default="", max_length=500)
    skip: int = Field(default=0, ge=0, le=100_000)

    def filters(self) -> dict[str, Any]:
        """Return them as `queue` takes them."""
        return self.model_dump(include=set(Wanted.model_fields))


class WantedRows(Wanted):
    """As the API takes them, with the states by name."""

    state: list[Literal["new", "acknowledged", "suppressed", "resolved", "closed"]] = Field(
        default=["new", "acknowledged"]
    )
    most: int = Field(default=100, ge=1, le=1000)


class Decide(Body):
    """Something to decide. ``assign`` needs an owner (empty is whoever asks), ``comment`` a text."""

    action: Action
    text: str = Field(default="", max_length=10_000)
    owner: str = Field(default="", max_length=80)


class DecideMany(Decide):
    """The same for several findings or incidents."""

    ids: list[str] = Field(min_length=1, max_length=500)


class Event(BaseModel):
    """What became of a finding by itself, or what somebody decided."""

    time: str
    actor: str | None
    action: str
    detail: dict[str, Any]


def queue(
    running: Running,
    *,
    kind: str = "",
    states: Iterable[str] = OPEN,
    severity: str = "",
    owner: str = "",
    words: str = "",
    most: int = 100,
    skip: int = 0,
) -> Queue:
    """Return findings and incidents. Without a kind, findings that an incident has are left to it.

    ``severity`` is the least; ``words`` are parts of title, sentence, entities, techniques and tactics.
    """
    wanted, least = words.lower().split(), SEVERITIES.index(severity) if severity else 0
    found = [
        one
        for one in _documents(running)
        if (one["kind"] == kind if kind else not one.get("incident"))
        and SEVERITIES.index(one["severity"]) >= least
        and (not owner or (one["owner"] or "") == owner)
        and _says(one, wanted)
    ]
    states = set(states)
    chosen = [one for one in found if not states or one["state"] in states]
    chosen.sort(key=_urgency)
    counts = Counter(one["state"] for one in found)
    severities = Counter(one["severity"] for one in chosen)
    return Queue(
        total=len(chosen),
        states={state: counts[state] for state in STATES},
        severities={name: severities[name] for name in reversed(SEVERITIES)},
        rows=[row_of(one) for one in chosen[skip : skip + most]],
    )


def _documents(running: Running) -> list[Document]:
    # What the schedule has found is there when it is looked for, and not some seconds later.
    tables = ("findings", "decisions")
    return remembered(
        running, "findings", _KEEP, lambda: casework(running).documents(), of=tables, at_once=True
    )


def casework(running: Running) -> Casework:
    """Return what people can do with the findings of the store."""
    return Casework(running.store, running.clock)


def _says(document: Document, words: list[str]) -> bool:
    if not words:
        return True
    names = [tactic["name"] for tactic in document["tactics"]]
    parts = [document["title"], document["sentence"], *document["entities"], *document["techniques"], *names]
    told = " ".join(parts).lower()
    return all(word in told for word in words)


def _urgency(document: Document) -> tuple[Any, ...]:
    severity = SEVERITIES.index(document["severity"])
    return (
        document["kind"] != "incident",
        -severity,
        -document["score"],
        -nanoseconds(document["last_seen"]),
        document["id"],
    )


def brief(document: Document) -> dict[str, Any]:
    """Return the fields of `Brief` of a document."""
    return {name: document[name] for name in Brief.model_fields} | {"steps": len(document["steps"])}


def row_of(document: Document) -> Row:
    """Return a document in few words."""
    return Row(
        **brief(document),
        **{name: document[name] for name in ("id", "state", "techniques")},
        owner=document.get("owner"),
        tactics=[tactic["name"].replace("-", " ") for tactic in document["tactics"]],
        findings=len(document.get("findings", ())),
        incident=document.get("incident"),
    )


def finding(running: Running, identity: str) -> Document:
    """Return a finding or an incident as it stands."""
    try:
        return casework(running).document(identity)
    except UsageError as error:
        raise not_found("finding or incident", identity) from error


def members(running: Running, document: Document) -> list[Document]:
    """Return the findings of an incident, the most urgent first; none of what is no incident."""
    found = document.get("findings", ())
    return sorted(casework(running).chosen(found), key=_urgency) if found else []


def about(running: Running, entities: Iterable[str]) -> list[Row]:
    """Return the findings and incidents that entities take part in, those that are open first."""
    wanted = set(entities)
    return _open_first(one for one in _documents(running) if wanted.intersection(one["entities"]))


def by_detections(running: Running, names: Iterable[str]) -> list[Row]:
    """Return the findings in which detections took part, those that are open first."""
    wanted = set(names)
    return _open_first(
        one
        for one in _documents(running)
        if one["kind"] == "finding" and any(step["detection"] in wanted for step in one["steps"])
    )


def _open_first(found: Iterable[Document]) -> list[Row]:
    return [row_of(one) for one in sorted(found, key=lambda one: (one["state"] not in OPEN, _urgency(one)))]


def decide(running: Running, asker: Asker, ids: Iterable[str], wanted: Decide) -> list[Document]:
    """Decide something about findings and incidents, as whoever asks."""
    detail: dict[str, Any] = {}
    if wanted.action == "assign":
        detail["owner"] = wanted.owner.strip() or asker.name
    if wanted.text.strip():
        detail["text"] = wanted.text.strip()
    chosen, cases = list(dict.fromkeys(ids)), casework(running)
    if missing := set(chosen).difference(one["id"] for one in cases.chosen(chosen)):
        raise not_found("finding or incident", min(missing))
    done = cases.decide_all(wanted.action, chosen, asker.name, **detail)
    for identity in chosen:
        running.documents.note(asker.name, f"finding.{wanted.action}", identity, detail)
    forget(running)
    return done


def history(running: Running, document: Document) -> list[Event]:
    """Return everything that became of a finding and that was decided about it, in order."""
    changes = [
        Event(time=rfc3339(one.time), actor=None, action=one.change, detail={"score": one.document["score"]})
        for one in casework(running).history(document["id"])
    ]
    decided = [
        Event(
            time=one["time"],
            actor=one["actor"],
            action=one["action"],
            detail={name: value for name, value in one.items() if name not in ("time", "actor", "action")},
        )
        for one in document["history"]
    ]
    return sorted([*changes, *decided], key=lambda one: nanoseconds(one.time))


@router.get("/findings")
def findings_all(here: Here, _asker: Viewer, wanted: Annotated[WantedRows, Query()]) -> Queue:
    """Return findings and incidents, the most urgent first."""
    return queue(here, states=wanted.state, most=wanted.most, **wanted.filters())


@router.post("/findings/decisions")
def findings_decide(here: Here, asker: Analyst, wanted: DecideMany) -> list[Row]:
    """Decide the same about several findings and incidents."""
    return [row_of(one) for one in decide(here, asker, wanted.ids, wanted)]


@router.get("/findings/{identity}")
def findings_one(here: Here, _asker: Viewer, identity: Identity) -> dict[str, Any]:
    """Return a finding or an incident as it stands; docs/findings.md names its keys."""
    return finding(here, identity)


@router.get("/findings/{identity}/history")
def findings_history(here: Here, _asker: Viewer, identity: Identity) -> list[Event]:
    """Return what became of a finding, and what was decided about it."""
    return history(here, finding(here, identity))


@router.post("/findings/{identity}/decisions")
def findings_decide_one(here: Here, asker: Analyst, identity: Identity, wanted: Decide) -> dict[str, Any]:
    """Decide something about a finding or an incident."""
    return decide(here, asker, [identity], wanted)[0]
