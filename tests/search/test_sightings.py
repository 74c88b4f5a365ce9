"""What `unseen` says from first sights that are held is what the catalog says, and knows no future."""

from __future__ import annotations

import random

import pytest

from helpers import HOUR, MINUTE, NOW, Row, batch, series
from kubestray.search.kept import Kept
from kubestray.search.run import Request, run_search
from kubestray.store.points import Span
from kubestray.store.store import Store

READ = "| mstats count(load) AS n WHERE index=* BY cluster pod image node fillnull_value=none"
TEXTS = (
    READ + ' | unseen image pod BY cluster known_by="node" min_novelty=0',
    READ + ' | eval short=replace(image, "[0-9]", "") | unseen short BY cluster pod action=annotate',
)
TIMES = [NOW - 40 * HOUR, NOW - 39 * HOUR, NOW - 2 * HOUR]


def points(seed: int) -> list[tuple[int, str, str, str, str]]:
    """Return when series begin, and of what: many at the beginning, then some by chance."""
    chance = random.Random(seed)
    begins = [NOW - 40 * HOUR - 5 * MINUTE] * 12
    begins += [time - chance.randrange(1, 20) * MINUTE for time in TIMES for _ in range(4)]
    begins += [NOW - chance.randrange(60, 2400) * MINUTE for _ in range(20)]
    return [
        (
            begin,
            *(f"{kind}{chance.randrange(size)}" for kind, size in (("c", 2), ("p", 4), ("i", 30), ("n", 3))),
        )
        for begin in begins
    ]


def fill(store: Store, some: list[tuple[int, str, str, str, str]]) -> None:
    store.append(
        batch(
            (series("load", cluster=cluster, pod=pod, image=image, node=node), begin + n * MINUTE, 0, 1.0)
            for begin, cluster, pod, image, node in some
            for n in range(3)
        )
    )


def rows(store: Store, text: str, now: int, kept: Kept | None) -> list[Row]:
    request = Request(text, now, Span(now - 30 * MINUTE, now), kept=kept)
    found = run_search(request, store.query).rows
    rounded = [
        {k: pytest.approx(v, rel=1e-9) if isinstance(v, float) else v for k, v in r.items()} for r in found
    ]
    return sorted(rounded, key=lambda row: str({k: v for k, v in row.items() if isinstance(v, str)}))


def test_what_is_held_says_what_the_catalog_says_at_that_time(fleet):
    some = points(1)
    found = 0
    with fleet.store("embedded") as live, fleet.store("embedded") as later:
        fill(later, some)
        kept, written = Kept(later.changes), NOW - 100 * HOUR
        for now in TIMES:
            fill(live, [one for one in some if written <= one[0] < now])
            written = now
            for text in TEXTS:
                asked = rows(live, text, now, None)
                assert rows(later, text, now, kept) == asked == rows(later, text, now, None)
                found += len(asked)
    assert found > 20
