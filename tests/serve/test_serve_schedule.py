"""Detections on schedule: in event time, behind the watermark, each time once, also after downtime."""

from __future__ import annotations

import json
import time

import pyarrow as pa
import pytest
from metrics import SECOND, gauge, point, request
from product import wait_until

from helpers import batch, series
from kubestray.config import load_config
from kubestray.detect.loader import load_content
from kubestray.detect.scheduler import Patience
from kubestray.pipeline.detecting import Detector
from kubestray.pipeline.schedule import Scheduler
from kubestray.pipeline.setting_up import searching
from kubestray.store.open import open_store
from kubestray.store.store import Store
from kubestray.store.trees import column, select

MINUTE = 60 * SECOND
START = 1_763_800_020 * SECOND
"""A whole minute."""

NAME, ID = "Jumps", "6a4a6c0e-4b39-4ac2-9d4e-53c0a2f7b001"

JUMPS = """
name: {name}
id: {id}
version: 1
type: TTP
search: '{search}'
schedule: {{cron: '* * * * *', earliest: -2m, latest: now}}
rba:
  message: $pod$ reached $most$
  risk_objects: [{{field: pod, type: other, score: 40}}]
"""
SEARCH = "| mstats max(load) AS most where index=* by pod | where most > 10"


@pytest.fixture
def content(tmp_path):
    folder = tmp_path / "content"
    folder.mkdir()
    (folder / "jumps.yml").write_text(JUMPS.format(name=NAME, id=ID, search=SEARCH))
    return folder


@pytest.fixture
def passes(embedded, content):
    """A function that makes passes of a scheduler at (clock, newest point) and tells what was run.

    With None for the clock a new scheduler goes on.
    """

    def make(*steps: tuple[int | None, int]) -> dict:
        known, newest = load_content([content]), [0]
        detector = Detector(embedded, known, searching(load_config({}, {}, None)))
        patience = Patience(lateness=30 * SECOND, idle=120 * SECOND, catch_up=3600 * SECOND)

        def new() -> Scheduler:
            return Scheduler(embedded, known, detector, patience, lambda: newest[0])

        scheduler, counts = new(), []
        for clock, last_point in steps:
            if clock is None:
                scheduler = new()
                continue
            newest[0] = last_point
            counts.append(scheduler.pass_once(clock))
        runs = rows(embedded, "runs", "detection", "scheduled", "rows", "error")
        runs = [run for run in runs if run["detection"] != "findings"]
        return {"counts": counts, "runs": runs, "risk": rows(embedded, "risk", "id", "time", "fields")}

    return make


def rows(store: Store, table: str, *names: str) -> list[dict]:
    return store.query(select(*map(column, names)).from_(table)).to_pylist()


def ticks(told: dict) -> list[float]:
    """Return the times of the runs, in minutes since the start, in order."""
    return sorted((run["scheduled"] - START) / MINUTE for run in told["runs"])


def test_runs_wait_for_the_points_and_a_while(passes):
    """Lateness is 30 s: the run of minute 1 takes place when points have come as far as 1:30."""
    told = passes(
        (START, START),
        (START + 60 * SECOND, START + 60 * SECOND),
        (START + 89 * SECOND, START + 89 * SECOND),
        (START + 95 * SECOND, START + 90 * SECOND),
        (START + 96 * SECOND, START + 91 * SECOND),
        (START + 151 * SECOND, START + 150 * SECOND),
    )
    assert told["counts"] == [0, 0, 0, 1, 0, 1]
    assert ticks(told) == [1, 2]


def test_without_points_the_clock_moves_on_a_while_behind(passes):
    """Idle is two minutes."""
    told = passes((START, 0), (START + 179 * SECOND, 0), (START + 180 * SECOND, 0), (START + 10 * MINUTE, 0))
    assert told["counts"] == [0, 0, 1, 7]
    assert ticks(told) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_points_ahead_of_the_clock_do_not_hurry_it(passes):
    told = passes((START, START), (START + 90 * SECOND, START + 3600 * SECOND))
    assert ticks(told) == [1]


def test_a_clock_that_is_set_back_repeats_nothing(passes):
    told = passes(
        (START, START), (START + 5 * MINUTE, START + 5 * MINUTE), (START, START), (START + 6 * MINUTE, 0)
    )
    assert told["counts"] == [0, 4, 0, 0]


def test_a_late_pass_makes_up_for_every_time_in_event_time(passes, embedded):
    """One pass after nine minutes: each run has its own window, and sees what it would have seen in time."""
    of = series("load", pod="b")
    embedded.append(
        batch([(of, START + minute * MINUTE, 0, 100 if minute == 3 else 1) for minute in range(10)])
    )
    told = passes((START, START), (START + 9 * MINUTE + 30 * SECOND, START + 9 * MINUTE + 30 * SECOND))
    assert ticks(told) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    hits = {(each["scheduled"] - START) / MINUTE: each["rows"] for each in told["runs"]}
    assert {minute for minute, rows in hits.items() if rows} == {4, 5}
    windows = [json.loads(event["fields"]) for event in told["risk"]]
    spans = sorted((w["info_min_time"], w["info_max_time"], w["_time"]) for w in windows)
    at = START / 1e9
    assert spans == [(at + 120, at + 240, at + 240), (at + 180, at + 300, at + 300)]


def test_what_is_run_again_is_stored_once(passes, embedded):
    embedded.append(batch([(series("load", pod="b"), START + 1, 0, 100.0)]))
    begin, later = (START, START), (START + 5 * MINUTE, START + 5 * MINUTE)
    told = passes(begin, later, (None, 0), begin, later)
    assert told["counts"] == [0, 4, 0, 4]
    assert ticks(told) == [1, 2, 3, 4]
    assert len(told["risk"]) == len({event["id"] for event in told["risk"]}) == 2


def test_a_detection_that_fails_is_recorded_and_the_others_run(passes, content):
    (content / "broken.yml").write_text(JUMPS.format(name="Broken", id="x-1", search="| frobnicate"))
    told = passes((START, START), (START + 2 * MINUTE, START + 2 * MINUTE))
    assert sorted((run["error"] != "") for run in told["runs"]) == [False, True]


def test_a_detection_too_deep_to_read_does_not_stop_the_others(passes, content):
    deep = "| mstats count(load) where index=* | eval x=" + "(" * 5000 + "1" + ")" * 5000
    (content / "deep.yml").write_text(JUMPS.format(name="Deep", id="x-2", search=deep))
    told = passes((START, START), (START + 2 * MINUTE, START + 2 * MINUTE))
    assert sorted((run["error"] != "") for run in told["runs"]) == [False, True]


# --- a server --------------------------------------------------------------------------------------


def ledger(store, *names: str, table: str = "runs") -> list[dict]:
    """Read a ledger of a store that a server holds, through its socket."""
    opened = open_store(str(store))
    try:
        return rows(opened, table, *names)
    finally:
        opened.close()


def scheduled(store) -> list[int]:
    return sorted(
        row["scheduled"] for row in ledger(store, "scheduled", "detection") if row["detection"] == ID
    )


def test_downtime_is_made_up_for_once_as_far_back_as_catch_up(serve, store, content):
    """The last run was 12 minutes ago; up to 5 minutes are made up for, a kill in between changes nothing."""
    flags = ("--content", str(content), "--catch-up", "5m", "--idle", "1s", "--spread", "1s")
    first = serve(*flags)
    now = time.time_ns()
    this_minute = now // MINUTE * MINUTE
    beside = open_store(str(store))
    row = {"detection": [ID], "scheduled": pa.array([this_minute - 12 * MINUTE], pa.uint64())}
    more = {"finished": pa.array([now], pa.uint64()), "rows": pa.array([0], pa.uint64()), "error": [""]}
    beside.record("runs", pa.table(row | more))
    beside.close()
    pods = [point(100, now - minute * MINUTE, pod="b") for minute in range(6)]
    first.export(request(gauge("load", *pods)).SerializeToString())
    first.kill()

    second = serve(*flags)
    wait_until(lambda: len(scheduled(store)) >= 6)
    second.kill()
    third = serve(*flags)
    wait_until(lambda: third.get("/readyz") == 200)
    time.sleep(2.5)  # two more looks of the scheduler
    found = scheduled(store)
    risk = ledger(store, "id", table="risk")
    assert third.terminate() == 0

    made_up = [at for at in found if at > this_minute - 12 * MINUTE]
    assert len(made_up) == len(set(made_up)) >= 5
    assert made_up == list(range(made_up[0], made_up[-1] + 1, MINUTE))
    assert this_minute - 5 * MINUTE < made_up[0] <= this_minute - 3 * MINUTE
    assert risk
    assert len(risk) == len({row["id"] for row in risk})
    assert "too old to make up for" in second.log
