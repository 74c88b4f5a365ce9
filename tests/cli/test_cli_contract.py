"""Exit codes, what goes where, and help."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from product import COMMAND, TRACEBACK, environment, run, wait_until

from helpers import more
from kubestray import cli
from kubestray.config import SETTINGS

COMMANDS = ("demo", "serve", "ingest", "search", "detect", "content", "simulate")
COUNT = "| mstats count(load) AS n where index=* by pod"

HEAVY = ("chdb", "sqlglot", "pyarrow", "grpc", "numpy", "starlette", "uvicorn", "rich", "google.protobuf")


# --- help ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [[], *([name] for name in COMMANDS), ["content", "check"], ["content", "list"]]
)
def test_help(words):
    asked = run(*words, "--help")
    assert (asked.code, asked.err) == (0, "")
    assert asked.out.startswith("usage: kubestray " + " ".join(words))
    assert "--config" in asked.out or not words or words == ["content"]


def flags_of(command: str) -> set[str]:
    parser = argparse.ArgumentParser()
    import_module(f"kubestray.cli.{command.replace('-', '_')}").arguments(parser)
    waiting, flags = [parser], set()
    while waiting:
        for action in waiting.pop()._actions:
            flags.update(action.option_strings)
            waiting += action.choices.values() if isinstance(action, argparse._SubParsersAction) else ()
    return flags


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_takes_a_store(command):
    assert "--store" in flags_of(command)


def test_serve_takes_every_flag_of_the_settings():
    """docs/settings.md lists them."""
    assert {setting.flag for setting in SETTINGS} <= flags_of("serve")


def test_help_names_every_command():
    told = run("--help").out
    assert all(f"    {name} " in told for name in COMMANDS)


@pytest.mark.parametrize("words", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(words):
    script = (
        "import sys\nfrom kubestray.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        f"print(*(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stderr.strip() == ""


def test_a_command_runs_without_loading_pandas(tmp_path):
    script = (
        "import sys\nfrom kubestray.cli import main\ntry:\n    main()\n"
        "finally:\n    print('pandas' in sys.modules, 'pyarrow' in sys.modules, file=sys.stderr)"
    )
    words = ["search", "--store", str(tmp_path / "store"), "--format", "json", "| makeresults | eval a=1"]
    told = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True)
    assert [row["a"] for row in json.loads(told.stdout)] == [1]
    assert told.stderr.splitlines()[-1] == "False True"


def test_libraries_that_detectors_are_compared_with_find_pandas():
    pytest.importorskip("river")
    script = (
        "import sys\nfrom kubestray.cli import main\ntry:\n    main()\n"
        "finally:\n    from river import anomaly\n    print(anomaly.__name__, file=sys.stderr)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, "evaluate", "--help"], capture_output=True, text=True, check=True
    )
    assert told.stderr.splitlines()[-1] == "river.anomaly"


def test_version():
    told = run("--version")
    assert (told.code, told.out.split()[0], told.err) == (0, "kubestray", "")


# --- wrong usage: 2 --------------------------------------------------------------------------------

WRONG_USAGE = {
    "no command": [],
    "unknown command": ["serch"],
    "unknown flag": ["search", "--erliest", "-1h", COUNT],
    "no search": ["search"],
    "two searches": ["search", COUNT, COUNT],
    "a format": ["search", "--format", "xml", COUNT],
    "a time": ["search", "--earliest", "yesterday", COUNT],
    "a time without value": ["search", COUNT, "--earliest"],
    "now": ["search", "--now", "-1 fortnight", COUNT],
    "a switch": ["search", "--set", "speed=11", COUNT],
    "a store": ["search", "--store", "postgres://localhost/db", COUNT],
    "an empty store": ["search", "--store", "chdb://", COUNT],
    "rows": ["search", "--rows", "/nowhere/rows.json", "| stats count"],
    "nothing to ingest": ["ingest"],
    "a detection": ["detect", "No such detection"],
    "a detection to show": ["content", "show", "No such detection"],
    "nothing to show": ["content", "show"],
    "a content action": ["content", "chekc"],
    "a content folder": ["content", "check", "/nowhere"],
    "a content folder in force": ["search", "--content", "/nowhere", COUNT],
    "simulate without a folder": ["simulate"],
    "a step": ["simulate", "--out", "/nowhere", "--step", "fast"],
    "a duration": ["search", "--search-timeout", "long", COUNT],
}


@pytest.mark.parametrize("words", WRONG_USAGE.values(), ids=WRONG_USAGE.keys())
def test_wrong_usage(words, tmp_path):
    told = run(*words, seconds=20, cwd=tmp_path, store=str(tmp_path / "store"))
    told.failed(2)
    assert told.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["--receiver-token", "s3cret"], ["--receiver-token=s3cret"]], ids=" ".join)
def test_a_secret_is_no_flag(words, tmp_path):
    told = run("serve", *words, seconds=20, cwd=tmp_path, store=str(tmp_path / "store"))
    told.failed(2)
    assert "KUBESTRAY_RECEIVER_TOKEN" in told.err
    assert "--receiver-token-file" in told.err
    assert "s3cret" not in told.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "times",
    [
        more(["--now", "999999999999", "--earliest", "-1mon"]),
        ["--now", "999999999999", "--earliest", "@w"],
        ["--earliest", "99999999999999999999"],
        more(["--latest", "+99999999999d"]),
        more(["--earliest", "-99999999999999999999d"]),
        more(["--earliest", "9999-12-31T23:59:59Z"]),
        ["--earliest", "0001-01-01"],
        more(["--now", "1e400"]),
        more(["--earliest", "-99999y"]),
    ],
    ids=" ".join,
)
def test_times_beyond_all_bounds(filled, times):
    told = run("search", "--store", filled, *times, COUNT)
    assert told.code in (0, 2), told.err
    assert TRACEBACK not in told.err


# --- bad search text: 3 ----------------------------------------------------------------------------

BAD_SEARCHES = {
    "nothing": "",
    "an unknown command": "| mstast count(load) where index=*",
    "an open quote": '| mstats count(load) where index="*',
    "an open bracket": "| mstats count(load) where index=* | eval x=(1",
    "an unknown function": "| mstats count(load) where index=* | eval x=frobnicate(1)",
    "an unknown macro": "| mstats count(load) where `no_such_macro`",
    "a bad span": "| mstats count(load) where index=* span=sometimes",
    "brackets": "| mstats count(load) where index=* | eval x=" + "(" * 5000 + "1" + ")" * 5000,
    "not": "| mstats count(load) AS n where index=* | where " + "NOT " * 5000 + "n=1",
    "subsearches": "| mstats count(load) where index=* by pod" + " | join pod [" * 500,
}

UNLIKE = ("nothing", "an unknown macro", "brackets", "not", "subsearches")
"""What is refused in places of their own; the others are, for the language, cases of `tests/search`."""


@pytest.mark.parametrize(
    "text", [(pytest.param if name in UNLIKE else more)(text, id=name) for name, text in BAD_SEARCHES.items()]
)
def test_bad_search_text(filled, text):
    run("search", "--store", filled, text).failed(3)


def test_a_bad_search_is_told_with_its_place(filled):
    told = run("search", "--store", filled, "| mstats count(load) where index=*\n| frobnicate x")
    told.failed(3, "line 2, column 3", "frobnicate")
    assert told.out == ""


# --- failures: 1 -----------------------------------------------------------------------------------


def test_a_limit_on_rows(filled):
    run("search", "--store", filled, "--search-rows", "10", "| mpreview index=*").failed(1, "rows")


def test_a_limit_on_memory(filled):
    run("search", "--store", filled, "--search-memory", "1KiB", "| mpreview index=*").failed(1, "memory")


def test_a_server_that_is_not_there():
    url = "clickhouse://user:s3cr3t@127.0.0.1:1/db"
    told = run("search", "--store", url, COUNT)
    told.failed(1, "127.0.0.1:1")
    assert "s3cr3t" not in told.err


@pytest.mark.parametrize(
    "words", [["search", COUNT], ["detect"], ["ingest", "-"]], ids=lambda words: words[0]
)
def test_a_store_of_which_nothing_is_stored_yet(store, words):
    """The first thing that people do: everything is empty, and nothing is wrong."""
    told = run(*words, "--store", store)
    made = f"there was no store at {store}; a new, empty one was made"
    assert told.code == 0
    assert [made in line for line in told.err.splitlines()] == [True] * (words[0] != "ingest")
    assert run(*words, "--store", store).err == "", "it is there now"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["findings", "list"], "[]\n"),
        (["notify", "list"], "[]\n"),
        (["findings", "suppressions"], "[]\n"),
        (["replay", "--from", "-2m", "--to", "now"], '{"findings": [], "incidents": []}\n'),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_a_mistyped_store_is_told_beside_the_answer(store, words, told):
    asked = run(*words, "--store", f"chdb://{store}")
    assert (asked.code, asked.out) == (0, told)
    assert asked.err.startswith(f"warning: there was no store at {store}; a new, empty one was made there")


@pytest.mark.parametrize(
    "text",
    [
        "| mstats count(*) where index=*",
        more("| mstats count(*) AS * where index=* by pod span=1m"),
        more("| mstats avg(load) where index=* by pod"),
        more("| mpreview index=*"),
        "| mpreview index=* | stats count",
        more("| mstats count(load) where index=another"),
    ],
)
def test_searches_that_match_nothing(store, text):
    told = run("search", "--store", store, "--format", "json", text)
    assert (told.code, len(told.err.splitlines())) == (0, 1), "and that the store is new"
    assert json.loads(told.out) in ([], [{"count": 0}])


# --- output that nobody reads ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "form"),
    [
        *[("| mpreview index=*", "json"), (COUNT, "table"), more("| mpreview index=*", "csv")],
        *[more("| mpreview index=*", "table"), more(COUNT, "json"), more(COUNT, "csv")],
    ],
)
def test_a_reader_that_leaves(filled, form, text):
    """As ``| head -0`` does."""
    command = [COMMAND, "search", "--store", filled, "--format", form, text]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        process.stdout.close()
        told = process.stderr.read().decode()
    assert told == ""
    assert process.returncode in (0, 1)


@pytest.mark.parametrize(
    "words", [["--help"], ["content", "list"], ["content", "show", "Process sending far more than usual"]]
)
def test_a_reader_of_something_else_that_leaves(words):
    with subprocess.Popen(
        [COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        process.stdout.close()
        assert process.stderr.read().decode() == ""


def test_a_disk_that_is_full(filled):
    with Path("/dev/full").open("w") as full:
        told = subprocess.run(
            [COMMAND, "search", "--store", filled, COUNT],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
        )
    assert told.returncode == 1
    assert TRACEBACK not in told.stderr.decode()
    assert "No space left" in told.stderr.decode()


def test_a_file_of_the_store_that_cannot_be_read_is_named(tmp_path):
    """It is not the output that is at fault."""
    broken = tmp_path / "journal" / "000000000001.rows"
    broken.mkdir(parents=True)
    told = subprocess.run(
        [COMMAND, "search", "--store", tmp_path, COUNT], capture_output=True, text=True, env=environment()
    )
    assert told.returncode == 1
    assert told.stderr == f"kubestray: {broken}: Is a directory\n"


def test_no_stdout_at_all(filled):
    shell = f'exec "{COMMAND}" search --store "{filled}" "{COUNT}" >&-'
    told = subprocess.run(["sh", "-c", shell], stderr=subprocess.PIPE, env=environment(), check=False)
    assert TRACEBACK not in told.stderr.decode()


def test_an_interrupt(filled):
    with subprocess.Popen(
        [COMMAND, "ingest", "--store", filled.parent / "interrupted", "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        # These tests may run in the background of a shell, where interrupts are ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        wait_until(lambda: (filled.parent / "interrupted" / "status").exists())
        process.send_signal(signal.SIGINT)
        told = process.stderr.read().decode()
    assert (process.returncode, told) == (130, "kubestray: interrupted\n")


def test_results_and_messages_go_to_different_places(filled):
    told = run("search", "--store", filled, "--log-level", "debug", "--format", "json", COUNT)
    assert json.loads(told.out) == [{"pod": "a", "n": 60}, {"pod": "b", "n": 60}]
