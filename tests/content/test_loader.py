"""Content files: the published ones load as they are; every problem of bad ones is told, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers import shared
from kubestray.detect.loader import load_content, load_item
from kubestray.detect.runner import macros_of
from kubestray.model.content import (
    Baseline,
    Deployment,
    Detection,
    Looks,
    Lookup,
    MacroDefinition,
    RiskObject,
    Schedule,
    Story,
    ThreatObject,
)
from kubestray.model.errors import ContentError, UsageError
from kubestray.pipeline.setting_up import built_in

OUTBOUND = "kubernetes_anomalous_outbound_network_activity_from_process.yml"

DETECTION = """\
name: A detection
id: 11111111-1111-1111-1111-111111111111
type: Anomaly
search: '| mstats count(m) as n where index=*'
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return folder


def problems(folder: Path) -> list[str]:
    with pytest.raises(ContentError) as raised:
        load_content([folder])
    return [str(problem).removeprefix(f"{folder}/") for problem in raised.value.diagnostics]


def test_the_published_folder_loads_as_it_is() -> None:
    content = load_content([shared("escu")])
    assert len(content.detections) == 14
    assert len(content.baselines) == 4
    assert len(content.lookups) == 4
    assert len(content.stories) == 1
    assert set(content.macros) == {("kubernetes_metrics", 0)}
    assert set(content.deployments) == {"anomaly", "baseline"}
    assert content.lookups["k8s_container_network_io_baseline"].fields[:2] == (
        "key",
        "avg_outbound_network_io",
    )


def test_a_published_detection_is_read_in_full() -> None:
    found = load_item(shared("escu", "detections", OUTBOUND))
    assert isinstance(found, Detection)
    assert found.name == "Kubernetes Anomalous Outbound Network Activity from Process"
    assert found.id == "dd6afee6-e0a3-4028-a089-f47dd2842c22"
    assert (found.version, found.type, found.status) == (3, "Anomaly", "experimental")
    assert found.risk_objects == (RiskObject("host", "system", 25.0),)
    assert found.threat_objects == ()
    assert found.techniques == ("T1204",)
    assert found.stories == ("Abnormal Kubernetes Behavior using Splunk Infrastructure Monitoring",)
    assert found.message == (
        "Kubernetes Anomalous Outbound Network Activity from Process in kubernetes cluster $host$"
    )
    assert found.security_domain == "network"
    assert found.schedule is None
    assert found.enabled
    assert found.search.startswith("| mstats avg(tcp.*) as tcp.*")
    assert "<<MATCHSTR>>" in found.search


def test_the_newer_form_has_its_own_scores() -> None:
    found = load_item(shared("escu", "newer", OUTBOUND))
    assert isinstance(found, Detection)
    assert found.version == 8
    assert found.risk_objects == (RiskObject("host", "system", 20.0),)
    assert found.message.endswith("in kubernetes cluster $host$")


def test_a_detection_takes_the_schedule_of_its_type() -> None:
    content = load_content([shared("escu")])
    found = content.detections["Kubernetes Anomalous Outbound Network Activity from Process"]
    assert content.schedule_of(found) == Schedule("0 * * * *", "-70m@m", "-10m@m")


def test_a_published_baseline_brings_its_own_schedule() -> None:
    content = load_content([shared("escu")])
    schedules = {content.schedule_of(baseline) for baseline in content.baselines.values()}
    assert schedules == {Schedule("0 2 * * 0", "-30d@d", "-1d@d")}


def test_what_a_file_is_shows_in_its_keys(tmp_path: Path) -> None:
    write(
        tmp_path,
        a=DETECTION,
        b=DETECTION.replace("Anomaly", "Baseline").replace("A detection", "A baseline"),
        c="name: twice(1)\ndefinition: '$x$ * 2'\narguments: [x]\n",
        d="name: table\nfields_list: key, value , \ncollection: table\n",
        e="name: A story\nid: 5\nnarrative: It began.\ndescription: d\n",
        f="name: daily\ntype: TTP\nscheduling: {cron_schedule: '0 1 * * *', earliest_time: -1d}\n",
    )
    kinds = [type(load_item(tmp_path / f"{name}.yml")) for name in "abcdef"]
    assert kinds == [Detection, Baseline, MacroDefinition, Lookup, Story, Deployment]
    content = load_content([tmp_path])
    assert content.macros["twice", 1].definition == "$x$ * 2"
    assert content.lookups["table"].fields == ("key", "value")
    assert content.deployments["ttp"].schedule == Schedule("0 1 * * *", "-1d", "now")
    macro = macros_of(content)("twice", 1)
    assert macro
    assert macro.arguments == ("x",)
    assert macros_of(content)("twice", 0) is None


def test_folders_below_are_read_and_other_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    write(tmp_path / "deep" / "er", a=DETECTION)
    (tmp_path / "README.md").write_text("no content")
    assert list(load_content([tmp_path]).detections) == ["A detection"]


def test_a_later_folder_beats_an_earlier_one_and_says_so(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, a=DETECTION + f"description: {name}\n")
    content = load_content([tmp_path / "one", tmp_path / "two"])
    assert content.detections["A detection"].description == "two"
    (warning,) = content.warnings
    assert warning == f"{tmp_path}/two/a.yml replaces {tmp_path}/one/a.yml: both define 'A detection'"


def test_its_own_schedule_beats_that_of_its_type(tmp_path: Path) -> None:
    own = "schedule: {cron: '*/5 * * * *', earliest: -15m}\n"
    published = (
        "deployment: {scheduling: {cron_schedule: '0 2 * * 0', earliest_time: -30d@d, latest_time: -1d@d}}\n"
    )
    write(tmp_path, a=DETECTION + own, b=DETECTION.replace("A det", "B det") + published)
    content = load_content([tmp_path])
    assert content.schedule_of(content.detections["A detection"]) == Schedule("*/5 * * * *", "-15m", "now")
    assert content.schedule_of(content.detections["B detection"]) == Schedule("0 2 * * 0", "-30d@d", "-1d@d")


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (
            "  risk_score: 40\n  observable: [{name: host, type: Hostname, role: [Victim]}]",
            [("host", "system", 40.0)],
        ),
        (
            "  confidence: 80\n  impact: 50\n  observable: [{name: who, type: User, role: [Victim]}]",
            [("who", "user", 40.0)],
        ),
        (
            "  risk_score: 5\n  observable: [{name: f, type: File Name, role: [Victim]}]",
            [("f", "other", 5.0)],
        ),
        ("  risk_score: 5\n  observable: [{name: ip, type: IP Address, role: [Attacker]}]", []),
    ],
)
def test_observables(tmp_path: Path, tags: str, expected: list[tuple[str, str, float]]) -> None:
    found = load_item(write(tmp_path, a=f"{DETECTION}tags:\n{tags}\n") / "a.yml")
    assert isinstance(found, Detection)
    assert [(o.field, o.type, o.score) for o in found.risk_objects] == expected


def test_attackers_are_threats(tmp_path: Path) -> None:
    tags = "tags: {risk_score: 5, observable: [{name: src, type: IP Address, role: [Attacker]}]}\n"
    found = load_item(write(tmp_path, a=DETECTION + tags) / "a.yml")
    assert isinstance(found, Detection)
    assert found.threat_objects == (ThreatObject("src", "ip address"),)


def test_every_problem_of_a_folder_is_told_at_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="name: A\nid: 1\ntype: TTP\nversion: soon\nsearch: x\nschedule: {cron: every day, earliest: -1h}\n",
        b="id: 2\nsearch: [a]\n",
        c="name: C\n  broken: : :\n",
        d="just a text\n",
        e="hello: world\n",
        f=DETECTION + "rba:\n  risk_objects:\n    - {field: host, type: system}\n",
        g=DETECTION + "rba: {risk_objects: [{field: h, type: s, score: 101}]}\n",
        h=DETECTION + "tags: a text\n",
        i=DETECTION + "tags: {mitre_attack_id: T1}\n",
        j="name: m\ndefinition: x\narguments: x\n",
        k=DETECTION + "schedule: {cron: '0 * * * *'}\n",
        z=DETECTION,
    )
    assert problems(tmp_path) == [
        "a.yml:4:1: version: expected a whole number, found 'soon'",
        "a.yml:6:12: schedule.cron: 'every day' is no cron expression of five fields: Wrong number of fields",
        "b.yml:1:1: name: is missing",
        "b.yml:1:1: type: is missing",
        "b.yml:2:1: search: expected a text, found a list",
        "c.yml:2:9: not valid YAML: mapping values are not allowed here "
        '(": " in a text begins a mapping: put the text in quotes, or after |- on indented lines of its own)',
        "d.yml:1:1: expected a mapping of names to values",
        "e.yml:1:1: is no content: expected one of the keys search, definition, narrative, "
        "scheduling or fields_list",
        "f.yml:7:7: rba.risk_objects.0.score: is missing",
        "g.yml:5:42: rba.risk_objects.0.score: a score is a number from 0 to 100, found 101",
        "h.yml:5:1: tags: expected a mapping, found 'a text'",
        "i.yml:5:8: tags.mitre_attack_id: expected a list, found 'T1'",
        "j.yml:3:1: arguments: expected a list, found 'x'",
        "k.yml:5:1: schedule: earliest is missing (write earliest: -1h)",
    ]


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(b"name: \xff\xfe\n")
    (tmp_path / "b.yml").write_bytes(b"name: \x00\n")
    (tmp_path / "c.yml").write_text("")
    found = problems(tmp_path)
    assert [line.split(":")[0] for line in found] == ["a.yml", "b.yml", "c.yml"]


def test_a_time_that_is_none_is_told(tmp_path: Path) -> None:
    write(tmp_path, a=DETECTION + "schedule: {cron: '0 * * * *', earliest: yesterday}\n")
    (problem,) = problems(tmp_path)
    assert problem.startswith("a.yml:5:31: schedule.earliest: ")
    assert "yesterday" in problem


def test_a_name_that_stands_twice_in_a_folder_is_told(tmp_path: Path) -> None:
    write(tmp_path, a=DETECTION, b=DETECTION)
    assert any("both define 'A detection'" in warning for warning in load_content([tmp_path]).warnings)


def test_a_yaml_file_cannot_run_code(tmp_path: Path) -> None:
    write(tmp_path, a="name: !!python/object/apply:os.system ['touch owned']\ndefinition: x\n")
    assert problems(tmp_path)[0].startswith("a.yml:1:7: not valid YAML")


def test_a_folder_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no content folder"):
        load_content([tmp_path / "nowhere"])


def test_a_search_knows_where_each_of_its_characters_stands(tmp_path: Path) -> None:
    found = load_item(write(tmp_path, a=DETECTION.replace("'| mstats", "'|\n    mstats")) / "a.yml")
    assert isinstance(found, Detection)
    assert found.where
    assert found.search.startswith("| mstats")
    assert str(found.where(0)) == f"{tmp_path}/a.yml:4:10"
    assert str(found.where(2)) == f"{tmp_path}/a.yml:5:5"


def test_a_macro_knows_where_each_of_its_characters_stands(tmp_path: Path) -> None:
    found = load_item(write(tmp_path, a="name: m\ndefinition: >-\n  eval a = 1\n  | eval b = 2\n") / "a.yml")
    assert isinstance(found, MacroDefinition)
    assert found.where
    assert str(found.where(found.definition.index("b ="))) == f"{tmp_path}/a.yml:4:10"


def test_the_newest_published_form_is_read(tmp_path: Path) -> None:
    newest = """\
finding:
  title: $user$ did it
  entity: {field: user, type: user, score: 50}
threat_objects: [{field: src, type: ip_address}]
analytic_story: [A story]
mitre_attack_id: [T1078]
security_domain: access
custom_schedule: {cron_schedule: 0 2 * * 0, earliest_time: -30d@d, latest_time: -1d@d}
"""
    found = load_item(write(tmp_path, a=DETECTION + newest) / "a.yml")
    assert isinstance(found, Detection)
    assert found.message == "$user$ did it"
    assert found.risk_objects == (RiskObject("user", "user", 50.0),)
    assert found.threat_objects == (ThreatObject("src", "ip_address"),)
    assert (found.stories, found.techniques) == (("A story",), ("T1078",))
    assert found.security_domain == "access"
    assert found.schedule == Schedule("0 2 * * 0", "-30d@d", "-1d@d")


def test_the_newest_published_form_of_lookups_is_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="name: a\nlookup_type: kvstore\nfields: [_key, host, 'avg_cpu']\n",
        b="name: b\nlookup_type: csv\n",
        c="name: c\nfilename: rows.csv\n",
    )
    lookups = load_content([tmp_path]).lookups
    assert [(one.fields, one.file) for one in lookups.values()] == [
        (("host", "avg_cpu"), ""),
        ((), "b.csv"),
        ((), "rows.csv"),
    ]


def test_the_built_in_content_has_no_name_twice() -> None:
    assert load_content([built_in()]).warnings == []


def test_how_often_a_search_is_looked_at(tmp_path):
    def read(looks):
        text = f"schedule: {{cron: '*/5 * * * *', earliest: -5m, latest: now, looks: {looks}}}"
        (tmp_path / "one.yml").write_text(f"name: One\nid: one\nsearch: '| makeresults'\ntype: TTP\n{text}\n")
        return load_content([tmp_path]).detections["One"].schedule.looks

    assert read("{every: 10s, new_for: 15m}") == Looks(10, 900)
    assert read("{every: 1m}") == Looks(60)
    for wrong, told in (
        ("{every: 0s}", "whole seconds"),
        ("{every: 1500ms}", "whole seconds"),
        ("{new_for: 5m}", "every"),
        ("often", "mapping"),
    ):
        with pytest.raises(ContentError, match=told):
            read(wrong)
