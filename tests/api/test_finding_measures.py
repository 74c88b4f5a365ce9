"""What is drawn of a finding: the very thing that was found, or nothing."""

from __future__ import annotations

import pytest

from console import HOSTILE, running_on
from helpers import HOUR, NOW, batch, series
from kubestray.api.finding_measures import measures
from kubestray.model.metric import Kind
from kubestray.search.run import run_search
from kubestray.store.points import Span

NAMES = {"node": "n1", "process": "xmrig", "path": '/tmp/x"y', "command_line": "xmrig -o pool"}


@pytest.fixture
def running(embedded, tmp_path):
    counter = series("process.cpu.time", Kind.CUMULATIVE, **{"process.executable.path": "/tmp/x"})
    embedded.append(batch([(counter, NOW - n * HOUR, 0, 100.0 - n) for n in range(3)]))
    return running_on(embedded, tmp_path)


def told(running, *pieces, scores=()):
    evidence = [{"detection": name, "entity": entity, "row": row} for name, entity, row in pieces]
    steps = [
        {"detection": one["detection"], "score": score} for one, score in zip(evidence, scores, strict=False)
    ]
    found = measures(running, {"steps": steps, "evidence": evidence})
    return [(piece["detection"], one.text(5)) for one, piece in found]


def test_attributes_are_found_under_the_names_that_a_search_gives_them(running):
    ((name, text),) = told(running, ("New program", "workload:prod/shop/cart", NAMES))
    assert name == "New program"
    assert text == (
        "| mstats avg(process.memory.usage) AS value where index=* "
        'k8s.node.name="n1" process.executable.name="xmrig" process.executable.path="/tmp/x\\"y" span=5m'
    )


def test_several_values_and_the_pace_of_a_counter(running):
    """It is added up as the search does: user and system are the cores that the finding tells."""
    row = {"path": ["/tmp/a", "/tmp/b"], "process": "unknown"}
    text = told(running, ("Steady computing by a new program", "workload:prod/shop/cart", row))[0][1]
    assert text == (
        "| mstats rate_sum(process.cpu.time) AS value where index=* "
        'process.executable.path IN ("/tmp/a", "/tmp/b") span=5m'
    )


def test_what_scored_most_comes_first(running):
    pieces = [
        (name, "workload:prod/shop/cart", NAMES) for name in ("New program", "Shell in a running container")
    ]
    assert told(running, *pieces, scores=(20, 60))[0][0] == "Shell in a running container"
    assert told(running, *pieces, scores=(60, 20))[0][0] == "New program"


def test_nothing_is_drawn_of_a_whole_cluster(running):
    row = {"cluster": "prod", "shells": "1"}
    assert told(running, ("New program", "cluster:prod//prod", row)) == []
    assert told(running, ("none of this name", "workload:prod/shop/cart", NAMES)) == []


STRANGE = (*HOSTILE, "a`macro`b", "c:\\path\\", "x y\tz\n| delete", "*", "```c```", "$x$ [search]")


def test_whatever_a_thing_is_called_its_search_can_be_run(running):
    for value in STRANGE:
        row = {"path": value, "process": [value, "other"]}
        ((_, text),) = told(running, ("New program", "workload:prod/shop/cart", row))
        assert run_search(running.request(text, NOW, Span(NOW - HOUR, NOW)), running.store.query).rows == []
