"""Where things lie on the network map: workloads in a grid, grid in a box a namespace, boxes side by side.

The same map has the same picture every time. Boxes are set down one after the other, the largest first, each
as near as it can be to those it talks with; nothing moves while it is looked at, and every name can be read.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kubestray.api.network_map import MapNode, NetworkMap

CELL_WIDTH, CELL_HEIGHT = 132, 30
_HEAD, _PAD, _GAP = 24, 10, 18
_LETTERS = 16
_CROWDED, _ROW = 100, 1320
"""With more nodes than that, boxes stand in rows so wide: else names are too small to read."""
_WIDTHS = 5
"""Steps of width, for which the style sheet has classes."""
_MOST_NORMAL = 3_000
"""So many edges that are not new are drawn: those that carried most. More would be grey ground."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A node: where its dot is, and its name cut to fit beside it."""

    node: MapNode
    x: float
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Box:
    """A namespace of a cluster, or what is outside: its corner and its size."""

    id: str
    label: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    """An edge that is new, drawn by itself; ``path`` in the words of SVG."""

    path: str
    source: str
    dest: str
    edges: int
    width: int
    bytes: float | None


@dataclass(frozen=True, slots=True)
class Picture:
    """All of the map. ``normal`` has one path for all edges of a width that are not new; ``pairs`` are all
    edges that are drawn, and ``left_out`` is how many are not.
    """

    spots: list[Spot]
    boxes: list[Box]
    new: list[Line]
    normal: list[tuple[int, str]]
    pairs: list[tuple[int, int]]
    bounds: tuple[float, float, float, float]
    left_out: int


def picture(found: NetworkMap) -> Picture:
    """Lay a map out."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, node in enumerate(found.nodes):
        # A namespace that is collapsed is a node among others of its cluster, not a box with one thing in it.
        groups[node.cluster, "" if node.kind == "namespace" else node.namespace or "\0outside"].append(place)
    corners = _corners(found, groups)
    if len(found.nodes) > _CROWDED:
        corners = _in_rows(corners, groups)
    spots: dict[int, Spot] = {}
    boxes: list[Box] = []
    for key, members in groups.items():
        x, y = corners[key]
        width, height, columns = _size(len(members))
        boxes.append(Box(_identity(key), _label(key), x, y, width, height))
        for number, place in enumerate(sorted(members, key=lambda place: found.nodes[place].name)):
            left = x + _PAD + (number % columns) * CELL_WIDTH + 8
            top = y + _HEAD + _PAD + (number // columns) * CELL_HEIGHT + 8
            node = found.nodes[place]
            label = node.name if len(node.name) <= _LETTERS else node.name[: _LETTERS - 1] + "…"
            spots[place] = Spot(node, left, top, label)
    ordered = [spots[place] for place in range(len(found.nodes))]
    return _drawn(found, ordered, boxes)


def _drawn(found: NetworkMap, spots: list[Spot], boxes: list[Box]) -> Picture:
    new: list[Line] = []
    normal: dict[int, list[str]] = defaultdict(list)
    width_of = _widths([edge.bytes for edge in found.edges])
    usual = sorted(
        (edge for edge in found.edges if not edge.new), key=lambda edge: -(edge.bytes or edge.edges)
    )
    shown = [*usual[:_MOST_NORMAL], *(edge for edge in found.edges if edge.new)]
    for edge in shown:
        one, other = spots[edge.source], spots[edge.dest]
        path, width = _curve(one, other), width_of(edge.bytes)
        if edge.new:
            new.append(Line(path, one.node.id, other.node.id, edge.edges, width, edge.bytes))
        else:
            normal[width].append(path)
    left = min((box.x for box in boxes), default=0) - _PAD
    top = min((box.y for box in boxes), default=0) - _PAD
    right = max((box.x + box.width for box in boxes), default=100) + _PAD
    bottom = max((box.y + box.height for box in boxes), default=100) + _PAD
    pairs = [(edge.source, edge.dest) for edge in shown]
    joined = [(width, "".join(paths)) for width, paths in sorted(normal.items())]
    bounds = (left, top, right - left, bottom - top)
    return Picture(spots, boxes, new, joined, pairs, bounds, len(found.edges) - len(shown))


def _widths(carried: list[float | None]) -> Callable[[float | None], int]:
    """Return how wide a line is for the bytes it carried: a step for each tenfold below the most."""
    most = max((one for one in carried if one), default=0.0)

    def width(own: float | None) -> int:
        if not own or not most:
            return 0
        below = int(math.log10(most / own))
        return max(0, _WIDTHS - 1 - below)

    return width


def _curve(one: Spot, other: Spot) -> str:
    """Return a line that bends to its left, so that there and back can be told apart."""
    across, down = other.x - one.x, other.y - one.y
    bend = 0.12
    middle = (one.x + across / 2 + down * bend, one.y + down / 2 - across * bend)
    if not across and not down:
        return f"M{one.x:.0f} {one.y:.0f}c-14-22 18-22 2-2"
    return f"M{one.x:.0f} {one.y:.0f}Q{middle[0]:.0f} {middle[1]:.0f} {other.x:.0f} {other.y:.0f}"


def _size(count: int) -> tuple[float, float, int]:
    columns = max(1, min(8, math.ceil(math.sqrt(count * CELL_HEIGHT / CELL_WIDTH * 1.6))))
    rows = math.ceil(count / columns)
    return columns * CELL_WIDTH + 2 * _PAD, rows * CELL_HEIGHT + _HEAD + 2 * _PAD - 6, columns


def _corners(
    found: NetworkMap, groups: dict[tuple[str, str], list[int]]
) -> dict[tuple[str, str], tuple[float, float]]:
    """Set boxes down along a spiral, none over another, near to those they have edges with."""
    owner = {place: key for key, members in groups.items() for place in members}
    ties: dict[tuple[str, str], dict[tuple[str, str], int]] = defaultdict(lambda: defaultdict(int))
    for edge in found.edges:
        one, other = owner[edge.source], owner[edge.dest]
        if one != other:
            ties[one][other] += edge.edges
            ties[other][one] += edge.edges
    order = sorted(groups, key=lambda key: (-len(groups[key]), key))
    turns = np.arange(0, 6000)
    reach = 12.0 * np.sqrt(turns)
    spiral = np.stack([reach * np.cos(turns * 2.399963) * 1.5, reach * np.sin(turns * 2.399963)], axis=1)
    placed: dict[tuple[str, str], tuple[float, float]] = {}
    taken = np.empty((0, 4))  # left, top, right, bottom
    for key in order:
        width, height, _ = _size(len(groups[key]))
        centre = _pull(key, ties, placed, groups)
        scale = max(1.0, math.sqrt(len(order) / 12))
        corners = spiral * scale + np.array(centre) - np.array([width / 2, height / 2])
        free = np.ones(len(corners), dtype=bool)
        for left, top, right, bottom in taken:
            free &= (
                (corners[:, 0] >= right + _GAP)
                | (corners[:, 0] + width + _GAP <= left)
                | (corners[:, 1] >= bottom + _GAP)
                | (corners[:, 1] + height + _GAP <= top)
            )
        found_free = np.flatnonzero(free)
        if len(found_free):
            x, y = corners[found_free[0]]
        else:  # the spiral is full: below all the others
            x, y = 0.0, float(taken[:, 3].max()) + _GAP
        placed[key] = (float(x), float(y))
        taken = np.vstack([taken, [x, y, x + width, y + height]])
    return placed


def _in_rows(
    corners: dict[tuple[str, str], tuple[float, float]], groups: dict[tuple[str, str], list[int]]
) -> dict[tuple[str, str], tuple[float, float]]:
    """Set boxes in rows, from top to bottom and from left to right as they lay: who was near stays near."""
    sizes = {key: _size(len(members)) for key, members in groups.items()}
    rows: list[list[tuple[str, str]]] = []
    wide = _ROW
    for key in sorted(corners, key=lambda key: (corners[key][1] + sizes[key][1] / 2, key)):
        if wide + sizes[key][0] > _ROW:
            rows.append([])
            wide = 0
        rows[-1].append(key)
        wide += int(sizes[key][0]) + _GAP
    placed: dict[tuple[str, str], tuple[float, float]] = {}
    top = 0.0
    for row in rows:
        left = 0.0
        for key in sorted(row, key=lambda key: (corners[key][0], key)):
            placed[key] = (left, top)
            left += sizes[key][0] + _GAP
        top += max(sizes[key][1] for key in row) + _GAP
    return placed


def _pull(
    key: tuple[str, str],
    ties: dict[tuple[str, str], dict[tuple[str, str], int]],
    placed: dict[tuple[str, str], tuple[float, float]],
    groups: dict[tuple[str, str], list[int]],
) -> tuple[float, float]:
    """Return the middle of the boxes that one has edges with, as far as they are set down."""
    weight = x = y = 0.0
    for other, count in ties[key].items():
        if other in placed:
            width, height, _ = _size(len(groups[other]))
            pull = math.log1p(count)
            weight += pull
            x += pull * (placed[other][0] + width / 2)
            y += pull * (placed[other][1] + height / 2)
    return (x / weight, y / weight) if weight else (0.0, 0.0)


def _identity(key: tuple[str, str]) -> str:
    cluster, namespace = key
    return (
        "" if not namespace or namespace.startswith("\0") else f"namespace:{cluster}/{namespace}/{namespace}"
    )


def _label(key: tuple[str, str]) -> str:
    cluster, namespace = key
    if namespace.startswith("\0"):
        return "outside of the cluster"
    return namespace or f"namespaces of {cluster or 'the cluster'}"
