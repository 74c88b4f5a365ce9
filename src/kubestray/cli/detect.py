"""``kubestray detect [NAME|PATH]...``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
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
        form = output.chosen_format(parsed.format)
        if parsed.held:
            return _list_held((found for search in searches if (found := detector.held(search, times))), form)
        return _list_runs((detector.run(search, times) for search in searches), form)


def _list_runs(running: Iterable[Any], form: str) -> int:
    """Print what was found: for people as soon as a detection has run, as all of them may take minutes."""
    runs = []
    for run in running:
        runs.append(run)
        if form != "json" and _is_shown(run):
            _print(run)
    if form == "json":
        output.print_json([run.as_json() for run in runs if _is_shown(run)])
    return _failures([run.outcome for run in runs])


def _is_shown(run: Any) -> bool:
    return not run.is_baseline or bool(run.outcome.error)


def _list_held(looking: Iterable[Any], form: str) -> int:
    """Print what was held back by each search that has a budget of alarms, for people one by one."""
    listed = []
    for one in looking:
        listed.append(one)
        if form != "json":
            print(f"{one.search.name}: {len(one.rows)} held back", flush=True)
            if one.rows:
                output.print_table(one.rows, one.fields)
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
    return _failures(listed)


def _failures(outcomes: list[Any]) -> int:
    """Tell which failed and return 1 if any did; the others have run all the same."""
    failures = [outcome for outcome in outcomes if outcome.error]
    for outcome in failures:
        output.note(f"kubestray: {outcome.search.name}: {outcome.error}")
    return 1 if failures else 0


def _print(run: Any) -> None:
    outcome = run.outcome
    rows, events = counted(len(outcome.rows), "row"), counted(len(run.events), "risk event")
    print(f"{outcome.search.name}: {rows}, {events}", flush=True)
    if outcome.rows:
        output.print_table(outcome.rows, outcome.fields)
