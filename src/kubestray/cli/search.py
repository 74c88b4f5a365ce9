"""``kubestray search 'SPL'``: rows are printed as the engine gives them, however many there are.

A search that writes a lookup or an index has done so before its first row is printed. What is printed of one
that fails half-way: see `cli.writer`. A reader that leaves (``| head``) ends the search quietly, exit code 1.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubestray.cli import options, output
from kubestray.cli.reading import opened_to_read
from kubestray.model.errors import UsageError

if TYPE_CHECKING:
    from kubestray.config import Config
    from kubestray.search.run import Request
    from kubestray.store.engine import Limits, Statement
    from kubestray.store.store import Store
    from kubestray.store.stream import Stream


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "text", metavar="SPL", help="the search, for example '| mstats count(*) where index=* span=1h'"
    )
    options.times(parser)
    parser.add_argument(
        "--format", choices=output.FORMATS, help="json, table or csv [table on a terminal, else json]"
    )
    parser.add_argument(
        "--rows",
        metavar="FILE",
        help="rows that enter the search's first command: a JSON array or JSON lines",
    )
    parser.add_argument(
        "--index",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="the events of index=NAME; repeatable",
    )
    parser.add_argument(
        "--lookup", action="append", default=[], metavar="NAME=FILE", help="the rows of a lookup; repeatable"
    )
    parser.add_argument(
        "--explain", action="store_true", help="show the plan and the SQL instead of the result"
    )
    options.searching(parser)


def run(parsed: argparse.Namespace) -> int:
    """Run the search and print its rows."""
    from kubestray.search.run import compile_search, stream_search

    config = options.configure(parsed)
    rows = _rows("--rows", parsed.rows) if parsed.rows else None
    indexes, given = _named_rows("--index", parsed.index), _named_rows("--lookup", parsed.lookup)
    asked = asking(parsed, config, parsed.text)
    with opened_to_read(config) as store:
        request = asked(store, given, rows=rows, indexes=indexes)
        if parsed.explain:
            print(compile_search(request, store.query).explain(store.query))
            return 0
        found = stream_search(request, store.query, _streaming(store))
        for annotation in found.annotations:
            output.note(f"note: {annotation}")
        printed = output.writer(found.fields, output.chosen_format(parsed.format))
        with closing(found.rows), printed:
            for part in found.rows:
                printed.write(part)
    return 0


def asking(parsed: argparse.Namespace, config: Config, text: str) -> Callable[..., Request]:
    """Return what makes the request for a search that was typed, once there is a store to ask.

    It takes the store, rows of lookups by their names, and what else a request has. What is wrong with the
    command line or the content is told before a store is opened.
    """
    from kubestray.detect.runner import macros_of
    from kubestray.pipeline import setting_up

    now, span = setting_up.time_range(parsed.now, parsed.earliest, parsed.latest, config["timezone"])
    make = setting_up.searching(config, switches(parsed.set))
    content = setting_up.content_of(config)
    for warning in content.warnings:
        output.note(f"warning: {warning}")

    def asked(store: Store, lookups: Mapping[str, list[dict[str, Any]]], **more: Any) -> Request:
        return make(
            text,
            now,
            span,
            macros=macros_of(content),
            lookups=setting_up.lookups_of(store, content, lookups),
            events=setting_up.events_of(store),
            profiles=setting_up.profiles_of(store),
            **more,
        )

    return asked


def _streaming(store: Store) -> Callable[[Statement, Limits], Stream]:
    """Return `Store.stream`; other commands have the store as soon as the engine has given all rows.

    Somebody may look at them in a pager for hours.
    """

    def stream(tree: Statement, limits: Limits) -> Stream:
        made = store.stream(tree, limits)
        made.when_done(store.close)
        return made

    return stream


def switches(pairs: list[str]) -> Any:
    """Read ``NAME=VALUE`` switches; raise `UsageError` for one that does not exist."""
    from kubestray.search.relation import SWITCH_VALUES, Switches

    chosen: dict[str, str] = {}
    known = [field.name for field in dataclass_fields(Switches)]
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name not in known:
            raise UsageError(f"--set {pair}: unknown switch; known are {', '.join(known)}")
        if value not in SWITCH_VALUES[name]:
            raise UsageError(f"--set {pair}: {name} is one of {', '.join(SWITCH_VALUES[name])}")
        chosen[name] = value
    return Switches(**chosen)


def _named_rows(flag: str, pairs: list[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not (name and equals and path):
            raise UsageError(f"{flag} {pair}: expected NAME=FILE")
        found[name] = _rows(flag, path)
    return found


def _rows(flag: str, name: str) -> list[dict[str, Any]]:
    import json

    try:
        text = Path(name).read_text(encoding="utf-8")
        stripped = text.lstrip()
        found = (
            json.loads(text)
            if stripped.startswith("[")
            else [json.loads(line) for line in text.splitlines() if line.strip()]
        )
    except OSError as error:
        raise UsageError(f"{flag} {name}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{flag} {name}: not JSON: {error}") from error
    if not all(isinstance(row, dict) for row in found):
        raise UsageError(f"{flag} {name}: expected objects, one a row")
    return found
