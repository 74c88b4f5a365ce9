"""``extract [pairdelim="CHARACTERS" kvdelim="CHARACTERS"] [limit=N] [mv_add=true] [clean_keys=false]``.

Takes fields out of ``_raw`` where it has ``name=value`` or ``name="a value"``; ``kv`` is the same. Each
of the characters of ``pairdelim`` ends a pair, each of those of ``kvdelim`` stands between a name and its
value; without them it is white space or one of ``, ; | &``, and ``=``. Quotes around a value are taken
off. A field that there is already stays; of a name that comes twice the first value is taken, or all with
``mv_add=true``. A value that has one of the characters of ``kvdelim`` in it is not taken, unless it is in
quotes. Only the first ``maxchars`` characters are looked at. Characters of a name that are no letters or
digits become underscores, and there is none and no digit at its start, unless ``clean_keys=false``. At
most ``limit`` names are taken (50 unless given; 0: all).

Example::

    | extract pairdelim="|;" kvdelim="=:"
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.options import flag, read_options, whole
from kubestray.search.plan import Column, Grouped, Limited, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, Shape, Value, as_text, choose, present
from kubestray.store.trees import (
    Tree,
    aggregate,
    all_of,
    array,
    call,
    column,
    either,
    lambda_,
    null,
    number,
    text,
)

_OPTIONS = ["pairdelim", "kvdelim", "limit", "maxchars", "segment", "reload", "auto"]
_MOST_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class Extract(Command):
    """The ``extract`` command."""

    between_pairs: str
    within_pair: str
    most: int
    several: bool
    clean: bool
    characters: int


def parse(cursor: Cursor, at: int) -> Extract:
    """Read the options."""
    options: dict[str, str] = {}
    while read_options(cursor, _OPTIONS, options, ["mv_add", "clean_keys"]):
        cursor.take(",")
    if cursor.at_field():
        raise cursor.error("extractions by name are known in SPL but not supported here", hint="use rex")
    pairs, within = options.get("pairdelim", ""), options.get("kvdelim", "")
    several, clean = flag(options, "mv_add", False), flag(options, "clean_keys", True)
    most, characters = whole(cursor, options, "limit", 50), whole(cursor, options, "maxchars", 0)
    return Extract(at, pairs, within, most, several, clean, characters)


def plan(command: Extract, relation: Relation, context: Context) -> Relation:
    """Cut the text into pairs, ask which names there are, and take out the values of each."""
    raw = relation.value("_raw")
    if raw is None:
        return relation
    pairs = context.column(Shape.MULTI)
    shown = as_text(raw)
    if command.characters:
        shown = call("substringUTF8", shown, number(1), number(command.characters))
    relation = relation.computed([(pairs, _pairs(command, shown))])
    made: list[tuple[str, Column, Tree]] = []
    for name in _names(relation, pairs, command, context):
        value = _value(pairs, name, several=command.several)
        ours = relation.value(name) or NULL
        kept = choose([(present(ours), ours)], value)
        made.append((name, context.column(kept.shape), kept.tree))
    return relation.extended(made)


def _pairs(command: Extract, raw: Tree) -> Tree:
    """Return an array of pairs of a name and a value; an empty one of either is left out."""
    found = call("extractAllGroupsVertical", call("ifNull", raw, text("")), text(_pattern(command)))
    name, quoted, plain = (call("arrayElement", column("g"), number(index)) for index in (1, 2, 3))
    inner = call("replaceAll", quoted, text('\\"'), text('"'))
    if command.within_pair:
        whole_one = call("not", call("match", plain, text(f"[{_class(command.within_pair)}]")))
        plain = either(whole_one, plain.copy(), text(""))
    value = either(call("notEmpty", quoted.copy()), inner, call("trimBoth", plain))
    pairs = call("arrayMap", lambda_("g", array([_name(command, name), value])), found)
    full = all_of([call("notEmpty", call("arrayElement", column("g"), number(index))) for index in (1, 2)])
    return call("arrayFilter", lambda_("g", full), pairs)


def _pattern(command: Extract) -> str:
    r"""Return what a pair looks like: its name, its value in quotes, or its value without."""
    within = _class(command.within_pair or "=")
    quoted = r'"((?:[^"\\]|\\.)*)"'
    if not command.between_pairs:
        name = r"[A-Za-z_][\w.:-]*" if not command.within_pair else rf"[^\s,;|&\"{within}]+"
        return rf"(?s)({name})[{within}](?:{quoted}|([^\s,;|&\"]+))"
    between = _class(command.between_pairs)
    return rf"(?s)(?:^|[{between}])\s*([^{between}{within}]+)[{within}]\s*(?:{quoted}|([^{between}]*))"


def _class(characters: str) -> str:
    """Return characters as they stand in brackets of a regular expression (RE2)."""
    return "".join(f"\\x{{{ord(character):X}}}" for character in characters)


def _name(command: Extract, name: Tree) -> Tree:
    if not command.clean:
        return call("trimBoth", name)
    clean = call("replaceRegexpAll", call("trimBoth", name), text("[^A-Za-z0-9]"), text("_"))
    return call("replaceRegexpOne", clean, text("^[_0-9]+"), text(""))


def _names(relation: Relation, pairs: Column, command: Extract, context: Context) -> list[str]:
    """Ask for the names, the first to appear first."""
    relation, rank = relation.ranked(context)
    single, name, place = (context.column(shape) for shape in (Shape.TEXT, Shape.TEXT, Shape.NUMBER))
    of_pairs = call(
        "arrayMap", lambda_("g", call("arrayElement", column("g"), number(1))), column(pairs.name)
    )
    relation = relation.computed([(single, call("toNullable", call("arrayJoin", of_pairs)))])
    first = aggregate("min", column(rank.name))
    grouped = Grouped(relation.node, ((name, column(single.name)),), ((place, first),))
    most = command.most or _MOST_FIELDS + 1
    asked = Relation(grouped, {"name": name}, (Order(place), Order(name)))
    rows = context.discover(asked.with_node(Limited(asked.node, asked.order, most)))
    if len(rows) > _MOST_FIELDS:
        raise context.error(command.at, f"this makes more than {_MOST_FIELDS} fields", "give a limit")
    return [row["name"] for row in rows]


def _value(pairs: Column, name: str, *, several: bool) -> Value:
    is_it = call("equals", call("arrayElement", column("g"), number(1)), text(name))
    values = call(
        "arrayMap",
        lambda_("g", call("arrayElement", column("g"), number(2))),
        call("arrayFilter", lambda_("g", is_it), column(pairs.name)),
    )
    if several:
        return Value(Shape.MULTI, values)
    first = call("toNullable", call("arrayElement", values, number(1)))
    return Value(Shape.TEXT, either(call("notEmpty", values.copy()), first, null()))
