"""``content check``: every problem of a folder at once, each at its line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers import shared
from kubestray.config import load_config
from kubestray.model.errors import UsageError
from kubestray.pipeline.checking import Report, check_content

HEAD = """\
name: A detection
id: 11111111-1111-1111-1111-111111111111
type: Anomaly
"""
SEARCH = "search: '| mstats count(m) as n where index=* by host'\n"
RBA = """\
rba:
  message: $host$ did $n$
  risk_objects:
    - {field: host, type: system, score: 5}
"""
DETECTION = HEAD + SEARCH + RBA
BASELINE = """\
name: A baseline
id: 22222222-2222-2222-2222-222222222222
type: Baseline
search: '| mstats avg(m.*) as avg_m.* where index=* by host | outputlookup usual'
"""


def write(folder: Path, **files: str) -> Path:
    """Write files; two underscores in a name are a slash."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def check(*paths: Path) -> Report:
    return check_content(load_config({}, {}, None), paths)


def told(folder: Path) -> list[str]:
    return [str(problem).replace(f"{folder}/", "") for problem in check(folder).problems]


def told_of(folder: Path, text: str, **more: str) -> list[str]:
    """What is told of one file, ``a.yml``, without the file's name."""
    found = told(write(folder, a=text, **more))
    return [line.removeprefix("a.yml:") for line in found if line.startswith("a.yml:")]


# --- clean content ---------------------------------------------------------------------------------


def test_the_built_in_content_is_sound() -> None:
    report = check()
    assert (report.problems, report.errors) == ([], 0)
    assert report.files > 0


def test_the_published_content_is_sound() -> None:
    report = check(shared("escu"))
    assert report.problems == []
    assert report.files == len(list(shared("escu").rglob("*.yml")))


def test_every_published_file_is_sound_alone() -> None:
    for path in sorted(shared("escu", "baselines").glob("*.yml")):
        assert [problem for problem in check(path).problems if not problem.warning] == []


def test_a_detection_of_each_generation_is_sound(tmp_path: Path) -> None:
    older = """\
tags:
  message: $host$ did it
  confidence: 50
  impact: 50
  observable: [{name: host, type: Hostname, role: [Victim]}]
"""
    newest = """\
finding: {title: $host$ did it, entity: {field: host, type: system, score: 5}}
threat_objects: [{field: n, type: process}]
mitre_attack_id: [T1059.004]
"""
    for text in (DETECTION, HEAD + SEARCH + older, HEAD + SEARCH + newest):
        assert told_of(tmp_path, text) == []


# --- where searches are wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("search: '| mstats count(m) as n where index=* by host\n  | evil'\n", "5:5"),
        ("search: '| mstats count(m) as ''n'' where index=* by host | evil'\n", "4:61"),
        ('search: "| mstats count(m) as \\"n\\" where index=* by host \\\n  | evil"\n', "5:5"),
        ("search: |\n  | mstats count(m) as n where index=* by host\n    | evil\n", "6:7"),
        ("search: |4-\n    | mstats count(m) as n where index=* by host\n    | evil\n", "6:7"),
        ("search: >-\n  | mstats count(m) as n\n  where index=* by host\n\n  | evil\n", "8:5"),
        ("search: | # why\r\n  | mstats count(m) as n where index=* by host\r\n  | evil\r\n", "6:5"),
        ("search: '| mstats count(m) as n where index=*\n\n\n  by host\n  | evil'\n", "8:5"),
    ],
)
def test_a_problem_in_a_search_is_told_where_it_stands_in_the_file(
    tmp_path: Path, written: str, place: str
) -> None:
    (tmp_path / "a.yml").write_text(HEAD + written + RBA, encoding="utf-8", newline="")
    assert told(tmp_path) == [f"a.yml:{place}: unknown command 'evil' (did you mean eval?)"]


def test_a_problem_at_the_end_is_told_after_the_last_word(tmp_path: Path) -> None:
    search = "search: |\n  | mstats count(m) as n where index=* by host\n  | where n >\n\n"
    assert told_of(tmp_path, HEAD + search + RBA) == [
        '6:14: expected a value, found the end of the search (a field, a number, "text" or a function)'
    ]


def test_all_problems_of_a_search_are_told(tmp_path: Path) -> None:
    search = """\
search: |-
  | mstats avg(m) as n where index=* by host
  | evil
  | eval a = lenn(host), b = k8s.pod.name
  | lookup nowhere host
  | `nothing`
  | stats count by host n
"""
    expected = [
        "6:5: unknown command 'evil' (did you mean eval?)",
        "7:14: unknown function lenn() (did you mean len?)",
        "8:5: unknown lookup 'nowhere' …",
        "9:5: unknown macro `nothing` …",
    ]
    same(told_of(tmp_path, HEAD + search + RBA), expected)


# --- macros ----------------------------------------------------------------------------------------


def test_a_problem_in_a_macro_is_told_in_its_file_with_its_use(tmp_path: Path) -> None:
    macro = "name: twice\narguments: [x]\ndefinition: >-\n  2 *\n  nope($x$)\n"
    search = "search: '| mstats count(m) as n where index=* by host | eval a = `twice(n)`'\n"
    found = told(write(tmp_path, a=HEAD + search + RBA, m=macro))
    assert found == [
        "m.yml:5:3: unknown function nope(); used at a.yml:4:66 (docs/spl.md lists the functions)"
    ]


def test_a_problem_in_a_macro_is_told_once_for_all_its_uses(tmp_path: Path) -> None:
    search = "search: '| mstats count(m) as n where index=* by host | `bad`'\n"
    other = HEAD.replace("A det", "B det").replace("1111-1", "1111-2") + search + RBA
    found = told(write(tmp_path, a=HEAD + search + RBA, b=other, m="name: bad\ndefinition: evil\n"))
    assert found == [
        "m.yml:2:13: unknown command 'evil'; used at a.yml:4:57 and once more (did you mean eval?)"
    ]


def test_macros_that_nobody_uses_are_checked_as_far_as_it_goes(tmp_path: Path) -> None:
    found = told(
        write(
            tmp_path,
            a="name: a\ndefinition: '`b` x'\n",
            b="name: b\ndefinition: 'x `a`'\n",
            c="name: c\ndefinition: '`nothing`'\n",
            d="name: d(2)\narguments: [x, y, x]\ndefinition: '$x$ $z$'\n",
            e="name: e\ndefinition: 'x ` y'\n",
            f="name: f\ndefinition: '`d(1)`'\n",
        )
    )
    assert found == [
        "a.yml:2:14: macro `b` expands to itself (remove the macro from its own definition)",
        "b.yml:2:16: macro `a` expands to itself (remove the macro from its own definition)",
        "c.yml:2:14: unknown macro `nothing` (define it in a content folder's macros/)",
        "d.yml:1:1: name: says 2 arguments, but arguments lists 3",
        "d.yml:2:1: arguments: lists a name twice",
        "d.yml:3:18: warning: definition: $z$ is none of the arguments (arguments lists x, y, x)",
        "e.yml:2:16: unclosed backtick (a macro is written `name` or `name(argument)`)",
        "f.yml:2:14: macro `d` takes 3 arguments, found 1 (write `d(x, y, x)`)",
    ]


def test_macros_that_multiply_end(tmp_path: Path) -> None:
    doubled = {f"m{n}": f"name: m{n}\ndefinition: '`m{n + 1}` `m{n + 1}`'\n" for n in range(25)}
    found = told(write(tmp_path, **doubled, m25="name: m25\ndefinition: ' '\n"))
    assert any("makes the search too long" in line for line in found)


# --- keys ------------------------------------------------------------------------------------------

KEYS = {
    "a key that is spelt wrongly": (
        "shedule: {cron: '0 * * * *', earliest: -1h}\n",
        "9:1: shedule: is no key of a detection (did you mean schedule?)",
    ),
    "a key that nobody knows": ("zzz: 1\n", "9:1: warning: zzz: is no key of a detection"),
    "a key below another": ("tags: {mitre_atack_id: []}\n", "9:8: tags.mitre_atack_id: is no key of tags …"),
    "a text that is a list": ("description: [a]\n", "9:1: description: expected a text, found a list"),
    "a list that is a text": ("references: a\n", "9:1: references: expected a list, found 'a'"),
    "a text that is a truth value": (
        "author: yes\n",
        "9:1: author: expected a text, found a truth value (true without quotes)",
    ),
    "a truth value that is a text": ("enabled: 'no'\n", "9:1: enabled: expected true or false, found 'no'"),
    "a version": ("version: 1.5\n", "9:1: version: expected a whole number, found 1.5"),
    "an item of a list": ("references: [{a: b}]\n", "9:14: references.0: expected a text, found a mapping"),
    "a cron": (
        "schedule: {cron: 0 25 * * *, earliest: -1h}\n",
        "9:12: schedule.cron: '0 25 * * *' is no cron expression of five fields: Bad hour",
    ),
    "no cron": (
        "schedule: {earliest: -1h}\n",
        "9:1: schedule: cron is missing (write cron: '0 * * * *' for every hour)",
    ),
    "a time": ("schedule:\n  cron: 0 * * * *\n  earliest: -1 age\n", "11:3: schedule.earliest: …"),
    "a published time": (
        "deployment: {scheduling: {cron_schedule: 0 * * * *, earliest_time: -1h, latest_time: soon}}\n",
        "9:73: deployment.scheduling.latest_time: 'soon' is not a time; …",
    ),
    "an empty window": (
        "schedule: {cron: 0 * * * *, earliest: -1h, latest: -2h}\n",
        "9:1: schedule: the window from -1h to -2h holds no time",
    ),
    "techniques": (
        "tags:\n  mitre_attack_id:\n    - T1059.004\n    - T1059.4\n    - TA0002\n",
        "12:7: tags.mitre_attack_id.1: 'T1059.4' is no ATT&CK technique, which is written T1059 or T1059.004",
        "13:7: tags.mitre_attack_id.2: 'TA0002' is no ATT&CK technique, which is written T1059 or T1059.004",
    ),
    "a story": ("tags: {analytic_story: [Nothing]}\n", "9:25: warning: tags.analytic_story.0: there …"),
    "two generations": (
        "tags: {risk_score: 5, observable: [{name: host, type: Hostname, role: [Victim]}]}\n",
        "9:8: warning: tags.risk_score: stands beside rba, which counts alone",
        "9:23: warning: tags.observable: stands beside rba, which counts alone",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [(t, e) for t, *e in KEYS.values()], ids=KEYS.keys())
def test_keys(tmp_path: Path, text: str, expected: list[str]) -> None:
    same(told_of(tmp_path, DETECTION + text), expected)


def same(found: list[str], expected: list[str]) -> None:
    assert len(found) == len(expected), found
    for line, wanted in zip(found, expected, strict=True):
        assert line == wanted or (wanted.endswith("…") and line.startswith(wanted[:-1])), found


RISK = {
    "no risk at all": ("", ["1:1: warning: rba: puts nothing at risk: …"]),
    "no risk objects": (
        "rba: {message: m, risk_objects: []}\n",
        ["5:1: warning: rba: puts nothing at risk: …"],
    ),
    "no message": (
        "rba: {risk_objects: [{field: host, type: system, score: 5}]}\n",
        ["5:1: rba.message: is missing"],
    ),
    "a key that is missing": (
        "rba: {message: m, risk_objects: [{field: host, type: system}]}\n",
        ["5:1: warning: rba: puts nothing at risk: …", "5:34: rba.risk_objects.0.score: is missing"],
    ),
    "a score": (
        "rba: {message: m, risk_objects: [{field: host, type: system, score: 101}]}\n",
        ["5:62: rba.risk_objects.0.score: a score is a number from 0 to 100, found 101"],
    ),
    "a score that is a text": (
        "rba: {message: m, risk_objects: [{field: host, type: system, score: high}]}\n",
        ["5:62: rba.risk_objects.0.score: a score is a number from 0 to 100, found 'high'"],
    ),
    "a type": (
        "rba: {message: m, risk_objects: [{field: host, type: sytem, score: 1}]}\n",
        ["5:48: warning: rba.risk_objects.0.type: 'sytem' is not known (did you mean system?)"],
    ),
    "the same twice": (
        "rba:\n  message: m\n  risk_objects:\n"
        + 2 * "    - {field: host, type: user, score: 1}\n",
        ["5:1: warning: rba: names the risk object 'host' twice"],
    ),
    "a field that is not there": (
        "rba:\n  message: >-\n    $host$ did\n    $m$\n"
        "  risk_objects: [{field: hots, type: system, score: 5}]\n",
        [
            "8:5: warning: rba.message: the search gives no field 'm' (the search gives host, n)",
            "9:19: warning: rba.risk_objects.0.field: the search gives no field 'hots' (did you mean host?)",
        ],
    ),
    "the older form without a score": (
        "tags: {message: m, observable: [{name: host, type: Hostname, role: [Victim]}]}\n",
        ["5:1: tags.risk_score: is missing (or write confidence and impact)"],
    ),
    "the older form without a message": (
        "tags: {risk_score: 5, observable: [{name: host, type: Hostname, role: [Victim]}]}\n",
        ["5:1: warning: tags.message: is missing (the name of the detection stands in for it)"],
    ),
    "the older form with a field that is not there": (
        "tags: {message: $m$, confidence: 101, impact: 1, observable: [{name: m, type: x, role: []}]}\n",
        [
            "5:17: warning: tags.message: the search gives no field 'm' …",
            "5:22: tags.confidence: a score is a number from 0 to 100, found 101",
            "5:64: warning: tags.observable.0.name: the search gives no field 'm' …",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), RISK.values(), ids=RISK.keys())
def test_risk(tmp_path: Path, text: str, expected: list[str]) -> None:
    same(told_of(tmp_path, HEAD + SEARCH + text), expected)


def test_a_search_that_was_never_right_has_no_missing_fields(tmp_path: Path) -> None:
    found = told_of(tmp_path, DETECTION.replace("| mstats", "| mstast"))
    assert found == ["4:12: unknown command 'mstast' (did you mean mstats?)"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id: x\nname: s\nnarrative: n\n", ["1:1: warning: id: 'x' is no UUID"]),
        ("name: s\nnarrative: n\n", ["1:1: id: is missing"]),
        ("definition: x\n", ["1:1: name: is missing"]),
        ("name: ''\ndefinition: x\n", ["1:1: name: is missing"]),
        ("name: l\nfilename: l.csv\nmin_matches: one\n", ["3:1: min_matches: expected a number, …"]),
        ("name: d\ntype: TTP\nscheduling: {earliest_time: -1h}\n", ["3:1: scheduling: cron is missing …"]),
        ("name: d\ntype: TTP\nscheduling: often\n", ["3:1: scheduling: expected a mapping, …"]),
        ("hello: world\n", ["1:1: is no content: expected one of the keys search, …"]),
        ("serch: x\n", ["1:1: is no content: expected one of the keys search, definition, narrative, "
                        "scheduling or fields_list (did you mean search?)"]),
    ],
)  # fmt: skip
def test_other_kinds(tmp_path: Path, text: str, expected: list[str]) -> None:
    same(told_of(tmp_path, text), expected)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Anomly", ["3:1: warning: type: 'Anomly' is not known (did you mean Anomaly?)"]),
        (
            "Watchdog",
            ["3:1: warning: type: nothing says when a search of type Watchdog runs (write schedule:, …"],
        ),
    ],
)
def test_types(tmp_path: Path, kind: str, expected: list[str]) -> None:
    same(told_of(tmp_path, DETECTION.replace("Anomaly", kind)), expected)


# --- files and each other --------------------------------------------------------------------------


def test_names_and_ids_that_are_given_twice(tmp_path: Path) -> None:
    story = "name: S\nid: 44444444-4444-4444-4444-444444444444\nnarrative: n\n"
    found = told(
        write(
            tmp_path,
            a=DETECTION,
            b=DETECTION,
            c=DETECTION.replace("A det", "C det"),
            d=story,
            e=story.replace("name: S", "name: A detection").replace("44444444-4444", "44444444-4445"),
            m="name: m\ndefinition: x\n",
            n="name: m\ndefinition: y\n",
            o="name: m\narguments: [x]\ndefinition: y\n",
            p="name: One\ntype: TTP\nscheduling: {cron_schedule: 0 * * * *, earliest_time: -1h}\n",
            q="name: Two\ntype: ttp\nscheduling: {cron_schedule: 0 * * * *, earliest_time: -1h}\n",
        )
    )
    assert found == [
        "b.yml:1:1: name: is also the name of a.yml:1:1 (only the later one of them counts)",
        "c.yml:2:1: id: is also the id of a.yml:2:1 (make one of its own with uuidgen)",
        "n.yml:1:1: name: is also the name of m.yml:1:1 (only the later one of them counts)",
        "q.yml:2:1: type: is also the type of p.yml:2:1 (only the later one of them counts)",
    ]


def test_a_newer_version_beside_an_older_one(tmp_path: Path) -> None:
    old, new = DETECTION + "version: 3\n", DETECTION + "version: 8\n"
    assert told(write(tmp_path / "right", a=old, b=new)) == []
    assert told(write(tmp_path / "wrong", a=new, b=old)) == [
        "b.yml:1:1: warning: name: version 3 replaces version 8 of a.yml:1:1 "
        "(of two files the later one counts)"
    ]


def test_one_folder_may_replace_what_another_one_has(tmp_path: Path) -> None:
    folders = [write(tmp_path / name, a=DETECTION) for name in ("one", "two")]
    (problem,) = check(*folders).problems
    assert problem.warning
    assert problem.message == f"name: replaces what {tmp_path}/one/a.yml:1:1 defines"


def test_content_in_force_may_be_replaced_without_a_word(tmp_path: Path) -> None:
    assert told(write(tmp_path, a="name: kubernetes_metrics\ndefinition: index=other\n")) == []


def test_a_baseline_defines_the_lookup_that_it_writes(tmp_path: Path) -> None:
    search = (
        "search: '| mstats avg(m.*) as m.* where index=* by host | lookup usual host"
        " | stats max(avg_m.x) as n by host'\n"
    )
    detection = HEAD + search + RBA
    assert told(write(tmp_path / "with", a=detection, b=BASELINE)) == []
    same(told(write(tmp_path / "without", a=detection)), ["a.yml:4:59: unknown lookup 'usual' …"])


def test_a_lookup_that_is_declared_and_never_written(tmp_path: Path) -> None:
    search = "search: '| mstats count(m) as n where index=* by host | lookup usual host'\n"
    declared = "name: usual\ncollection: usual\nfields_list: host, avg\n"
    same(
        told(write(tmp_path, a=HEAD + search + RBA, l=declared)),
        ["a.yml:4:57: warning: nothing writes the lookup 'usual': no row will match …"],
    )
    assert told(write(tmp_path, l=declared.replace("collection: usual", "filename: usual.csv"))) == []


def test_how_a_lookup_says_that_values_match(tmp_path: Path) -> None:
    head = "name: usual\nlookup_type: csv\nfields_list: host\n"
    same(
        told_of(tmp_path, head + "match_type: WILDCARD(host)\ncase_sensitive_match: false\n"),
        ["4:1: warning: match_type: wildcards and networks …", "5:1: warning: case_sensitive_match: …"],
    )
    assert told_of(tmp_path, head + "case_sensitive_match: true\n") == []


def test_the_file_of_a_lookup_lies_beside_it(tmp_path: Path) -> None:
    told_of_it = told_of(tmp_path, "name: usual\nfilename: ../usual.csv\n")
    same(told_of_it, ["2:1: filename: '../usual.csv' is no name of a file beside this one …"])


def test_baselines(tmp_path: Path) -> None:
    text = BASELINE.replace(" | outputlookup usual", "") + "tags: {detections: [A detection, Another]}\n"
    same(
        told_of(tmp_path, text, b=DETECTION),
        [
            "4:1: warning: search: a baseline that writes no lookup keeps nothing …",
            "5:34: warning: tags.detections.1: there is no detection 'Another'",
        ],
    )


def test_an_index_that_a_search_collects_is_known(tmp_path: Path) -> None:
    writing = SEARCH.replace("by host'", "by host | collect index=mine'")
    reading = "search: 'index=mine | stats count as n by host'\n"
    other = HEAD.replace("A det", "B det").replace("1111-1", "1111-2") + reading + RBA
    assert told(write(tmp_path / "both", a=HEAD + writing + RBA, b=other)) == []
    same(told(write(tmp_path / "one", b=other)), ["b.yml:4:10: there is no index of events 'mine' here …"])


def test_a_file_in_the_folder_of_another_kind(tmp_path: Path) -> None:
    found = told(write(tmp_path, macros__a=DETECTION, detections__network__b=BASELINE, lookups__c="a: [\n"))
    same(
        found,
        [
            "detections/network/b.yml:1:1: warning: this is a baseline in a folder for another kind "
            "(detection) (move it to baselines/)",
            "lookups/c.yml:2:1: not valid YAML: …",
            "macros/a.yml:1:1: warning: this is a detection in a folder for another kind (macro) …",
        ],
    )


def test_files_are_in_order_and_broken_ones_do_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_bytes(b"name: \xff\n")
    write(
        tmp_path,
        c="",
        a=DETECTION.replace("score: 5", "score: -1"),
        d=DETECTION.replace("| mstats", "| evil"),
    )
    found = told(tmp_path)
    assert [line.split(" ")[0] for line in found] == [
        "a.yml:8:35:",
        "b.yml:1:7:",
        "c.yml:1:1:",
        "d.yml:1:1:",
        "d.yml:4:12:",
    ]
    report = check(tmp_path)
    assert (report.files, report.errors) == (4, 5)


@pytest.mark.parametrize("folder", ["empty", "nowhere", "empty/none.yml"])
def test_a_folder_without_content_is_wrong_usage(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "README.md").write_text("nothing")
    with pytest.raises(UsageError, match="content"):
        check(tmp_path / folder)
