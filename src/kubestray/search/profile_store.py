"""Profiles in the store: what searches have learned of what is normal, as of some times.

A run of a schedule goes on from the profile in memory. Once an hour of event time it is written: after a
crash at most an hour of bins is learned again. Kept are the last `HOURS` hours that were written, and the
first of each of the last `DAYS` days; whoever looks at an earlier time learns from the points again. A slot
that is written again is replaced, and what is of an earlier time never replaces what is of a later one.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import zstandard
from sqlglot import exp

from kubestray.baseline.orders import Order, Orders
from kubestray.baseline.profile import Profile, load
from kubestray.model.errors import KubestrayError
from kubestray.search.relation import Held
from kubestray.store.trees import all_of, call, column, select, text, unsigned

ORDERS = "baseline"
"""The kind of the documents that orders are; their names begin with what they are about."""
HOURS, DAYS = 3, 7
HOUR, DAY = 3600, 86400
_PART = 8 << 20  # characters of a row

Query = Callable[[exp.Expr], pa.Table]
Record = Callable[[str, pa.Table], None]


class StoreProfiles:
    """The profiles of a store; with ``keep_in_store`` those that `keep` is given are written once an hour."""

    def __init__(self, query: Query, record: Record, *, keep_in_store: bool = False) -> None:
        self._query, self._record, self._writes = query, record, keep_in_store
        self._live: dict[str, Held] = {}
        self._written: dict[str, float] = {}

    def live(self, of: str) -> Held | None:
        """Return the profile that the last run of this process left, and what it judged last."""
        return self._live.get(of)

    def nearest(self, of: str, until: float) -> Profile | None:
        """Return the newest kept profile that has learned nothing from ``until`` (seconds) on.

        One that this program cannot read (of another version) is as good as none.
        """
        newest = self._newest(of, until)
        if newest is None:
            return None
        wanted = [
            exp.EQ(this=column("profile"), expression=text(of)),
            exp.EQ(this=column("until"), expression=unsigned(newest["until"])),
            exp.EQ(this=column("slot"), expression=text(newest["slot"])),
        ]
        tree = select(column("parts"), column("state")).from_("profiles").where(all_of(wanted))
        parts = self._query(tree.order_by(column("part"))).to_pylist()
        if not parts or len(parts) != parts[0]["parts"]:
            return None  # it is being written
        state = base64.b64decode("".join(part["state"] for part in parts))
        try:
            return load(zstandard.decompress(state))
        except (KubestrayError, zstandard.ZstdError):
            return None

    def kept_until(self, of: str, until: float) -> float | None:
        """Return up to when the profile has learned that `nearest` would return; None if there is none."""
        newest = self._newest(of, until)
        return None if newest is None else float(newest["until"])

    def _newest(self, of: str, until: float) -> dict[str, Any] | None:
        wanted = [
            exp.EQ(this=column("profile"), expression=text(of)),
            exp.LTE(this=column("until"), expression=unsigned(max(0, int(until)))),
        ]
        tree = select(column("slot"), column("until")).from_("profiles").where(all_of(wanted))
        tree = tree.order_by(exp.Ordered(this=column("until"), desc=True)).limit(1)
        return next(iter(self._query(tree).to_pylist()), None)

    def keep(self, of: str, held: Held) -> None:
        """Go on from this profile the next time."""
        self._live[of] = held
        until = held.profile.until
        if not self._writes or until // HOUR <= self._written.get(of, -1.0) // HOUR:
            return
        first_of_day = until // DAY > self._written.get(of, -1.0) // DAY
        state = base64.b64encode(zstandard.compress(held.profile.dump(), 1)).decode("ascii")
        slots = [f"h{int(until // HOUR) % HOURS}"] + [f"d{int(until // DAY) % DAYS}"] * first_of_day
        for slot in slots:
            self._record("profiles", _parts(of, slot, int(until), state))
        self._written[of] = until

    def drop(self, of: str) -> None:
        """Go on from what is kept in the store the next time."""
        self._live.pop(of, None)

    def orders(self, about: str) -> Orders:
        """Return what people have decided about what is learned, of one time in the order it was given."""
        there = exp.EQ(this=column("removed"), expression=exp.Literal.number(0))
        kind = exp.EQ(this=column("kind"), expression=text(ORDERS))
        own = call("startsWith", column("name"), text(f"{about}/"))
        tree = select(column("fields")).from_("documents").where(all_of([kind, own, there]))
        tree = tree.order_by(column("changed"), column("name"))
        found = [json.loads(row["fields"]) for row in self._query(tree).to_pylist()]
        keys = [None if one["key"] is None else tuple(one["key"]) for one in found]
        return Orders([Order(one["time"], one["what"], key) for one, key in zip(found, keys, strict=True)])


def _parts(of: str, slot: str, until: int, state: str) -> pa.Table:
    cuts = [state[start : start + _PART] for start in range(0, len(state), _PART)]
    count = len(cuts)
    return pa.table(
        {
            "profile": pa.array([of] * count, pa.string()),
            "slot": pa.array([slot] * count, pa.string()),
            "part": pa.array(range(count), pa.uint32()),
            "parts": pa.array([count] * count, pa.uint32()),
            "until": pa.array([until] * count, pa.uint64()),
            "state": pa.array(cuts, pa.string()),
        }
    )
