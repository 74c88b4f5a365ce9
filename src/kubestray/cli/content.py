"""``kubestray content check|list|show|import|test PATH...``."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from kubestray.cli import options, output
from kubestray.model.counted import counted
from kubestray.model.errors import Diagnostic, UsageError

_TAKES = {"show": "NAME", "test": "NAME|PATH"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in (
        ("check", "tell every problem of content files and their searches, as path:line:column: message"),
        ("list", "list detections and baselines"),
        ("show", "show one detection or baseline"),
        ("import", "check content of others and take it into a folder of one's own"),
        ("test", "run the tests that detections bring; without NAME or PATH those of the built-in ones"),
    ):
        action = actions.add_parser(name, help=summary)
        action.add_argument("paths", nargs="*", metavar=_TAKES.get(name, "PATH"))
        if name == "list":
            action.add_argument("--format", choices=output.FORMATS)
        elif name in ("check", "test"):
            action.add_argument(
                "--format",
                choices=("text", "json"),
                default="text",
                help="a line or an object for each problem, or test [text]",
            )
        elif name == "import":
            action.add_argument(
                "--to", metavar="DIR", help="the folder [the last one of the setting content]"
            )
        options.settings(action, "content", "metric_index")


def run(parsed: argparse.Namespace) -> int:
    """Do what the action says."""
    actions = {"check": _check, "list": _list, "show": _show, "import": _import, "test": _test}
    return actions[parsed.action](parsed)


def _check(parsed: argparse.Namespace) -> int:
    from kubestray.pipeline import checking

    config = options.configure(parsed)
    report = checking.check_content(config, [Path(path) for path in parsed.paths])
    if parsed.format == "json":
        output.print_json([_as_json(problem) for problem in report.problems])
    else:
        for problem in report.problems:
            print(_printable(str(problem)))
    output.note(_summary(report.files, report.errors, len(report.problems) - report.errors))
    return 3 if report.errors else 0


def _import(parsed: argparse.Namespace) -> int:
    from kubestray.detect.importing import import_content
    from kubestray.pipeline import checking

    config = options.configure(parsed)
    paths = [Path(path) for path in parsed.paths]
    if not paths:
        raise UsageError("content import: say what to take: folders or files of content")
    folders = [Path(parsed.to)] if parsed.to else [Path(path) for path in config["content"]]
    if not folders:
        raise UsageError("content import: say which folder it goes into: --to DIR")
    report = checking.check_content(config, paths)
    for problem in report.problems:
        output.note(_printable(str(problem)))
    if report.errors:
        output.note(f"{_summary(report.files, report.errors, 0)}; nothing was imported")
        return 3
    done = import_content(paths, folders[-1])
    for path in done.files:
        print(_printable(str(path)))
    output.note(
        f"{counted(len(done.files), 'file')} imported, {counted(done.unchanged, 'was', 'were')} there; "
        f"use them: --content {folders[-1]}"
    )
    return 0


def _as_json(problem: Diagnostic) -> dict[str, Any]:
    place = problem.position
    return {
        "path": _printable(place.path or ""),
        "line": place.line,
        "column": place.column,
        "severity": "warning" if problem.warning else "error",
        "message": _printable(problem.message),
        "hint": _printable(problem.hint),
    }


def _printable(text: str) -> str:
    """Return a text that can be printed: names of files need not be UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _summary(files: int, errors: int, warnings: int) -> str:
    found = [
        counted(count, what) if count else f"no {what}s"
        for count, what in ((errors, "error"), (warnings, "warning"))
    ]
    return f"{counted(files, 'file')} checked: {', '.join(found)}"


def _list(parsed: argparse.Namespace) -> int:
    from kubestray.pipeline import setting_up

    content = setting_up.content_of(options.configure(parsed), [Path(path) for path in parsed.paths])
    rows: list[dict[str, Any]] = []
    for search in (*content.detections.values(), *content.baselines.values()):
        schedule = content.schedule_of(search)
        rows.append(
            {
                "name": search.name,
                "type": search.type,
                "status": search.status,
                "version": search.version,
                "schedule": schedule.cron if schedule else "",
                "path": search.path,
            }
        )
    output.print_rows(
        rows, ["name", "type", "status", "version", "schedule", "path"], output.chosen_format(parsed.format)
    )
    return 0


def _test(parsed: argparse.Namespace) -> int:
    from kubestray.model.content import Baseline, Detection
    from kubestray.pipeline import setting_up
    from kubestray.pipeline.detecting import wanted_searches
    from kubestray.pipeline.testing import run_tests

    config = options.configure(parsed)
    content = setting_up.content_of(config)
    wanted = [
        search
        for search in wanted_searches(content, parsed.paths)
        if isinstance(search, Detection | Baseline)
    ]
    verdicts = []
    for verdict in run_tests(config, content, wanted):
        verdicts.append(verdict)
        if parsed.format == "text":
            print(
                _printable(f"{'ok  ' if verdict.passed else 'FAIL'} {verdict.detection}: {verdict.test}"),
                flush=True,
            )
            for wrong in verdict.wrong:
                print(_printable(f"  {verdict.path}: {wrong}"))
    if parsed.format == "json":
        output.print_json([{**dataclasses.asdict(one), "passed": one.passed} for one in verdicts])
    failed = sum(not one.passed for one in verdicts)
    tests, searches = counted(len(verdicts), "test"), counted(len(wanted), "search", "searches")
    output.note(f"{tests} of {searches}: {failed or 'none'} failed")
    return 1 if failed else 0


def _show(parsed: argparse.Namespace) -> int:
    from kubestray.pipeline import setting_up
    from kubestray.search.nearest import nearest

    if not parsed.paths:
        raise UsageError("content show: say which: a name that kubestray content list shows")
    content = setting_up.content_of(options.configure(parsed))
    for name in parsed.paths:
        found = content.detections.get(name) or content.baselines.get(name)
        if found is None:
            hint = nearest(name, (*content.detections, *content.baselines))
            raise UsageError(
                f"there is no detection or baseline named {name!r}; "
                f"{hint or 'kubestray content list shows all'}"
            )
        sys.stdout.write(Path(found.path).read_text(encoding="utf-8"))
    return 0
