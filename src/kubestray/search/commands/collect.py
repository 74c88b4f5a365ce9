"""``collect index=NAME [source=TEXT] [sourcetype=TEXT] [host=TEXT]`` adds the rows to an index.

A row becomes an event with the fields it has; its time is its ``_time``, or now where there is none. The
rows go on to the next command. ``index=NAME`` reads them back. The same rows of a search that runs again
for the same moment are added once, so nothing is counted twice after a repeated run. ``testmode=true``
adds nothing. ``index=risk`` is written by detections alone.

Example::

    | makeresults | eval host = "a" | collect index=summary
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kubestray.search.cursor import Cursor
from kubestray.search.events import RISK
from kubestray.search.relation import Context, Output, Relation
from kubestray.search.syntax import Command

_LACKING = ("file", "marker")
_PASSED_OVER = ("addtime", "run_in_preview", "spool", "uselb", "output_format")
_ADDED = ("source", "sourcetype", "host")
_OPTION = rf"(index|testmode|{'|'.join((*_ADDED, *_LACKING, *_PASSED_OVER))})\s*=\s*"


@dataclass(frozen=True, slots=True)
class Collect(Command):
    """The ``collect`` command; ``added`` are fields and values that every event gets."""

    index: str
    added: tuple[tuple[str, str], ...]
    test: bool


def parse(cursor: Cursor, at: int) -> Collect:
    """Read the options."""
    options: dict[str, str] = {}
    while found := cursor.match(_OPTION):
        if found[1].lower() in _LACKING:
            raise cursor.error(f"collect option {found[1]!r} is known in SPL but not supported here")
        options[found[1].lower()] = cursor.field("as the option's value")
        cursor.take(",")
    if "index" not in options:
        raise cursor.error("collect needs an index", at, "write collect index=summary")
    if options["index"].lower() == RISK or "*" in options["index"]:
        raise cursor.error(
            f"collect cannot write to index={options['index']}", at, "choose a name of your own"
        )
    added = tuple((name, options[name]) for name in _ADDED if name in options)
    return Collect(at, options["index"], added, options.get("testmode", "f").lower() in ("true", "t", "1"))


def plan(command: Collect, relation: Relation, context: Context) -> Relation:
    """Note that the rows are to be added; they are when the search has run."""
    events = context.events
    if events is None:
        raise context.error(command.at, "events cannot be collected here")

    def write(rows: list[dict[str, Any]]) -> None:
        added = {**dict(command.added), "index": command.index}
        events.collect(command.index, [{**row, **added} for row in rows], context.now)

    if not command.test:
        context.outputs.append(Output(relation, write))
    return relation
