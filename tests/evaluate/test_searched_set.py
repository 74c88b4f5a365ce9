"""Sets of rows of a search: the same as those of files, and errors that say what the rows lack."""

from __future__ import annotations

import numpy as np
import pytest

from evaluate.sets import events_file, rows_of, series_set
from kubestray.evaluate.searched_set import set_of_rows
from kubestray.evaluate.series_set import read_series
from kubestray.model.errors import UsageError

TRAIN = 4 * 86400.0


def test_rows_of_a_search_are_the_set_that_files_are(tmp_path):
    events_file(tmp_path, series_set(tmp_path))
    expected, rows = read_series(tmp_path), rows_of(tmp_path)
    found = set_of_rows([rows[:100], rows[100:]], TRAIN, tmp_path / "events.csv")
    assert found.names == expected.names == ["e0", "e1"]
    for column in ("entity", "step", "train_end", "row", "times", "values"):
        np.testing.assert_array_equal(getattr(found, column), getattr(expected, column), column)
    assert found.events.entity.tolist() == expected.events.entity.tolist()
    assert found.events.start.tolist() == expected.events.start.tolist()


def test_entities_are_named_by_texts_and_each_metric_has_its_own_step():
    rows = [{"_time": 60.0 * n, "ns": "shop", "pod": "b", "cpu": 1.0 * n} for n in range(10)]
    rows += [{"_time": 60.0 * n, "pod": "a", "ns": "shop", "mem": 5, "cpu": None} for n in range(0, 10, 3)]
    rows += [{"_time": 120.0, "pod": "c", "cpu": 7}]
    found = set_of_rows([rows])
    assert found.names == ["shop/b", "a/shop", "c"]
    steps = dict(zip((found.names[at] for at in found.entity), found.step.tolist(), strict=True))
    assert steps == {"shop/b": 60.0, "a/shop": 180.0, "c": 60.0}
    assert found.train_end.tolist() == [270.0] * 3
    assert found.events is None


@pytest.mark.parametrize(
    ("rows", "more", "told"),
    [
        ([{"pod": "a", "cpu": 1}], {}, "need a _time"),
        ([{"_time": 1, "pod": "a"}], {}, "no row with a number"),
        ([], {}, "no row with a number"),
        ([{"_time": 1, "pod": ["a", "b"], "cpu": 1}], {}, r"'pod' holds \['a', 'b'\]"),
        ([{"_time": 1, "pod": "a", "cpu": 1}], {}, "no entity has points at two times"),
        ([{"_time": t, "pod": "a", "cpu": 1} for t in (0, 60)], {"train": 61.0}, "end 60 s after the first"),
        (
            [
                {"_time": t, "x": x, "y": y, "cpu": 1}
                for t in (0, 60)
                for x, y in (("a/b", "c"), ("a", "b/c"))
            ],
            {},
            "two entities are named 'a/b/c'",
        ),
    ],
)
def test_rows_that_are_no_series_are_refused(rows, more, told):
    with pytest.raises(UsageError, match=told):
        set_of_rows([rows], **more)


def test_a_file_of_events_that_is_not_there_is_told(tmp_path):
    rows = [{"_time": t, "pod": "a", "cpu": 1} for t in (0, 60)]
    with pytest.raises(UsageError, match=r"events\.csv: it cannot be read"):
        set_of_rows([rows], events=tmp_path / "events.csv")
