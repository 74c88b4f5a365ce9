"""The published detections of edges, images and processes that were not seen before, on every engine.

The first tests write down by hand what they find in one awkward case each; the last one compares all five
with the oracle over data that is made of all of them at once.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from awkward import NAMES, one_of_three, sightings, three
from hypothesis import given
from hypothesis import strategies as st
from seen_oracle import PATH, new_edges, new_images, new_processes
from spl_oracle import assert_same_rows

from engines.fleet import emptied
from helpers import DAY, HOUR, NOW, SECOND, Point, more, series
from kubestray.model.metric import Kind, Series
from kubestray.pipeline.detecting import Run
from kubestray.store.store import Store

RunPublished = Callable[..., list[Run]]
Row = dict[str, Any]

TCP, UDP = "Kubernetes newly seen TCP edge", "Kubernetes newly seen UDP edge"
IMAGE = "Kubernetes Previously Unseen Container Image Name"
PROCESS = "Kubernetes Previously Unseen Process"
PATH_ = "Kubernetes Process Running From New Path"
ALL = (TCP, UDP, IMAGE, PROCESS, PATH_)

RECENT = NOW - 60 * SECOND
BEFORE = NOW - 2 * DAY


def edge(
    source: str = "web",
    dest: str = "db",
    cluster: str = "c1",
    metric: str = "tcp.packets",
    kind: Kind = Kind.GAUGE,
) -> Series:
    names = {"k8s.cluster.name": cluster, "source.workload.name": source, "dest.workload.name": dest}
    return series(metric, kind, **names)


def image(name: str = "nginx:1", host: str = "h1", node: str = "n1", cluster: str = "c1") -> Series:
    names = {"host.name": host, "k8s.cluster.name": cluster, "k8s.node.name": node}
    return series("k8s.container.ready", **names, **{"container.image.name": name})


def process(
    name: str = "nginx", path: str = "/bin/nginx", pid: str = "7", host: str = "h1", **more: str
) -> Series:
    names = {"host.name": host, "k8s.cluster.name": "c1", "k8s.node.name": "n1", "process.pid": pid}
    paths = {"process.executable.name": name, "process.executable.path": path}
    return series("process.memory.utilization", **names, **paths, **more)


def at(of: Series, *times: int) -> list[Point]:
    return [(of, time, 0, 1.0) for time in times]


def found_edge(source: str = "web", dest: str = "db", cluster: str = "c1", count: int = 1) -> Row:
    names = {"host": cluster, "source.workload.name": source, "dest.workload.name": dest}
    return {**names, "tcp.packets_count": count, "current": "True"}


def found_image(name: str = "nginx:1", host: str = "h1", node: str = "n1") -> Row:
    names = {"host": host, "k8s.cluster.name": "c1", "k8s.node.name": node}
    return {**names, "container.image.name": name, "current": "True"}


def found_process(name: str = "nginx", host: str = "h1") -> Row:
    names = {"host": host, "k8s.cluster.name": "c1", "k8s.node.name": "n1"}
    return {**names, "process.executable.name": name, "count": 1, "current": "True"}


def found_path(name: str = "nginx", path: str = "/bin/nginx", pid: str = "7") -> Row:
    return {**found_process(name), "process.executable.path": path, "process.pid": pid}


@pytest.fixture
def finds(run_published: RunPublished) -> Callable[..., list[Row]]:
    """``finds(name, points)`` returns the rows in the order of their texts."""

    def run(name: str, points: list[Point], **more: Any) -> list[Row]:
        (found,) = run_published(points, name, **more)
        return sorted(found.outcome.rows, key=lambda row: sorted(map(str, row.items())))

    return run


Finds = Callable[..., list[Row]]


def test_without_points_nothing_is_found(run_published: RunPublished) -> None:
    assert [run.outcome.rows for run in run_published([], *ALL)] == [[]] * 5


# --- edges ----------------------------------------------------------------------------------------------


def test_a_new_edge_is_found_with_the_count_of_its_points(finds: Finds) -> None:
    assert finds(TCP, at(edge(), RECENT, RECENT + SECOND, RECENT + 2)) == [found_edge(count=3)]


def test_tcp_and_udp_are_apart(run_published: RunPublished) -> None:
    points = at(edge(), RECENT) + at(edge(metric="udp.packets"), BEFORE, RECENT)
    tcp, udp = run_published(points, TCP, UDP)
    assert tcp.outcome.rows == [found_edge()]
    assert udp.outcome.rows == []


def test_a_udp_edge_has_its_own_count(finds: Finds) -> None:
    names = {"host": "c1", "source.workload.name": "web", "dest.workload.name": "db"}
    (row,) = finds(UDP, at(edge(metric="udp.packets"), RECENT))
    assert row == {**names, "udp.packets_count": 1, "current": "True"}


@pytest.mark.more
def test_an_edge_that_was_there_is_not_found(finds: Finds) -> None:
    assert finds(TCP, at(edge(), BEFORE, RECENT)) == []


@pytest.mark.more
def test_an_edge_only_of_the_past_is_not_found(finds: Finds) -> None:
    assert finds(TCP, at(edge(), BEFORE)) == []


@pytest.mark.more
def test_the_way_back_is_another_edge(finds: Finds) -> None:
    points = at(edge("web", "db"), BEFORE) + at(edge("db", "web"), RECENT)
    assert finds(TCP, points) == [found_edge("db", "web")]


def test_an_edge_that_is_known_in_another_cluster_is_not_found(finds: Finds) -> None:
    assert finds(TCP, at(edge(cluster="c2"), BEFORE) + at(edge(), RECENT)) == []


@pytest.mark.more
def test_a_new_edge_is_found_in_each_cluster(finds: Finds) -> None:
    points = at(edge(), RECENT) + at(edge(cluster="c2"), RECENT, RECENT + 1)
    assert finds(TCP, points) == [found_edge(), found_edge(cluster="c2", count=2)]


def test_history_needs_no_cluster(finds: Finds) -> None:
    old = series("tcp.packets", **{"source.workload.name": "web", "dest.workload.name": "db"})
    assert finds(TCP, at(old, BEFORE) + at(edge(), RECENT)) == []


@pytest.mark.parametrize("lost", ["k8s.cluster.name", more("source.workload.name"), "dest.workload.name"])
def test_an_edge_that_lacks_an_attribute_is_not_found(finds: Finds, lost: str) -> None:
    rest = {name: value for name, value in edge().attributes if name != lost}
    assert finds(TCP, at(series("tcp.packets", **rest), RECENT)) == []


def test_the_edges_of_the_hour_and_the_month(finds: Finds) -> None:
    times = {
        "first": NOW - HOUR,
        "last": NOW - 1,
        "late": NOW,
        "early": NOW - HOUR - 1,
        "old": NOW - 30 * DAY,
        "older": NOW - 30 * DAY - 1,
    }
    points = [point for dest, time in times.items() for point in at(edge(dest=dest), time)]
    points += at(edge(dest="old"), RECENT) + at(edge(dest="older"), RECENT) + at(edge(dest="early"), RECENT)
    assert finds(TCP, points) == [found_edge(dest=dest) for dest in ("first", "last", "older")]


def test_the_first_point_of_a_counter_is_no_sighting(finds: Finds) -> None:
    once, twice = (edge(dest=dest, kind=Kind.CUMULATIVE) for dest in ("once", "twice"))
    assert finds(TCP, at(once, RECENT) + at(twice, RECENT, RECENT + SECOND)) == [found_edge(dest="twice")]


def test_a_counter_looks_back_an_hour_for_its_point_before(finds: Finds) -> None:
    near, far = (edge(dest=dest, kind=Kind.CUMULATIVE) for dest in ("near", "far"))
    points = at(near, RECENT - HOUR, RECENT) + at(far, RECENT - HOUR - 1, RECENT)
    assert finds(TCP, points) == [found_edge(dest="near")]


def test_the_first_point_of_a_counter_is_no_history(finds: Finds) -> None:
    counter = edge(kind=Kind.CUMULATIVE)
    assert finds(TCP, at(counter, BEFORE, RECENT, RECENT + SECOND)) == [found_edge()]
    assert finds(TCP, at(counter, BEFORE + SECOND)) == []


def test_names_that_look_like_the_same_number_are_apart(finds: Finds) -> None:
    points = at(edge("1", "2"), BEFORE) + at(edge("1.0", "2"), RECENT) + at(edge("1", "02"), RECENT)
    points += at(edge("1", "2"), RECENT)
    assert finds(TCP, points) == [found_edge("1", "02"), found_edge("1.0", "2")]


@pytest.mark.more
def test_names_come_back_as_they_are(finds: Finds) -> None:
    odd = [*NAMES, "*", "null", "\x00", "-- x", "{0}", "true", "false", "Web", "%s", "</x>", " "]
    points = [point for name in odd for point in at(edge(name, name, name), RECENT)]
    rows = finds(TCP, points)
    assert sorted(row["host"] for row in rows) == sorted(odd)
    assert all(row == found_edge(row["host"], row["host"], row["host"]) for row in rows)


def test_names_differ_by_their_case(finds: Finds) -> None:
    assert finds(TCP, at(edge("Web"), BEFORE) + at(edge("web"), RECENT)) == [found_edge("web")]


# --- images ---------------------------------------------------------------------------------------------


def test_an_image_that_appeared_in_the_last_hour_is_found(finds: Finds) -> None:
    assert finds(IMAGE, at(image(), NOW - HOUR, RECENT)) == [found_image()]


def test_an_image_that_appeared_before_the_last_hour_is_not_found(finds: Finds) -> None:
    assert finds(IMAGE, at(image(), NOW - HOUR - 1, RECENT)) == []


def test_an_image_is_new_to_each_host_and_node(finds: Finds) -> None:
    points = at(image(), BEFORE, RECENT) + at(image(host="h2"), RECENT) + at(image(node="n2"), RECENT)
    assert finds(IMAGE, points) == [found_image(node="n2"), found_image(host="h2")]


def test_the_edges_of_the_day_and_the_month_of_images(finds: Finds) -> None:
    """The last day is of no consequence: what it holds beyond the last hour is history too."""
    times = {"day": NOW - 24 * HOUR, "hour": NOW - HOUR, "late": NOW, "end": NOW - 1}
    points = [point for name, time in times.items() for point in at(image(name), time)]
    points += at(image("older"), NOW - 30 * DAY - 1, RECENT) + at(image("old"), NOW - 30 * DAY, RECENT)
    assert [row["container.image.name"] for row in finds(IMAGE, points)] == ["end", "hour", "older"]


@pytest.mark.more
def test_names_of_images_come_back_as_they_are(finds: Finds) -> None:
    odd = ["ghcr.io/a/b:1@sha256:0", 'x"y', "ü🐍", "a b", "%", "[x]", "\\", "$x$", "", "1e3"]
    rows = finds(IMAGE, [point for name in odd for point in at(image(name), RECENT)])
    assert sorted(row["container.image.name"] for row in rows) == sorted(odd)


# --- processes ------------------------------------------------------------------------------------------


def test_a_new_process_is_found(finds: Finds) -> None:
    assert finds(PROCESS, at(process(), RECENT, RECENT + 1)) == [found_process()]


@pytest.mark.more
def test_a_process_that_was_there_is_not_found(finds: Finds) -> None:
    assert finds(PROCESS, at(process(), BEFORE, RECENT)) == []


@pytest.mark.more
def test_a_process_only_of_the_past_is_not_found(finds: Finds) -> None:
    assert finds(PROCESS, at(process(), BEFORE)) == []


def test_a_process_is_new_to_each_host(finds: Finds) -> None:
    points = at(process(), BEFORE, RECENT) + at(process(host="h2"), RECENT)
    assert finds(PROCESS, points) == [found_process(host="h2")]


@pytest.mark.more
def test_ids_and_paths_do_not_make_a_process_new(finds: Finds) -> None:
    points = at(process(pid="1"), BEFORE) + at(process(pid="2", path="/tmp/nginx"), RECENT)
    assert finds(PROCESS, points) == []


def test_the_edges_of_the_hour_of_processes(finds: Finds) -> None:
    times = {"first": NOW - HOUR, "last": NOW - 1, "late": NOW, "early": NOW - HOUR - 1}
    points = [point for name, time in times.items() for point in at(process(name), time)]
    points += at(process("old"), NOW - 30 * DAY, RECENT) + at(process("older"), NOW - 30 * DAY - 1, RECENT)
    assert finds(PROCESS, points) == [found_process(name) for name in ("first", "last", "older")]


def test_every_new_id_is_a_new_path(finds: Finds) -> None:
    points = at(process(pid="1"), BEFORE) + at(process(pid="2"), RECENT) + at(process(pid="02"), RECENT)
    assert finds(PATH_, points) == [found_path(pid="02"), found_path(pid="2")]


def test_an_id_that_is_used_again_hides_nothing_but_the_same_program(finds: Finds) -> None:
    points = at(process("nginx", "/bin/nginx", "7"), BEFORE, RECENT)
    points += at(process("nginx", "/tmp/nginx", "7"), RECENT) + at(process("sh", "/bin/nginx", "7"), RECENT)
    assert finds(PATH_, points) == [found_path(path="/tmp/nginx"), found_path("sh")]


@pytest.mark.parametrize("lost", ["process.pid", "process.executable.path"])
def test_a_process_without_id_or_path_has_no_new_path(finds: Finds, lost: str) -> None:
    rest = {name: value for name, value in process().attributes if name != lost}
    assert finds(PATH_, at(series("process.memory.utilization", **rest), RECENT)) == []


def test_a_window_of_the_caller_changes_nothing(run_published: RunPublished) -> None:
    points = at(edge(), RECENT) + at(image(), RECENT) + at(process(), RECENT)
    runs = run_published(points, TCP, IMAGE, PROCESS, PATH_, earliest="-9d", latest="-8d")
    assert [len(run.outcome.rows) for run in runs] == [1, 1, 1, 1]


def test_each_row_is_a_risk_of_its_host(run_published: RunPublished) -> None:
    points = at(edge(), RECENT) + at(edge(cluster='"$host$"'), RECENT)
    (run,) = run_published(points, TCP)
    assert sorted(event.risk_object for event in run.events) == ['"$host$"', "c1"]


# --- all at once ----------------------------------------------------------------------------------------


@given(seed=st.integers(min_value=0, max_value=2**31))
@one_of_three
def test_they_agree_with_the_oracle(store: Store, run_published: RunPublished, seed: int) -> None:
    apart = ("source.workload.name", "container.image.name", "process.executable.name")
    now, points = three(sightings, seed, *apart)
    runs = run_published(points, *ALL, now=now, on=emptied(store))
    expected = [
        new_edges(points, now, "tcp.packets"),
        new_edges(points, now, "udp.packets"),
        new_images(points, now),
        new_processes(points, now),
        new_processes(points, now, PATH),
    ]
    for run, rows in zip(runs, expected, strict=True):
        assert_same_rows(run.outcome.rows, rows)


def test_the_oracle_has_something_to_say() -> None:
    found = [sightings(random.Random(seed)) for seed in range(30)]
    for rows in (
        [row for now, points in found for row in new_edges(points, now, "tcp.packets")],
        [row for now, points in found for row in new_edges(points, now, "udp.packets")],
        [row for now, points in found for row in new_images(points, now)],
        [row for now, points in found for row in new_processes(points, now)],
        [row for now, points in found for row in new_processes(points, now, PATH)],
    ):
        assert len(rows) >= 10
