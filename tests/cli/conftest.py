"""The command line is tested as the server is: see ``tests/serve/product.py``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "serve"))

from metrics import HOUR_END, SECOND, framed, gauge, point, request
from product import run


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "store"


@pytest.fixture(scope="session")
def filled(tmp_path_factory) -> Path:
    """A store with an hour of one metric: pod ``a`` is calm, pod ``b`` jumps in the last five minutes."""
    store = tmp_path_factory.mktemp("filled") / "store"
    points = []
    for minute in range(60):
        at = HOUR_END - (60 - minute) * 60 * SECOND
        points += [point(1, at, pod="a"), point(100 if minute >= 55 else 2, at, pod="b")]
    sent = framed(request(gauge("load", *points), cluster="c1").SerializeToString())
    assert run("ingest", "--store", store, "-", stdin=sent).json["data_points"] == 120
    return store
