"""``kubestray detect [NAME|PATH]...``."""

from __future__ import annotations

import argparse
from typing import Any

from kubestray.cli import options, output


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "wanted",
        nargs="*",
        metavar="NAME|PATH",
        help="detections by name, or content files and folders [all built-in ones]",
    )
    options.times(parser)
    parser.add_argument(
        "--format", choices=("json", "table"), help="json or table [table on a terminal, else json]"
    )
    options.searching(parser)


def run(parsed: argparse.Namespace) -> int:
    """Run the detections, keep their risk events, print what they found."""
    from kubestray.cli.search import switches
    from kubestray.detect.runner import Times
    from kubestray.pipeline import detecting, setting_up

    config = options.configure(parsed)
    # A bad time is wrong usage, told before work starts.
    now, _ = setting_up.time_range(parsed.now, parsed.earliest, parsed.latest, config["timezone"])
    times = Times(now, parsed.earliest, parsed.latest)
    content = setting_up.content_of(config)
    searches = detecting.wanted_searches(content, parsed.wanted)
    for warning in content.warnings:
        output.note(f"warning: {warning}")
    with setting_up.opened(config) as store:
        detector = detecting.Detector(store, content, setting_up.searching(config, switches(parsed.set)))
        runs = [detector.run(search, times) for search in searches]
    shown = [run for run in runs if not run.is_baseline or run.outcome.error]
    if output.chosen_format(parsed.format) == "json":
        output.print_json([run.as_json() for run in shown])
    else:
        _print(shown)
    return _exit_code(runs)


def _exit_code(runs: list[Any]) -> int:
    """Return 1 if a detection failed; the others have run all the same."""
    failures = [run.outcome for run in runs if run.outcome.error]
    for outcome in failures:
        output.note(f"kubestray: {outcome.search.name}: {outcome.error}")
    return 1 if failures else 0


def _print(runs: list[Any]) -> None:
    for run in runs:
        outcome = run.outcome
        print(f"{outcome.search.name}: {len(outcome.rows)} rows, {len(run.events)} risk events")
        if outcome.rows:
            output.print_table(outcome.rows, outcome.fields)
