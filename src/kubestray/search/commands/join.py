"""``join [type=inner|left] [max=N] [overwrite=true|false] [usetime=true] FIELD … [ SUBSEARCH ]``
joins rows by fields.

Each row gets the fields of the first row of the subsearch that has the same values in the named fields
(of the first N with ``max=N``, of all with ``max=0``). Without a field it is all that both sides have.
With ``type=left``, or ``outer``, rows without a match stay. Fields of the subsearch overwrite those of
the same name unless ``overwrite=false``. Values compare with their case; rows without a value never
match.

With ``usetime=true`` only rows match that are no later, by ``_time`` in seconds; with ``earlier=false``
only those that are no earlier.

``left=L right=R where L.FIELD=R.FIELD …`` joins by fields of different names. The fields of the result
are then called ``L.NAME`` and ``R.NAME``, but internal ones like ``_time``, which are those of the left
side. ``inputlookup:NAME`` in place of the subsearch is the rows of a lookup.

Example::

    | join type=left key [ mstats avg(tcp.bytes) AS usual WHERE index=* earliest=-30d BY key ]

    | join left=L right=R where L.host=R.key [ inputlookup baseline ]
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from kubestray.search.commands.inputlookup import at_dataset, read_dataset
from kubestray.search.cursor import Cursor
from kubestray.search.joining import Key, join_first, timed_matches
from kubestray.search.options import flag, read_options, whole
from kubestray.search.plan import Filter
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Pipeline
from kubestray.search.truncation import MOST_OF_SUBSEARCH, cut

_OPTIONS = ("type", "max", "left", "right")
_FLAGS = ("overwrite", "usetime", "earlier")
_TYPES = ("inner", "left", "outer")


@dataclass(frozen=True, slots=True)
class Join(Command):
    """The ``join`` command; pairs are (our field, theirs), none for all fields that both sides have.

    ``aliases`` are what the fields of the two sides are called by.
    """

    pairs: tuple[tuple[str, str], ...]
    outer: bool
    most: int
    overwrite: bool
    earlier: bool | None
    """Whether matches are no later or no earlier; None if time does not matter."""
    aliases: tuple[str, str] | None
    subsearch: Pipeline


def parse(cursor: Cursor, at: int) -> Join:
    """Read the options and the fields, in any order, and the subsearch."""
    options: dict[str, str] = {}
    names: list[str] = []
    pairs: tuple[tuple[str, str], ...] | None = None
    while not at_dataset(cursor):
        start = cursor.skip()
        if read_options(cursor, _OPTIONS, options, _FLAGS):
            if options.get("type", "inner").lower() not in _TYPES:
                raise cursor.error(f"join type {options['type']!r} is unknown", start, "inner, left or outer")
        elif pairs is None and "left" in options and "right" in options and cursor.keyword("where"):
            pairs = _pairs(cursor, options["left"], options["right"])
        elif cursor.at_field():
            names.append(cursor.field("to join by"))
            cursor.take(",")
        else:
            break
    inner = read_dataset(cursor, "to start the subsearch of join")
    earlier = flag(options, "earlier", True) if flag(options, "usetime", False) else None
    return Join(
        at,
        pairs or tuple((name, name) for name in names),
        options.get("type", "inner").lower() != "inner",
        whole(cursor, options, "max", 1),
        flag(options, "overwrite", True),
        earlier,
        (options["left"], options["right"]) if pairs else None,
        inner,
    )


def _pairs(cursor: Cursor, left: str, right: str) -> tuple[tuple[str, str], ...]:
    """Read ``L.FIELD=R.FIELD …``, either side first."""
    pairs: list[tuple[str, str]] = []
    while not at_dataset(cursor) and (cursor.at_field() or not pairs):
        if pairs and (
            cursor.keyword("and") or cursor.match(rf"(?=(?:{'|'.join((*_OPTIONS, *_FLAGS))})\s*=)")
        ):
            break
        start = cursor.skip()
        first = cursor.field(f"such as {left}.FIELD")
        cursor.expect("=", "between the fields of the two sides")
        second = cursor.field(f"such as {right}.FIELD")
        if first.startswith(f"{right}."):
            first, second = second, first
        if not first.startswith(f"{left}.") or not second.startswith(f"{right}."):
            raise cursor.error(f"expected {left}.FIELD={right}.FIELD", start)
        pairs.append((first[len(left) + 1 :], second[len(right) + 1 :]))
        cursor.take(",")
        cursor.keyword("and")
    return tuple(pairs)


def plan(command: Join, relation: Relation, context: Context) -> Relation:
    """Join the rows."""
    found = cut(context.subsearch(command.subsearch), context, MOST_OF_SUBSEARCH, "the subsearch of join")
    pairs = command.pairs or tuple((name, name) for name in relation.fields if name in found.fields)
    if not pairs:
        context.note("join has no field that both sides have, so no row matches")
        return relation if command.outer else relation.with_node(Filter(relation.node, exp.false()))
    if command.aliases:
        pairs, relation, found = _called(command.aliases, pairs, relation, found)
    keys: list[Key] = [(ours, found.value(theirs)) for ours, theirs in pairs]
    if not command.overwrite:
        kept = {name: made for name, made in found.fields.items() if name not in relation.fields}
    else:
        kept = dict(found.fields)
    if command.earlier is not None:
        time = found.value("_time")
        return timed_matches(
            relation,
            found.with_fields(kept),
            keys,
            time,
            context,
            outer=command.outer,
            overwrite=command.overwrite,
            most=command.most,
            earlier=command.earlier,
        )
    return join_first(
        relation,
        found.with_fields(kept),
        keys,
        context,
        outer=command.outer,
        overwrite=command.overwrite,
        most=command.most,
    )


def _called(
    aliases: tuple[str, str], pairs: tuple[tuple[str, str], ...], ours: Relation, theirs: Relation
) -> tuple[tuple[tuple[str, str], ...], Relation, Relation]:
    """Return the pairs and both sides with the names that tell the sides apart; internal fields are ours."""
    left, right = aliases
    own = {n if n.startswith("_") else f"{left}.{n}": made for n, made in ours.fields.items()}
    other = {
        n if n.startswith("_") else f"{right}.{n}": made
        for n, made in theirs.fields.items()
        if not n.startswith("_") or n not in ours.fields
    }
    return (
        tuple((_name(left, a), _name(right, b)) for a, b in pairs),
        ours.with_fields(own),
        theirs.with_fields(other),
    )


def _name(alias: str, name: str) -> str:
    return name if name.startswith("_") else f"{alias}.{name}"
