"""A kept plan makes the statement that planning anew would make, or is not used."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import pytest

from engines.fleet import Fleet
from helpers import DAY, HOUR, MINUTE, NOW, SECOND, batch, more, series
from kubestray.model.metric import Kind
from kubestray.naming.mapping import NameMapping, OnlyRule
from kubestray.search.events import StoredEvents
from kubestray.search.kept import Kept
from kubestray.search.lookup_store import StoreLookups
from kubestray.search.naming import Naming
from kubestray.search.plan import Measure, nodes
from kubestray.search.run import Request, compile_search, run_search
from kubestray.search.source import Macro
from kubestray.store.engine import render
from kubestray.store.points import Span
from kubestray.store.store import Store
from kubestray.store.summarise import Summariser

OUTBOUND = (
    "| mstats avg(tcp.*) AS tcp.* WHERE index=* earliest=-1h BY host span=10s | join type=left host "
    "[ mstats avg(tcp.*) AS avg_tcp.* stdev(tcp.*) AS dev_tcp.* "
    "WHERE index=* earliest=-3d latest=-1h BY host ] "
    "| where 'tcp.bytes' > 'avg_tcp.bytes'"
)
LASTING = (
    OUTBOUND,
    "| mstats count(tcp.bytes) AS n WHERE index=* BY host span=1h",
    "| mstats sum(tcp.*) AS s.* WHERE index=* earliest=-2d@d latest=@h host!=z BY host",
    "| mstats avg(tcp.bytes) AS b WHERE index=* BY host | lookup owners host | `filter`",
)
OF_ONE_RUN = (
    "| mstats avg(tcp.bytes) AS b WHERE index=* BY host | eval t=now()",
    "| mstats avg(tcp.bytes) AS b WHERE index=* BY host | addinfo",
    "| mstats avg(tcp.bytes) AS b WHERE index=* span=1m | timechart avg(b)",
    "| mstats avg(tcp.bytes) AS b WHERE index=* BY host | chart sum(b) BY host host",
    '| mstats avg(tcp.bytes) AS b WHERE index=* [ makeresults | eval host="a" | fields host ] BY host',
    "| mcatalog values(host) WHERE index=*",
    "| mpreview index=*",
    "| makeresults",
    "| mstats avg(tcp.bytes) AS b WHERE index=* BY host | outputlookup owners",
)


def filled(store: Store) -> Store:
    store.clock = lambda: NOW
    made = [
        (series(metric, host=host), NOW - DAY * day - minute * 7 * MINUTE, 0, float(minute))
        for metric in ("tcp.bytes", "tcp.packets")
        for host in "ab"
        for day in range(3)
        for minute in range(12)
    ]
    store.append(batch(made))
    lookups(store).write("owners", {}, [])
    Summariser(store, ()).catch_up()
    return store


@pytest.fixture(scope="module")
def shared(fleet: Fleet) -> Iterator[Store]:
    """A store for tests that leave it as it is."""
    with fleet.store("embedded") as store:
        yield filled(store)


def lookups(store: Store) -> StoreLookups:
    return StoreLookups(store.query, store.record, {})


def request(store: Store, text: str, now: int, kept: Kept | None, definition: str = "search *") -> Request:
    return Request(
        text,
        now,
        Span(now - HOUR, now),
        macros=lambda name, count: Macro(name, definition),
        lookups=lookups(store),
        events=StoredEvents(store.query, store.record),
        kept=kept,
    )


class Planning(Kept):
    """Knows answers of the catalog, and plans each search anew."""

    def keep(self, *_: object, **__: object) -> None:
        """Keep nothing."""


def is_used(store: Store, text: str, now: int, kept: Kept, definition: str = "search *") -> bool:
    """Whether a kept plan served; its statement is compared with that of a new plan that is not kept."""
    ours = compile_search(request(store, text, now, kept, definition), store.query)
    fresh = compile_search(request(store, text, now, Planning(store.changes), definition), store.query)
    assert render(ours.statement) == render(fresh.statement)
    assert ours.annotations == fresh.annotations
    assert list(ours.relation.fields) == list(fresh.relation.fields)
    return ours.again


def test_a_plan_serves_at_other_times(shared: Store) -> None:
    store = shared
    for text in LASTING:
        kept = Kept(store.changes)
        assert not is_used(store, text, NOW, kept)
        for later in (10 * SECOND, 7 * MINUTE + 1):
            assert is_used(store, text, NOW + later, kept), text
            found = run_search(request(store, text, NOW + later, kept), store.query)
            assert found.rows == run_search(request(store, text, NOW + later, None), store.query).rows


@pytest.mark.parametrize("text", OF_ONE_RUN)
def test_a_plan_that_saw_the_time_or_rows_serves_once(shared: Store, text: str) -> None:
    kept = Kept(shared.changes)
    for now in (NOW, NOW + MINUTE):
        assert not is_used(shared, text, now, kept)


def late_point(store: Store) -> None:
    store.append(batch([(series("tcp.bytes", host="a"), NOW - 2 * DAY - MINUTE, 0, 1e6)]))


def new_metric(store: Store) -> None:
    store.append(batch([(series("tcp.resets", host="a"), NOW - MINUTE, 0, 1.0)]))


def other_kind(store: Store) -> None:
    store.append(batch([(series("tcp.bytes", Kind.CUMULATIVE, host="a"), NOW - MINUTE, 0, 1.0)]))


def other_lookup(store: Store) -> None:
    text = '| makeresults | eval host="a", owner="x" | outputlookup owners'
    run_search(request(store, text, NOW, None), store.query)


@pytest.mark.parametrize(
    ("text", "change"),
    [
        (OUTBOUND, late_point),
        more(OUTBOUND, new_metric),  # as with other writers
        (OUTBOUND, other_kind),
        (LASTING[3], other_lookup),
    ],
)
def test_what_changes_the_plan_is_seen_at_once(
    embedded: Store, text: str, change: Callable[[Store], None]
) -> None:
    store = filled(embedded)
    kept = Kept(store.changes)
    is_used(store, text, NOW, kept)
    assert is_used(store, text, NOW, kept)
    change(store)
    assert not is_used(store, text, NOW, kept)
    assert is_used(store, text, NOW, kept)


def test_a_point_for_an_hour_that_is_not_summarised_yet_needs_no_new_plan(embedded: Store) -> None:
    store = filled(embedded)
    kept = Kept(store.changes)
    is_used(store, OUTBOUND, NOW, kept)
    store.append(batch([(series("tcp.bytes", host="a"), NOW - MINUTE, 0, 5.0)]))
    assert is_used(store, OUTBOUND, NOW, kept)


def test_another_definition_of_a_macro_is_another_search(embedded: Store) -> None:
    store = filled(embedded)
    kept = Kept(store.changes)
    is_used(store, LASTING[3], NOW, kept)
    assert not is_used(store, LASTING[3], NOW, kept, "search host=a")


@pytest.mark.more("distributed")
def test_an_engine_with_other_writers_is_asked_each_time(store: Store) -> None:
    """On every engine: a plan may be kept, but what it was made of is true when it serves."""
    filled(store)
    kept = Kept(store.changes)
    is_used(store, OUTBOUND, NOW, kept)
    assert is_used(store, OUTBOUND, NOW + MINUTE, kept)
    new_metric(store)
    assert not is_used(store, OUTBOUND, NOW + MINUTE, kept)


@pytest.mark.parametrize("by", ["host", "host interface"])
def test_a_kept_plan_reads_what_the_mapping_says(embedded: Store, by: str) -> None:
    """A search that names the interface gets all of them, any other one those that the mapping lets count."""
    embedded.clock = lambda: NOW
    only = OnlyRule(("net.*",), "interface", ("eth0",))
    naming = Naming(NameMapping(only=(only,)))
    made = [series("net.io", host="a", interface=name) for name in ("eth0", "lo", "cni0")]
    embedded.append(batch([(one, NOW - MINUTE, 0, 1.0) for one in made]))
    kept = Kept(embedded.changes)
    for span in ("", " span=10s"):
        text = f"| mstats sum(net.io) AS s WHERE index=* earliest=-5m BY {by}{span}"
        asked = [request(embedded, text, NOW, each) for each in (None, kept, kept)]
        found = [run_search(dataclasses.replace(one, naming=naming), embedded.query).rows for one in asked]
        assert found[0] == found[1] == found[2]
        assert len(found[0]) == (3 if "interface" in by else 1)


def test_where_no_points_were_none_are_read_until_there_are(embedded: Store) -> None:
    store = filled(embedded)
    text = "| mstats count(tcp.bytes) AS n WHERE index=* earliest=-30d@d latest=@h BY host"
    kept = Kept(store.changes)

    def found() -> tuple[int, list[dict[str, object]]]:
        own = request(store, text, NOW, kept)
        rows = run_search(own, store.query).rows
        assert rows == run_search(dataclasses.replace(own, kept=None), store.query).rows
        plan = compile_search(own, store.query).relation.node
        read = [span for node in nodes(plan) if isinstance(node, Measure) for span in node.sources.points]
        return len(read), rows

    ranges, before = found()
    store.append(batch([(series("tcp.bytes", host="a"), NOW - 20 * DAY, 0, 5.0)]))
    more, after = found()
    assert (ranges, more) == (0, 1)
    assert [row["n"] for row in after] == [before[0]["n"] + 1, before[1]["n"]]
