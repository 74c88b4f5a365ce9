"""``kubestray doctor``: what arrives, what each detection lacks, and the setting that would bring it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from kubestray.cli import options, output
from kubestray.cli.reading import opened_to_read
from kubestray.model.counted import counted
from kubestray.model.errors import ContentError

if TYPE_CHECKING:
    from kubestray.collectors.registry import Setting
    from kubestray.pipeline.diagnosing import Diagnosis, Fixes, Sending
    from kubestray.pipeline.upkeep import Waiting

_SHOWN = 6
"""How many names a cell of the table has."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--now", metavar="T", help="what now is: RFC 3339, epoch seconds or an SPL time [the clock]"
    )
    parser.add_argument(
        "--earliest", metavar="T", default="-1h", help="from when on points are looked at [-1h]"
    )
    parser.add_argument("--latest", metavar="T", help="up to when [now]")
    parser.add_argument(
        "--format", choices=("json", "table"), help="json or table [table on a terminal, else json]"
    )
    options.settings(
        parser,
        "content",
        "metric_index",
        "mapping",
        "timezone",
        "collector_settings",
        "search_timeout",
        "search_memory",
    )


def run(parsed: argparse.Namespace) -> int:
    """Look at the store and at the searches, and print what the one lacks of what the others need."""
    from kubestray.collectors.registry import read_registry
    from kubestray.pipeline import diagnosing, needing, setting_up
    from kubestray.pipeline.upkeep import waiting, waiting_at_server

    config = options.configure(parsed)
    _, span = setting_up.time_range(parsed.now, parsed.earliest, parsed.latest, config["timezone"])
    registry = read_registry(config["collector_settings"])
    content = setting_up.content_of(config)
    with opened_to_read(config) as store:
        limits = setting_up.limits_of(config)
        sorts = diagnosing.arrived(store, span, limits)
        found_by = diagnosing.arrived(store, span, limits, setting_up.naming_of(config))
        served = waiting_at_server(store)
        waits = served or waiting(store, config, content)
    found: list[Diagnosis] = []
    for search in needing.running(content):
        try:
            needs = needing.needs_of(search, config, content)
        except ContentError as error:
            found.append(diagnosing.broken(search, str(error), registry))
            output.note(f"warning: {search.name} cannot run: {error}")
        else:
            found.append(diagnosing.diagnose(search, needs, found_by, registry))
    sources = diagnosing.sources_of(sorts, registry)
    if output.chosen_format(parsed.format) == "json":
        output.print_json(
            {
                "range": [None if edge is None else edge / 1e9 for edge in (span.earliest, span.latest)],
                "summaries": waits.as_json(),
                "sources": [source.as_json() for source in sources],
                "detections": [diagnosis.as_json() for diagnosis in found],
            }
        )
    else:
        _print(sources, found, waits, "serve" if served else "this command")
    return 0


def _print(sources: list[Sending], found: list[Diagnosis], waits: Waiting, counter: str) -> None:
    print("What arrives")
    output.print_table(
        [
            {
                "source": one.source.name,
                "series": one.series,
                "metrics": _names(one.metrics),
                "without": _names(one.as_json()["attributes"]["missing"]),
            }
            for one in sources
        ],
        ["source", "series", "metrics", "without"],
    )
    if waits.hours:
        print(f"\n{_hours(waits.hours)} to be summarised: until then searches over them read their points")
    if waits.accelerated:
        print(
            f"\nStatistics of {_hours(waits.accelerated)} to be kept for searches over long times, by the "
            f"content of {counter}"
        )
    print("\nWhat detections and baselines need")
    output.print_table([_row(one) for one in found], ["name", "status", "missing", "note"])
    told = [(one.source.name, one.fixes) for one in sources]
    _print_fixes([*told, *((one.search.name, one.fixes) for one in found)])


def _hours(number: int) -> str:
    return counted(number, "hour waits", "hours wait")


def _row(one: Diagnosis) -> dict[str, Any]:
    told = one.as_json()
    missing = [*told["metrics"]["missing"], *told["attributes"]["missing"]]
    return {"name": one.search.name, "status": one.status, "missing": _names(missing), "note": _note(one)}


def _note(one: Diagnosis) -> str:
    if one.error:
        return "it cannot run: see kubestray content check"
    if not one.gives_rows:
        return "no series has all it needs" if one.status == "partial" else ""
    others = one.series["arrived"] - one.series["usable"]
    lack = (
        f"{others} of {one.series['arrived']} series lack {_names(one.series['lacking'])}" if others else ""
    )
    return "; ".join(filter(None, [lack, f"would also use {_names(one.more)}" if one.more else ""]))


def _print_fixes(told: list[tuple[str, Fixes]]) -> None:
    """Print each setting once, with everything that it would bring and for whom."""
    brings: dict[Setting, dict[str, None]] = {}
    helps: dict[Setting, dict[str, None]] = {}
    for name, fixes in told:
        for setting, names in fixes.brings.items():
            brings.setdefault(setting, {}).update(dict.fromkeys(names))
            helps.setdefault(setting, {})[name] = None
    for number, (setting, brought) in enumerate(brings.items(), 1):
        print(f"\n{number}. {setting.name}")
        print(f"   brings {', '.join(brought)}")
        print(f"   for {_names(list(helps[setting]))}")
        print(f"   {setting.why}\n")
        print("".join(f"      {line}\n" for line in setting.written(brought).splitlines()), end="")


def _names(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
