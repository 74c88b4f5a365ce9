"""Recomputes a finding from its own document, without a store.

What a document claims follows from what it carries: the score from its parts and the scoring, each part from
the score of an event, its age and how long it lasted; how a score of `stray` came about from the profile and
the points beside it; severity, techniques and tactics, and times from the steps; whether it would have
opened from the threshold.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from kubestray.baseline.explain import recompute
from kubestray.model.errors import KubestrayError
from kubestray.model.finding import nanoseconds, severity_of
from kubestray.model.shown import shown
from kubestray.risk.documents import digest, observed
from kubestray.risk.findings import DIRECT, THRESHOLD
from kubestray.risk.scoring import LONGEST_NS
from kubestray.risk.shape import problems
from kubestray.risk.steps import read_step, tactics_of, techniques_of

Document = dict[str, Any]

_DIGITS = 1e-5  # documents have six digits


def differences(document: Document) -> list[str]:
    """Return what of a finding is not what its parts come to, a sentence each; nothing if identical.

    Of a document that lacks a field, or has one of a wrong kind, only that is told.
    """
    try:
        return problems(document) or _against_itself(document)
    except RecursionError:
        return ["the document: its lists and objects lie too deep in each other"]


def _against_itself(document: Document) -> list[str]:
    found = [*_scores(document), *_steps(document), *_evidence(document), *_opening(document)]
    if not found and document["digest"] != digest(document):
        found = [
            "digest: the document is not the one that was written, though its score follows from its parts"
        ]
    return found


def _scores(document: Document) -> list[str]:
    """Compare the parts and the score with what events and scoring come to."""
    try:
        values = recomputed(document["parts"], document["scoring"], document["scored_at"])
    except OverflowError:
        return ["parts: by their times and the half_life and ramp of scoring they come to no number"]
    said = [
        f"parts[{place}].value of {part['detection']}: {part['value']} is told, {value:.6f} is recomputed"
        for place, (part, value) in enumerate(zip(document["parts"], values, strict=True))
        if not math.isclose(part["value"], value, rel_tol=_DIGITS, abs_tol=_DIGITS)
    ]
    score = sum(values)
    if not math.isclose(document["score"], score, rel_tol=_DIGITS, abs_tol=_DIGITS):
        said.append(f"score: {document['score']} is told, {score:.6f} is recomputed")
    severity = severity_of(round(score, 6), added_up=document["opened_by"]["how"] != DIRECT)
    if document["severity"] != severity:
        said.append(f"severity: {document['severity']} is told, {severity} is recomputed")
    return said


def recomputed(parts: list[Document], scoring: Document, scored_at: str) -> list[float]:
    """Return the value of each part by the scoring, in order."""
    now = nanoseconds(scored_at)
    values = []
    for part in parts:
        age = (now - nanoseconds(part["time"])) / 1e9
        lasting = 2 - 2 ** (-min(part["lasted"], LONGEST_NS / 1e9) / scoring["ramp"])
        decayed = part["score"] * part["factor"] * 2 ** (-age / scoring["half_life"])
        values.append(part["share"] * lasting * decayed)
    together: dict[str, list[int]] = defaultdict(list)
    for place, part in enumerate(parts):
        together[part["detection"]].append(place)
    for places in together.values():
        total, most = sum(values[p] for p in places), max(values[p] for p in places)
        if total > scoring["cap"] * most:
            for place in places:
                values[place] *= scoring["cap"] * most / total
    return values


def _steps(document: Document) -> list[str]:
    """Compare times, techniques and tactics with what the steps come to."""
    steps = [read_step(told) for told in document["steps"]]
    techniques = techniques_of(steps)
    wanted = {"techniques": techniques, "tactics": tactics_of(techniques)}
    if steps:
        wanted["first_seen"] = min(told["time"] for told in document["steps"])
        wanted["last_seen"] = max(told["last"] for told in document["steps"])
    said = [
        f"{name}: {document[name]} is told, {value} is recomputed"
        for name, value in wanted.items()
        if document[name] != value
    ]
    times = [step.time for step in steps]
    return said if times == sorted(times) else [*said, "steps: are not in order of time"]


def _evidence(document: Document) -> list[str]:
    """Compare what is told of the evidence with the evidence itself."""
    steps = {(step["detection"], step["entity"]): step for step in document["steps"]}
    said = []
    for place, one in enumerate(document["evidence"]):
        if (one["detection"], one["entity"]) not in steps:
            said.append(f"evidence[{place}]: {one['detection']} of {one['entity']} is no step")
        said += _explanation(f"evidence[{place}].explanation", one.get("explanation"))
    if document["evidence"] and document["observed"] != observed(document["evidence"][-1]["row"]):
        said.append("observed: is not what the row of the last evidence says")
    return said


def _explanation(place: str, told: Document | None) -> list[str]:
    """Work out again, from the profile and the points it carries, how a score came about."""
    if told is None:
        return []
    try:
        again = recompute(told).as_json()
    except KubestrayError as error:
        return [f"{place}.evidence: the score cannot be worked out from it: {error}"]
    return [
        difference
        for name, value in json.loads(json.dumps(again)).items()
        for difference in _apart(f"{place}.{name}", told.get(name, _NOTHING), value)
    ]


_NOTHING = object()


def _apart(place: str, told: Any, value: Any) -> Iterator[str]:
    """Tell where two parts of documents differ, as near as it gets."""
    if told is _NOTHING:
        yield f"{place}: is missing"
    elif isinstance(told, dict) and isinstance(value, dict) and told.keys() <= value.keys():
        for name, own in value.items():
            yield from _apart(f"{place}.{name}", told.get(name, _NOTHING), own)
    elif isinstance(told, list) and isinstance(value, list) and len(told) == len(value):
        for number, (one, own) in enumerate(zip(told, value, strict=True)):
            yield from _apart(f"{place}[{number}]", one, own)
    elif not _same(told, value):
        yield f"{place}: {shown(told, kind=True)} is told, {shown(value, kind=True)} is recomputed"


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, numbers but for their last digits; true is no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, float | int) and isinstance(other, float | int):
        try:
            return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
        except OverflowError:
            return False
    return bool(one == other)


def _opening(document: Document) -> list[str]:
    """Ask whether it is a finding at all, the first time it was told."""
    kind = document["entity"].partition(":")[0]
    scoring = document["scoring"]
    threshold = scoring["thresholds"].get(kind, scoring["threshold"])
    fresh = document["opened_by"]["how"] == THRESHOLD and document["scored_at"] == document["opened"]
    if fresh and document["score"] < threshold - _DIGITS:
        return [f"opened_by: the score {document['score']} is below the threshold {threshold:g}"]
    return []
