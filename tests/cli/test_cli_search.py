"""`search` and `detect`: the shapes of what they print."""

from __future__ import annotations

import csv
import io
import json

import pytest
from metrics import HOUR_END, SECOND, gauge, line, point, request
from product import TRACEBACK, run, search

from helpers import more

END = HOUR_END // SECOND

JUMPS = """
name: Jumps
id: 6a4a6c0e-4b39-4ac2-9d4e-53c0a2f7b001
version: 1
type: TTP
search: '| mstats max(load) AS most where index=* by pod | where most > 10'
schedule: {cron: '* * * * *', earliest: -10m@m, latest: now}
rba:
  message: $pod$ reached $most$
  risk_objects: [{field: pod, type: other, score: 40}]
"""

BROKEN = """
name: Broken
id: 6a4a6c0e-4b39-4ac2-9d4e-53c0a2f7b002
version: 1
type: TTP
search: '| frobnicate'
schedule: {cron: '* * * * *', earliest: -10m@m, latest: now}
"""


@pytest.fixture
def content(tmp_path):
    folder = tmp_path / "content"
    folder.mkdir()
    (folder / "a_broken.yml").write_text(BROKEN)
    (folder / "b_jumps.yml").write_text(JUMPS)
    return folder


# --- search ----------------------------------------------------------------------------------------


def test_json_rows_are_in_the_promised_shape(filled):
    points = '| mpreview index=* filter="metric_name=load pod=b"'
    rows = search(filled, f"{points} | eval nothing=null(), both=mvappend(pod, cluster)")
    first, last = rows[0], rows[-1]
    assert len(rows) == 60
    assert (first["_time"], last["_time"]) == (END - 3600, END - 60)
    assert (first["_value"], last["_value"], type(last["_value"])) == (2, 100, int)
    assert last["both"] == ["b", "c1"]
    assert all("nothing" not in row for row in rows)


def test_values_that_json_has_no_number_for(filled):
    text = "| mstats count(load) AS n where index=* | eval inf=pow(10, 400), nan=inf-inf, half=n/7"
    told = run("search", "--store", filled, "--format", "json", text)
    [row] = json.loads(told.out)
    assert "NaN" not in told.out
    assert "Infinity" not in told.out
    assert (row.get("inf"), row.get("nan"), row["half"]) == (None, None, 120 / 7)


def test_an_empty_result_is_an_empty_array(filled):
    assert run("search", "--store", filled, "--format=json", "| mpreview index=* | where 1=2").out == "[]\n"


def test_json_is_the_format_where_nobody_looks(filled):
    assert run("search", "--store", filled, "| mstats count(load) AS n where index=*").json == [{"n": 120}]


def test_csv(filled):
    text = '| mstats count(load) AS n where index=* by pod | eval odd="a,\\"b\\"", none=null()'
    told = run("search", "--store", filled, "--format", "csv", text)
    rows = list(csv.DictReader(io.StringIO(told.out)))
    assert rows == [{"pod": pod, "n": "60", "odd": 'a,"b"', "none": ""} for pod in "ab"]


def test_table(filled):
    told = run("search", "--store", filled, "--format", "table", "| mpreview index=* | head 1")
    assert told.code == 0
    assert told.out.split()[:4] == ["_time", "metric_name", "_value", "cluster"]
    assert "2025-11-22 07:27:00" in told.out


def test_numbers_of_a_column_are_written_alike(store, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"sent": 61690634}\n{"sent": 27588970.4}\n')
    told = run("search", "--store", store, "--rows", rows, "--format", "table", "| table sent")
    assert [line.strip() for line in told.out.splitlines() if "6" in line or "2" in line] == [
        "61690634",
        "27588970",
    ]


def test_a_table_shows_markup_as_it_is(store):
    sent = line(request(gauge("m", point(1, HOUR_END, name="[red]x[/red]"))))
    run("ingest", "--store", store, "-", stdin=sent)
    told = run("search", "--store", store, "--format", "table", "| mpreview index=*")
    assert "[red]x[/red]" in told.out


@pytest.mark.parametrize(
    ("times", "count"),
    [
        ([], 120),
        (["--now", END, "--earliest", "-30m"], 60),
        more(["--now", END, "--earliest=-30m"], 60),
        (["--earliest", "-30m", "--now", END, "--latest", "-10m"], 40),
        more(["--earliest", END - 600, "--latest", END - 300], 10),
        more(["--earliest", "2025-11-22T08:17:00Z", "--latest", "2025-11-22T08:22:00Z"], 10),
        (["--earliest", "2025-11-22T09:17:00+01:00", "--latest", "2025-11-22T08:22:00Z"], 10),
        more(["--now", "2025-11-22T08:27:00Z", "--earliest", "@h"], 54),
        more(["--now", END, "--latest", "-55m"], 10),
        (["--earliest", "-30d"], None),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_time_ranges(filled, times, count):
    rows = search(filled, "| mstats count(load) AS n where index=*", *times)
    if count is not None:
        assert rows == [{"n": count}]


def test_times_in_the_text_beat_the_flags(filled):
    text = "| mstats count(load) AS n where index=* earliest=-5m"
    assert search(filled, text, "--now", END, "--earliest", "-30m") == [{"n": 10}]


def test_now_is_what_the_text_sees(filled):
    text = "| mstats count(load) AS n where index=* | eval now=now() | fields now"
    assert search(filled, text, "--now", END) == [{"now": END}]


def test_rows_from_a_file(store, tmp_path):
    rows = [{"a": 1, "b": "x"}, {"a": 2.5, "b": None, "c": ["p", "q"]}]
    expected = [{"a": 1, "b": "x"}, {"a": 2.5, "c": ["p", "q"]}]
    for name, text in (("array", json.dumps(rows)), ("lines", "".join(json.dumps(r) + "\n" for r in rows))):
        (tmp_path / name).write_text(text)
        assert search(store, "| search *", "--rows", tmp_path / name) == expected


@pytest.mark.parametrize("text", ["{", more("[1]"), more('"x"'), more("[{}"), "\ufeff[]x"])
def test_rows_that_are_none(store, tmp_path, text):
    (tmp_path / "rows").write_text(text)
    run("search", "--store", store, "--rows", tmp_path / "rows", "| search *").failed(2, "--rows")


@pytest.mark.parametrize("option", ["--index", "--lookup"])
def test_rows_for_an_index_and_a_lookup(store, tmp_path, option):
    (tmp_path / "given.json").write_text('[{"pod": "a", "owner": "web"}]')
    text = "search index=given | fields pod owner" if option == "--index" else "| inputlookup given"
    rows = search(store, text, option, f"given={tmp_path / 'given.json'}")
    assert rows == [{"pod": "a", "owner": "web"}]


def test_explain_shows_the_plan_and_the_sql(filled):
    text = '| mstats avg(load) where index=* by pod | where pod="it\'s"'
    told = run("search", "--store", filled, "--explain", text)
    assert told.code == 0
    assert "plan" in told.out
    assert "SELECT" in told.out
    assert "samples" in told.out


def test_content_is_in_force(filled, tmp_path):
    macro = tmp_path / "macros" / "busy.yml"
    macro.parent.mkdir()
    macro.write_text("name: busy\ndefinition: pod=b\n")
    text = "| mstats count(load) AS n where index=* `busy`"
    assert search(filled, text, "--content", tmp_path) == [{"n": 60}]
    run("search", "--store", filled, text).failed(3, "busy")


def test_the_published_macro_of_the_index(filled):
    assert search(filled, "| mstats count(load) AS n where `kubernetes_metrics`") == [{"n": 120}]


def test_notes_do_not_disturb_the_result(filled):
    told = run(
        "search",
        "--store",
        filled,
        "--format=json",
        "--earliest=-30d",
        "| mstats count(load) AS n where index=*",
    )
    assert told.code == 0
    json.loads(told.out)


# --- detect ----------------------------------------------------------------------------------------


def test_detections_are_printed_in_the_promised_shape(filled, content):
    told = run("detect", "--store", filled, "--now", END, "--format", "json", content / "b_jumps.yml")
    [found] = told.json
    events = found.pop("risk_events")
    assert found == {
        "detection": "Jumps",
        "id": "6a4a6c0e-4b39-4ac2-9d4e-53c0a2f7b001",
        "window": [END - 600, END],
        "rows": [{"pod": "b", "most": 100}],
        "annotations": [],
        "error": None,
    }
    [event] = events
    expected = {
        "risk_object": "b",
        "risk_object_type": "other",
        "risk_score": 40,
        "risk_message": "b reached 100",
        "search_name": "Jumps",
        "most": 100,
    }
    assert {key: event[key] for key in expected} == expected


def test_what_was_found_has_the_same_identity_again(filled, content):
    command = ["detect", "--store", filled, "--format", "json", content / "b_jumps.yml", "--now"]
    first, again, later = (run(*command, now).json[0]["risk_events"] for now in (END, END, END + 60))
    assert first == again
    assert first[0]["id"] != later[0]["id"]


def test_a_detection_that_fails_costs_the_others_nothing(filled, content):
    told = run("detect", "--store", filled, "--now", END, "--format", "json", content)
    assert told.code == 1
    assert TRACEBACK not in told.err
    broken, jumps = json.loads(told.out)
    assert (broken["detection"], broken["rows"], broken["risk_events"]) == ("Broken", [], [])
    assert "frobnicate" in broken["error"]
    assert "a_broken.yml" in broken["error"]
    assert (jumps["detection"], jumps["error"], len(jumps["risk_events"])) == ("Jumps", None, 1)
    assert "Broken" in told.err


def test_a_detection_too_deep_to_read_costs_the_others_nothing(filled, content):
    deep = "(" * 5000 + "1" + ")" * 5000
    text = BROKEN.replace("| frobnicate", f"| mstats count(load) where index=* | eval x={deep}")
    (content / "a_broken.yml").write_text(text)
    told = run("detect", "--store", filled, "--now", END, "--format", "json", content)
    assert (told.code, TRACEBACK in told.err) == (1, False)
    assert [found["error"] is None for found in json.loads(told.out)] == [False, True]


def test_by_name_by_path_and_in_the_order_given(filled, content):
    content.joinpath("a_broken.yml").write_text(JUMPS.replace("Jumps", "Leaps").replace("b001", "b003"))
    asked = ["Jumps", content / "a_broken.yml"]
    told = run("detect", "--store", filled, "--now", END, "--format=json", "--content", content, *asked).json
    assert [found["detection"] for found in told] == ["Jumps", "Leaps"]


def test_times_given_beat_the_schedule(filled, content):
    times = ["--now", END, "--earliest", "-1h", "--latest", "-10m"]
    [found] = run("detect", "--store", filled, *times, "--format=json", content / "b_jumps.yml").json
    assert (found["window"], found["rows"]) == ([END - 3600, END - 600], [])


def test_the_shipped_detections_run_and_no_others_because_they_are_in_force(filled, content):
    (content / "a_broken.yml").unlink()
    told = run("detect", "--store", filled, "--format", "json", "--content", content).json
    assert told
    assert all(found["error"] is None for found in told)
    assert "Jumps" not in [found["detection"] for found in told]


def test_a_name_that_exists_twice_is_told(filled, content, tmp_path):
    (content / "a_broken.yml").unlink()
    macro = tmp_path / "mine.yml"
    macro.write_text("name: kubernetes_metrics\ndefinition: index=kubernetes_metrics\n")
    of_macro = "| mstats count(load) AS n where `kubernetes_metrics`"
    for words in (["detect", content / "b_jumps.yml"], ["search", of_macro]):
        told = run(*words, "--store", filled, "--content", macro, "--format", "json")
        assert told.code == 0
        assert "mine.yml" in told.err


def test_a_table_of_detections(filled, content):
    told = run("detect", "--store", filled, "--now", END, "--format", "table", content / "b_jumps.yml")
    assert told.code == 0
    assert "Jumps: 1 row, 1 risk event" in told.out


# --- content ---------------------------------------------------------------------------------------


def test_the_shipped_content_is_right():
    told = run("content", "check")
    assert (told.code, told.out) == (0, "")


def test_problems_are_told_with_their_places(content):
    (content / "c_bad.yml").write_text("name: Bad\ntype: TTP\nsearch: 7\n  oops: [\n")
    (content / "d_nothing.yml").write_text("colour: blue\n")
    told = run("content", "check", content)
    assert (told.code, TRACEBACK in told.err) == (3, False)
    places = {problem.split(": ")[0].rsplit("/", 1)[-1] for problem in told.out.splitlines()}
    assert {place.split(":")[0] for place in places} == {"a_broken.yml", "c_bad.yml", "d_nothing.yml"}
    assert all(place.count(":") == 2 for place in places)


def test_a_search_too_deep_to_read_is_a_problem(tmp_path):
    (tmp_path / "deep.yml").write_text(BROKEN.replace("| frobnicate", "| eval x=" + "(" * 5000))
    told = run("content", "check", tmp_path)
    assert (told.code, TRACEBACK in told.err) == (3, False)
    assert "deep.yml" in told.out


def test_bad_content_in_force(filled, tmp_path):
    (tmp_path / "bad.yml").write_text("name: [")
    for words in (["detect"], ["search", "| mpreview index=*"], ["content", "list"]):
        settings = {} if words[0] == "content" else {"store": str(filled)}
        run(*words, "--content", tmp_path, **settings).failed(3, "bad.yml")


def test_list_and_show(content):
    (content / "a_broken.yml").unlink()
    listed = run("content", "list", "--format", "json", content).json
    [jumps] = [row for row in listed if row["name"] == "Jumps"]
    assert (jumps["type"], jumps["version"], jumps["schedule"]) == ("TTP", 1, "* * * * *")
    assert run("content", "show", "--content", content, "Jumps").out == JUMPS
