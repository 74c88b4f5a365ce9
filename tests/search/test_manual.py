"""Every example of the manual runs, over rows that have the fields it speaks of."""

from __future__ import annotations

import importlib
import inspect

import pytest

from helpers import NOW
from kubestray.search import commands
from kubestray.search.compatibility import _SWITCHES
from kubestray.search.events import StoredEvents
from kubestray.search.lookup_store import StoreLookups
from kubestray.search.relation import SWITCH_VALUES
from kubestray.search.run import Request, run_search
from kubestray.store.points import Span
from kubestray.store.store import Store

GENERATING = (
    "inputlookup",
    "makeresults",
    "mcatalog",
    "mpreview",
    "mstats",
    "eventcount",
    "gentimes",
    "multisearch",
    "set",
    "union",
)

ROWS = [
    {"_time": NOW / 1e9 - 60 * n, "_raw": f"user=u{n} bytes={n}", "host": f"h{n % 2}", "count": n, "n": n}
    for n in range(1, 6)
]
LOOKUPS = {
    name: [{"key": "a", "avg_process.threads": 1.0, "count": 5}]
    for name in ("k8s_process_resource_baseline", "io_baseline", "baseline")
}


def examples() -> list[tuple[str, str]]:
    found = []
    for name, module in commands.MODULES.items():
        page = inspect.getdoc(importlib.import_module(f"{commands.__name__}.{module}")) or ""
        _, _, written = page.partition("Example::")
        blocks = [" ".join(block.split()) for block in written.strip("\n").split("\n\n")]
        found += [(name, block) for block in blocks if block]
    return found


def test_every_command_has_an_example() -> None:
    assert {name for name, _ in examples()} == set(commands.MODULES)


@pytest.mark.parametrize(("name", "text"), examples(), ids=lambda value: value[:40])
def test_an_example_runs(name: str, text: str, embedded: Store) -> None:
    first = text.removeprefix("| ").split()[0]
    request = Request(
        text,
        NOW,
        Span(),
        rows=None if first in GENERATING else ROWS,
        lookups=StoreLookups(embedded.query, embedded.record, {}, LOOKUPS),
        events=StoredEvents(embedded.query, embedded.record),
    )
    run_search(request, embedded.query)


def test_every_switch_is_explained() -> None:
    assert _SWITCHES.keys() == SWITCH_VALUES.keys()
