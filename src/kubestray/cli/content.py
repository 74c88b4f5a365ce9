"""``kubestray content check|list|show PATH...``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from kubestray.cli import options, output
from kubestray.model.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in (
        ("check", "read content and compile its searches; tell every problem as path:line:column"),
        ("list", "list detections and baselines"),
        ("show", "show one detection or baseline"),
    ):
        action = actions.add_parser(name, help=summary)
        action.add_argument("paths", nargs="*", metavar="NAME" if name == "show" else "PATH")
        if name == "list":
            action.add_argument("--format", choices=output.FORMATS)
        options.settings(action, "content", "metric_index")


def run(parsed: argparse.Namespace) -> int:
    """Do what the action says."""
    return {"check": _check, "list": _list, "show": _show}[parsed.action](parsed)


def _check(parsed: argparse.Namespace) -> int:
    from kubestray.pipeline import detecting

    config = options.configure(parsed)
    problems, count = detecting.check_content(config, [Path(path) for path in parsed.paths])
    for problem in problems:
        print(problem)
    output.note(f"{count} files, {len(problems)} problems")
    return 3 if problems else 0


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


def _show(parsed: argparse.Namespace) -> int:
    from kubestray.pipeline import setting_up

    content = setting_up.content_of(options.configure(parsed))
    for name in parsed.paths:
        found = content.detections.get(name) or content.baselines.get(name)
        if found is None:
            raise UsageError(
                f"there is no detection or baseline named {name!r}; kubestray content list shows all"
            )
        sys.stdout.write(Path(found.path).read_text(encoding="utf-8"))
    return 0
