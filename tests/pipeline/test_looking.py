"""Looks between runs: when they take place, what they tell, and that a replay looks when a server did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from helpers import DAY, HOUR, MINUTE, SECOND, Point, batch, series
from kubestray.config import load_config
from kubestray.detect.loader import load_content
from kubestray.detect.scheduler import Patience, previous, slots, watermark
from kubestray.model.content import Content
from kubestray.pipeline.detecting import Detector
from kubestray.pipeline.looking import Looking
from kubestray.pipeline.replaying import replay
from kubestray.pipeline.schedule import LOOKED, Scheduler
from kubestray.pipeline.setting_up import searching
from kubestray.search.kept import Kept
from kubestray.store import pending as pending_module
from kubestray.store.embedded import EmbeddedEngine
from kubestray.store.journal import Journal, Record
from kubestray.store.ledger import Ledger
from kubestray.store.pending import Pending
from kubestray.store.store import POINT_TABLES, Store
from kubestray.store.trees import column, select

START = 1_795_000_020 // 600 * 600 * SECOND
END = START + 20 * MINUTE
MAKE = searching(load_config({}, {}, None))

ODD = """
name: Odd program
id: 00000000-0000-4000-8000-000000000001
version: 1
type: TTP
search: |-
  | mstats count(memory) AS points WHERE index=* path=/odd/*
      BY k8s.cluster.name k8s.namespace.name k8s.pod.name path
schedule:
  cron: '*/10 * * * *'
  earliest: -10m
  latest: now
  looks: {every: 5s, new_for: 5s}
rba:
  message: $path$
  risk_objects: [{field: k8s.pod.name, type: other, score: 60}]
  threat_objects: [{field: path, type: file_path}]
"""
BUSY = """
name: Busy
id: 00000000-0000-4000-8000-000000000002
version: 1
type: TTP
search: |-
  | mstats max(load) AS load WHERE index=* BY k8s.cluster.name k8s.namespace.name k8s.pod.name
  | where load > 10
schedule: {cron: '*/10 * * * *', earliest: -2m, latest: now, looks: {every: 1m}}
rba:
  message: $load$
  risk_objects: [{field: k8s.pod.name, type: other, score: 60}]
"""
BEGUN = START + 7 * MINUTE + 23 * SECOND
AGAIN = START + 13 * MINUTE + 1 * SECOND


@pytest.fixture
def content(tmp_path: Path) -> Content:
    (tmp_path / "odd.yml").write_text(ODD)
    (tmp_path / "busy.yml").write_text(BUSY)
    return load_content([tmp_path])


def points() -> list[Point]:
    """Web runs an odd program from 7:23 on, cart from 13:01 on; db is busy from 4:10 to 5:10."""
    found = []
    for second in range(-600, 1200, 10):
        time = START + second * SECOND
        for pod in ("web-7d9f6c5b8d-x2k4z", "cart-7d9f6c5b8d-x2k4z", "db-0"):
            place = {"k8s.cluster.name": "c", "k8s.namespace.name": "shop", "k8s.pod.name": pod}
            busy = pod == "db-0" and 250 <= second < 310
            found.append((series("load", **place), time, 0, 50.0 if busy else 1.0))
            found.append((series("memory", **place, path="/usr/app"), time, 0, 1.0))
            begun = {"web": BEGUN, "car": AGAIN}.get(pod[:3], END)
            if time >= begun // (10 * SECOND) * 10 * SECOND:
                found.append((series("memory", **place, path="/odd/x"), max(time, begun), 0, 1.0))
    return sorted(found, key=lambda point: point[1])


def documents(store: Store) -> list[dict]:
    return sorted((one.document for one in Ledger(store).latest()), key=lambda told: told["id"])


def live(store: Store, content: Content, patience: Patience, *, lag: int, restarts: tuple[int, ...]) -> None:
    """Points arrive some seconds after their time, while the schedule goes on; it begins anew at times."""
    coming, newest = points(), [0]

    def new() -> Scheduler:
        return Scheduler(store, content, Detector(store, content, MAKE), patience, lambda: newest[0])

    scheduler = new()
    store.append(batch(point for point in coming if point[1] < START))
    scheduler.resume(START)
    coming = [point for point in coming if point[1] >= START]
    for second in range(0, 1200 + 60, 30):
        clock = START + second * SECOND
        arrived = [point for point in coming if point[1] <= clock - lag]
        coming = coming[len(arrived) :]
        if arrived:
            store.append(batch(arrived))
            newest[0] = arrived[-1][1]
        if second in restarts:
            scheduler = new()
            scheduler.resume(clock)
        scheduler.pass_once(clock)


def test_what_was_looked_at_live_stopped_or_not_and_what_is_replayed_are_the_same(embedded, content):
    patience = Patience(30 * SECOND, 33 * SECOND, DAY, settle=3 * SECOND, spread=20 * SECOND)
    live(embedded, content, patience, lag=2 * SECOND, restarts=(450, 600, 780))
    found = documents(embedded)
    events = Ledger(embedded).risk(START, END + HOUR)
    assert events
    ran = embedded.query(select(column("detection"), column("scheduled")).from_("runs")).to_pylist()
    told = replay(embedded, content, MAKE, START, END, lambda *_: None, patience)
    again = {one["id"]: one for one in (*told.findings, *told.incidents)}
    # What is due in the last minutes takes place later than the end; live it went on until then.
    assert [again[one["id"]] for one in found if one["kind"] == "finding"] == [
        one for one in found if one["kind"] == "finding"
    ]
    opened = {
        one["entity"].rpartition("/")[2]: one["opened"] for one in again.values() if one["kind"] == "finding"
    }
    assert {name: when[14:19] for name, when in opened.items()} == {
        "web-7d9f6c5b8d-x2k4z": clock_of(START + 7 * MINUTE + 25 * SECOND),
        "cart-7d9f6c5b8d-x2k4z": clock_of(START + 13 * MINUTE + 5 * SECOND),
        "db-0": clock_of(START + 5 * MINUTE),
    }
    # Looks that gave nothing left no trace; what a look told is not told by the next one again.
    looked = {row["scheduled"] for row in ran if row["detection"] == LOOKED + content.detections["Busy"].id}
    assert looked == {START + minute * MINUTE for minute in (5, 6, 7)}
    assert sum(one.detection == "Busy" for one in events) == 1


def clock_of(time: int) -> str:
    return f"{time // MINUTE % 60:02}:{time // SECOND % 60:02}"


@pytest.mark.parametrize("keeps", [False, True])
def test_a_series_that_arrives_late_is_looked_at_when_it_does(embedded, content, keeps):
    place = {"k8s.cluster.name": "c", "k8s.namespace.name": "shop", "k8s.pod.name": "db-0"}
    odd = content.detections["Odd program"]
    looking = Looking(embedded, content, MAKE, Kept(embedded.changes) if keeps else None)

    def due(after: int, until: int) -> list[int]:
        found = looking.due(START + after * SECOND, START + until * SECOND)
        return [(when - START) // SECOND for search, when in found if search is odd]

    assert due(0, 10) == []
    embedded.append(batch([(series("memory", **place, path="/odd/a"), START + 12 * SECOND, 0, 1.0)]))
    assert due(10, 20) == [15]
    embedded.append(batch([(series("memory", **place, path="/odd/b"), START + 13 * SECOND, 0, 1.0)]))
    embedded.append(batch([(series("memory", **place, path="/usr/b"), START + 22 * SECOND, 0, 1.0)]))
    assert due(20, 30) == [25]
    assert due(30, 40) == []
    embedded.append(batch([(series("memory", **place, path="/odd/c"), START + 43 * SECOND, 0, 1.0)]))
    assert due(40, 42) == []  # known, and not yet
    assert due(42, 60) == [45]
    # Who asks for all of it at once is told the same but for what was late.
    whole = Looking(embedded, content, MAKE).due(START, START + 60 * SECOND)
    assert [(when - START) // SECOND for search, when in whole if search is odd] == [15, 45]


def test_while_something_is_new_it_is_looked_at_again_and_again(embedded, tmp_path):
    (tmp_path / "odd.yml").write_text(ODD.replace("new_for: 5s", "new_for: 12s"))
    content = load_content([tmp_path])
    place = {"k8s.cluster.name": "c", "k8s.namespace.name": "shop", "k8s.pod.name": "db-0"}
    odd = series("memory", **place, path="/odd/a")

    def due(looking: Looking, after: int, until: int) -> list[int]:
        found = looking.due(START + after * SECOND, START + until * SECOND)
        return [(when - START) // SECOND for _, when in found]

    looking = Looking(embedded, content, MAKE)
    assert due(looking, 0, 10) == []
    embedded.append(batch([(odd, START + 11 * SECOND, 0, 1.0), (odd, START + 12 * SECOND, 0, 1.0)]))
    assert due(looking, 10, 15) == [15]
    assert due(looking, 15, 17) == []
    embedded.append(batch([(odd, START + 13 * SECOND, 0, 1.0)]))  # late: its time has been looked at
    assert due(looking, 17, 20) == [20]
    embedded.append(batch([(odd, START + second * SECOND, 0, 1.0) for second in (20, 29)]))
    assert due(looking, 20, 25) == []  # it is new until 23
    assert due(Looking(embedded, content, MAKE), 0, 60) == [15]  # nothing is late to who asks afterwards


def test_what_is_new_is_looked_at_when_it_has_points(embedded, tmp_path):
    (tmp_path / "odd.yml").write_text(ODD.replace("new_for: 5s", "new_for: 2h"))
    content = load_content([tmp_path])
    place = {"k8s.cluster.name": "c", "k8s.namespace.name": "shop", "k8s.pod.name": "db-0"}
    times = [second + 7200 * number for number, second in ((0, 11), (0, 15), (0, 33), (0, 6000), (1, 3))]
    odd = [(series("memory", **place, path="/odd/a"), START + second * SECOND, 0, 1.0) for second in times]
    known = [(series("memory", **place, path="/odd/b"), START + at * SECOND, 0, 1.0) for at in (-9000, 51)]
    embedded.append(batch([*odd, *known]))
    found = Looking(embedded, content, MAKE).due(START, START + 3 * HOUR)
    assert [(when - START) // SECOND for _, when in found] == [15, 20, 35, 6005, 7205]


def test_event_time_comes_as_far_as_points_settle_and_the_clock_is_a_while_behind():
    patience = Patience(30 * SECOND, 32 * SECOND, DAY, settle=3 * SECOND)
    assert patience.delay == 27 * SECOND
    assert watermark(START, START + SECOND, patience) == START - 3 * SECOND
    assert watermark(START, START + 10 * SECOND, patience) == START + 5 * SECOND
    assert watermark(START + HOUR, START, patience) == START
    assert list(slots(5, 10, 20)) == [15, 20]
    assert previous("*/10 * * * *", START) == START
    assert previous("*/10 * * * *", START - 1) == START - 10 * MINUTE
    spread = Patience(30 * SECOND, 32 * SECOND, DAY, spread=60 * SECOND)
    delays = {spread.delay_of(str(number)) for number in range(200)}
    assert min(delays) >= spread.delay
    assert max(delays) < spread.delay + 60 * SECOND
    assert len(delays) > 40


def test_what_began_before_a_server_did_is_new_for_as_long_as_each_search_says(embedded, tmp_path):
    for number, long in enumerate(("5s", "1m", "1m", "5m")):
        text = ODD.replace("new_for: 5s", f"new_for: {long}").replace("Odd program", f"Odd {number}")
        (tmp_path / f"{number}.yml").write_text(
            text.replace("-8000-000000000001", f"-8000-00000000001{number}")
        )
    content = load_content([tmp_path])
    place = {"k8s.cluster.name": "c", "k8s.namespace.name": "shop", "k8s.pod.name": "db-0"}
    odd = series("memory", **place, path="/odd/a")
    embedded.append(batch([(odd, START + second * SECOND, 0, 1.0) for second in (-32, 2)]))
    found = Looking(embedded, content, MAKE).due(START, START + 5 * SECOND)
    assert sorted((search.name, when) for search, when in found) == [
        (f"Odd {number}", START + 5 * SECOND) for number in (1, 2, 3)
    ]


def test_a_pass_has_what_waits_written_once_whatever_it_asks_meanwhile(
    embedded: Store, content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Points come all the time: what was there when a pass began is seen, others need not be."""
    monkeypatch.setattr(pending_module, "OLD", 3600.0)
    engine, clock = embedded.engine, START + 8 * MINUTE
    assert isinstance(engine, EmbeddedEngine)
    before, writes, asked = engine.before_reading, [0], [0]

    def write(records: Sequence[Record]) -> None:
        writes[0] += 1
        embedded.write_all(records)

    def busy(statement: str) -> None:
        if any(table in statement for table in POINT_TABLES):
            asked[0] += 1
            embedded.append(batch([(series("other"), clock + asked[0], 0, 1.0)]))
        pending.before(statement)

    pending = Pending(Journal(tmp_path / "journal"), POINT_TABLES, write)
    embedded.write_by(pending, engine)
    engine.before_reading = busy
    try:
        scheduler = Scheduler(
            embedded, content, Detector(embedded, content, MAKE), Patience(0, 0, DAY), lambda: clock
        )
        scheduler.resume(START)
        embedded.append(batch(point for point in points() if point[1] < clock))
        writes[0] = asked[0] = 0
        assert scheduler.pass_once(clock)
    finally:
        engine.before_reading = before
        pending.close()
    assert asked[0] > 5
    assert writes[0] == 1 + 1  # and what was left at the end
    assert [document["title"] for document in documents(embedded)]
