"""``stray FIELD [FIELD …] BY KEY [KEY …] [budget="1/30d"] [direction=up|down|both] [min_change=N]
[min_ratio=N] [peers="FIELD,FIELD"] [history=30d] [familiar_days=N] [alerts="5/1d"] [within="FIELD,FIELD"]
[action=filter|annotate|held]`` finds entities that stray from their own normal.

The rows are bins of one length, with ``_time`` at their start: what ``mstats … span=1m`` gives. An entity
is all rows with the same values of the KEYs; it has one row a bin, and one ``score`` over its FIELDs, which
are numbers. A score depends on no later row. ``budget`` is how many false alarms are asked for, for each
entity and time: ``1/30d`` is one in 30 days. Rates rarer than that are not kept, as scores do not tell such
rarities apart: ask for fewer ``alerts`` instead. Rows without a KEY are left out; so is a FIELD that is null.

It learns from ``history`` before the time range of the search, and reports what the range holds: the bins
that end in it and have ended. For the history the commands before are run over earlier times, so they must
treat each bin by itself: ``eval``, ``where``, ``rename``, ``lookup``, ``stats … BY _time`` and the like,
``fillnull`` with fields. Where the text has a range of its own (``earliest=-30d``), or the rows are given,
those that come in are all that it learns from. A detection that runs on a schedule goes on from what it has
learned, and learns each bin once: what comes in later than the schedule waits for is not learned.

``score`` is how rare a row is for its entity, or the minutes or hours up to it if these are rarer and it is
still off; up to 1.2 of it do not count as long as the row before was not as rare, as what is off once and
back is mostly nobody's doing. ``threshold`` is what it must exceed, ``alert`` 1 for an alarm and 0 for none,
``stray_reason`` why it is one: ``score``, ``rise`` (it has grown day after day, for a week) or ``peers``.
``stray_state`` is ``learning`` in the first hour of an entity, in which it raises no alarm, ``ready``,
``stale`` for the first row after a day without any, and ``peers`` for one that is learning and is judged by
others: at least three with the same values of the ``peers`` fields. For each FIELD there are
``expected_FIELD``, ``lower_FIELD`` and ``upper_FIELD`` (limits beyond which the field alone would make an
alarm, if it stays there) and ``score_FIELD``.

``direction`` says which way counts. ``min_change`` is how far a rare FIELD must be from what is expected,
in its own unit, ``min_ratio`` how many times as much (or as little). ``action=annotate`` keeps all rows,
``filter`` alarms.

``familiar_days`` is on how many of the last seven days something has to happen, in the same hour of the day
or one beside it and at least four fifths as far from what is expected, to be no news: a job that runs every
night makes that many alarms and no more. Without it, every night is judged by its score alone.

``alerts`` is how many false alarms are told for each group of entities and time, such as five a day for a
cluster: a group is what is alike in the KEYs that ``within`` names, by default ``k8s.cluster.name`` where it
is one, else all. An alarm costs what it is likely to be false, which is next to nothing where no normal hour
comes near it, and at most half of what the group has left; the others are held back until there is more, or
they score higher. ``action=held`` keeps these and what is familiar instead of alarms; their ``alert`` is 0
and their ``stray_reason`` is ``held`` or ``familiar``.

Example::

    | mstats sum(tcp.bytes) AS bytes BY k8s.cluster.name k8s.namespace.name source.workload.name span=1m
    | stray bytes BY k8s.cluster.name k8s.namespace.name source.workload.name direction=up min_ratio=2
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

from kubestray.baseline.alerts import Alerts
from kubestray.baseline.familiar import DAYS
from kubestray.baseline.judging import ADDED, OF_ENTITY, Question
from kubestray.baseline.stray import Direction
from kubestray.search.cursor import Cursor
from kubestray.search.given import given_relation
from kubestray.search.options import amount, length, one_of, read_names
from kubestray.search.plan import Column, Rows
from kubestray.search.relation import Context, Relation
from kubestray.search.straying import Wish, found
from kubestray.search.syntax import Command, Pipeline
from kubestray.search.times import per_day
from kubestray.search.values import Shape, nothing
from kubestray.store.trees import Tree

_OPTIONS = (
    "budget",
    "direction",
    "min_change",
    "min_ratio",
    "peers",
    "history",
    "familiar_days",
    "alerts",
    "within",
    "action",
)
_DIRECTIONS = ("both", "up", "down")
_ACTIONS = ("filter", "annotate", "held")
_CLUSTER = "k8s.cluster.name"


@dataclass(frozen=True, slots=True)
class Stray(Command):
    """The ``stray`` command."""

    rereads: ClassVar = True

    wish: Wish


def first_stray(pipeline: Pipeline) -> tuple[int, Stray] | None:
    """Return the place of the first `stray` of a pipeline, and the command; None if it has none."""
    places = enumerate(pipeline.commands)
    return next(((place, one) for place, one in places if isinstance(one, Stray)), None)


def parse(cursor: Cursor, at: int) -> Stray:
    """Read the fields, the keys and the options; options may stand anywhere."""
    options: dict[str, str] = {}
    fields = read_names(cursor, options, _OPTIONS, "with numbers")
    if not cursor.keyword("by"):
        raise cursor.error(f"expected BY and what an entity is, found {cursor.found()}")
    keys = read_names(cursor, options, _OPTIONS, "after BY")
    if twice := set(fields) & set(keys):
        raise cursor.error(f"{min(twice)} is measured and a key of entities", at)
    action = one_of(cursor, at, options, "action", _ACTIONS)
    alerts = _alerts(cursor, at, options, keys)
    days = _familiar_days(cursor, at, options)
    if action == "held" and alerts is None and not days:
        raise cursor.error("without alerts nothing is held back", at, 'write alerts="5/1d"')
    question = Question(
        cast(Direction, one_of(cursor, at, options, "direction", _DIRECTIONS)),
        amount(cursor, at, options, "min_change", 0.0),
        amount(cursor, at, options, "min_ratio", 1.0),
        action == "annotate",
        action == "held",
    )
    budget = per_day(options.get("budget", "1/30d"))
    if budget is None:
        raise cursor.error(f"budget={options['budget']} is no rate", at, 'write budget="1/30d"')
    peers = tuple(name.strip() for name in options.get("peers", "").split(",") if name.strip())
    history = length(cursor, at, options, "history", "30d")
    return Stray(at, Wish(fields, keys, question, budget, history, peers, alerts, days))


def _familiar_days(cursor: Cursor, at: int, options: Mapping[str, str]) -> int:
    given = options.get("familiar_days", "0")
    if not (given.isdecimal() and int(given) <= DAYS):
        raise cursor.error(f"familiar_days={given} is no number of days up to {DAYS}", at)
    return int(given)


def _alerts(cursor: Cursor, at: int, options: Mapping[str, str], keys: tuple[str, ...]) -> Alerts | None:
    """Read the budget of alarms of groups."""
    named = tuple(name.strip() for name in options.get("within", "").split(",") if name.strip())
    if other := next((name for name in named if name not in keys), None):
        raise cursor.error(f"within={other} is no key of entities", at, f"keys are {', '.join(keys)}")
    if "alerts" not in options:
        if named:
            raise cursor.error("within is of alerts, and there are none", at, 'write alerts="5/1d"')
        return None
    rate = per_day(options["alerts"])
    if rate is None:
        raise cursor.error(f"alerts={options['alerts']} is no rate", at, 'write alerts="5/1d"')
    return Alerts(rate, named or tuple(name for name in keys if name == _CLUSTER))


def plan(command: Stray, relation: Relation, context: Context) -> Relation:
    """Judge the rows; they are read while the search is planned."""
    wish = command.wish
    for name in (*wish.fields, *wish.keys, *wish.peers):
        if name not in relation.fields:
            context.note(f"stray: there is no field {name}")
    if context.table is None:
        return _with_added(wish, relation, context)
    rows = found(wish, relation, context, command.at)
    names = [*relation.fields, *(name for name, _ in _added(wish))]
    made = given_relation(rows, context, names)
    assert isinstance(made.node, Rows)
    keys = tuple(made.fields[name] for name in ("_time", *wish.keys) if name in made.fields)
    made = made.with_node(dataclasses.replace(made.node, keys=keys))
    return _shaped(made, dict(_added(wish)), context)


def _added(wish: Wish) -> list[tuple[str, Shape]]:
    texts = ("stray_state", "stray_reason")
    own = [(name, Shape.TEXT if name in texts else Shape.NUMBER) for name in OF_ENTITY]
    return own + [(f"{part}_{name}", Shape.NUMBER) for name in wish.fields for part in ADDED]


def _with_added(wish: Wish, relation: Relation, context: Context) -> Relation:
    """Return the fields that there would be, where there is no data."""
    made: list[tuple[str, Column, Tree]] = [
        (name, context.column(shape), nothing(shape)) for name, shape in _added(wish)
    ]
    return relation.extended(made)


def _shaped(relation: Relation, shapes: Mapping[str, Shape], context: Context) -> Relation:
    """Return rows whose added fields have their shape also where none has a value."""
    made: list[tuple[str, Column, Tree]] = [
        (name, context.column(shape), nothing(shape))
        for name, shape in shapes.items()
        if relation.fields[name].shape is not shape
    ]
    return relation.extended(made)
