"""Settings that have to go together."""

from __future__ import annotations

import pytest

from kubestray.config import load_config
from kubestray.model.errors import UsageError

DAY = 86_400 * 10**9


@pytest.mark.parametrize(
    ("given", "days"),
    [
        ({}, (7, 400)),
        ({"retention_raw": "500d"}, (500, 500)),
        ({"retention_raw": "30d", "retention_summaries": "30d"}, (30, 30)),
        ({"retention_raw": "1d", "retention_summaries": "3d"}, (1, 3)),
    ],
)
def test_summaries_are_kept_as_long_as_points(given, days):
    config = load_config(given, {}, None)
    assert (config["retention_raw"], config["retention_summaries"]) == tuple(DAY * n for n in days)


def test_summaries_that_are_to_go_before_their_points_are_refused(tmp_path):
    file = tmp_path / "kubestray.toml"
    file.write_text('retention_summaries = "20d"\n')
    with pytest.raises(UsageError) as told:
        load_config({"retention_raw": "30d"}, {}, file)
    assert str(told.value).startswith(
        f"{file}: retention_summaries 20d: is shorter than --retention-raw 30d: points cannot be kept longer"
    )
