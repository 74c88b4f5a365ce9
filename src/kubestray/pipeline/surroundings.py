"""What risk events are placed by: who is who in the catalog, the factors of the content, suppressions."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sqlglot import exp

from kubestray.model.content import Content
from kubestray.risk.directory import ATTRIBUTES, Directory
from kubestray.risk.placing import Circumstances
from kubestray.risk.suppressions import SUPPRESS, WITHDRAW, Suppression, suppressions_of
from kubestray.store.ledger import Ledger
from kubestray.store.store import Store
from kubestray.store.trees import any_of, call, column, named, select, text

_KEEP = 60.0  # seconds; a pod that is younger than that is known by its row alone


class Surroundings:
    """The circumstances of risk events; the catalog is asked again when a minute has passed."""

    def __init__(self, store: Store, content: Content) -> None:
        self._store, self._ledger = store, Ledger(store)
        self._factors = tuple(content.factors.values())
        self._who = Directory()
        self._asked = -_KEEP

    def now(self) -> Circumstances:
        """Return what holds now."""
        if time.monotonic() - self._asked >= _KEEP:
            self._who = Directory(_catalog(self._store))
            self._asked = time.monotonic()
        return Circumstances(self._who, self._factors, self.suppressions())

    def suppressions(self) -> list[Suppression]:
        """Return every suppression that was decided."""
        return suppressions_of(self._ledger.decisions(actions=(SUPPRESS, WITHDRAW)))


def _catalog(store: Store) -> Iterator[tuple[dict[str, str], int, int]]:
    """Yield what the catalog says of pods, nodes, namespaces and clusters, each combination once."""
    attributes = [named(_attribute(name), f"a{place}") for place, name in enumerate(ATTRIBUTES)]
    seen = (
        named(call("min", column("first_seen")), "first"),
        named(call("max", column("last_seen")), "last"),
    )
    tree = select(*attributes, *seen).from_("series")
    told = any_of([exp.NEQ(this=_attribute(name), expression=text("")) for name in ATTRIBUTES])
    groups = [column(f"a{place}") for place in range(len(ATTRIBUTES))]
    for row in store.query(tree.where(told).group_by(*groups)).to_pylist():
        found = {name: row[f"a{place}"] for place, name in enumerate(ATTRIBUTES) if row[f"a{place}"]}
        yield found, row["first"], row["last"]


def _attribute(name: str) -> exp.Expr:
    return call("arrayElement", column("attributes"), text(name))
