"""The queue of findings and incidents, and one of them."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kubestray.api import entities, findings, network_map, risk
from kubestray.api.asking import Analyst, Here, Viewer
from kubestray.api.charts import risk_chart
from kubestray.api.errors import Told, told_of
from kubestray.api.findings import OPEN, Decide, Event, Identity, row_of
from kubestray.api.refusal import Refused
from kubestray.api.runs import runs_of
from kubestray.model.entity import Entity
from kubestray.model.errors import KubestrayError
from kubestray.model.finding import SEVERITIES, STATES, Document, nanoseconds, written
from kubestray.risk.attack import TECHNIQUES
from kubestray.store.points import Span
from kubestray.web.chart_script import script_address
from kubestray.web.map_layout import picture
from kubestray.web.render import page

router = APIRouter()

Text = Annotated[str, Form(max_length=10_000)]
_A_PAGE = 100
_HOUR = 3600 * 10**9
_BINS = 60


@router.get("/")
def first() -> Response:
    """Go to the queue."""
    return RedirectResponse("/findings", 303)


class WantedPage(findings.Wanted):
    """What the queue's page shows: ``open`` and ``all`` stand for several states."""

    state: Literal["open", "all", "new", "acknowledged", "suppressed", "resolved", "closed"] = "open"
    part: bool = False


@router.get("/findings")
def queue(request: Request, here: Here, _asker: Viewer, wanted: Annotated[WantedPage, Query()]) -> Response:
    """Show findings and incidents."""
    states = OPEN if wanted.state == "open" else () if wanted.state == "all" else (wanted.state,)
    found = findings.queue(here, states=states, most=_A_PAGE, **wanted.filters())
    return page(
        request,
        "findings_part.html" if wanted.part else "findings.html",
        found=found,
        filters=wanted.model_dump(exclude={"skip", "part"}),
        skip=wanted.skip,
        size=_A_PAGE,
        severities=SEVERITIES,
        states=STATES,
        begun=bool(found.rows) or bool(runs_of(here)),
    )


@router.post("/findings")
def queue_decide(
    here: Here,
    asker: Analyst,
    action: Annotated[findings.Action, Form()],
    back: Annotated[str, Form(max_length=2000)] = "",
    chosen: Annotated[list[str], Form(max_length=500)] = [],  # noqa: B006 (FastAPI copies it)
) -> Response:
    """Decide the same about all that are chosen."""
    findings.decide(here, asker, chosen, Decide(action=action))
    return RedirectResponse(f"/findings?{back}" if back else "/findings", 303)


@router.get("/findings/{identity}")
def one(request: Request, here: Here, _asker: Viewer, identity: Identity) -> Response:
    """Show a finding or an incident."""
    return _shown(request, here, findings.finding(here, identity))


@router.get("/findings/{identity}/changed")
def changed(
    request: Request,
    here: Here,
    _asker: Viewer,
    identity: Identity,
    seen: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Tell whoever looks at a finding that there is more to it than is shown, if there is."""
    document = findings.finding(here, identity)
    return page(request, "changed_part.html", one=document, changed=_stamp(document) != seen)


def _stamp(document: Document) -> str:
    """Return what changes with a finding, and with what is decided about it."""
    names = ("digest", "state", "owner", "comments", "suppressed_by", "merged_into")
    told = json.dumps([document.get(name) for name in names], sort_keys=True, default=str)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _shown(request: Request, here: Here, document: Document, told: Told | None = None) -> Response:
    span = _span(document, here.clock())
    names = list(dict.fromkeys([*document["entities"], *(step["entity"] for step in document["steps"])]))
    bins = risk.risk_by_time(here, span, _BINS, _below(here, names, span))
    around, members = _around(here, document), findings.members(here, document)
    return page(
        request,
        "incident.html" if document["kind"] == "incident" else "finding.html",
        status=400 if told else 200,
        one=document,
        stamp=_stamp(document),
        told=told,
        history=_in_short(findings.history(here, document)),
        members=[row_of(one) for one in members],
        respond=list(dict.fromkeys(step for one in (document, *members) for step in one.get("respond", ()))),
        techniques=_techniques(document),
        incident=findings.finding(here, document["incident"]) if document.get("incident") else None,
        risk=risk_chart(bins, span) if bins else None,
        around=around,
        picture=picture(around) if around else None,
        why=_why(here, document),
        most=max((part["value"] for part in document.get("parts", ())), default=0),
        script=script_address(),
    )


def _techniques(document: Document) -> dict[str, str]:
    """Return the names of techniques, by their numbers; an empty one where it is not known."""
    parents = {one: TECHNIQUES.get(one.partition(".")[0]) for one in document["techniques"]}
    return {one: parent.name if parent else "" for one, parent in parents.items()}


def _in_short(history: list[Event]) -> list[dict[str, Any]]:
    """Return what became of something, with what was seen again and again told once: the last time."""
    told: list[dict[str, Any]] = []
    for event in history:
        again = event.action == "updated" and told and told[-1]["event"].action == "updated"
        if again:
            told[-1] |= {"event": event, "times": told[-1]["times"] + 1}
        else:
            told.append({"event": event, "times": 1, "since": event.time})
    return told


def _span(document: Document, now: int) -> Span:
    """Return what happened with some hours around."""
    first, last = nanoseconds(document["first_seen"]), nanoseconds(document["last_seen"])
    return Span(first - 12 * _HOUR, min(now, last + 3 * _HOUR))


def _below(here: Here, names: list[str], span: Span) -> list[str]:
    """Return the risk objects behind some entities; a cluster or namespace would bring everything."""
    wide = ("cluster", "namespace", "node")
    narrow = [name for name in names if name.split(":", 1)[0] not in wide] or names[:1]
    return list(
        dict.fromkeys(
            [*narrow, *(one for name in narrow[:5] for one in entities.names_below(here, name, span))]
        )
    )


def _around(here: Here, document: Document) -> network_map.NetworkMap | None:
    """Return the part of the network map around what a finding is about."""
    involved = _workloads(document)
    if not involved:
        return None
    moment = min(here.clock(), nanoseconds(document["last_seen"]) + _HOUR)
    over = max(24 * _HOUR, moment - nanoseconds(document["first_seen"]) + _HOUR)
    found = network_map.network_map(here, moment, over, only=involved)
    return found if found.nodes else None


def _workloads(document: Document) -> frozenset[Entity]:
    """Return the workloads that steps name, by themselves or as a part of something."""
    found: set[Entity] = set()
    for name in [document["entity"], *(step["entity"] for step in document["steps"])]:
        entity = Entity.parse(name)
        if entity is None or not entity.namespace or entity.kind in ("namespace", "pod", "container"):
            continue
        source, arrow, dest = entity.name.partition(">")
        found.add(Entity("workload", entity.cluster, entity.namespace, source.split("/")[0]))
        if arrow:
            namespace, _, workload = dest.partition("/")
            found.add(Entity("workload", entity.cluster, namespace, workload))
    return frozenset(found)


def _why(here: Here, document: Document) -> list[dict[str, Any]]:
    """Return what the detections of the steps say of themselves, each once, those that scored most first."""
    steps = sorted(document["steps"], key=lambda step: -step["score"])
    names = dict.fromkeys(step["detection"] for step in steps)
    known = [here.content.detections[name] for name in names if name in here.content.detections]
    return [
        {
            "name": one.name,
            "description": one.description,
            "false_positives": str(one.raw.get("known_false_positives") or ""),
        }
        for one in known
    ]


@router.post("/findings/{identity}")
def decide(
    request: Request,
    here: Here,
    asker: Analyst,
    identity: Identity,
    action: Annotated[findings.Action, Form()],
    text: Text = "",
    owner: Annotated[str, Form(max_length=80)] = "",
) -> Response:
    """Decide something about a finding or an incident."""
    try:
        findings.decide(here, asker, [identity], Decide(action=action, text=text, owner=owner))
    except (KubestrayError, Refused) as error:
        return _shown(request, here, findings.finding(here, identity), told_of(error)[1])
    return RedirectResponse(f"/findings/{quote(identity)}", 303)


@router.get("/findings/{identity}/finding.json")
def export(here: Here, _asker: Viewer, identity: Identity) -> Response:
    """Give the document as a file, which ``kubestray verify`` can check."""
    document = findings.finding(here, identity)
    headers = {"Content-Disposition": f'attachment; filename="{document["kind"]}-{document["id"]}.json"'}
    pretty = json.dumps(json.loads(written(document)), indent=2, ensure_ascii=False)
    return Response(pretty, media_type="application/json", headers=headers)
