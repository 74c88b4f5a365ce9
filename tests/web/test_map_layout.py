"""Where the map puts things: nothing over another, names that can be read, a page that stays small."""

from __future__ import annotations

import itertools
import random

import pytest

from kubestray.api.network_map import MapEdge, MapNode, NetworkMap
from kubestray.web.map_layout import Picture, picture


def laid_out(count: int, edges: int) -> Picture:
    """A map of so many workloads of namespaces with a dozen each; each fiftieth edge is new."""
    chance = random.Random(count)
    nodes = [
        MapNode(
            id=f"workload:prod/team-{n // 12}/app-{n}",
            kind="workload",
            cluster="prod",
            namespace=f"team-{n // 12}",
            name=f"app-{n}",
            workloads=1,
            new_edges=0,
        )
        for n in range(count)
    ]
    pairs = chance.sample(list(itertools.permutations(range(count), 2)), edges)
    made = [
        MapEdge(
            source=one,
            dest=other,
            first_seen=None,
            last_seen=None,
            new=n % 50 == 0,
            edges=1,
            bytes=chance.random(),
        )
        for n, (one, other) in enumerate(pairs)
    ]
    return picture(
        NetworkMap(
            at=None,
            over_seconds=1,
            began=None,
            nodes=nodes,
            edges=made,
            collapsed=False,
            workloads=count,
            new_edges=[],
        )
    )


@pytest.mark.parametrize("count", [30, 300])
def test_no_box_is_over_another_and_all_names_can_be_read(count):
    found = laid_out(count, 3 * count)
    for one, other in itertools.combinations(found.boxes, 2):
        apart = (
            one.x + one.width <= other.x
            or other.x + other.width <= one.x
            or one.y + one.height <= other.y
            or other.y + other.height <= one.y
        )
        assert apart, (one, other)
    # Letters are 11.5 units high, and a map is about a thousand pixels wide on a desk.
    assert found.bounds[2] < 1600
    assert len(found.pairs) == 3 * count
    assert found.left_out == 0


def test_of_very_many_edges_those_are_drawn_that_carried_most_and_all_new_ones():
    found = laid_out(200, 5000)
    assert len(found.new) == 100
    assert found.left_out == 5000 - 3000 - 100
    assert len(found.pairs) == 3100
    assert sum(path.count("M") for _, path in found.normal) == 3000
