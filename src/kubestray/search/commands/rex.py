"""``rex [field=FIELD] "REGEX" [max_match=N] [offset_field=NAME]`` takes fields out of a text by named groups.

``(?<name>…)`` or ``(?P<name>…)`` names a field. A row that does not match keeps what it has. With
``max_match=N`` (0: all) a field gets a value for each match. ``offset_field`` gets the places of the first
and the last character of each group, counted from 0: ``name=0-9``. The field is ``_raw`` unless given; each
value of a multivalue field is a text of its own.

``mode=sed "s/REGEX/TEXT/g"`` replaces in the field instead: the first match, every one with ``g``, the Nth
with a number. ``\\1`` in TEXT is the first group. ``y/abc/xyz/`` puts characters in the places of others.

Example::

    | rex field=k8s.pod.name "^(?<workload>.+)-[a-z0-9]+-[a-z0-9]{5}$"

    | rex field=host mode=sed "s/^h/node-/"
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlglot import exp

from kubestray.search.cursor import Cursor
from kubestray.search.plan import Column
from kubestray.search.regex import BadRegex, engine_regex
from kubestray.search.relation import Context, Relation
from kubestray.search.sed import MARK, BadSed, read_sed
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, Shape, Value, as_list, as_text, bound, choose
from kubestray.store.trees import Tree, array, call, column, either, lambda_, number, text

_OPTION = r"(field|max_match|mode|offset_field)\s*=\s*"
_GROUP = re.compile(r"\(\?P?<([A-Za-z_][A-Za-z0-9_]*)>|\\.|\[(?:\\.|[^\]])*\]|\((?!\?)")
_SEVERAL = (Shape.MULTI, Shape.DYNAMIC)


@dataclass(frozen=True, slots=True)
class Rex(Command):
    """The ``rex`` command."""

    field: str
    regex: str
    most: int
    sed: bool
    offsets: str | None


def parse(cursor: Cursor, at: int) -> Rex:
    """Read the options and the regular expression, in any order."""
    options = {"field": "_raw", "max_match": "1", "mode": ""}
    regex: str | None = None
    while True:
        if found := cursor.match(_OPTION):
            options[found[1].lower()] = cursor.field("as the option's value")
        elif regex is None and (quoted := cursor.quoted()) is not None:
            regex = quoted
        else:
            break
    if regex is None:
        raise cursor.error("rex needs a regular expression in quotes")
    if not options["max_match"].isdigit():
        raise cursor.error("max_match is a number of matches")
    if options["mode"].lower() not in ("", "sed"):
        raise cursor.error(f"mode={options['mode']} is unknown", at, "write mode=sed to replace, or no mode")
    sed = options["mode"].lower() == "sed"
    return Rex(at, options["field"], regex, int(options["max_match"]), sed, options.get("offset_field"))


def plan(command: Rex, relation: Relation, context: Context) -> Relation:
    """Take the fields out, or replace."""
    if command.sed:
        return _replaced(command, relation, context)
    value = relation.value(command.field) or NULL
    names = _group_names(command.regex)
    if not any(names):
        raise context.error(command.at, "rex needs a named group", "write (?<name>…) around what to take")
    regex = _engine_text(command.regex, command, context)
    found = context.column(Shape.MULTI)
    relation = relation.computed([(found, _groups(value, regex, command.most))])
    matched = call("notEmpty", column(found.name))
    wanted = {
        name: _single(found, index) if command.most == 1 else _several(found, index, command.most)
        for index, name in enumerate(names, 1)
        if name
    }
    if command.offsets is not None:
        groups = array([column(found.name)]) if command.most == 1 else _first(found, command.most)
        wanted[command.offsets] = _offsets(as_text(value), regex, groups, names)
    made: list[tuple[str, Column, Tree]] = []
    for name, taken in wanted.items():
        kept = choose([(matched.copy(), taken)], relation.value(name) or NULL)
        made.append((name, context.column(kept.shape), kept.tree))
    return relation.extended(made)


def _engine_text(regex: str, command: Rex, context: Context) -> Tree:
    try:
        return text(engine_regex(regex))
    except BadRegex as error:
        raise context.error(command.at, f"rex: {error}") from error


def _group_names(regex: str) -> list[str]:
    """Return the name of each capturing group in order, nothing for one without a name."""
    return [found[1] or "" for found in _GROUP.finditer(regex) if found[0].startswith("(")]


def _groups(value: Value, regex: Tree, most: int) -> Tree:
    """Return the groups of the first match, or a list of those of each; empty without a match."""
    function = "extractGroups" if most == 1 else "extractAllGroupsVertical"
    if value.shape not in _SEVERAL:
        return call(function, call("ifNull", as_text(value), text("")), regex)
    of_each = call("arrayMap", lambda_("x", call(function, column("x"), regex)), as_list(value))
    if most == 1:
        return call("arrayFirst", lambda_("g", call("notEmpty", column("g"))), of_each)
    return call("arrayReduce", text("groupArrayArray"), of_each)


def _single(found: Column, index: int) -> Value:
    taken = call("arrayElement", column(found.name), number(index))
    return Value(Shape.TEXT, call("nullIf", taken, text("")))


def _several(found: Column, index: int, most: int) -> Value:
    each = lambda_("g", call("arrayElement", column("g"), number(index)))
    return Value(Shape.MULTI, call("arrayMap", each, _first(found, most)))


def _first(found: Column, most: int) -> Tree:
    all_matches = column(found.name)
    return call("arraySlice", all_matches, number(1), number(most)) if most else all_matches


def _offsets(shown: Tree, regex: Tree, groups: Tree, names: list[str]) -> Value:
    """Return where the named groups of each match are, as ``name=0-9``, those of a match joined by ``&``.

    The text is cut at marks around the matches. A group is looked for in its match from where the one before
    it starts. ``groups`` has the groups of each match.
    """
    marked = call("replaceRegexpAll", call("ifNull", shown, text("")), regex.copy(), text(f"{MARK}\\0{MARK}"))
    pieces = call("splitByString", text(MARK), marked)
    lengths = call("arrayMap", lambda_("p", call("lengthUTF8", column("p"))), column("pieces"))
    place = call("multiply", column("k"), number(2))
    start = call("arrayElement", call("arrayCumSum", lengths), call("minus", place, number(1)))
    match = call("arrayElement", column("pieces"), place.copy())
    shown_groups = bound("start", start, bound("match", match, bound("g", column("gs"), _places(names))))
    each = exp.Lambda(this=shown_groups, expressions=[exp.to_identifier("gs"), exp.to_identifier("k")])
    return Value(
        Shape.MULTI,
        bound("pieces", pieces, call("arrayMap", each, groups, call("arrayEnumerate", groups.copy()))),
    )


def _places(names: list[str]) -> Tree:
    """Return the places of the groups ``g`` of a match that begins at ``start``."""
    at: Tree = number(1)
    shown: list[Tree] = []
    for index, name in enumerate(names, 1):
        group = call("arrayElement", column("g"), number(index))
        at = call("greatest", at, call("positionUTF8", column("match"), group, call("toUInt64", at.copy())))
        if name:
            first = call("minus", call("plus", column("start"), at.copy()), number(1))
            last = call("minus", call("plus", first, call("lengthUTF8", group.copy())), number(1))
            span = call(
                "concat", text(f"{name}="), call("toString", first), text("-"), call("toString", last)
            )
            shown.append(either(call("empty", group.copy()), text(""), span))
    found = call("arrayFilter", lambda_("p", call("notEmpty", column("p"))), array(shown))
    return call("arrayStringConcat", found, text("&"))


def _replaced(command: Rex, relation: Relation, context: Context) -> Relation:
    """Return the rows with each value of the field replaced."""
    try:
        steps = read_sed(command.regex)
        changed: Tree = column("x")
        for step in steps:
            changed = step.of(changed)
    except BadSed as error:
        raise context.error(command.at, str(error), 'write mode=sed "s/REGEX/TEXT/g"') from error
    except BadRegex as error:
        raise context.error(command.at, f"rex: {error}") from error
    value = relation.value(command.field)
    if value is None:
        return relation
    if value.shape in _SEVERAL:
        values = call("arrayMap", lambda_("x", changed), as_list(value))
        return relation.extended([(command.field, context.column(Shape.MULTI), values)])
    only = call("arrayMap", lambda_("x", call("toNullable", changed)), array([as_text(value)]))
    tree = call("arrayElement", only, number(1))
    return relation.extended([(command.field, context.column(Shape.TEXT), tree)])
