"""``foreach [mode=MODE] FIELD … [ COMMANDS ]`` runs commands once for each field, or for each value of one.

``mode=multifield``, which is so unless said otherwise: once for each field whose name matches, and for each
name without a ``*``, also if there is no such field yet. In the
commands ``<<FIELD>>`` stands for the field's name, ``<<MATCHSTR>>`` for what the wildcards stood for and
``<<MATCHSEG1>>`` … for what each of them did, also inside quoted texts. A ``*`` at the start leaves
internal fields like ``_time`` alone. The commands are read once and names are filled in afterwards, so no
field name, whatever it holds, can change what they do.

``mode=multivalue``: once for each value of a field, which is ``<<ITEM>>``; ``<<ITER>>`` is its place,
from 0 on. ``mode=json_array`` does so for the items of a JSON array, ``mode=auto_collections`` for those
of a JSON array where there is one, else for the values; without a field it is over every field that has
several values or a JSON array. The commands are ``eval`` only then, and change no row that has no value for
them. There are no patterns.

``fieldstr``, ``matchstr``, ``matchseg1`` …, ``itemstr`` and ``iterstr`` are other words for those in
``<<>>``.

Example::

    | foreach avg_* [ eval ratio_<<MATCHSTR>> = '<<MATCHSTR>>' / '<<FIELD>>' ]
    | foreach mode=multivalue sizes [ eval total = coalesce(total, 0) + <<ITEM>> ]
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from kubestray.search.commands.eval import Eval
from kubestray.search.cursor import Cursor
from kubestray.search.functions.json_values import document, is_kind, native
from kubestray.search.options import read_options
from kubestray.search.plan import Column, Grouped
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Pipeline, rewrite_text
from kubestray.search.templates import ITEM, ITERATION, WORDS, read_template, with_items, with_numbers
from kubestray.search.values import NULL, Shape, Value, as_dynamic, as_list, choose, constant
from kubestray.search.wildcards import field_parts
from kubestray.store.trees import Tree, array, call, column, either, lambda_, number, text

_TOKEN = re.compile(r"<<(FIELD|MATCHSTR|MATCHSEG[1-3])>>")
_ANY = "auto_collections"
_MODES = ("multifield", "multivalue", "json_array", _ANY)
_MOST = 1000


@dataclass(frozen=True, slots=True)
class ForEach(Command):
    """The ``foreach`` command."""

    mode: str
    patterns: tuple[str, ...]
    body: Pipeline


def parse(cursor: Cursor, at: int) -> ForEach:
    """Read the options, the patterns and the commands."""
    options: dict[str, str] = {}
    patterns: list[str] = []
    while not cursor.looking_at("["):
        if not read_options(cursor, ["mode", *WORDS], options):
            patterns.append(cursor.field("or pattern to repeat for"))
        cursor.take(",")
    mode = options.get("mode", "multifield").lower()
    if mode not in _MODES:
        raise cursor.error(f"foreach mode {mode!r} is unknown", at, f"one of {', '.join(_MODES)}")
    if not patterns and mode != _ANY:
        raise cursor.error("foreach needs a field or a pattern")
    if mode != "multifield" and len(patterns) > 1:
        raise cursor.error(f"foreach with mode={mode} is over one field", at)
    body = read_template(cursor, options)
    if mode != "multifield" and any(not isinstance(c, Eval | ForEach) for c in body.commands):
        raise cursor.error(f"the commands of foreach with mode={mode} are eval only", at)
    return ForEach(at, mode, tuple(patterns), body)


def plan(command: ForEach, relation: Relation, context: Context) -> Relation:
    """Run the commands for each field there is when the command starts, or for each value of one."""
    if command.mode != "multifield":
        return _over_values(command, relation, context)
    names = list(relation.fields)
    for pattern in command.patterns:
        for name in names if "*" in pattern else [pattern]:
            found = field_parts(pattern, name)
            if found is not None:
                body = with_numbers(rewrite_text(command.body, _filling(name, found)))
                relation = context.continued(body, relation)
    return relation


def _filling(name: str, found: tuple[str, ...]) -> Callable[[str], str]:
    """Return the replacement of the tokens for one field."""
    words = {"FIELD": name, "MATCHSTR": "".join(found)}
    words |= {f"MATCHSEG{index}": text for index, text in enumerate(found, 1)}
    return lambda text: _TOKEN.sub(lambda token: words.get(token[1], ""), text)


def _over_values(command: ForEach, relation: Relation, context: Context) -> Relation:
    """Run the commands for each value of the field, or of each field that has several."""
    for name in command.patterns or [n for n in relation.fields if not n.startswith("_")]:
        value = relation.value(name)
        if value is not None and (command.patterns or value.shape is not Shape.NUMBER):
            relation = _over_field(command, name, value, relation, context)
    return relation


def _over_field(command: ForEach, name: str, value: Value, relation: Relation, context: Context) -> Relation:
    """Run the commands for the first values of all rows, then for the second ones, and so on."""
    items = context.column(Shape.MULTI)
    several = not command.patterns
    relation = relation.computed([(items, _items(command.mode, value, several=several))])
    most = _most(items, relation, context)
    if most > _MOST:
        raise context.error(command.at, f"there are {most} values in a row, more than {_MOST}")
    body = with_items(rewrite_text(command.body, _filling(name, ())))
    for place in range(most):
        relation = _once(body, items, place, relation, context)
    return relation


def _items(mode: str, value: Value, *, several: bool) -> Tree:
    """Return what the commands run for as an array of values of any shape.

    With ``several`` a single value that is no JSON array is none.
    """
    whole = document(value)
    pieces = call("arrayMap", lambda_("x", native(column("x")).tree), call("JSONExtractArrayRaw", whole))
    if mode == "json_array":
        return pieces
    listed = as_list(value)
    if several:
        one = call("less", call("length", listed), number(2))
        listed = either(one, call("CAST", array([]), text("Array(String)")), listed.copy())
    single = Value(Shape.TEXT, call("toNullable", column("x")))
    values = call("arrayMap", lambda_("x", as_dynamic(single)), listed)
    return values if mode == "multivalue" else either(is_kind(whole.copy(), "Array"), pieces, values)


def _most(items: Column, relation: Relation, context: Context) -> int:
    """Ask how many items there are in a row at most: there is a row for each place of an item."""
    place, number_of = context.column(Shape.NUMBER), context.column(Shape.NUMBER)
    places = call("arrayMap", lambda_("x", call("toFloat64", column("x"))), _places(items))
    asked = relation.computed([(place, call("toNullable", call("arrayJoin", places)))])
    distinct = Grouped(asked.node, ((number_of, column(place.name)),), ())
    return len(context.discover(Relation(distinct, {"place": number_of})))


def _places(items: Column) -> Tree:
    return call("arrayEnumerate", column(items.name))


def _once(body: Pipeline, items: Column, place: int, relation: Relation, context: Context) -> Relation:
    """Run the commands for the values at one place; a row without one keeps what it has."""
    item, iteration = context.column(Shape.DYNAMIC), context.column(Shape.NUMBER)
    before = relation.extended(
        [
            (ITEM, item, call("arrayElement", column(items.name), number(place + 1))),
            (ITERATION, iteration, constant(place)),
        ]
    )
    after = context.continued(body, before)
    has = call("greater", call("length", column(items.name)), number(place))
    made = []
    for name, new in after.fields.items():
        old = before.fields.get(name)
        if old != new:
            kept = choose([(has, new.value())], old.value() if old else NULL)
            made.append((name, context.column(kept.shape), kept.tree))
    done = after.extended(made)
    return done.with_fields({n: c for n, c in done.fields.items() if n not in (ITEM, ITERATION)})
