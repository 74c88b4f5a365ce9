"""Explains a row of a search with `stray`: the profile of its entity just before, and the bins up to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kubestray.baseline.arrays import Floats
from kubestray.baseline.explain import Explanation, explain
from kubestray.baseline.profile import Key, Profile
from kubestray.model.errors import SearchError
from kubestray.search import parser
from kubestray.search.commands.stray import first_stray
from kubestray.search.history import bin_seconds, extends, pieces
from kubestray.search.plan import Filter
from kubestray.search.relation import Context, Relation
from kubestray.search.run import Query, Request, before_of, context_of, plan_pipeline
from kubestray.search.straying import (
    Range,
    Wish,
    form_of,
    identity,
    numbers_of,
    origin,
    prepared,
    subject,
)  # fmt: skip
from kubestray.search.syntax import Pipeline
from kubestray.store.trees import all_of, call, column, text

EVIDENCE_SECONDS = 3600.0
"""How much of the time before a row is in its evidence as bins; what lies before is in the profile."""


def explain_result(request: Request, query: Query, row: Mapping[str, Any]) -> Explanation | None:
    """Explain a row of a search's result by the row of `stray` that it came of.

    What follows `stray` may have renamed and gathered its rows: of those whose keys are all among the values
    of the result's row it is the one with the highest score. None if the search has no `stray`, or if no row
    fits.
    """
    context = context_of(request, query)
    pipeline = parser.parse(context.source)
    found = first_stray(pipeline)
    if found is None:
        return None
    place, command = found
    relation = plan_pipeline(Pipeline(pipeline.at, pipeline.commands[: place + 1]), context, None)
    told = {str(value) for value in row.values()}
    fitting = [
        one
        for one in context.discover(relation)
        if all(str(one.get(name)) in told for name in command.wish.keys) and one.get("score") is not None
    ]
    if not fitting:
        return None
    return explain_row(
        request, query, max(fitting, key=lambda one: (float(one["score"]), -float(one["_time"])))
    )


def explain_row(request: Request, query: Query, row: Mapping[str, Any]) -> Explanation | None:
    """Explain a row that a search gave, from what is kept in the store, or else from the points.

    ``request`` is the search; its ``profiles`` are looked at. ``row`` needs ``_time`` and the keys of the
    entity, and its ``threshold`` holds. None if the search has no `stray`, or if its entity has no values
    then any more. A row that came of peers (``stray_reason``) is explained by the entity alone.
    """
    context = context_of(request, query)
    pipeline = parser.parse(context.source)
    found = first_stray(pipeline)
    if found is None or "_time" not in row:
        return None
    place, command = found
    wish, time = command.wish, float(row["_time"])
    key = tuple(str(row[name]) for name in wish.keys)
    relation = plan_pipeline(Pipeline(pipeline.at, pipeline.commands[:place]), context, None)
    context.before = before_of(pipeline, place, None, context)
    step = bin_seconds(context.before, relation, context)
    if step is None:
        hint = "write span=1m in mstats"
        raise SearchError("a row without bins of one length cannot be explained", hint=hint)
    profile = _known(wish, key, Range(time, time + step), step, context)
    times, values = _bins(wish, key, (profile, time + step), relation, context)
    if not len(times) or times[-1] != time or not np.isfinite(values[-1]).any():
        return None
    # What is carried out within the evidence could not be worked out again from it: it begins there.
    since = max(time - EVIDENCE_SECONDS, profile.orders.last(key, time))
    early = times < since
    codes = np.zeros(int(early.sum()), dtype=np.int64)
    for _ in profile.advance(times[early], [key], codes, values[early]):
        pass
    profile.obey(float(times[~early][0]))
    profile.admit(key)
    threshold = row.get("threshold")
    return explain(
        profile, times[~early].tolist(), values[~early], None if threshold is None else float(threshold),
        wish.question, identity(wish, context),
    )  # fmt: skip


def _known(wish: Wish, key: Key, wanted: Range, step: float, context: Context) -> Profile:
    """Return what was known of an entity some time before, from what is kept; or one that is to learn."""
    kept = None
    if context.profiles:
        kept = context.profiles.nearest(identity(wish, context), wanted.first - EVIDENCE_SECONDS)
    if kept is not None and kept.form == form_of(wish, step):
        known = kept.only(key)
    else:
        known = Profile(form_of(wish, step), origin(wish, context, wanted, step))
    if context.profiles:
        known.orders = context.profiles.orders(subject(wish, context))
    return known


def _bins(
    wish: Wish, key: Key, stretch: tuple[Profile, float], relation: Relation, context: Context
) -> tuple[Floats, Floats]:
    """Return times and values (bins, metrics) of an entity from where a profile ends to a time."""
    assert context.before
    assert context.table
    profile, end = stretch

    def own(rows: Relation) -> Relation:
        made = prepared(wish, rows, context)
        same = [
            call("equals", column(made.fields[f"key\0{name}"].name), text(part))
            for name, part in zip(wish.keys, key, strict=True)
        ]
        return made.with_node(Filter(made.node, all_of(same)))

    if extends(relation, context):
        stretches = (profile.until, end, profile.form.step)
        tables = list(pieces(context.before, context, stretches, own))
    else:
        made = own(relation)
        tables = [(made, context.table(made))]
    parts = [numbers_of(wish, made, table) for made, table in tables]
    times = np.concatenate([times for times, _ in parts] or [np.zeros(0)])
    values = np.concatenate([values for _, values in parts] or [np.zeros((0, len(wish.fields)))])
    wanted = np.flatnonzero((times >= profile.until) & (times < end))
    order = wanted[np.argsort(times[wanted], kind="stable")]
    return times[order], values[order]
