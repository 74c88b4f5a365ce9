"""What people have set: which version of a document counts."""

from __future__ import annotations

import pytest

from helpers import DAY, NOW
from kubestray.store.documents import Documents


@pytest.mark.parametrize("removed", [False, True])
def test_a_change_counts_after_the_clock_was_set_back(embedded, removed):
    embedded.clock = lambda: NOW + 400 * DAY
    Documents(embedded).put("token", "one", {"ends": "never"})
    embedded.clock = lambda: NOW
    corrected = Documents(embedded)  # of a server that was started after the clock was set right
    if removed:
        corrected.remove("token", "one")
    else:
        corrected.put("token", "one", {"ends": "soon"})
    assert corrected.get("token", "one") == (None if removed else {"ends": "soon"})
    corrected.put("token", "one", {"ends": "later"})
    assert Documents(embedded).get("token", "one") == {"ends": "later"}
