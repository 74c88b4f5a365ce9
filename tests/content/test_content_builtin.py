"""The tests that built-in detections bring: of one in four here, of all with TEST_EVERY_CASE=1."""

from __future__ import annotations

import os

import pytest

from kubestray.config import load_config
from kubestray.detect.loader import load_content
from kubestray.pipeline.setting_up import built_in
from kubestray.pipeline.testing import run_tests

CONTENT = load_content([built_in()])
OURS = sorted(name for name, one in CONTENT.detections.items() if one.type != "Correlation")
CHOSEN = OURS if os.environ.get("TEST_EVERY_CASE") else OURS[::4]


@pytest.mark.parametrize("name", CHOSEN)
def test_a_built_in_detection_passes_its_tests(name: str) -> None:
    config = load_config({}, {}, None)
    verdicts = list(run_tests(config, CONTENT, [CONTENT.detections[name]]))
    assert len(verdicts) >= 2
    assert [verdict for verdict in verdicts if not verdict.passed] == []
