"""``kubestray replay --from T --to T``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kubestray.cli import options, output
from kubestray.cli.reading import opened_to_read
from kubestray.model.counted import counted


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--from", dest="begin", required=True, metavar="T", help="when to begin, for example -7d"
    )
    parser.add_argument("--to", dest="end", default="now", metavar="T", help="when to end [now]")
    parser.add_argument("--now", metavar="T", help="what times such as -7d are counted from [the clock]")
    parser.add_argument("--format", choices=("json", "table"), help="json or table [table on a terminal]")
    parser.add_argument("--progress", action="store_true", help="show how far it is")
    options.searching(parser)


def run(parsed: argparse.Namespace) -> int:
    """Replay, and print what would have been found."""
    from kubestray.cli.search import switches
    from kubestray.model.errors import UsageError
    from kubestray.pipeline import replaying, setting_up
    from kubestray.pipeline.setting_up import patience_of

    config = options.configure(parsed)
    zone = config["timezone"]
    now = setting_up.moment(parsed.now, "--now", zone=zone) if parsed.now else None
    begin = setting_up.moment(parsed.begin, "--from", now, zone)
    end = setting_up.moment(parsed.end, "--to", now, zone)
    if begin >= end:
        raise UsageError(f"--from {parsed.begin} is not before --to {parsed.end}")
    content = setting_up.content_of(config)
    for warning in content.warnings:
        output.note(f"warning: {warning}")
    make = setting_up.searching(config, switches(parsed.set))
    with opened_to_read(config) as store, _bar(parsed.progress, end - begin) as tell:
        done = replaying.replay(
            store, content, make, begin, end, lambda when, _: tell(when - begin), patience_of(config)
        )
    for name, error in done.errors.items():
        output.note(f"kubestray: {name}: {error}")
    output.note(f"{counted(done.runs, 'run')}, {counted(done.risk_events, 'risk event')}")
    if output.chosen_format(parsed.format) == "json":
        output.print_json(done.as_json())
    else:
        _print(done)
    return 1 if done.errors else 0


@contextmanager
def _bar(wanted: bool, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far it is on a terminal, if that is wanted."""
    if not wanted or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("replaying", total=total)
        yield lambda done: progress.update(task, completed=done)


def _print(done: Any) -> None:
    from kubestray.cli.casework_text import print_document, print_line

    for incident in done.incidents:
        print_document(incident)
    if done.findings:
        print(f"{counted(len(done.findings), 'finding')}:")
    for finding in done.findings:
        print_line(finding)
    if not done.findings and not done.incidents:
        print("no findings")
