"""``kubestray detect [NAME|PATH]...``."""

from __future__ import annotations

import argparse
from typing import Any

from kubestray.cli import options, output
from kubestray.cli.reading import opened_to_read
from kubestray.model.counted import counted


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
        "--held", action="store_true",
        help="list the alarms that learned detections held back in that time, in place of running them",
    )  # fmt: skip
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
    with opened_to_read(config) as store:
        detector = detecting.Detector(store, content, setting_up.searching(config, switches(parsed.set)))
        if parsed.held:
            listed = [found for search in searches if (found := detector.held(search, times))]
            return _list_held(listed, output.chosen_format(parsed.format))
        runs = [detector.run(search, times) for search in searches]
    shown = [run for run in runs if not run.is_baseline or run.outcome.error]
    if output.chosen_format(parsed.format) == "json":
        output.print_json([run.as_json() for run in shown])
    else:
        _print(shown)
    return _exit_code(runs)


def _list_held(listed: list[Any], form: str) -> int:
    """Print what was held back by each search that has a budget of alarms."""
    if form == "json":
        output.print_json([
            {
                "detection": one.search.name,
                "id": one.search.id,
                "window": [edge / 1e9 for edge in one.window],
                "held": one.rows,
                "error": one.error,
            }
            for one in listed
        ])  # fmt: skip
    else:
        for one in listed:
            print(f"{one.search.name}: {len(one.rows)} held back")
            if one.rows:
                output.print_table(one.rows, one.fields)
    return _failures(listed)


def _exit_code(runs: list[Any]) -> int:
    """Return 1 if a detection failed; the others have run all the same."""
    return _failures([run.outcome for run in runs])


def _failures(outcomes: list[Any]) -> int:
    failures = [outcome for outcome in outcomes if outcome.error]
    for outcome in failures:
        output.note(f"kubestray: {outcome.search.name}: {outcome.error}")
    return 1 if failures else 0


def _print(runs: list[Any]) -> None:
    for run in runs:
        outcome = run.outcome
        rows, events = counted(len(outcome.rows), "row"), counted(len(run.events), "risk event")
        print(f"{outcome.search.name}: {rows}, {events}")
        if outcome.rows:
            output.print_table(outcome.rows, outcome.fields)
