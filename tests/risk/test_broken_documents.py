"""``verify`` of documents that are broken: what is missing or wrong is named, and nothing passes."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from riskful import START, Assessed, event

from helpers import more
from kubestray.baseline.explain import explain
from kubestray.baseline.profile import Form, Profile
from kubestray.risk.documents import digest
from kubestray.risk.verifying import differences

CART = "workload:prod/shop/cart"
OPTIONAL = ("owner", "comments", "history", "suppressed_by")


def explanation() -> dict[str, Any]:
    """The explanation of an hour, of a profile that has seen two days of one entity."""
    profile = Profile(Form(("pod",), ("cpu",), 3600.0))
    times = np.arange(48) * 3600.0 + 1.7e9 // 3600 * 3600
    keys, of = [("cart-0",)], np.zeros(48, dtype=np.int64)
    assert list(profile.advance(times, keys, of, np.arange(48.0)[:, None] % 5)) == []
    told = explain(profile, [times[-1] + 3600.0, times[-1] + 7200.0], np.array([[1.0], [50.0]]))
    found: dict[str, Any] = json.loads(json.dumps(told.as_json()))
    return found


@pytest.fixture(scope="module")
def finding() -> dict[str, Any]:
    assessed = Assessed()
    assessed.at(START, event("a", CART, START, 60, bytes=7.0), event("b", CART, START, 60, bytes=9.0))
    document = json.loads(json.dumps(assessed.latest("finding")[0]))
    document["evidence"][0]["explanation"] = explanation()
    document["comments"] = [{"time": document["opened"], "actor": "ann", "text": "odd"}]
    document["history"] = [{**document["comments"][0], "action": "comment"}]
    document |= {"owner": None, "suppressed_by": [], "incident": "0" * 32, "closed": document["opened"]}
    for one in document["evidence"]:
        one["detection_version"] = 3
    document["digest"] = digest(document)
    assert differences(document) == []
    return document


def places(value: Any, at: tuple[Any, ...] = ()) -> Any:
    """Yield the way to every value of a document, of a list only to the first two."""
    if at:
        yield at
    inside = (
        value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    )
    for key, one in inside:
        yield from places(one, (*at, key))


def holder(document: Any, way: tuple[Any, ...]) -> Any:
    for key in way[:-1]:
        document = document[key]
    return document


def written(way: tuple[Any, ...]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in way)[1:]


FREE = ("row", "factors", "observed", "peers", "thresholds", "shares")
"""In these is what detections and scoring bring: of a change the digest, or what is recomputed, tells."""


def is_told(told: list[str], way: tuple[Any, ...]) -> bool:
    """Return whether the first sentence names a field, or what it lies in."""
    return any(told[0].startswith(f"{written(way[:length])}") for length in range(1, len(way) + 1))


def test_a_field_that_is_missing_is_named(finding):
    tried = 0
    for way in places(finding):
        broken = copy.deepcopy(finding)
        within = holder(broken, way)
        if not isinstance(within, dict) or way in [*((name,) for name in OPTIONAL), ("history", 0, "text")]:
            continue
        del within[way[-1]]
        told = differences(broken)
        assert told, way
        assert f"{written(way)}: is missing" in told or set(way[:-1]) & set(FREE), (way, told)
        tried += 1
    assert tried > 150


@pytest.mark.parametrize(
    "value",
    [None, more(True), float("inf"), more(10**400), "x", more([None]), {}],
    ids=lambda value: repr(value)[:5],
)
def test_a_field_of_a_wrong_kind_is_named(finding, value):
    for way in places(finding):
        broken = copy.deepcopy(finding)
        within = holder(broken, way)
        before = within[way[-1]]
        may_be_null = {"owner", "incident", "closed", "detection_version", "explanation"}
        decided = way == ("history", 0, "text") or (way == ("owner",) and value == "x")
        if type(before) is type(value) or decided:
            continue
        within[way[-1]] = value
        told = differences(broken)
        assert told, way
        if value is None and way[-1] in may_be_null:
            continue
        assert is_told(told, way) or set(way) & set(FREE) or (is_number(before) and is_number(value)), (
            way,
            told,
        )


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "incident"}, "kind: expected finding, not the text 'incident'"),
        ({"version": 2}, "version: expected 1, not the number 2"),
        ({"severity": "grave"}, "severity: expected informational or low or medium or high or critical, not"),
        ({"opened": "yesterday"}, "opened: expected a time such as 2026-11-28T13:16:10Z, not the text"),
        ({"parts": None}, "parts: expected a list, not null"),
        ({"score": True}, "score: expected a number, not true"),
        ({"scored_at": "9999-01-01T00:00:00Z"}, "parts[0].value of a: 60.0 is told, 0.000000 is recomputed"),
        ({"scored_at": "0001-01-01T00:00:00Z"}, "parts: by their times and the half_life"),
    ],
)
def test_what_is_said(finding, change, told):
    assert differences({**finding, **change})[0].startswith(told)


def test_a_profile_that_is_none_is_told(finding):
    for state in ("", "?", "AAAA", finding["evidence"][0]["explanation"]["evidence"]["state"][:-40]):
        broken = copy.deepcopy(finding)
        broken["evidence"][0]["explanation"]["evidence"]["state"] = state
        (told,) = differences(broken)
        assert told.startswith("evidence[0].explanation.evidence: the score cannot be worked out from it")


def test_files_that_are_no_finding(tmp_path: Path, finding):
    deep = json.dumps(finding).replace('"row": {', '"row": {"deep": ' + "[" * 900 + "]" * 900 + ", ", 1)
    tried = {
        '{"kind":"finding"}': (1, "parts: is missing"),
        '{"kind":"finding", "a": "\\ud800"}': (1, "id: is missing"),
        "[" * 100_000: (2, "too deep"),
        "1" * 5000: (2, "cannot be read"),
        "17": (2, "is no finding"),
        deep: (1, "digest: "),
    }
    script = (
        "import sys\nfrom kubestray.cli import main\n"
        "for path in sys.argv[1:]:\n    try:\n        main(['verify', path])\n"
        "    except SystemExit as ended:\n        print('ended', ended.code, flush=True)\n"
    )
    paths = [tmp_path / str(number) for number in range(len(tried))]
    for path, text in zip(paths, tried, strict=True):
        path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, paths)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert "Traceback" not in done.stdout
    parts = done.stdout.split("ended ")
    assert [int(part.splitlines()[0]) for part in parts[1:]] == [code for code, _ in tried.values()]
    for part, (_, said) in zip(parts, tried.values(), strict=False):
        assert said in part
