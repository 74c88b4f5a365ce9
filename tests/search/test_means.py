"""A mean of equal values is that value to the last bit, though sums and quotients round."""

from __future__ import annotations

from helpers import MINUTE, NOW, SECOND, batch, search, series
from kubestray.store.store import Store

VALUES = (0.1, -0.7, 1 / 3, 1e9 + 0.1, 7.7e-9, 5e-324, 1.7e300, 0.0)
MOST = 23  # among these are numbers of which a multiple divided by them is another value


def test_it_is_the_value_in_bins_and_without(embedded: Store) -> None:
    hosts = {f"{place}x{count}": value for place, value in enumerate(VALUES) for count in (1, 3, 7, 11, MOST)}
    made = [
        (series("m", host=host, number=str(number)), NOW - MINUTE + number // 5 * SECOND, 0, value)
        for host, value in hosts.items()
        for number in range(int(host.partition("x")[2]))
    ]
    embedded.append(batch(made))
    for span in ("", "span=5s", "span=1m"):
        rows = search(embedded, f"| mstats avg(m) AS mean count(m) AS n WHERE index=* BY host {span}").rows
        assert {row["host"]: row["mean"] for row in rows} == hosts
        assert sum(row["n"] for row in rows) == len(made)
