"""The page of `kubestray evaluate`, and the smallest attacks that it tells."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from evaluate.sets import events_file, series_set
from kubestray.baseline.stray import Stray
from kubestray.cli import main
from kubestray.evaluate import detectable as module
from kubestray.evaluate.detectable import detectable
from kubestray.evaluate.methods.stray import phases
from kubestray.evaluate.page import RATES, page
from kubestray.evaluate.report import evaluate, read_set
from kubestray.evaluate.series_set import read_series


def _drawn(text: str) -> list[ET.Element]:
    return [ET.fromstring(f"<svg{part.split('</svg>')[0]}</svg>") for part in text.split("<svg")[1:]]


def test_the_page_has_the_curves_of_the_methods_and_nothing_from_elsewhere(tmp_path):
    events_file(tmp_path, series_set(tmp_path))
    found = evaluate(read_set(tmp_path), ["published", "ewma"], 0.2, lambda _: None)
    text = page("<set> & co", found.rows, found.counts, lambda row: {"method": row["method"]})
    assert "<h1>&lt;set&gt; &amp; co</h1>" in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    curves, bars = _drawn(text)
    lines = [one for one in curves.iter() if one.tag.endswith("polyline")]
    assert len(lines) == 2
    for line in lines:
        heights = [float(pair.split(",")[1]) for pair in line.attrib["points"].split()]
        assert len(heights) == len(RATES)
        assert heights == sorted(heights, reverse=True)  # more false findings, no less recall
    assert sum(one.tag.endswith("rect") for one in bars.iter()) == 2


def test_the_page_is_written_from_the_command_line(tmp_path, capsys):
    series_set(tmp_path)
    out = tmp_path / "page.html"
    with pytest.raises(SystemExit) as done:
        main(["evaluate", str(tmp_path), "--method", "ewma", "--report", str(out), "--format", "json"])
    assert done.value.code == 0
    assert json.loads(capsys.readouterr().out)[0]["method"] == "ewma"
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(SystemExit) as done:
        main(["evaluate", str(tmp_path), "--method", "ewma", "--report", str(tmp_path / "no" / "page.html")])
    assert done.value.code == 1
    assert "cannot be written" in capsys.readouterr().err


def test_attacks_of_the_smallest_size_are_found_and_smaller_ones_are_missed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MOMENTS", (0.5,))
    monkeypatch.setattr(module, "LENGTHS", (600.0,))
    series_set(tmp_path)
    data = read_series(tmp_path)
    rows = detectable(data, 0.2)
    assert [row["entity"] for row in rows] == data.names
    starts = np.array([data.times[points.start] for points in data.steps()])
    until = int(np.searchsorted(starts, (data.train_end.min() + data.times.max()) / 2))
    steps = list(data.steps())
    attacked = steps[until : until + int(np.searchsorted(starts, starts[until] + 600.0)) - until]
    for factor, expected in ((1.01, True), (0.99, False)):
        fleet = Stray(data.entity, data.step, 0.2, phase=phases(data.names))
        alarms = np.zeros(len(data.names), dtype=bool)
        for points in steps[: until + len(attacked)]:
            row, values = data.row[points], data.values[points].copy()
            for entity, told in enumerate(rows):
                first = int(np.argmax(data.entity == entity))
                if points in attacked:
                    values[row == first] += factor * told["total_600"] / len(attacked)
            scores = fleet.advance(row, data.times[points], values)
            if points in attacked:
                alarms[scores.entities[scores.alert]] = True
        assert alarms.tolist() == [expected] * len(rows)
