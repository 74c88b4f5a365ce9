"""``kubestray evaluate DIR``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from kubestray.cli import options, output
from kubestray.model.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "directory", metavar="DIR", help="a set: metrics and series, or edges; events if known"
    )
    parser.add_argument(
        "--method", action="append", default=[], metavar="NAME",
        help="a method to run; repeatable [stray; unseen for edges]",
    )  # fmt: skip
    parser.add_argument(
        "--budget", default="1/30d", metavar="N/TIME",
        help="false findings that are asked for, per entity and time [1/30d]",
    )  # fmt: skip
    parser.add_argument("--scores", metavar="OUT.parquet", help="write the scores of each step to a file")
    parser.add_argument("--report", metavar="OUT.html", help="write a page with a table and plots to a file")
    parser.add_argument(
        "--mda", action="store_true",
        help="tell the smallest attack that stray finds on each entity, in place of the measures of methods",
    )  # fmt: skip
    parser.add_argument("--format", choices=("table", "json"), help="[table on a terminal, else json]")
    options.settings(parser)


def run(parsed: argparse.Namespace) -> int:
    """Run the methods and print their measures."""
    from pathlib import Path

    from kubestray.evaluate.report import evaluate, write_scores

    options.configure(parsed)
    if parsed.mda:
        return _detectable(parsed)
    evaluation = evaluate(Path(parsed.directory), parsed.method, _per_day(parsed.budget), output.note)
    if parsed.scores:
        write_scores(evaluation, Path(parsed.scores))
    if parsed.report:
        from kubestray.evaluate.page import write_page

        title = f"kubestray evaluate: {Path(parsed.directory).resolve().name}"
        write_page(Path(parsed.report), title, evaluation.rows, evaluation.counts, _shown)
    if output.chosen_format(parsed.format) == "json":
        output.print_json(evaluation.rows)
    else:
        rows = [_shown(row) for row in evaluation.rows]
        output.print_table(rows, list(rows[0]))
    return 0


def _detectable(parsed: argparse.Namespace) -> int:
    """Print the smallest attacks that are found."""
    from pathlib import Path

    from kubestray.evaluate.detectable import detectable, useful
    from kubestray.evaluate.series_set import read_series

    rows = detectable(read_series(Path(parsed.directory)), _per_day(parsed.budget))
    if output.chosen_format(parsed.format) == "json":
        output.print_json({"entities": rows, "useful": useful(rows)})
        return 0
    shown = [
        {
            name: f"{value:.3g}" if isinstance(value, float) else "" if value is None else str(value)
            for name, value in row.items()
        }
        for row in rows
    ]
    output.print_table(shown, list(rows[0]))
    share = useful(rows)
    if share is not None:
        output.note(f"useful (10 minutes at 5 times their usual volume or less): {share:.0%} of entities")
    return 0


def _per_day(text: str) -> float:
    """Return findings a day of a budget such as ``1/30d``."""
    from kubestray.search.times import per_day

    found = per_day(text)
    if found is None:
        raise UsageError(f"--budget {text}: expected findings per time, for example 1/30d or 0.2/1d")
    return found


_COLUMNS = {
    "R@0.05": "R@0.05", "R@0.2": "R@0.2", "R@1": "R@1", "recall": "recall", "precision": "precision",
    "false_per_entity_day": "false/day", "realised_to_asked": "realised/asked",
    "seconds_to_detect": "delay s", "vus_pr": "VUS-PR", "microseconds_per_sample": "µs/sample",
}  # fmt: skip


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns for people, intervals beside their values."""
    shown: dict[str, Any] = {"method": row["method"], "events": row["events"]}
    for name, title in _COLUMNS.items():
        value = row[name]
        text = "" if value is None else f"{value:.3g}"
        bounds = row["intervals"].get(name)
        shown[title] = f"{text} ({bounds[0]:.2g}–{bounds[1]:.2g})" if bounds else text
    return shown
