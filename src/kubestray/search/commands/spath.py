"""``spath [input=FIELD] [output=NAME] [[path=]PATH]`` takes values out of JSON or XML.

A path is made of names with dots between them; ``{}`` after a name is every item of an array, ``{0}`` the
first: ``tags{}.name``. The field is ``_raw`` unless given, and the result is called like the path unless
``output`` names it. Where nothing is found the result stays as it was. Numbers are numbers, ``true`` and
``false`` texts, ``null`` is no value, objects and arrays are their JSON.

Without a path everything is taken out that is no object and no array, each under its path, as
``user.name`` or ``tags{}.name``.

In XML a name stands for all elements of that name, ``{2}`` is the second of them, and ``{@name}`` an
attribute: ``book.title{@year}``. All values are texts. Elements may stand side by side or lack their end;
what is neither JSON nor XML has no fields.

Example::

    | spath input=message output=user path=request.user{0}.name
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kubestray.search.by_text import fields_by_text
from kubestray.search.cursor import Cursor
from kubestray.search.functions.json_paths import BadPath, Every, Key, Path, is_single, path, several, single
from kubestray.search.functions.json_values import document, is_kind, native, unquoted
from kubestray.search.options import read_options
from kubestray.search.plan import Column, Grouped, Limited
from kubestray.search.relation import Context, Relation
from kubestray.search.stand_in import ANY
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, NULL_NUMBER, Shape, Value, bound, choose, present
from kubestray.search.xml_text import at_path, leaves, read_xml
from kubestray.store.trees import Tree, array, call, column, either, lambda_, number, text

_OPTIONS = ["input", "output", "path"]
_MOST_TEXTS = 100_000
_MOST_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class SPath(Command):
    """The ``spath`` command; without a path (``written``) everything is taken out.

    ``path`` is the same for JSON; None too if the path is one of XML alone.
    """

    input: str
    output: str
    path: Path | None
    written: str | None


def parse(cursor: Cursor, at: int) -> SPath:
    """Read the options and the path, in any order."""
    options: dict[str, str] = {}
    while read_options(cursor, _OPTIONS, options) or ("path" not in options and cursor.at_field()):
        if "path" not in options and cursor.at_field() and not cursor.match(r"(?=(?:input|output)\s*=)"):
            options["path"] = cursor.field("to take out")
    written = options.get("path")
    if written is None:
        if "output" in options:
            raise cursor.error("output names the result of a path, and there is no path", at)
        return SPath(at, options.get("input", "_raw"), "", None, None)
    output = options.get("output", written)
    if "{@" in written:
        return SPath(at, options.get("input", "_raw"), output, None, written)
    try:
        return SPath(at, options.get("input", "_raw"), output, path(written), written)
    except BadPath as error:
        raise cursor.error(f"spath: {error}", at) from error


def plan(command: SPath, relation: Relation, context: Context) -> Relation:
    """Take the values out."""
    value = relation.value(command.input)
    if value is None:
        return relation
    if command.written is None or command.path is not None:
        relation = _of_json(command, value, relation, context)
    return fields_by_text(relation, value, "<", lambda text: _of_xml(command, text), context, command.at)


def _of_xml(command: SPath, written: str) -> Mapping[str, list[str]]:
    """Return the fields of a text that is XML."""
    top = read_xml(written)
    if command.written is not None:
        values = at_path(top, command.written)
        return {command.output: values} if values else {}
    found: dict[str, list[str]] = {}
    for name, leaf in leaves(top):
        found.setdefault(name, []).append(leaf)
    return found


def _of_json(command: SPath, value: Value, relation: Relation, context: Context) -> Relation:
    """Return the rows with the values of those texts that are JSON."""
    own = context.column(Shape.TEXT)
    relation = relation.computed([(own, document(value))])
    wanted = (
        {command.output: command.path}
        if command.path is not None
        else _found(relation, own, command, context)
    )
    made: list[tuple[str, Column, Tree]] = []
    for name, steps in wanted.items():
        found = context.column(Shape.DYNAMIC)
        relation = relation.computed([(found, _at(column(own.name), steps, whole=command.path is not None))])
        kept = choose([(present(found.value()), found.value())], relation.value(name) or NULL)
        made.append((name, context.column(kept.shape), kept.tree))
    return relation.extended(made)


def _at(own: Tree, steps: Path, *, whole: bool) -> Tree:
    """Return what is at a path, of any shape; objects and arrays only if they are wanted whole."""
    if is_single(steps):
        piece = single(own, steps)
        return native(piece if whole else bound("piece", piece, _scalar(column("piece")))).tree
    pieces = several(own, steps) if whole else _items(own, steps)
    kinds = ["Null"] if whole else ["Null", "Object", "Array"]
    kept = call("arrayFilter", lambda_("x", call("not", is_kind(column("x"), *kinds))), pieces)
    texts = call("arrayMap", lambda_("x", unquoted(column("x"))), column("pieces"))
    only = native(call("arrayElement", column("pieces"), number(1))).tree
    one = call("equals", call("length", column("pieces")), number(1))
    return bound("pieces", kept, either(one, only, call("tuple", NULL_NUMBER.tree, texts)))


def _items(own: Tree, steps: Path, depth: int = 0) -> Tree:
    """Return all pieces at a path as an array; ``{}`` of what is no array is nothing here."""
    at = next((index for index, step in enumerate(steps) if isinstance(step, Every)), None)
    if at is None:
        return array([single(own, steps)])
    item = f"item{depth}"
    each = lambda_(item, _items(column(item), steps[at + 1 :], depth + 1))
    return call("arrayFlatten", call("arrayMap", each, call("JSONExtractArrayRaw", single(own, steps[:at]))))


def _scalar(piece: Tree) -> Tree:
    return either(is_kind(piece, "Object", "Array"), text(""), piece)


def _found(relation: Relation, own: Column, command: SPath, context: Context) -> dict[str, Path]:
    """Ask for the texts, and return the paths that there are in them by their names."""
    shown = context.column(Shape.TEXT)
    distinct = Grouped(relation.node, ((shown, column(own.name)),), ())
    asked = Relation(distinct, {"text": shown})
    rows = context.discover(asked.with_node(Limited(distinct, (), _MOST_TEXTS + 1)))
    if len(rows) > _MOST_TEXTS:
        raise context.error(command.at, f"these are more than {_MOST_TEXTS} different texts", "name a path")
    paths: dict[str, Path] = {}
    for row in rows:
        paths.update(_paths(row.get("text") or ""))
    if len(paths) > _MOST_FIELDS:
        raise context.error(command.at, f"this makes {len(paths)} fields", "name a path")
    return dict(sorted(paths.items()))


def _paths(written: str) -> Iterator[tuple[str, Path]]:
    if written == ANY:  # in a check without data: any path there may be
        yield ANY, (Key(text(ANY)),)
    try:
        found = json.loads(written)
    except ValueError:
        return
    if isinstance(found, dict | list):
        yield from _within(found, "", ())


def _within(value: Any, name: str, steps: Path) -> Iterator[tuple[str, Path]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _within(inner, f"{name}.{key}" if name else key, (*steps, Key(text(key))))
    elif isinstance(value, list):
        for inner in value:
            yield from _within(inner, f"{name}{{}}", (*steps, Every()))
    elif value is not None:
        yield name, steps
