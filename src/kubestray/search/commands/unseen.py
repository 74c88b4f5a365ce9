"""``unseen FIELD [FIELD …] [BY SCOPE [SCOPE …]] [history=30d] [known_by="FIELD,FIELD"] [min_novelty=0.9]
[action=filter|annotate]`` finds what is there for the first time.

A key is the values of the FIELDs in a SCOPE: an image in a namespace, an executable in a workload. A row is
kept if the catalog has no series of its key that was first seen before the row (its ``_time`` bin, or the
range of the search where there is none, which is that of ``mstats`` where it says one) and last seen
within ``history`` before the range. Only the catalog is asked, which knows series by their attributes and
when each was first and last seen, never points: so all rows come from ``mstats … BY``, and the commands
between it and ``unseen`` may compute with attributes (``eval``, ``rename``, ``rex``, ``lookup``), but
choose rows neither by a measured value nor some of all rows (``head``, ``dedup``): that comes after. Known
is what the metrics and the WHERE of the search itself know. A series that comes back after a longer time
than ``history`` is known all the same, for of a series the catalog has one first and one last sight. A row
without one of the fields is not kept.

``first_seen`` is when the key was, ``known_elsewhere`` the other values of the SCOPE, and of the
``known_by`` fields, whose rows knew the FIELDs before (up to 10), ``novelty`` how much news it is, from 0
to 1: 1 less the probability that its scope meets so many new keys in ten minutes, from how often it did
lately (half of that is forgotten in a day). In a scope that meets something new each hour a new key is no
news, in one that never changes it is. ``min_novelty`` is the least that is kept.

``scope_age`` is for how many seconds the scope was known when the key came, and ``unseen_state`` is
``learning`` while that is less than ``history``, else ``ready``. The younger the scope (by half with each
day), the more a key that other scopes know is expected of it. In the first hour of a scope everything in it
is new, and never counts as news that it met: what is known elsewhere is no news then (0), and what is known
nowhere counts by how rarely all scopes together meet something new, by half of that before all scopes
together are known for a day and an hour, as jobs of each day are not known by then. In the first hour of all
nothing is news. What happens once a day is not known in the first day of a scope either: where that matters
(jobs, nodes, a whole cluster) ask for ``scope_age >= 90000``.

``action=annotate`` keeps all rows; ``novelty`` is 0 for what is known.

Example::

    | mstats count(process.cpu.time) AS points BY k8s.cluster.name k8s.namespace.name process.executable.name
    | unseen process.executable.name BY k8s.cluster.name k8s.namespace.name
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.model.errors import SearchError
from kubestray.search.cursor import Cursor
from kubestray.search.first_sights import Seen
from kubestray.search.given import given_relation
from kubestray.search.joining import join_first
from kubestray.search.newcomers import Newcomer, Wanted, newcomers, seen_by
from kubestray.search.options import amount, length, one_of, read_names
from kubestray.search.plan import Column, Filter
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import Shape, constant, nothing
from kubestray.store.trees import Tree, call, column, either, number

_OPTIONS = ("history", "known_by", "min_novelty", "action")
_ACTIONS = ("filter", "annotate")
_ADDED = {
    "first_seen": Shape.NUMBER, "known_elsewhere": Shape.MULTI, "novelty": Shape.NUMBER,
    "unseen_state": Shape.TEXT, "scope_age": Shape.NUMBER,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unseen(Command):
    """The ``unseen`` command."""

    wanted: Wanted
    least: float
    annotate: bool


def parse(cursor: Cursor, at: int) -> Unseen:
    """Read the fields, the scope and the options; options may stand anywhere."""
    options: dict[str, str] = {}
    fields = read_names(cursor, options, _OPTIONS, "of what may be new")
    scope = read_names(cursor, options, _OPTIONS, "after BY") if cursor.keyword("by") else ()
    if twice := set(fields) & set(scope):
        raise cursor.error(f"{min(twice)} cannot be new in itself", at, "name it once")
    places = tuple(name.strip() for name in options.get("known_by", "").split(",") if name.strip())
    least = amount(cursor, at, options, "min_novelty", 0.9)
    if least > 1:
        raise cursor.error(f"min_novelty={options['min_novelty']} is above 1", at, "write min_novelty=0.9")
    wanted = Wanted(fields, scope, places, length(cursor, at, options, "history", "30d"))
    return Unseen(at, wanted, least, one_of(cursor, at, options, "action", _ACTIONS) == "annotate")


def plan(command: Unseen, relation: Relation, context: Context) -> Relation:
    """Ask the catalog which keys are new, and keep their rows."""
    wanted = command.wanted
    for name in (*wanted.fields, *wanted.scope, *wanted.places):
        if name not in relation.fields:
            context.note(f"unseen: there is no field {name}")
    try:
        seen = seen_by(wanted, relation, context)
        found = [] if context.table is None else newcomers(seen, context)
    except SearchError as error:
        raise error if error.position else context.error(command.at, error.message, error.hint) from error
    if command.annotate:
        return _annotated(command, relation, seen, found, context)
    kept = [one for one in found if one.novelty >= command.least]
    rows = _joined(command, relation, kept, context, outer=False)
    return rows.with_node(Filter(rows.node, _is_first(rows, seen)))


def _joined(
    command: Unseen, relation: Relation, found: list[Newcomer], context: Context, *, outer: bool
) -> Relation:
    """Return the rows with what is known of the new keys that they have."""
    wanted = command.wanted
    names = [f"key\0{name}" for name in (*wanted.scope, *wanted.fields)]
    rows = [
        {
            **dict(zip(names, (*one.scope, *one.key), strict=True)),
            "first_seen": one.first,
            "known_elsewhere": list(one.elsewhere),
            "novelty": one.novelty,
            "unseen_state": one.state,
            "scope_age": one.age,
        }
        for one in found
    ]
    theirs = _shaped(given_relation(rows, context, [*names, *_ADDED]), context)
    keys = [(name, theirs.value(f"key\0{name}")) for name in (*wanted.scope, *wanted.fields)]
    shown = theirs.with_fields({name: theirs.fields[name] for name in _ADDED})
    bare = relation.with_fields({n: made for n, made in relation.fields.items() if n not in _ADDED})
    return join_first(bare, shown, keys, context, outer=outer, overwrite=True)


def _shaped(relation: Relation, context: Context) -> Relation:
    """Return rows whose added fields have their shape also where none has a value."""
    made: list[tuple[str, Column, Tree]] = []
    for name, shape in _ADDED.items():
        own = relation.fields[name]
        if own.shape is shape:
            continue
        tree = nothing(shape)
        if own.shape is Shape.TEXT and shape is Shape.MULTI:
            is_there = call("isNotNull", column(own.name))
            tree = either(is_there, call("array", call("assumeNotNull", column(own.name))), nothing(shape))
        made.append((name, context.column(shape), tree))
    return relation.extended(made)


def _is_first(rows: Relation, seen: Seen) -> Tree:
    """Return the condition that the key of a row was not seen before the row."""
    first, since = column(rows.fields["first_seen"].name), number(seen.earliest)
    time = rows.fields.get("_time")
    if time is not None and time.shape is Shape.NUMBER:
        since = call("greatest", column(time.name), since)
    return call("ifNull", call("greaterOrEquals", first, since), number(0))


def _annotated(
    command: Unseen, relation: Relation, seen: Seen, found: list[Newcomer], context: Context
) -> Relation:
    """Return all rows: with the first sight of their key, and for new ones how much news they are."""
    wanted = command.wanted
    by = [*seen.scope, *seen.key]
    grouped = seen.grouped(by, [seen.first_known()], context)
    names = (*wanted.scope, *wanted.fields)
    keys = [(name, grouped.value(f"g{place}")) for place, name in enumerate(names)]
    rows = _joined(command, relation, found, context, outer=True)
    is_first = context.column(Shape.NUMBER)
    rows = rows.computed([(is_first, call("toNullable", call("toFloat64", _is_first(rows, seen))))])
    new = call("equals", column(is_first.name), number(1))
    told = {name: rows.fields[name] for name in _ADDED if name != "first_seen"}
    blanks = {name: constant(0) if name == "novelty" else nothing(made.shape) for name, made in told.items()}
    rows = rows.extended(
        [
            (name, context.column(made.shape), either(new.copy(), column(made.name), blanks[name]))
            for name, made in told.items()
        ]
    )
    shown = grouped.with_fields({"first_seen": grouped.fields["first"]})
    return join_first(rows, shown, keys, context, outer=True, overwrite=True)
