"""``kubestray evaluate DIR``, or over the rows of a search of the store."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from kubestray.cli import options, output
from kubestray.cli.reading import opened_to_read
from kubestray.cli.search import asking
from kubestray.model.errors import UsageError

if TYPE_CHECKING:
    from kubestray.config import Config
    from kubestray.evaluate.edge_set import EdgeSet
    from kubestray.evaluate.series_set import SeriesSet


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "directory", metavar="DIR", nargs="?", help="a set: metrics and series, or edges; events if known"
    )
    parser.add_argument(
        "--search", metavar="SPL",
        help="in place of DIR: rows of the store with _time; numbers are metrics, texts name the entity",
    )  # fmt: skip
    parser.add_argument(
        "--train", metavar="TIME", help="how long a search's rows are only learned from, such as 7d [half]"
    )
    parser.add_argument(
        "--events", metavar="FILE",
        help="what happened in a search's rows, if known: Parquet or CSV of series_id, start_ts, end_ts",
    )  # fmt: skip
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
    options.times(parser)
    options.searching(parser)


def run(parsed: argparse.Namespace) -> int:
    """Run the methods and print their measures."""
    from pathlib import Path

    from kubestray.evaluate.report import evaluate, write_scores

    config = options.configure(parsed)
    per_day = _per_day(parsed.budget)
    data = _data(parsed, config)
    if parsed.mda:
        return _detectable(parsed, data, per_day)
    evaluation = evaluate(data, parsed.method, per_day, output.note)
    if parsed.scores:
        write_scores(evaluation, Path(parsed.scores))
    if parsed.report:
        from kubestray.evaluate.page import write_page

        title = f"kubestray evaluate: {parsed.search or Path(parsed.directory).resolve().name}"
        write_page(Path(parsed.report), title, evaluation.rows, evaluation.counts, _shown)
    if output.chosen_format(parsed.format) == "json":
        output.print_json(evaluation.rows)
    else:
        rows = [_shown(row) for row in evaluation.rows]
        output.print_table(rows, list(rows[0]))
    return 0


def _data(parsed: argparse.Namespace, config: Config) -> SeriesSet | EdgeSet:
    """Return the set that the command line names."""
    from pathlib import Path

    from kubestray.evaluate.report import read_set

    if bool(parsed.directory) == bool(parsed.search):
        raise UsageError(
            "evaluate: say what over: either DIR, a set in files, or --search, rows of the store"
        )
    if parsed.search:
        return _searched(parsed, config)
    for name in ("train", "events", "earliest", "latest", "now"):
        if getattr(parsed, name):
            raise UsageError(
                f"--{name}: it is for --search; the files of {parsed.directory} say it themselves"
            )
    return read_set(Path(parsed.directory))


def _searched(parsed: argparse.Namespace, config: Config) -> SeriesSet:
    """Return the set of the rows of a search."""
    from pathlib import Path

    from kubestray.evaluate.searched_set import set_of_rows
    from kubestray.search.run import stream_search

    train, events = _train(parsed.train), Path(parsed.events) if parsed.events else None
    asked = asking(parsed, config, parsed.search)
    with opened_to_read(config) as store:
        request = asked(store, {})
        found = stream_search(request, store.query, store.stream)
        for annotation in found.annotations:
            output.note(f"note: {annotation}")
        with closing(found.rows):
            return set_of_rows(found.rows, train, events)


def _train(text: str | None) -> float | None:
    """Return the seconds of a length of time."""
    from kubestray.search.times import parse_duration

    if text is None:
        return None
    length = parse_duration(text)
    if not length:
        raise UsageError(f"--train {text}: expected a length of time, such as 7d or 12h")
    return length / 10**9


def _detectable(parsed: argparse.Namespace, data: SeriesSet | EdgeSet, per_day: float) -> int:
    """Print the smallest attacks that are found."""
    from kubestray.evaluate.detectable import detectable, useful
    from kubestray.evaluate.series_set import SeriesSet

    if not isinstance(data, SeriesSet):
        raise UsageError("--mda: expected a set of series; of edges there is no smallest attack")
    rows = detectable(data, per_day)
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
