"""``makeresults [count=N] [annotate=true]``
makes N rows (1 unless given) that hold nothing but ``_time``, which is now.

With ``annotate=true`` they have ``splunk_server`` too, and the fields of events that are null here:
``_raw``, ``host``, ``source``, ``sourcetype`` and ``splunk_server_group``. The options ``splunk_server``
and ``splunk_server_group`` change nothing: there is one server.

``format=csv data="…"`` makes a row of each line, with the fields that the first line names. ``format=json
data="[…]"`` makes one of each object of an array; the object itself is in ``_raw``, and ``_time`` is now.
What is an object or array within it is its JSON. Other options change nothing then.

Example::

    | makeresults count=3 | streamstats count AS n | eval x = n * n
"""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from kubestray.search.cursor import Cursor
from kubestray.search.given import Row, given_relation
from kubestray.search.options import flag, read_options, whole
from kubestray.search.plan import Order
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Place
from kubestray.search.values import Shape
from kubestray.store.trees import call, number

_OPTIONS = ("count", "format", "data", "splunk_server", "splunk_server_group")
_ANNOTATED = ("_raw", "_time", "host", "source", "sourcetype", "splunk_server", "splunk_server_group")
_FORMATS = ("csv", "json")
_MOST = 1_000_000
_WRITTEN = 100
"""So many rows are written into the statement as they are."""
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d*[1-9])?")


@dataclass(frozen=True, slots=True)
class MakeResults(Command):
    """The ``makeresults`` command; with a format the rows are in ``data``."""

    place: ClassVar = Place.FIRST

    count: int
    annotated: bool
    format: str | None
    data: str


def parse(cursor: Cursor, at: int) -> MakeResults:
    """Read the options."""
    options: dict[str, str] = {}
    while read_options(cursor, _OPTIONS, options, ["annotate"]):
        cursor.take(",")
    count = whole(cursor, options, "count", 1)
    if count > _MOST:
        raise cursor.error(f"count is a number up to {_MOST}, found {count}", at)
    kind = options.get("format", "").lower() or None
    if (kind is None) != ("data" not in options):
        raise cursor.error("format and data belong together", at, 'write format=csv data="…"')
    if kind is not None and kind not in _FORMATS:
        raise cursor.error(f"format {kind!r} is unknown", at, "csv or json")
    return MakeResults(at, count, flag(options, "annotate", False), kind, options.get("data", ""))


def plan(command: MakeResults, _: None, context: Context) -> Relation:
    """Make the rows."""
    seconds = context.now // 10**9
    if command.format == "csv":
        return given_relation(*_of_csv(command, context))
    if command.format == "json":
        rows = [
            {"_raw": json.dumps(found), "_time": seconds, **found} for found in _objects(command, context)
        ]
        return given_relation(rows, context, ["_raw", "_time"])
    row: Row = {"_time": seconds}
    names: tuple[str, ...] = ("_time",)
    if command.annotated:
        row, names = {**row, "splunk_server": "localhost"}, _ANNOTATED
    if command.count <= _WRITTEN:
        return given_relation([row] * command.count, context, names)
    return _repeated(given_relation([row], context, names), command.count, context)


def _repeated(one: Relation, count: int, context: Context) -> Relation:
    """Return a row so many times: the engine makes them within the limits of the search."""
    place = context.column(Shape.NUMBER)
    places = call("arrayJoin", call("range", number(count)))
    made = one.computed([(place, call("toNullable", call("toFloat64", places)))])
    return dataclasses.replace(made, order=(Order(place),))


def _of_csv(command: MakeResults, context: Context) -> tuple[list[Row], Context, list[str]]:
    """Return the rows of lines, and the fields that the first line names; an empty cell is no value."""
    try:
        lines = [line for line in csv.reader(command.data.splitlines(keepends=True), strict=True) if line]
    except csv.Error as error:
        raise context.error(command.at, f"the data is no CSV: {error}") from error
    if not lines:
        raise context.error(command.at, "the data is no CSV: there is no line that names the fields")
    names = [name.strip() for name in lines[0]]
    rows = [
        {name: _value(cell) for name, cell in zip(names, line, strict=False) if cell} for line in lines[1:]
    ]
    return rows, context, names


def _value(cell: str) -> Any:
    """Return a cell as a number if it is written as one."""
    return float(cell) if _NUMBER.fullmatch(cell) else cell


def _objects(command: MakeResults, context: Context) -> Iterable[Row]:
    try:
        found = json.loads(command.data)
    except ValueError as error:
        raise context.error(command.at, f"the data is no JSON: {error}") from error
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise context.error(command.at, "the data is to be an array of objects")
    return found
