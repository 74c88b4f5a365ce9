"""One of something is told as one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubestray.model.counted import counted

SOURCE = Path(__file__).parent.parent / "src" / "kubestray"
ELSEWHERE = ("search", "baseline", "receive")
COUNTED = "row|letter|hour|minute|finding|event|run|test|file|point|day|step|search|metric"


@pytest.mark.parametrize(
    ("number", "words", "told"),
    [
        (0, ("row",), "0 rows"),
        (1, ("row",), "1 row"),
        (2, ("entity", "entities"), "2 entities"),
        (1, ("letter is", "letters are"), "1 letter is"),
    ],
)
def test_a_count(number, words, told):
    assert counted(number, *words) == told


def test_no_sentence_counts_the_length_of_something_by_itself():
    """``{len(rows)} rows`` is ``1 rows`` some day."""
    counts = re.compile(rf'f".*\{{len\([^{{}}]*\)[^{{}}]*\}} (\w+ )?({COUNTED})(e?s)\b')
    found = [
        f"{file.relative_to(SOURCE)}: {line.strip()}"
        for file in sorted(SOURCE.rglob("*.py"))
        if file.relative_to(SOURCE).parts[0] not in ELSEWHERE
        for line in file.read_text(encoding="utf-8").splitlines()
        if counts.search(line)
    ]
    # These have more than one by what stands around them.
    allowed = ('risk/documents.py: return f"{len(steps)} steps', "cli/demonstration.py:")
    assert [one for one in found if not one.startswith(allowed)] == []
