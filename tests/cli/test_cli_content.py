"""`content check`: problems on stdout, the summary on stderr, the exit code tells errors from warnings."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from product import COMMAND, TRACEBACK, environment, run, shared

DETECTION = """\
name: A detection
id: 11111111-1111-1111-1111-111111111111
type: Anomaly
search: |-
  | mstats count(m) AS n WHERE index=* BY host
  | where n > 5
  | table host n
rba:
  message: $host$ did $n$
  risk_objects: [{field: host, type: system, score: 5}]
"""
WARNED = DETECTION.replace("$n$", "$m$")
WRONG = WARNED.replace("where n", "wehre n")


@pytest.fixture
def folder(tmp_path) -> Path:
    path = tmp_path / "content"
    path.mkdir()
    return path


def test_a_clean_folder(folder):
    (folder / "a.yml").write_text(DETECTION)
    told = run("content", "check", folder)
    assert (told.code, told.out, told.err) == (0, "", "1 file checked: no errors, no warnings\n")


def test_the_built_in_content():
    told = run("content", "check")
    assert (told.code, told.out) == (0, "")
    assert re.fullmatch(r"\d+ files checked: no errors, no warnings\n", told.err)


def test_the_published_content():
    path = shared("escu")
    if path is None:
        pytest.skip("the published material is not beside this checkout (../shared/escu)")
    told = run("content", "check", path)
    assert (told.code, told.out) == (0, "")


def test_warnings_alone_are_no_failure(folder):
    (folder / "a.yml").write_text(WARNED)
    told = run("content", "check", folder)
    assert told.code == 0
    place = f"{folder}/a.yml:9:23"
    assert (
        told.out
        == f"{place}: warning: rba.message: the search gives no field 'm' (the search gives host, n)\n"
    )
    assert told.err == "1 file checked: no errors, 1 warning\n"


def test_errors_are_a_failure(folder):
    (folder / "b.yml").write_text(WRONG)
    (folder / "a.yml").write_text("name: x\nsearch: | mstats\n")
    told = run("content", "check", folder)
    assert told.code == 3
    assert [line.split(": ")[0] for line in told.out.splitlines()] == [
        f"{folder}/a.yml:2:11",
        f"{folder}/b.yml:6:5",
        f"{folder}/b.yml:9:23",
    ]
    assert told.err == "2 files checked: 2 errors, 1 warning\n"


def test_json(folder):
    (folder / "a.yml").write_text(WRONG)
    told = run("content", "check", "--format", "json", folder)
    assert told.code == 3
    assert json.loads(told.out) == [
        {
            "path": f"{folder}/a.yml",
            "line": 6,
            "column": 5,
            "severity": "error",
            "message": "unknown command 'wehre'",
            "hint": "did you mean where?",
        },
        {
            "path": f"{folder}/a.yml",
            "line": 9,
            "column": 23,
            "severity": "warning",
            "message": "rba.message: the search gives no field 'm'",
            "hint": "the search gives host, n",
        },
    ]
    assert told.err == "1 file checked: 1 error, 1 warning\n"


def test_json_of_a_clean_folder(folder):
    (folder / "a.yml").write_text(DETECTION)
    told = run("content", "check", "--format", "json", folder)
    assert (told.code, told.out) == (0, "[]\n")


def test_one_file_of_a_folder_that_is_in_force(folder):
    (folder / "a.yml").write_text(DETECTION.replace("  | where", "  | lookup usual host | `mine`\n  | where"))
    (folder / "b.yml").write_text("name: mine\ndefinition: where n > 1\n")
    (folder / "c.yml").write_text("name: usual\nfilename: usual.csv\n")
    assert run("content", "check", folder / "a.yml").code == 3
    told = run("content", "check", "--content", folder, folder / "a.yml")
    assert (told.code, told.out) == (0, "")


def test_paths_are_told_as_they_were_given(folder):
    (folder / "a.yml").write_text(WRONG)
    told = run("content", "check", "content", cwd=folder.parent)
    assert told.out.startswith("content/a.yml:6:5: ")


def test_a_folder_without_content_is_wrong_usage(folder):
    (folder / "a.txt").write_text(DETECTION)
    run("content", "check", folder).failed(2, "holds no content")


def test_a_name_of_a_file_that_is_no_text(folder):
    Path(os.fsdecode(bytes(folder) + b"/\xff.yml")).write_text(WRONG)
    for form in ("text", "json"):
        told = run("content", "check", "--format", form, folder)
        assert told.code == 3
        assert TRACEBACK not in told.err
        assert "udcff" in told.out


def test_no_store_is_touched(folder, tmp_path):
    (folder / "a.yml").write_text(DETECTION)
    assert run("content", "check", folder, store=str(tmp_path / "store")).code == 0
    assert not (tmp_path / "store").exists()


def test_a_reader_that_leaves(folder):
    for number in range(50):
        (folder / f"{number}.yml").write_text(WRONG)
    with subprocess.Popen(
        [COMMAND, "content", "check", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        process.stdout.close()
        told = process.stderr.read().decode()
    assert TRACEBACK not in told


def test_detect_tells_a_wrong_search_with_its_place_in_the_file(folder, store):
    (folder / "a.yml").write_text(WRONG)
    (folder / "b.yml").write_text("name: mine\ndefinition: |\n  eval a = 1\n  | eval b = nope(1)\n")
    (folder / "c.yml").write_text(DETECTION.replace("where n > 5", "`mine`").replace("A det", "C det"))
    told = run("detect", "--store", store, "--format", "json", folder)
    assert told.code == 1
    errors = [found["error"] for found in json.loads(told.out)]
    assert errors[0] == f"{folder}/a.yml:6:5: unknown command 'wehre' (did you mean where?)"
    assert errors[1].startswith(f"{folder}/b.yml:4:14: unknown function nope()")
    assert errors[1].endswith(f"; used at {folder}/c.yml:6:5")


def test_search_tells_a_wrong_macro_with_its_place_in_the_file(folder, store):
    (folder / "b.yml").write_text("name: mine\ndefinition: |\n  eval a = 1\n  | eval b = nope(1)\n")
    told = run("search", "--store", store, "--content", folder, "| makeresults | `mine`")
    told.failed(3, f"{folder}/b.yml:4:14: unknown function nope()", "; used at line 1, column 17")


def test_import_takes_content_into_a_folder_once(folder, tmp_path):
    (folder / "detections").mkdir()
    (folder / "detections" / "a.yml").write_text(DETECTION)
    (folder / "lookups").mkdir()
    (folder / "lookups" / "usual.yml").write_text("name: usual\nfilename: usual.csv\n")
    (folder / "lookups" / "usual.csv").write_text("host,n\na,1\n")
    (folder / "lookups" / "kept.yml").write_text("name: kept\ncollection: kept\nfields_list: host\n")
    own = tmp_path / "own"
    told = run("content", "import", folder, "--to", own)
    names = ("detections/a.yml", "lookups/kept.yml", "lookups/usual.csv", "lookups/usual.yml")
    places = [own / name for name in names]
    assert (told.code, told.out.split()) == (0, [str(place) for place in places])
    assert [place.read_text() for place in places[::2]] == [DETECTION, "host,n\na,1\n"]
    assert "A detection" in run("content", "list", own).out
    again = run("content", "import", folder, "--content", own)
    assert (again.code, again.out) == (0, "")
    assert "0 files imported, 4 were there" in again.err


def test_import_takes_nothing_if_something_is_wrong(folder, tmp_path):
    (folder / "a.yml").write_text(WRONG)
    own = tmp_path / "own"
    run("content", "import", folder, "--to", own).failed(3, "did you mean where?", "nothing was imported")
    assert not own.exists()
    own.mkdir()
    (own / "a.yml").write_text(WARNED)
    (folder / "a.yml").write_text(DETECTION)
    (folder / "b.yml").write_text(DETECTION.replace("A det", "Another det").replace("1111-1", "1112-1"))
    run("content", "import", folder, "--to", own).failed(1, str(own / "a.yml"), "nothing was imported")
    assert [path.name for path in own.iterdir()] == ["a.yml"]


def test_import_asks_what_and_where_to(folder):
    run("content", "import", "--to", folder).failed(2, "say what to take")
    run("content", "import", folder).failed(2, "--to DIR")
    run("content", "import", folder / "no", "--to", folder).failed(2, "no content folder or file")


def test_show_tells_the_name_that_is_meant():
    run("content", "show", "New container imag").failed(2, "did you mean New container image?")


def test_the_example_of_the_page_about_tests_passes(tmp_path):
    root = Path(__file__).parents[2]
    (own,) = (root / "content/detections").rglob("data_to_a_new_destination.yml")
    page = (root / "docs/content-tests.md").read_text()
    example = page.partition("```yaml\n")[2].partition("  - name: a day on which")[0]
    file = tmp_path / "example.yml"
    file.write_text(own.read_text().partition("\ntests:\n")[0] + "\n" + example)
    told = run("content", "test", file)
    assert (told.code, told.out) == (0, "ok   Data to a new destination: a place that it never sent to\n")
