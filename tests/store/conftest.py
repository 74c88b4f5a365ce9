"""Properties of the store hold on the embedded engine and on two shards.

Over HTTP the same statements take another way to the same engine: what could be lost on it has examples
of its own here; the properties run on it too with ``TEST_EVERY_ENGINE=1``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("TEST_EVERY_ENGINE"):
        return
    left_out = [item for item in items if _is_property_over_http(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _is_property_over_http(item: pytest.Item) -> bool:
    engine = item.callspec.params.get("store") if hasattr(item, "callspec") else None
    here = item.path.is_relative_to(Path(__file__).parent)
    return here and engine == "http" and is_hypothesis_test(getattr(item, "obj", None))
