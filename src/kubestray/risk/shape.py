"""What the document of a finding is made of: which field has to be there, and of what kind it is.

A check takes the place of a value, such as ``parts[0].score``, and the value, and yields a sentence for each
thing that is wrong with it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kubestray.model.finding import SEVERITIES, STATES, nanoseconds
from kubestray.model.shown import shown
from kubestray.risk.documents import VERSION
from kubestray.risk.findings import DIRECT, RULE, THRESHOLD

Check = Callable[[str, Any], Iterator[str]]

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def problems(document: Any) -> list[str]:
    """Return what is missing in the document of a finding, or is of a wrong kind, a sentence each."""
    return list(_FINDING("", document))


def _wrong(place: str, expected: str, value: Any) -> str:
    return f"{place or 'the document'}: expected {expected}, not {shown(value, kind=True)}"


def _text(place: str, value: Any) -> Iterator[str]:
    if not isinstance(value, str):
        yield _wrong(place, "a text", value)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # more digits than a number of ours has
        return False


def _number(place: str, value: Any) -> Iterator[str]:
    if not _is_number(value):
        yield _wrong(place, "a number", value)


def _above_zero(place: str, value: Any) -> Iterator[str]:
    if not _is_number(value) or value <= 0:
        yield _wrong(place, "a number above 0", value)


def _whole(place: str, value: Any) -> Iterator[str]:
    if not isinstance(value, int) or isinstance(value, bool):
        yield _wrong(place, "a whole number", value)


def _flag(place: str, value: Any) -> Iterator[str]:
    if not isinstance(value, bool):
        yield _wrong(place, "true or false", value)


def _time(place: str, value: Any) -> Iterator[str]:
    try:
        if isinstance(value, str) and _RFC3339.fullmatch(value):
            nanoseconds(value)
            return
    except (ValueError, OverflowError):
        pass
    yield _wrong(place, "a time such as 2026-11-28T13:16:10Z", value)


def _anything(_place: str, _value: Any) -> Iterator[str]:
    yield from ()


def _one_of(*known: Any) -> Check:
    def check(place: str, value: Any) -> Iterator[str]:
        if type(value) is not type(known[0]) or value not in known:
            yield _wrong(place, " or ".join(map(str, known)), value)

    return check


def _or_null(inner: Check) -> Check:
    def check(place: str, value: Any) -> Iterator[str]:
        if value is not None:
            yield from inner(place, value)

    return check


def _list(inner: Check) -> Check:
    def check(place: str, value: Any) -> Iterator[str]:
        if not isinstance(value, list):
            yield _wrong(place, "a list", value)
            return
        for number, one in enumerate(value):
            yield from inner(f"{place}[{number}]", one)

    return check


def _by_name(inner: Check) -> Check:
    def check(place: str, value: Any) -> Iterator[str]:
        if not isinstance(value, dict):
            yield _wrong(place, "an object", value)
            return
        for name, one in value.items():
            yield from inner(f"{place}.{name}", one)

    return check


def _fields(needed: Mapping[str, Check], may: Mapping[str, Check] | None = None) -> Check:
    known = {**needed, **(may or {})}

    def check(place: str, value: Any) -> Iterator[str]:
        if not isinstance(value, dict):
            yield _wrong(place, "an object", value)
            return
        for name, inner in known.items():
            own = f"{place}.{name}" if place else name
            if name in value:
                yield from inner(own, value[name])
            elif name in needed:
                yield f"{own}: is missing"

    return check


_TEXTS = _list(_text)

_QUESTION = _fields(
    {}, {"direction": _one_of("both", "up", "down"), "min_change": _number, "min_ratio": _number,
         "annotate": _flag, "held": _flag},
)  # fmt: skip

_EXPLANATION = _fields(
    {
        "evidence": _fields(
            {
                "state": _text,
                "times": _list(_number),
                "values": _list(_list(_or_null(_number))),
                "threshold": _number,
                "question": _QUESTION,
            }
        )
    }
)
"""What the rest of an explanation is worked out from; the rest is compared with that."""

_EVIDENCE = _fields(
    {
        "detection": _text, "detection_id": _text, "detection_version": _or_null(_whole), "entity": _text,
        "part_of": _TEXTS, "time": _time, "window": _list(_time), "message": _text, "search": _text,
        "row": _by_name(_anything), "explanation": _or_null(_EXPLANATION), "risk_event": _text,
        "techniques": _TEXTS,
    }
)  # fmt: skip

_PART = _fields(
    {
        "detection": _text, "detection_id": _text, "entity": _text, "score": _number, "factor": _number,
        "factors": _anything, "time": _time, "lasted": _number, "share": _number, "value": _number,
    }
)  # fmt: skip

_STEP = _fields(
    {
        "time": _time, "last": _time, "detection": _text, "entity": _text, "techniques": _TEXTS,
        "message": _text, "count": _whole, "score": _number,
    }
)  # fmt: skip

_SCORING = _fields(
    {
        "half_life": _above_zero, "window": _number, "ramp": _above_zero, "cap": _number,
        "threshold": _number, "thresholds": _by_name(_number), "shares": _by_name(_number),
        "quiet": _number, "related": _number,
    }
)  # fmt: skip

_COMMENT = _fields({"time": _time, "actor": _text, "text": _text})
_DECIDED = {
    "owner": _or_null(_text),
    "comments": _list(_COMMENT),
    "history": _list(_fields({"time": _time, "actor": _text, "action": _text})),
    "suppressed_by": _TEXTS,
}
"""What people decide, which is beside a document and not in it before anybody asks."""

_FINDING = _fields(
    {
        "kind": _one_of("finding"), "id": _text, "version": _one_of(VERSION), "title": _text,
        "sentence": _text, "entity": _text, "entities": _TEXTS,
        "opened_by": _fields({"how": _one_of(DIRECT, THRESHOLD, RULE), "name": _text, "id": _text}),
        "severity": _one_of(*SEVERITIES), "score": _number, "techniques": _TEXTS,
        "tactics": _list(_fields({"id": _text, "name": _text})), "parts": _list(_PART),
        "observed": _list(_fields({"field": _text, "value": _anything})), "would_not_have_fired": _TEXTS,
        "peers": _list(_fields({"detection": _text})), "evidence": _list(_EVIDENCE), "respond": _TEXTS,
        "incident": _or_null(_text), "scored_at": _time, "scoring": _SCORING, "content": _text,
        "opened": _time, "first_seen": _time, "last_seen": _time, "closed": _or_null(_time),
        "state": _one_of(*STATES), "steps": _list(_STEP), "digest": _text,
    },
    _DECIDED,
)  # fmt: skip
