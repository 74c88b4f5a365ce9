"""``makemv [delim=TEXT] [allowempty=true] FIELD`` cuts a field into several values.

The delimiter is a space unless given. ``tokenizer=REGEX`` takes what its first group matches instead.

Example::

    | makemv delim="," addresses
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.regex import BadRegex, engine_regex
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import Shape, as_list
from kubestray.store.trees import Tree, call, column, lambda_, text

_OPTION = r"(delim|tokenizer|allowempty|setsv)\s*=\s*"


@dataclass(frozen=True, slots=True)
class MakeMv(Command):
    """The ``makemv`` command."""

    field: str
    delimiter: str
    tokenizer: str | None
    """A regular expression as the engine takes it."""
    allow_empty: bool


def parse(cursor: Cursor, at: int) -> MakeMv:
    """Read the options and the field."""
    options: dict[str, str] = {}
    while found := cursor.match(_OPTION):
        start = cursor.skip()
        options[found[1].lower()] = cursor.field("as the option's value")
        if found[1].lower() == "tokenizer":
            options["tokenizer"] = _regex(options["tokenizer"], cursor, start)
    empty = options.get("allowempty", "f").lower() in ("true", "t", "1")
    return MakeMv(at, cursor.field("to cut"), options.get("delim", " "), options.get("tokenizer"), empty)


def _regex(written: str, cursor: Cursor, at: int) -> str:
    try:
        return engine_regex(written)
    except BadRegex as error:
        raise cursor.error(f"tokenizer: {error}", at) from error


def plan(command: MakeMv, relation: Relation, context: Context) -> Relation:
    """Cut the field."""
    value = relation.value(command.field)
    if value is None:
        return relation
    pieces = call("arrayFlatten", call("arrayMap", lambda_("v", _pieces(command)), as_list(value)))
    if not command.allow_empty and command.tokenizer is None:
        pieces = call("arrayFilter", lambda_("v", call("notEmpty", column("v"))), pieces)
    return relation.extended([(command.field, context.column(Shape.MULTI), pieces)])


def _pieces(command: MakeMv) -> Tree:
    if command.tokenizer is not None:
        return call("extractAll", column("v"), text(command.tokenizer))
    return call("splitByString", text(command.delimiter), column("v"))
