"""Tests that detections bring: how points are written by hand, and that a test can fail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kubestray.detect.cases import cases_of
from kubestray.detect.loader import load_content, load_item
from kubestray.detect.notation import read_points
from kubestray.detect.runner import macros_of
from kubestray.model.content import Detection
from kubestray.model.errors import ContentError, UsageError
from kubestray.model.metric import Kind
from kubestray.pipeline.setting_up import built_in
from serve.product import run

SECOND = 10**9
END = 1_000_000 * SECOND

DETECTION = """\
name: Loud
id: 11111111-1111-1111-1111-111111111111
type: Anomaly
search: |
  | mstats max(m) AS most WHERE index=* BY pod
  | where most > `loud`
parameters:
  loud: {default: 5, description: how loud}
schedule: {cron: '* * * * *', earliest: -10m, latest: now}
rba:
  message: $pod$ is loud
  risk_objects:
    - {field: pod, type: other, score: 10}
tests:
  - name: a loud one
    data: ['m{pod="a"} 1x30 9', 'm{pod="b"} 1x31']
    expect: {rows: 1, entities: [a], fields: {most: 9}}
  - name: what was loud an hour ago
    data: ['m{pod="a"} 9 1x360']
    expect: {rows: 0}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "loud.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_values_are_written_short() -> None:
    batch = read_points(['m.x{a="1", b="say \\"hi\\""} 5 2x2 _x2 10+3x3 _ -1.5'], END, 10 * SECOND)
    assert batch.value.tolist() == [5, 2, 2, 10, 13, 16, -1.5]
    steps = [10, 9, 8, 5, 4, 3, 1]
    assert batch.time.tolist() == [END - step * 10 * SECOND for step in steps]
    (series,) = batch.series.values()
    assert (series.metric, series.kind) == ("m.x", Kind.GAUGE)
    assert dict(series.attributes) == {"a": "1", "b": 'say "hi"'}
    assert not batch.start.any()


def test_sums_have_starts() -> None:
    delta = read_points(["m delta 1x3"], END, 10 * SECOND)
    assert (delta.time - delta.start == 10 * SECOND).all()
    counter = read_points(["m cumulative _x2 0+5x3"], END, 10 * SECOND)
    assert len(np.unique(counter.start)) == 1
    assert counter.value.tolist() == [0, 5, 10]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("m", "is no series"),
        ("m{a=1} 5", "expected attribute"),
        ("m sideways 5", "is no series"),
        ("m 5x", "is no value"),
        ("m five", "is no value"),
        ("m 1x9000000", "more than"),
    ],
)
def test_a_bad_line_is_told(line: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read_points([line], END, SECOND)


def test_tests_of_a_detection_pass_and_fail(tmp_path: Path) -> None:
    right = written(tmp_path, DETECTION)
    passed = run("content", "test", right)
    assert (passed.code, passed.out) == (0, "ok   Loud: a loud one\nok   Loud: what was loud an hour ago\n")
    wrong = written(
        tmp_path, DETECTION.replace("rows: 0", "rows: 2").replace("entities: [a]", "entities: [b]")
    )
    failed = run("content", "test", wrong)
    assert failed.code == 1
    told = failed.out
    assert "expected 2 rows, found 0" in told
    assert "expected at risk: b; found: a" in told


def test_risk_of_no_detection_is_told(tmp_path: Path) -> None:
    risk = "risk: [{detection: Quiet, entity: a, ago: 1h}]"
    told = run(
        "content", "test", written(tmp_path, DETECTION.replace("data: ['m{pod=\"a\"} 9 1x360']", risk))
    )
    assert told.code == 2
    assert "loud.yml: what was loud an hour ago: there is no detection 'Quiet'" in told.err


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("    expect: {rows: 0}\n", "", "expect is missing"),
        ("rows: 0", "row: 0", "row is no key"),
        ("name: what was loud an hour ago\n    data", "data", "name is missing"),
        ("    data: ['m{pod=\"a\"} 9 1x360']\n", "", "either data"),
        ("    expect: {rows: 0}", "    risk: [{entity: a}]\n    expect: {rows: 0}", "either data"),
        ("data: ['m{pod=\"a\"} 9 1x360']", "risk: [{detection: x, entity: a}]", "ago is missing"),
    ],
)
def test_a_test_that_cannot_be_read_is_told(tmp_path: Path, before: str, after: str, told: str) -> None:
    item = load_item(written(tmp_path, DETECTION.replace(before, after)))
    assert isinstance(item, Detection)
    with pytest.raises(UsageError, match=told):
        cases_of(item)


def test_a_parameter_is_a_macro_that_a_folder_may_replace(tmp_path: Path) -> None:
    written(tmp_path, DETECTION)
    found = macros_of(load_content([tmp_path]))("loud", 0)
    assert found is not None
    assert found.definition == "5"
    (tmp_path / "macro.yml").write_text("name: loud\ndefinition: '7'\n", encoding="utf-8")
    replaced = macros_of(load_content([tmp_path]))("loud", 0)
    assert replaced is not None
    assert replaced.definition == "7"


@pytest.mark.parametrize("parameters", ["{loud: 5}", "{loud: {unit: dB}}", "{Not a name: {default: 5}}"])
def test_a_parameter_needs_a_name_and_a_default(tmp_path: Path, parameters: str) -> None:
    text = DETECTION.replace(
        "parameters:\n  loud: {default: 5, description: how loud}", f"parameters: {parameters}"
    )
    with pytest.raises(ContentError):
        load_item(written(tmp_path, text))


def test_every_built_in_detection_brings_what_it_takes_to_trust_it() -> None:
    content = load_content([built_in()])
    assert len(content.detections) >= 21
    for one in content.detections.values():
        cases = cases_of(one)
        assert any(case.rows == 0 for case in cases), f"{one.name} needs a test that stays quiet"
        assert any(case.entities for case in cases), f"{one.name} needs a test that fires"
        for key in ("blind_spots", "known_false_positives", "how_to_implement", "response", "schedule"):
            assert one.raw.get(key), f"{one.name} has no {key}"
        assert one.risk_objects
        assert one.techniques or one.type == "Correlation", f"{one.name} has no technique"
