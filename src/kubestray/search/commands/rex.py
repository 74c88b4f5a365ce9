"""``rex [field=FIELD] "REGEX" [max_match=N]`` takes fields out of a text by named groups.

``(?<name>…)`` or ``(?P<name>…)`` names a field. A row that does not match keeps what it has. With
``max_match=N`` (0: all) a field gets a value for each match. ``mode=sed "s/REGEX/TEXT/g"`` replaces in
the field instead. The field is ``_raw`` unless given.

Example::

    | rex field=k8s.pod.name "^(?<workload>.+)-[a-z0-9]+-[a-z0-9]{5}$"
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.plan import Column
from kubestray.search.regex import BadRegex, engine_regex
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, Shape, Value, as_text, choose
from kubestray.store.trees import Tree, all_of, call, column, lambda_, number, text

_OPTION = r"(field|max_match|mode|offset_field)\s*=\s*"
_GROUP = re.compile(r"\(\?P?<([A-Za-z_][A-Za-z0-9_]*)>|\\.|\[(?:\\.|[^\]])*\]|\((?!\?)")
_SED = re.compile(
    r"s(?P<mark>.)(?P<regex>(?:\\.|(?!(?P=mark)).)*)(?P=mark)(?P<text>(?:\\.|(?!(?P=mark)).)*)(?P=mark)(?P<flags>[g\d]*)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Rex(Command):
    """The ``rex`` command."""

    field: str
    regex: str
    most: int
    sed: bool


def parse(cursor: Cursor, at: int) -> Rex:
    """Read the options and the regular expression, in any order."""
    options = {"field": "_raw", "max_match": "1", "mode": ""}
    regex: str | None = None
    while True:
        if found := cursor.match(_OPTION):
            if found[1].lower() == "offset_field":
                raise cursor.error("rex option 'offset_field' is known in SPL but not supported here")
            options[found[1].lower()] = cursor.field("as the option's value")
        elif regex is None and (quoted := cursor.quoted()) is not None:
            regex = quoted
        else:
            break
    if regex is None:
        raise cursor.error("rex needs a regular expression in quotes")
    if not options["max_match"].isdigit():
        raise cursor.error("max_match is a number of matches")
    return Rex(at, options["field"], regex, int(options["max_match"]), options["mode"].lower() == "sed")


def plan(command: Rex, relation: Relation, context: Context) -> Relation:
    """Take the fields out, or replace."""
    value = relation.value(command.field) or NULL
    if command.sed:
        return _replaced(command, relation, value, context)
    names = _group_names(command.regex)
    if not any(names):
        raise context.error(command.at, "rex needs a named group", "write (?<name>…) around what to take")
    regex = _engine_text(command.regex, command, context)
    source = call("ifNull", as_text(value), text(""))
    found = context.column(Shape.MULTI)
    matched = call("match", source, regex)
    groups = (
        call("extractGroups", source, regex)
        if command.most == 1
        else call("extractAllGroupsVertical", source, regex)
    )
    relation = relation.computed([(found, groups)])
    made: list[tuple[str, Column, Tree]] = []
    for index, name in enumerate(names, 1):
        if name:
            taken = _single(found, index) if command.most == 1 else _several(found, index, command.most)
            kept = choose(
                [(all_of([matched, call("notEmpty", column(found.name))]), taken)],
                relation.value(name) or NULL,
            )
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


def _single(found: Column, index: int) -> Value:
    taken = call("arrayElement", column(found.name), number(index))
    return Value(Shape.TEXT, call("nullIf", taken, text("")))


def _several(found: Column, index: int, most: int) -> Value:
    all_matches = (
        column(found.name) if not most else call("arraySlice", column(found.name), number(1), number(most))
    )
    each = lambda_("g", call("arrayElement", column("g"), number(index)))
    return Value(Shape.MULTI, call("arrayMap", each, all_matches))


def _replaced(command: Rex, relation: Relation, value: Value, context: Context) -> Relation:
    sed = _SED.fullmatch(command.regex.strip())
    if not sed:
        raise context.error(command.at, "expected a sed expression", 'write mode=sed "s/REGEX/TEXT/g"')
    function = "replaceRegexpAll" if "g" in sed["flags"] else "replaceRegexpOne"
    changed = call(function, as_text(value), _engine_text(sed["regex"], command, context), text(sed["text"]))
    return relation.extended([(command.field, context.column(Shape.TEXT), changed)])
